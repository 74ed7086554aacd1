/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of importers share: damage to a sample. */
#ifndef RINGSIDE_TESTS_TRACE_IMPORT_H
#define RINGSIDE_TESTS_TRACE_IMPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "trace/trace.h"

static inline int
import_as(const char *format, const char *text, size_t size, struct recording *r, struct error *err)
{
	*r = (struct recording){ 0 };
	err->text[0] = '\0';
	return trace_open_text("log", text, size, format, r, err);
}

/* Must be imported. */
static inline void
import_good(const char *format, const char *text, struct recording *r)
{
	struct error err;

	if (import_as(format, text, strlen(text), r, &err))
		fail_msg("%s", err.text);
}

/* Must be refused, and the error must have this in it. */
static inline void
import_refused(const char *format, const char *text, const char *why)
{
	struct recording r;
	struct error err;

	assert_int_equal(import_as(format, text, strlen(text), &r, &err), -1);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" has no \"%s\"", err.text, why);
	assert_null(r.record);
}

/* A record as it is printed, without its newline. */
static inline void
record_is(const struct recording *r, size_t i, const char *want)
{
	char text[512] = "";
	FILE *to = fmemopen(text, sizeof(text), "w");

	assert_non_null(to);
	assert_true(i < r->count);
	recording_print(r, &r->record[i], to);
	fclose(to);
	text[strcspn(text, "\n")] = 0;
	assert_string_equal(text, want);
}

/* Each cut through a text of one record a line: whole lines are taken, a part of one is refused. */
static inline void
cut_anywhere(const char *format, const char *text)
{
	size_t size = strlen(text), lines = 0;
	struct recording r;
	struct error err;

	for (size_t cut = 1; cut <= size; cut++) {
		char *copy = malloc(cut); /* so that a sanitizer sees what is read past it */
		bool ended = text[cut - 1] == '\n';
		int result;

		assert_non_null(copy);
		memcpy(copy, text, cut);
		lines += ended;
		result = import_as(format, copy, cut, &r, &err);
		if (result != (ended ? 0 : -1))
			fail_msg("cut at %zu: %d %s", cut, result, err.text);
		if (ended)
			assert_int_equal(r.count, lines);
		else
			assert_memory_equal(err.text, "log:", 4);
		recording_free(&r);
		free(copy);
	}
}

/* Bytes of a sample changed, @rounds times: an answer each time. Returns how many were refused. */
static inline unsigned
bytes_changed(const char *format, const char *text, size_t size, unsigned rounds)
{
	char *copy = malloc(size);
	unsigned refused = 0;
	struct recording r;
	struct error err;
	struct prng p;

	assert_non_null(copy);
	prng_seed(&p, 7);
	for (unsigned round = 0; round < rounds; round++) {
		memcpy(copy, text, size);
		for (unsigned k = prng_below(&p, 4); k < 4; k++)
			copy[prng_below(&p, (uint32_t)size)] = (char)prng_below(&p, 256);
		if (import_as(format, copy, size, &r, &err)) {
			refused++;
			assert_true(err.text[0]);
			assert_null(r.record);
		} else {
			assert_true(r.count <= size);
		}
		recording_free(&r);
	}
	free(copy);
	return refused;
}

#endif
