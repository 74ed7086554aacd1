/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a failure.  Three steps: find where it begins in the text and how it is quoted; take off
 * quotes and folds, one key and its raw value after the other; give each value to its key's
 * function. A raw value keeps its newlines as they were, so that an error inside it names its own
 * line.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/failure.h"

#define FIRST_KEY "ringside-failure"

struct reader {
	struct failure *f;
	const char *file;
	const char *at, *end; /* what is not read yet; at a line's beginning */
	long line; /* number of the line at @at */
	const char *quote; /* in front of each line */
	size_t quote_len;
	struct error *err;

	/* the key and value in hand */
	char *raw; /* with newlines where it was folded, without quotes; ends with a zero */
	size_t raw_len, raw_capacity;
	long raw_line, raw_column;
	uint32_t seen; /* bits of keys[] */
	bool ended;
};

static int
fail_value(struct reader *r, const char *what)
{
	return error_at(r->err, r->file, r->raw_line, r->raw_column, "%s", what);
}

/* --- values --------------------------------------------------------------------------------- */

/* Unfold and unescape the raw value into @out, cut to @size. */
static int
take_text(struct reader *r, char *out, size_t size)
{
	static const char escapes[] = "\\nrst";
	size_t n = 0, len = r->raw_len;
	const char *p = r->raw;

	while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++) {
		char c = p[i];

		if (c == '\n') {
			c = ' ';
			while (i + 1 < len && (p[i + 1] == ' ' || p[i + 1] == '\t'))
				i++;
		} else if (c == '\\') {
			c = i + 1 < len ? p[++i] : 0;
			if (!c || !strchr(escapes, c))
				return fail_value(r, "a backslash is followed by \\, n, r, s or t");
			c = "\\\n\r \t"[strchr(escapes, c) - escapes];
		}
		if (n + 1 < size)
			out[n++] = c;
	}
	out[n] = 0;
	return 0;
}

static int
read_string(struct reader *r, void *field)
{
	char *text = malloc(r->raw_len + 1);
	int result;

	must(text);
	result = take_text(r, text, r->raw_len + 1);
	if (!result)
		failure_set(field, text);
	free(text);
	return result;
}

static int
read_oracle(struct reader *r, void *field)
{
	return take_text(r, field, sizeof(r->f->finding.oracle));
}

static int
read_subject(struct reader *r, void *field)
{
	return take_text(r, field, sizeof(r->f->finding.subject));
}

static int
read_message(struct reader *r, void *field)
{
	return take_text(r, field, sizeof(r->f->finding.message));
}

static int
read_number(struct reader *r, void *field)
{
	char text[32], *after;
	unsigned long long v;

	if (take_text(r, text, sizeof(text)))
		return -1;
	errno = 0;
	v = strtoull(text, &after, 10);
	if (!isdigit((unsigned char)*text) || *after || errno || r->raw_len >= sizeof(text))
		return fail_value(r, "a decimal number expected");
	*(uint64_t *)field = v;
	return 0;
}

static int
read_time(struct reader *r, void *field)
{
	uint64_t v;

	if (read_number(r, &v))
		return -1;
	if (v > INT64_MAX)
		return fail_value(r, "a time in nanoseconds expected, below 2^63");
	*(int64_t *)field = (int64_t)v;
	return 0;
}

static int
read_format(struct reader *r, void *field)
{
	uint64_t v;

	(void)field;
	if (read_number(r, &v))
		return -1;
	return v == FAILURE_FORMAT ? 0 : fail_value(r, "this Ringside reads format 1 only");
}

/* The index of the value in @words, or -1 and an error that lists them. */
static int
read_word(struct reader *r, const char *const *words, size_t count)
{
	char text[64], what[400] = "expected one of";

	if (take_text(r, text, sizeof(text)))
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(what);

		if (!strcmp(text, words[i]))
			return (int)i;
		snprintf(what + n, sizeof(what) - n, " %s", words[i]);
	}
	return fail_value(r, what);
}

static int
read_verdict(struct reader *r, void *field)
{
	int v = read_word(r, verdict_name, VERDICT_COUNT);

	if (v >= 0)
		*(enum verdict *)field = (enum verdict)v;
	return v < 0 ? -1 : 0;
}

static int
read_mode(struct reader *r, void *field)
{
	int v = read_word(r, mode_name, WORLD_AROUND + 1);

	if (v >= 0)
		*(enum world_mode *)field = (enum world_mode)v;
	return v < 0 ? -1 : 0;
}

static int
read_stop(struct reader *r, void *field)
{
	int v = read_word(r, stop_name, STOP_ERROR + 1);

	if (v >= 0)
		*(enum stop *)field = (enum stop)v;
	return v < 0 ? -1 : 0;
}

static int
read_param(struct reader *r, void *field)
{
	char *text = NULL, *equal;
	int result = read_string(r, &text);

	(void)field;
	if (result)
		return -1;
	equal = strchr(text, '=');
	if (!equal || equal == text)
		result = fail_value(r, "a parameter is name=value");
	else if (r->f->param_count == FAILURE_PARAMS_MAX)
		result = fail_value(r, "too many parameters");
	if (!result) {
		*equal = 0;
		failure_add_param(r->f, text, equal + 1);
	}
	free(text);
	return result;
}

static int
read_schedule(struct reader *r, void *field)
{
	return schedule_parse_at(field, r->raw, r->raw_len, r->file, r->raw_line, r->raw_column,
				 r->err);
}

static int
read_trail(struct reader *r, void *field)
{
	struct trail *t = field;
	const char *p = r->raw;
	uint64_t stride = 0;

	for (; isdigit((unsigned char)*p) && stride < UINT32_MAX; p++)
		stride = stride * 10 + (uint64_t)(*p - '0');
	if (!stride || stride > UINT32_MAX || *p != ':')
		return fail_value(r, "a trail is a number of choices, ':' and marks");
	trail_free(t);
	t->stride = (uint32_t)stride;
	must(t->marks = calloc(1, TRAIL_MARKS_MAX + 1));
	for (p++; *p; p++) {
		if (isspace((unsigned char)*p))
			continue;
		if (!trail_is_mark(*p))
			return fail_value(r, "a mark is one of A-Z a-z 0-9 + /");
		if (t->count == TRAIL_MARKS_MAX)
			return fail_value(r, "too many marks");
		t->marks[t->count++] = *p;
	}
	return 0;
}

static int
read_at(struct reader *r, void *field)
{
	struct pick_key key;
	struct error what;
	char *text = NULL;
	int result;

	if (read_string(r, &text))
		return -1;
	result = pick_key_parse(&key, text, &what);
	if (result)
		fail_value(r, what.text);
	else if (((struct pick_keys *)field)->count == KEYED_PICKS_MAX)
		result = fail_value(r, "too many picks");
	else
		pick_keys_add(field, &key);
	free(text);
	return result;
}

static int
read_stack(struct reader *r, void *field)
{
	char **stack = field;

	if (stack[0] && stack[1])
		return fail_value(r, "a pair has two stacks");
	return read_string(r, stack[0] ? &stack[1] : &stack[0]);
}

static int
read_expect(struct reader *r, void *field)
{
	int v = read_word(r, verdict_name, VERDICT_COUNT);

	if (v >= 0)
		failure_set(field, verdict_name[v]);
	return v < 0 ? -1 : 0;
}

static int
read_yes(struct reader *r, void *field)
{
	static const char *const words[] = { "yes" };

	if (read_word(r, words, 1))
		return -1;
	*(bool *)field = true;
	return 0;
}

static int
read_end(struct reader *r, void *field)
{
	(void)field;
	r->ended = true;
	return 0;
}

/* --- keys ----------------------------------------------------------------------------------- */

static const struct key {
	const char *name;
	int (*read)(struct reader *r, void *field);
	size_t offset;
	bool required, repeated;
} keys[] = {
	{ FIRST_KEY, read_format, 0, true, false },
	{ "version", read_string, offsetof(struct failure, version), false, false },
	{ "build", read_string, offsetof(struct failure, build), false, false },
	{ "scenario", read_string, offsetof(struct failure, scenario), true, false },
	{ "variant", read_string, offsetof(struct failure, variant), false, false },
	{ "param", read_param, 0, false, true },
	{ "seed", read_number, offsetof(struct failure, seed), false, false },
	{ "strategy", read_string, offsetof(struct failure, strategy), false, false },
	{ "memory", read_string, offsetof(struct failure, memory), false, false },
	{ "races", read_yes, offsetof(struct failure, races), false, false },
	{ "datapath", read_string, offsetof(struct failure, datapath), false, false },
	{ "ring", read_string, offsetof(struct failure, ring), false, false },
	{ "mode", read_mode, offsetof(struct failure, mode), false, false },
	{ "verdict", read_verdict, offsetof(struct failure, finding.verdict), true, false },
	{ "oracle", read_oracle, offsetof(struct failure, finding.oracle), false, false },
	{ "statement", read_oracle, offsetof(struct failure, finding.statement), false, false },
	{ "subject", read_subject, offsetof(struct failure, finding.subject), false, false },
	{ "message", read_message, offsetof(struct failure, finding.message), false, false },
	{ "stop", read_stop, offsetof(struct failure, stop), false, false },
	{ "steps", read_number, offsetof(struct failure, steps), false, false },
	{ "time_ns", read_time, offsetof(struct failure, time_ns), false, false },
	{ "schedule", read_schedule, offsetof(struct failure, schedule), true, false },
	{ "trail", read_trail, offsetof(struct failure, trail), false, false },
	{ "at", read_at, offsetof(struct failure, keys), false, true },
	{ "critical", read_string, offsetof(struct failure, critical), false, false },
	{ "critical-stack", read_stack, offsetof(struct failure, critical_stack), false, true },
	{ "barrier", read_string, offsetof(struct failure, barrier), false, false },
	{ "order", read_string, offsetof(struct failure, order), false, false },
	{ "passing", read_schedule, offsetof(struct failure, passing), false, false },
	{ "expect", read_expect, offsetof(struct failure, expect), false, false },
	{ "end", read_end, 0, false, false },
};
#define KEYS (sizeof(keys) / sizeof(*keys))

static int
give(struct reader *r, const char *name, size_t len, long line, long column)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (strlen(keys[i].name) != len || memcmp(keys[i].name, name, len))
			continue;
		if ((r->seen >> i & 1) && !keys[i].repeated)
			return error_at(r->err, r->file, line, column, "a second \"%s\"",
					keys[i].name);
		r->seen |= UINT32_C(1) << i;
		return keys[i].read(r, (char *)r->f + keys[i].offset);
	}
	return error_at(r->err, r->file, line, column, "unknown key \"%.*s\"",
			(int)(len < 40 ? len : 40), name);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Length of the line at @p without its end, and where the next begins. */
static size_t
line_length(const char *p, const char *end, const char **next)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));
	size_t n = (size_t)((newline ? newline : end) - p);

	*next = newline ? newline + 1 : end;
	return n && p[n - 1] == '\r' ? n - 1 : n;
}

/* Skip to the first line of the failure; learn the quoting. */
static int
find_begin(struct reader *r)
{
	const char *next, *found;

	for (; r->at < r->end; r->at = next, r->line++) {
		size_t len = line_length(r->at, r->end, &next);

		found = memmem(r->at, len, FIRST_KEY ":", strlen(FIRST_KEY ":"));
		if (!found)
			continue;
		for (const char *q = r->at; q < found; q++)
			if (!strchr(" \t>|", *q) || !*q)
				found = NULL;
		if (!found)
			continue;
		r->quote = r->at;
		r->quote_len = (size_t)(found - r->at);
		return 0;
	}
	return error_at(r->err, r->file, r->line, 0,
			"no failure in here: no line begins with \"" FIRST_KEY ":\"");
}

/* The line at r->at without its quote; an empty line may have lost the quote's last blank. */
static const char *
unquoted(const struct reader *r, size_t *len, const char **next)
{
	size_t skip = r->quote_len, n = line_length(r->at, r->end, next);

	if (n < skip || memcmp(r->at, r->quote, skip))
		skip = 0;
	*len = n - skip;
	return r->at + skip;
}

static void
raw_append(struct reader *r, const char *text, size_t len)
{
	if (r->raw_len + len + 2 > r->raw_capacity) {
		r->raw_capacity = (r->raw_len + len + 2) * 2;
		must(r->raw = realloc(r->raw, r->raw_capacity));
	}
	memcpy(r->raw + r->raw_len, text, len);
	r->raw_len += len;
	r->raw[r->raw_len] = 0;
}

/* One key with its value, folded lines included. */
static int
read_entry(struct reader *r)
{
	const char *next;
	size_t len;
	const char *p = unquoted(r, &len, &next);
	const char *colon = memchr(p, ':', len);
	long line = r->line, column = (long)(p - r->at) + 1;
	size_t skip;

	if (!len || *p == '#') {
		r->at = next;
		r->line++;
		return 0;
	}
	if (!colon || colon == p || *p == ' ' || *p == '\t')
		return error_at(r->err, r->file, line, column, "\"key: value\" expected");
	skip = (size_t)(colon - p) + 1;
	while (skip < len && (p[skip] == ' ' || p[skip] == '\t'))
		skip++;
	r->raw_line = line;
	r->raw_column = column + (long)skip;
	r->raw_len = 0;
	raw_append(r, p + skip, len - skip);
	for (r->at = next, r->line++; r->at < r->end; r->at = next, r->line++) {
		const char *more = unquoted(r, &len, &next);

		if (!len || (*more != ' ' && *more != '\t'))
			break;
		raw_append(r, "\n", 1);
		/* Blanks for the quote, so that columns in errors are those of the file. */
		for (const char *q = r->at; q < more; q++)
			raw_append(r, " ", 1);
		raw_append(r, more, len);
	}
	return give(r, p, (size_t)(colon - p), line, column);
}

static int
read_all(struct reader *r)
{
	if (find_begin(r))
		return -1;
	while (r->at < r->end && !r->ended)
		if (read_entry(r))
			return -1;
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].required && !(r->seen >> i & 1))
			return error_at(r->err, r->file, r->line, 0, "no \"%s\" in this failure",
					keys[i].name);
	return 0;
}

int
failure_parse(struct failure *f, const char *text, size_t len, const char *file, struct error *err)
{
	struct reader r = {
		.f = f, .file = file, .at = text, .end = text + len, .line = 1, .err = err
	};
	int result;

	must_static(KEYS <= 32, "a bit a key");
	failure_init(f);
	result = read_all(&r);
	free(r.raw);
	if (result)
		failure_free(f);
	return result;
}

int
failure_load(struct failure *f, const char *path, struct error *err)
{
	FILE *in = fopen(path, "r");
	char *text;
	size_t len;
	int result;

	failure_init(f);
	if (!in)
		return error_set(err, "%s: %s", path, strerror(errno));
	must(text = malloc(FAILURE_BYTES_MAX + 1));
	len = fread(text, 1, FAILURE_BYTES_MAX + 1, in);
	if (ferror(in))
		result = error_set(err, "%s: cannot be read: %s", path, strerror(errno));
	else if (len > FAILURE_BYTES_MAX)
		result = error_set(err, "%s: larger than %u bytes, not a failure file", path,
				   FAILURE_BYTES_MAX);
	else
		result = failure_parse(f, text, len, path, err);
	free(text);
	fclose(in);
	return result;
}
