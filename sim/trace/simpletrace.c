/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/simpletrace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "trace/event_defs.h"
#include "trace/qemu.h"

#define MAGIC UINT64_C(0xf2b177cb0aa429b4)
#define EVENT_HEADER UINT64_MAX
#define EVENT_DROPPED (UINT64_MAX - 1)
#define TYPE_MAPPING 0u
#define TYPE_EVENT 1u
#define NAME_MAX_BYTES 512u

struct mapping {
	uint64_t number;
	const struct event_def *def; /* null: of no kind we know */
};

struct import {
	struct recording *r;
	struct event_defs *defs;
	struct error *err;
	const char *start, *at, *end;
	bool swap; /* the file is of the other byte order */
	uint64_t version;
	struct mapping *mapping;
	size_t mappings;
};

static int
damaged(const struct import *in, const char *what)
{
	return error_at(in->err, in->r->name, (long)in->r->lines, 0,
			"damaged record at byte %" PRIu64 ": %s", (uint64_t)(in->at - in->start),
			what);
}

static bool
take(struct import *in, void *value, size_t size)
{
	if ((size_t)(in->end - in->at) < size)
		return false;
	memcpy(value, in->at, size);
	in->at += size;
	return true;
}

static bool
take_u64(struct import *in, uint64_t *value)
{
	if (!take(in, value, 8))
		return false;
	if (in->swap)
		*value = __builtin_bswap64(*value);
	return true;
}

static bool
take_u32(struct import *in, uint32_t *value)
{
	if (!take(in, value, 4))
		return false;
	if (in->swap)
		*value = __builtin_bswap32(*value);
	return true;
}

static int
read_header(struct import *in)
{
	uint64_t first, magic;

	if (!take_u64(in, &first) || !take_u64(in, &magic) || first != EVENT_HEADER)
		return damaged(in, "not the header of a simpletrace file");
	in->swap = magic == __builtin_bswap64(MAGIC);
	if (magic != MAGIC && !in->swap)
		return damaged(in, "not the header of a simpletrace file");
	if (!take_u64(in, &in->version))
		return damaged(in, "cut off by the end of the file");
	if (in->version < 2 || in->version > 4)
		return error_at(in->err, in->r->name, 0, 0,
				"version %" PRIu64 " of simpletrace: 2 to 4 can be read",
				in->version);
	return 0;
}

static int
read_mapping(struct import *in)
{
	uint64_t number;
	uint32_t size;

	if (!take_u64(in, &number) || !take_u32(in, &size))
		return damaged(in, "cut off by the end of the file");
	if (size > NAME_MAX_BYTES)
		return damaged(in, "the name of an event is longer than 512 bytes");
	if ((size_t)(in->end - in->at) < size)
		return damaged(in, "cut off by the end of the file");
	in->mapping = realloc(in->mapping, (in->mappings + 1) * sizeof(*in->mapping));
	must(in->mapping);
	in->mapping[in->mappings++] =
		(struct mapping){ number, event_defs_find(in->defs, in->at, size) };
	in->at += size;
	return 0;
}

static const struct event_def *
event_of(const struct import *in, uint64_t number)
{
	if (in->version < 4)
		return event_defs_number(in->defs, number);
	for (size_t i = 0; i < in->mappings; i++)
		if (in->mapping[i].number == number)
			return in->mapping[i].def;
	return NULL;
}

/* Whether the arguments of @def fill exactly what is left. */
static bool
read_args(struct import *in, const struct event_def *def, struct record *record)
{
	record->kind = (uint16_t)def->kind;
	memcpy(record->arg, def->fixed, sizeof(record->arg));
	for (unsigned i = 0; i < def->args; i++) {
		uint64_t value;
		uint32_t size;

		if (def->arg_type[i] != EVENT_ARG_STRING) {
			if (!take_u64(in, &value))
				return false;
		} else {
			if (!take_u32(in, &size) || (size_t)(in->end - in->at) < size)
				return false;
			value = def->slot[i] == RECORD_ARGS
					? 0
					: (uint64_t)recording_text(in->r, in->at, size);
			in->at += size;
		}
		event_def_set(def, in->r, record, i, value);
	}
	return in->at == in->end;
}

static int
read_payload(struct import *in, uint64_t number, struct record *record)
{
	const struct event_def *def = event_of(in, number);
	const char *from = in->at;
	uint64_t dropped;

	if (number == EVENT_DROPPED) {
		if (!take_u64(in, &dropped))
			return damaged(in, "no number of dropped events");
		in->r->events_lost += dropped;
		return 0;
	}
	if (!def || def->opaque) {
		in->r->lines_skipped++;
		return 0;
	}
	for (; def; def = def->next) {
		in->at = from;
		if (def->opaque || !read_args(in, def, record))
			continue;
		qemu_record_finish(record);
		*recording_add(in->r, record->kind, record->line) = *record;
		return 0;
	}
	return damaged(in, "not the arguments that this event has");
}

static int
read_event(struct import *in)
{
	struct record record = { .line = in->r->lines };
	const char *from = in->at, *end = in->end;
	uint64_t number, ns;
	uint32_t size, pid;
	char name[16];
	int ret;

	if (!take_u64(in, &number) || !take_u64(in, &ns) || !take_u32(in, &size) ||
	    !take_u32(in, &pid))
		return damaged(in, "cut off by the end of the file");
	if (size < (size_t)(in->at - from))
		return damaged(in, "its length is less than that of its header");
	if ((size_t)(end - from) < size)
		return damaged(in, "cut off by the end of the file");
	if (ns > INT64_MAX)
		return damaged(in, "a time past the year 2262");
	record.time_ns = (int64_t)ns;
	record.thread = recording_thread(in->r, name,
					 (size_t)snprintf(name, sizeof(name), "%" PRIu32, pid));
	in->end = from + size;
	ret = read_payload(in, number, &record);
	in->end = end;
	in->at = from + size;
	return ret;
}

static int
read_records(struct import *in)
{
	while (in->at < in->end) {
		uint64_t type = TYPE_EVENT;
		int ret;

		if (in->version == 4 && !take_u64(in, &type))
			return damaged(in, "cut off by the end of the file");
		if (type == TYPE_MAPPING) {
			ret = read_mapping(in);
		} else if (type == TYPE_EVENT) {
			in->r->lines++;
			ret = read_event(in);
		} else {
			return damaged(in, "neither an event (1) nor a mapping (0)");
		}
		if (ret)
			return -1;
	}
	return 0;
}

int
simpletrace_import(struct recording *r, const char *text, size_t size,
		   const struct trace_options *o, struct error *err)
{
	struct import in = { .r = r, .err = err, .start = text, .at = text, .end = text + size };
	int ret = read_header(&in);

	if (!ret && in.version < 4 && (!o || !o->events))
		ret = error_at(err, r->name, 0, 0,
			       "version %" PRIu64
			       " of simpletrace numbers its events by the list of "
			       "all: name that build's trace-events-all with --events",
			       in.version);
	if (!ret) {
		in.defs = qemu_event_defs(r, o, err);
		ret = in.defs ? read_records(&in) : -1;
	}
	if (!ret)
		recording_times_check(r);
	event_defs_destroy(in.defs);
	free(in.mapping);
	return ret;
}

int
simpletrace_recognise(const char *text, size_t size)
{
	uint64_t word[2];

	if (size < sizeof(word))
		return 0;
	memcpy(word, text, sizeof(word));
	return word[0] == EVENT_HEADER && (word[1] == MAGIC || word[1] == __builtin_bswap64(MAGIC))
		       ? 100
		       : 0;
}
