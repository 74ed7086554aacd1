/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layout is that of trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5). */
#include "trace/tracedat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define OPTION_DONE 0u
#define OPTION_CPUCOUNT 8u
#define PAGE_BYTES_MIN 512u
#define PAGE_BYTES_MAX (1u << 24)

struct check {
	const char *name, *start, *at, *end;
	struct error *err;
	bool big; /* endian */
	const char *part; /* of the file, for errors */
	const char *value; /* the last that was looked at */
};

static int
cut(const struct check *c)
{
	return error_at(c->err, c->name, 0, 0, "damaged or cut off: it ends at byte %zu within %s",
			(size_t)(c->end - c->start), c->part);
}

static int
wrong(const struct check *c, const char *what)
{
	return error_at(c->err, c->name, 0, 0, "damaged at byte %zu, in %s: %s",
			(size_t)(c->value - c->start), c->part, what);
}

static int
skip(struct check *c, uint64_t bytes)
{
	if (bytes > (uint64_t)(c->end - c->at))
		return cut(c);
	c->at += bytes;
	return 0;
}

static int
number(struct check *c, unsigned bytes, uint64_t *value)
{
	*value = 0;
	c->value = c->at;
	if (bytes > (size_t)(c->end - c->at))
		return cut(c);
	for (unsigned i = 0; i < bytes; i++)
		*value |= (uint64_t)(unsigned char)c->at[i] << 8 * (c->big ? bytes - 1 - i : i);
	c->at += bytes;
	return 0;
}

/* A text with its end; or one that must be this. */
static int
text(struct check *c, const char *want)
{
	const char *end = memchr(c->at, '\0', (size_t)(c->end - c->at));

	c->value = c->at;
	if (!end)
		return cut(c);
	if (want && strcmp(c->at, want))
		return wrong(c, "another part was to come here");
	c->at = end + 1;
	return 0;
}

/* A number of bytes, and so many bytes. */
static int
sized(struct check *c, unsigned bytes, const char *part)
{
	uint64_t size;

	c->part = part;
	return number(c, bytes, &size) || skip(c, size);
}

static int
formats(struct check *c)
{
	uint64_t n, systems;

	c->part = "the formats of ftrace's events";
	if (number(c, 4, &n))
		return -1;
	while (n--)
		if (sized(c, 8, c->part))
			return -1;
	c->part = "the formats of events";
	if (number(c, 4, &systems))
		return -1;
	while (systems--) {
		if (text(c, NULL) || number(c, 4, &n))
			return -1;
		while (n--)
			if (sized(c, 8, c->part))
				return -1;
	}
	return 0;
}

static int
options(struct check *c, uint64_t *cpus)
{
	uint64_t id, size;

	c->part = "the options";
	for (;;) {
		if (number(c, 2, &id))
			return -1;
		if (id == OPTION_DONE)
			return 0;
		if (number(c, 4, &size))
			return -1;
		if (id == OPTION_CPUCOUNT && size >= 4) {
			if (number(c, 4, cpus))
				return -1;
			size -= 4;
		}
		if (skip(c, size))
			return -1;
	}
}

static int
cpu_data(struct check *c, uint64_t cpus)
{
	uint64_t at, size, bytes = (uint64_t)(c->end - c->start);

	c->part = "the table of the CPUs' data";
	for (uint64_t cpu = 0; cpu < cpus; cpu++) {
		if (number(c, 8, &at) || number(c, 8, &size))
			return -1;
		if (size && (at > bytes || size > bytes - at))
			return error_at(c->err, c->name, 0, 0,
					"damaged or cut off: the events of CPU %" PRIu64
					" are %" PRIu64 " bytes from byte %" PRIu64
					", and the file ends at byte %" PRIu64,
					cpu, size, at, bytes);
	}
	return 0;
}

static int
check_6(struct check *c)
{
	uint64_t cpus;

	c->part = "the header of ring-buffer pages";
	if (text(c, "header_page") || sized(c, 8, c->part))
		return -1;
	c->part = "the header of events";
	if (text(c, "header_event") || sized(c, 8, c->part) || formats(c) ||
	    sized(c, 4, "the kernel's symbols") || sized(c, 4, "the formats of trace_printk()") ||
	    sized(c, 8, "the names of processes"))
		return -1;
	c->part = "the number of CPUs";
	if (number(c, 4, &cpus))
		return -1;
	c->part = "the options";
	if (c->end - c->at >= 10 && !memcmp(c->at, "options  ", 10) &&
	    (skip(c, 10) || options(c, &cpus)))
		return -1;
	c->part = "the kind of data";
	if (c->end - c->at >= 10 && !memcmp(c->at, "latency  ", 10))
		return error_at(c->err, c->name, 0, 0,
				"holds the text of a latency tracer, and no events");
	if (c->end - c->at < 10)
		return cut(c);
	return text(c, "flyrecord") || cpu_data(c, cpus);
}

/* Its parts are found from options, which may be compressed: the rest is the library's. */
static int
check_7(struct check *c)
{
	uint64_t at;

	c->part = "the kind of compression";
	if (text(c, NULL) || text(c, NULL))
		return -1;
	c->part = "the place of the options";
	if (number(c, 8, &at))
		return -1;
	if (at >= (uint64_t)(c->end - c->start))
		return error_at(c->err, c->name, 0, 0,
				"damaged or cut off: its options are at byte %" PRIu64
				", and the file ends at byte %zu",
				at, (size_t)(c->end - c->start));
	return 0;
}

int
tracedat_check(const char *name, const char *file, size_t size, struct error *err)
{
	struct check c = { name, file, file, file + size, err, false, "the first bytes", file };
	uint64_t endian, bytes, page;
	const char *version;

	if (skip(&c, 10))
		return -1;
	version = c.at;
	if (text(&c, NULL))
		return -1;
	if (strcmp(version, "6") && strcmp(version, "7"))
		return error_at(err, name, 0, 0, "version %.16s of trace.dat: 6 and 7 can be read",
				version);
	if (number(&c, 1, &endian))
		return -1;
	c.big = endian == 1;
	if (endian > 1)
		return wrong(&c, "neither little (0) nor big (1) endian");
	if (number(&c, 1, &bytes))
		return -1;
	if (bytes != 4 && bytes != 8)
		return wrong(&c, "a long has neither 4 nor 8 bytes");
	if (number(&c, 4, &page))
		return -1;
	if (page < PAGE_BYTES_MIN || page > PAGE_BYTES_MAX || (page & (page - 1)))
		return wrong(&c, "no size of a page");
	return *version == '6' ? check_6(&c) : check_7(&c);
}
