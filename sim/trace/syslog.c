/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/syslog.h"

#include <string.h>

#include "base/error.h"
#include "base/must.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S INT64_C(86400)
#define STAMP_S_MAX INT64_C(4000000000) /* a kernel that has been up for 126 years */

/* --- a line and what is left of it -------------------------------------------------------------
 */

struct cursor {
	const char *at, *end;
};

static bool
take(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static bool
take_spaces(struct cursor *c)
{
	const char *from = c->at;

	while (take(c, ' '))
		;
	return c->at != from;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* Digits of @base up to @max; false without any, or if the number is larger. */
static bool
take_number(struct cursor *c, int base, int64_t max, int64_t *value)
{
	const char *from = c->at;

	*value = 0;
	while (c->at < c->end && digit_value(*c->at) < base) {
		int digit = digit_value(*c->at);

		if (*value > (max - digit) / base)
			return false;
		*value = *value * base + digit;
		c->at++;
	}
	return c->at != from;
}

/* --- messages ----------------------------------------------------------------------------------
 */

/*
 * %d is a decimal number, %x one with 0x; a space is one or more.  A message that has the first
 * `key` characters of a pattern is meant to be one.
 */
struct message {
	enum record_kind kind;
	bool set; /* BIT_SEEN */
	size_t key;
	const char *pattern;
	const char *damaged; /* for the error */
};

#define MESSAGE(kind, set, key, rest) \
	{ \
		kind, set, sizeof(key) - 1, key rest, "should be \"" key rest "\"" \
	}
static const struct message messages[] = {
	MESSAGE(RECORD_BITMAP_DESTROYED, false, "memslot dirty bitmap of '",
		"%d' was destroyed, base_gfn %x, npages %d"),
	MESSAGE(RECORD_PAGE_DIRTY, false,
		"+++ gfn=", "%x is marked dirty, id=%d, base_gfn=%x, npages=%d"),
	MESSAGE(RECORD_MIGRATION_SYNC, false, "== migration_bitmap_sync", " =="),
	MESSAGE(RECORD_CHECKPOINT, false, "====qemu: The ", "%d times do checkpoing==="),
	MESSAGE(RECORD_BIT_SEEN, false, "qemu: --- addr=", "%x (hva=%x), who's bitmap not set ---"),
	MESSAGE(RECORD_BIT_SEEN, true,
		"qemu: +++ OK, addr=", "%x (hva=%x) , who's bitap is set +++"),
};
#define MESSAGES (sizeof(messages) / sizeof(messages[0]))
/* This much of a key, cut off by the end of the file, is enough to know a message by. */
#define KEY_CUT_MIN 6

enum match { MATCH_NONE, MATCH_DAMAGED, MATCH_WHOLE };

static bool
take_item(struct cursor *c, const char **pattern, int64_t *arg, unsigned *args)
{
	char item = *(*pattern)++;

	if (item == ' ')
		return take_spaces(c);
	if (item != '%')
		return take(c, item);
	must(*args < RECORD_ARGS);
	if (*(*pattern)++ == 'd')
		return take_number(c, 10, INT64_MAX, &arg[(*args)++]);
	return take(c, '0') && take(c, 'x') && take_number(c, 16, INT64_MAX, &arg[(*args)++]);
}

/* @cut: the file ends with this line, without a newline. @c is left where it does not match. */
static enum match
message_match(const struct message *m, struct cursor *c, bool cut, int64_t *arg)
{
	const char *pattern = m->pattern;
	unsigned args = 0;

	while (*pattern) {
		size_t done = (size_t)(pattern - m->pattern);

		if (!take_item(c, &pattern, arg, &args))
			return done >= m->key || (cut && c->at == c->end && done >= KEY_CUT_MIN)
				       ? MATCH_DAMAGED
				       : MATCH_NONE;
	}
	/* A number at the very end of a file may have lost digits. */
	if (cut && c->at == c->end && digit_value(c->at[-1]) < 16)
		return MATCH_DAMAGED;
	take_spaces(c);
	return c->at == c->end ? MATCH_WHOLE : MATCH_DAMAGED;
}

/* Whether one of the messages begins anywhere in the line. */
static bool
message_within(struct cursor line)
{
	for (; line.at < line.end; line.at++) {
		for (size_t i = 0; i < MESSAGES; i++) {
			struct cursor c = line;
			int64_t arg[RECORD_ARGS];

			if (*c.at == *messages[i].pattern &&
			    message_match(&messages[i], &c, false, arg) != MATCH_NONE)
				return true;
		}
	}
	return false;
}

/* --- what stands before a message --------------------------------------------------------------
 */

struct prefix {
	bool has_wall, has_stamp;
	int64_t wall_s; /* since the beginning of a leap year */
	int64_t stamp_ns;
	const char *thread;
	size_t thread_size;
};

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const uint16_t days_before[13] = {
	0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366
};

static bool
take_date(struct cursor *c, int64_t *day_of_year)
{
	int64_t day;

	for (int month = 0; month < 12; month++) {
		if (c->end - c->at < 3 || memcmp(c->at, months[month], 3))
			continue;
		c->at += 3;
		if (!take_spaces(c) || !take_number(c, 10, 31, &day) || day < 1)
			return false;
		*day_of_year = days_before[month] + day - 1;
		return *day_of_year < days_before[month + 1];
	}
	return false;
}

/* "18:32:53" */
static bool
take_clock(struct cursor *c, int64_t *seconds)
{
	int64_t hour, minute, second;

	if (!take_number(c, 10, 23, &hour) || !take(c, ':') || !take_number(c, 10, 59, &minute) ||
	    !take(c, ':') || !take_number(c, 10, 60, &second))
		return false;
	*seconds = (hour * 60 + minute) * 60 + second;
	return true;
}

static bool
take_word(struct cursor *c, const char **word, size_t *size)
{
	*word = c->at;
	while (c->at < c->end && *c->at != ' ' && *c->at)
		c->at++;
	*size = (size_t)(c->at - *word);
	return *size;
}

/* "[15908.524721] ", or with who called printk(): "[15908.524721][ T1234] " */
static bool
take_stamp(struct cursor *c, int64_t *ns)
{
	int64_t seconds, fraction;

	if (!take(c, '['))
		return false;
	take_spaces(c);
	if (!take_number(c, 10, STAMP_S_MAX, &seconds) || !take(c, '.'))
		return false;

	const char *digits = c->at;

	if (!take_number(c, 10, NS_PER_S - 1, &fraction) || c->at - digits > 9)
		return false;
	for (int i = (int)(c->at - digits); i < 9; i++)
		fraction *= 10;
	*ns = seconds * NS_PER_S + fraction;
	if (!take(c, ']'))
		return false;
	if (take(c, '['))
		while (c->at < c->end && *c->at++ != ']')
			;
	return take_spaces(c);
}

/* Month to process; false if the line has another shape. @c is left at the message. */
static bool
take_prefix(struct cursor *c, struct prefix *p)
{
	int64_t day, seconds;
	const char *host;
	size_t size;

	*p = (struct prefix){ .thread = "kernel", .thread_size = 6 };
	if (c->at < c->end && *c->at == '[')
		return p->has_stamp = take_stamp(c, &p->stamp_ns);
	if (!take_date(c, &day) || !take_spaces(c) || !take_clock(c, &seconds) || !take_spaces(c) ||
	    !take_word(c, &host, &size) || !take_spaces(c) ||
	    !take_word(c, &p->thread, &p->thread_size) || p->thread[--p->thread_size] != ':')
		return false;
	p->has_wall = true;
	p->wall_s = day * DAY_S + seconds;
	take_spaces(c);
	if (p->thread_size != 6 || memcmp(p->thread, "kernel", 6) || c->at == c->end ||
	    *c->at != '[')
		return true;
	return p->has_stamp = take_stamp(c, &p->stamp_ns);
}

/* --- times -------------------------------------------------------------------------------------
 */

/*
 * A kernel's line has the kernel's clock and the wall's, seconds fine; together they are an
 * anchor.  A process's line has the wall's alone: its time is the last anchor's plus the seconds
 * since, not before its predecessor and not after the next kernel line.
 */
struct import {
	struct recording *r;
	struct error *err;
	uint64_t line;
	bool anchored, has_wall;
	int64_t anchor_ns, anchor_wall_s;
	int64_t wall_s, first_wall_s; /* the year's turn added */
	size_t pending; /* estimated records from here on may still be too late */
};

static void
time_wall(struct import *in, int64_t wall_s)
{
	if (!in->has_wall) {
		in->has_wall = true;
		in->first_wall_s = in->wall_s = wall_s;
		return;
	}
	while (wall_s < in->wall_s - 183 * DAY_S && wall_s < STAMP_S_MAX)
		wall_s += 366 * DAY_S;
	in->wall_s = wall_s;
}

static void
time_anchor(struct import *in, const struct prefix *p)
{
	struct record *record = in->r->record;
	size_t count = in->r->count;

	if (p->has_wall && !in->anchored) {
		/* So far times counted from the first line: now it is known when that was. */
		int64_t shift = p->stamp_ns - (in->wall_s - in->first_wall_s) * NS_PER_S;

		for (size_t i = 0; i < count; i++)
			record[i].time_ns =
				record[i].time_ns + shift > 0 ? record[i].time_ns + shift : 0;
		in->anchored = true;
	}
	if (p->has_wall) {
		in->anchor_ns = p->stamp_ns;
		in->anchor_wall_s = in->wall_s;
	}
	for (size_t i = in->pending; i < count; i++)
		if (record[i].time_ns > p->stamp_ns)
			record[i].time_ns = p->stamp_ns;
	in->pending = count;
}

static int64_t
time_estimate(const struct import *in)
{
	int64_t ns = in->anchored ? in->anchor_ns + (in->wall_s - in->anchor_wall_s) * NS_PER_S
				  : (in->wall_s - in->first_wall_s) * NS_PER_S;
	int64_t before = in->r->count ? in->r->record[in->r->count - 1].time_ns : 0;

	return ns > before ? ns : before;
}

/* --- the import --------------------------------------------------------------------------------
 */

static int
damaged(const struct import *in, const char *start, const char *at, const char *what)
{
	return error_at(in->err, in->r->name, (long)in->line, at - start + 1, "damaged line: %s",
			what);
}

static int
add_record(struct import *in, const struct message *m, const struct prefix *p, const int64_t *arg,
	   const char *start, const char *message)
{
	if (m->kind == RECORD_BIT_SEEN && arg[0] % 4096)
		return damaged(in, start, message, "the address is not a page's");

	int64_t time_ns = p->has_stamp ? p->stamp_ns : time_estimate(in);
	struct record *record = recording_add(in->r, m->kind, in->line);

	record->time_ns = time_ns;
	record->estimated = !p->has_stamp;
	record->thread = recording_thread(in->r, p->thread, p->thread_size);
	memcpy(record->arg, arg, sizeof(record->arg));
	if (m->kind == RECORD_BIT_SEEN) {
		record->arg[0] = arg[0] / 4096;
		record->arg[1] = m->set;
	}
	if (p->has_stamp)
		in->pending = in->r->count;
	return 0;
}

static int
import_line(struct import *in, struct cursor line, bool cut)
{
	struct cursor c = line;
	struct prefix p;

	if (!take_prefix(&c, &p)) {
		if (message_within(line))
			return damaged(
				in, line.at, c.at,
				"a dirty-bitmap message behind something that is not syslog's");
		in->r->lines_skipped++;
		return 0;
	}
	if (p.has_wall)
		time_wall(in, p.wall_s);
	if (p.has_stamp)
		time_anchor(in, &p);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct cursor at = c;
		int64_t arg[RECORD_ARGS] = { 0 };
		enum match match = message_match(&messages[i], &at, cut, arg);

		if (match == MATCH_WHOLE)
			return add_record(in, &messages[i], &p, arg, line.at, c.at);
		if (match == MATCH_DAMAGED)
			return damaged(in, line.at, at.at,
				       cut && at.at == at.end ? "cut off by the end of the file"
							      : messages[i].damaged);
	}
	in->r->lines_skipped++;
	return 0;
}

/* The line at *@at, without its end; *@at goes to the next. @cut if the file ends before the line
 * does. */
static struct cursor
next_line(const char **at, const char *end, bool *cut)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	struct cursor line = { *at, newline ? newline : end };

	*cut = !newline;
	*at = newline ? newline + 1 : end;
	if (newline && line.end > line.at && line.end[-1] == '\r')
		line.end--;
	return line;
}

int
syslog_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	      struct error *err)
{
	struct import in = { .r = r, .err = err, .pending = r->count };
	const char *at = text, *end = text + size;
	bool cut;

	while (at < end) {
		struct cursor line = next_line(&at, end, &cut);

		in.line++;
		r->lines++;
		if (import_line(&in, line, cut))
			return -1;
	}
	for (size_t i = 1; i < r->count; i++)
		r->times_backwards += r->record[i].time_ns < r->record[i - 1].time_ns;
	return 0;
}

int
syslog_recognise(const char *text, size_t size)
{
	const char *at = text, *end = text + size;
	int lines = 0, shaped = 0;
	bool cut;

	for (; at < end && lines < 1000; lines++) {
		struct cursor line = next_line(&at, end, &cut), c = line;
		struct prefix p;

		if (message_within(line))
			return 100;
		shaped += take_prefix(&c, &p);
	}
	return lines ? 100 * shaped / lines : 0;
}
