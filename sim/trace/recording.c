/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/recording.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

const struct record_info record_info[RECORD_KINDS] = {
#define RECORD(id, name, format, what) [RECORD_##id] = { name, format, what },
	RECORDS(RECORD)
#undef RECORD
};

#define NS_PER_S 1000000000

void
recording_free(struct recording *r)
{
	for (size_t i = 0; i < r->threads; i++)
		free(r->thread[i]);
	free(r->thread);
	free(r->record);
	free(r->name);
	*r = (struct recording){ 0 };
}

struct record *
recording_add(struct recording *r, enum record_kind kind, uint64_t line)
{
	if (r->count == r->capacity) {
		r->capacity = r->capacity ? 2 * r->capacity : 64;
		r->record = realloc(r->record, r->capacity * sizeof(*r->record));
		must(r->record);
	}

	struct record *record = &r->record[r->count++];

	*record = (struct record){ .kind = (uint16_t)kind, .line = line };
	return record;
}

uint16_t
recording_thread(struct recording *r, const char *name, size_t size)
{
	for (size_t i = 0; i < r->threads; i++)
		if (strlen(r->thread[i]) == size && !memcmp(r->thread[i], name, size))
			return (uint16_t)i;
	/* So many threads are not one recording: the rest share the last number. */
	if (r->threads == UINT16_MAX)
		return UINT16_MAX - 1;
	r->thread = realloc(r->thread, (r->threads + 1) * sizeof(*r->thread));
	must(r->thread);
	r->thread[r->threads] = strndup(name, size);
	must(r->thread[r->threads]);
	return (uint16_t)r->threads++;
}

uint64_t
recording_count(const struct recording *r, enum record_kind kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += r->record[i].kind == kind;
	return n;
}

void
recording_print(const struct recording *r, const struct record *record, FILE *to)
{
	const struct record_info *info = &record_info[record->kind];
	unsigned arg = 0;

	fprintf(to, "%" PRId64 ".%09" PRId64 "%s %s %s", record->time_ns / NS_PER_S,
		record->time_ns % NS_PER_S, record->estimated ? "~" : "", r->thread[record->thread],
		info->name);
	if (*info->format)
		fputc(' ', to);
	for (const char *f = info->format; *f; f++) {
		if (*f != '%') {
			fputc(*f, to);
			continue;
		}
		f++;
		must(arg < RECORD_ARGS);
		fprintf(to, *f == 'x' ? "%" PRIx64 : "%" PRId64, record->arg[arg++]);
	}
	fputc('\n', to);
}
