/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/schedule.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/must.h"
#include "engine/world.h"

#define PREFIX "rs1"
#define REPEAT_MIN 3u /* two are not longer as they are */
#define REPEAT_MAX 1000u

/* --- the array ------------------------------------------------------------------------------ */

void
schedule_free(struct schedule *s)
{
	free(s->picks);
	*s = (struct schedule){ 0 };
}

void
schedule_clear(struct schedule *s)
{
	s->count = 0;
	s->choices = 0;
	s->digest = 0;
}

void
schedule_add(struct schedule *s, struct pick p)
{
	must(!s->count || s->picks[s->count - 1].at < p.at);
	must(p.pick && p.pick < p.n);
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? s->capacity * 2 : LIMIT(16, 1);
		must(s->picks = realloc(s->picks, s->capacity * sizeof(*s->picks)));
	}
	s->picks[s->count++] = p;
}

void
schedule_copy(struct schedule *to, const struct schedule *from)
{
	if (to == from)
		return;
	schedule_clear(to);
	for (size_t i = 0; i < from->count; i++)
		schedule_add(to, from->picks[i]);
	to->choices = from->choices;
	to->digest = from->digest;
}

int
schedule_take(struct schedule *s, const struct world *w, struct error *err)
{
	size_t count;
	const struct choice *c = world_choices(w, &count);

	schedule_clear(s);
	if (count > CHOICES_MAX)
		return error_set(err,
				 "the run took %zu choices, of which only %u are kept: it cannot "
				 "be replayed",
				 count, CHOICES_MAX);
	for (size_t i = 0; i < count; i++)
		if (c[i].pick)
			schedule_add(s, (struct pick){ (uint32_t)i, c[i].pick, c[i].n,
						       SCHEDULE_KIND_UNKNOWN });
	s->choices = (uint32_t)count;
	s->digest = world_digest(w);
	return 0;
}

/* --- printing ------------------------------------------------------------------------------- */

static char
kind_letter(unsigned kind)
{
	return kind < CHOICE_KINDS ? choice_kind_name[kind][0] : '.';
}

/* How many picks from @i on are alike: as many zeros before, same kind, pick and number. */
static size_t
alike(const struct schedule *s, size_t i)
{
	const struct pick *p = &s->picks[i];
	uint32_t delta = i ? p->at - p[-1].at : p->at + 1;
	size_t n = 1;

	while (i + n < s->count && n < REPEAT_MAX && p[n].at - p[n - 1].at == delta &&
	       p[n].kind == p->kind && p[n].pick == p->pick && p[n].n == p->n)
		n++;
	return n;
}

char *
schedule_print(const struct schedule *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	uint32_t next = 0;

	must(out);
	fputs(PREFIX ":", out);
	if (!s->count)
		fputc('-', out);
	for (size_t i = 0; i < s->count;) {
		const struct pick *p = &s->picks[i];
		size_t n = alike(s, i);

		fprintf(out, "%s%" PRIu32 "%c%u/%u", i ? "," : "", p->at - next,
			kind_letter(p->kind), p->pick, p->n);
		if (n < REPEAT_MIN)
			n = 1;
		else
			fprintf(out, "x%zu", n);
		i += n;
		next = s->picks[i - 1].at + 1;
	}
	fprintf(out, ":%" PRIu32 ":%016" PRIx64, s->choices, s->digest);
	must(!fclose(out));
	return text;
}

/* --- parsing -------------------------------------------------------------------------------- */

struct scanner {
	const char *text, *end;
	const char *at; /* the next byte */
	const char *token; /* where the token began, for errors */
	const char *file; /* null: errors count characters */
	long line, column; /* of text[0] */
	struct error *err;
};

static int
fail_at(struct scanner *sc, const char *where, const char *what)
{
	long line = sc->line, column = sc->column;

	if (!sc->file)
		return error_set(sc->err, "character %zu: %s", (size_t)(where - sc->text) + 1,
				 what);
	for (const char *p = sc->text; p < where; p++) {
		column++;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	return error_at(sc->err, sc->file, line, column, "%s", what);
}

/* The next byte that is not white space, or -1 at the end. */
static int
peek(struct scanner *sc)
{
	while (sc->at < sc->end && (*sc->at == ' ' || (*sc->at >= '\t' && *sc->at <= '\r')))
		sc->at++;
	return sc->at < sc->end ? (unsigned char)*sc->at : -1;
}

static int
expect(struct scanner *sc, char c, const char *what)
{
	if (peek(sc) != c)
		return fail_at(sc, sc->at, what);
	sc->at++;
	return 0;
}

static int
number(struct scanner *sc, uint64_t min, uint64_t max, const char *name, uint64_t *out)
{
	char what[120];
	uint64_t v = 0;
	int c = peek(sc);

	sc->token = sc->at;
	if (c < '0' || c > '9') {
		snprintf(what, sizeof(what), "%s expected, a decimal number", name);
		return fail_at(sc, sc->at, what);
	}
	for (; c >= '0' && c <= '9'; c = peek(sc)) {
		sc->at++;
		v = v * 10 + (uint64_t)(c - '0');
		if (v > max)
			break;
	}
	if (v < min || v > max) {
		snprintf(what, sizeof(what), "%s must be %" PRIu64 " to %" PRIu64, name, min, max);
		return fail_at(sc, sc->token, what);
	}
	*out = v;
	return 0;
}

static int
kind(struct scanner *sc, uint8_t *out)
{
	int c = peek(sc);

	for (unsigned k = 0; k <= CHOICE_KINDS; k++) {
		if (c == kind_letter(k)) {
			*out = (uint8_t)k;
			sc->at++;
			return 0;
		}
	}
	return fail_at(sc, sc->at, "kind of choice expected, one of a t o s l .");
}

static int
parse_picks(struct scanner *sc, struct schedule *s, const char **last)
{
	uint64_t next = 0, delta, n, pick, times;
	uint8_t k = SCHEDULE_KIND_UNKNOWN;

	if (peek(sc) == '-') {
		sc->at++;
		return 0;
	}
	for (;;) {
		if (number(sc, 0, CHOICES_MAX - 1, "number of choices answered 0", &delta))
			return -1;
		*last = sc->token;
		if (next + delta >= CHOICES_MAX)
			return fail_at(sc, sc->token, "more choices than a run can have");
		if (kind(sc, &k) || number(sc, 1, CHOICE_N_MAX - 1, "pick", &pick))
			return -1;

		const char *pick_at = sc->token;

		if (expect(sc, '/', "'/' and the number of alternatives expected") ||
		    number(sc, 2, CHOICE_N_MAX, "number of alternatives", &n))
			return -1;
		if (pick >= n)
			return fail_at(sc, pick_at,
				       "pick must be below the number of alternatives");
		times = 1;
		if (peek(sc) == 'x') {
			sc->at++;
			if (number(sc, 2, REPEAT_MAX, "number of repetitions", &times))
				return -1;
			if (next + times * (delta + 1) > CHOICES_MAX)
				return fail_at(sc, sc->token, "more choices than a run can have");
		}
		for (; times; times--, next += delta + 1)
			schedule_add(s, (struct pick){ (uint32_t)(next + delta), (uint16_t)pick,
						       (uint16_t)n, k });
		if (peek(sc) != ',')
			return 0;
		sc->at++;
	}
}

static int
parse_digest(struct scanner *sc, uint64_t *out)
{
	uint64_t v = 0;

	for (int i = 0; i < 16; i++) {
		int c = peek(sc);

		if (c < 0 || !isxdigit(c))
			return fail_at(sc, sc->at, "digest expected, 16 hexadecimal digits");
		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
		sc->at++;
	}
	*out = v;
	return 0;
}

static int
parse(struct scanner *sc, struct schedule *s)
{
	const char *last = sc->text;
	uint64_t choices;

	for (const char *p = PREFIX; *p; p++)
		if (expect(sc, *p, "not a schedule: it begins with \"" PREFIX ":\""))
			return -1;
	if (expect(sc, ':', "not a schedule of this version: it begins with \"" PREFIX ":\"") ||
	    parse_picks(sc, s, &last) || expect(sc, ':', "',' and a pick, or ':' expected") ||
	    number(sc, 0, CHOICES_MAX, "number of choices", &choices))
		return -1;
	if (s->count && s->picks[s->count - 1].at >= choices)
		return fail_at(sc, last, "this pick comes after the last choice of the run");
	s->choices = (uint32_t)choices;
	if (expect(sc, ':', "':' and the digest expected") || parse_digest(sc, &s->digest))
		return -1;
	if (peek(sc) != -1)
		return fail_at(sc, sc->at, "nothing expected after the digest");
	return 0;
}

int
schedule_parse_at(struct schedule *s, const char *text, size_t len, const char *file, long line,
		  long column, struct error *err)
{
	struct scanner sc = { text, text + len, text, text, file, line, column, err };

	schedule_clear(s);
	if (parse(&sc, s)) {
		schedule_free(s);
		return -1;
	}
	return 0;
}

int
schedule_parse(struct schedule *s, const char *text, size_t len, struct error *err)
{
	return schedule_parse_at(s, text, len, NULL, 0, 0, err);
}
