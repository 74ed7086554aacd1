/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lanes as a page of text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/lanes.h"
#include "explore/wording.h"

#define FOOT_LINES_MAX 4u /* of one paragraph below the rows */

/* How an actor's bar looks in the lines of others. */
enum bar { BAR_RUNS = '|', BAR_WAITS = ':', BAR_GONE = ' ' };

unsigned
lanes_columns(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Bytes of the first @columns characters. */
static size_t
bytes_of(const char *text, unsigned columns)
{
	size_t n = 0;

	while (text[n] && (columns || ((unsigned char)text[n] & 0xc0) == 0x80)) {
		if (((unsigned char)text[n] & 0xc0) != 0x80)
			columns--;
		n++;
	}
	return n;
}

/* --- one line ------------------------------------------------------------------------------- */

/* Blanks are written only before something: no line ends with one. */
struct line {
	FILE *out;
	unsigned column; /* where the last character ended */
	unsigned max;
};

static void
put_at(struct line *line, unsigned column, const char *text)
{
	unsigned room, columns = lanes_columns(text);

	if (column < line->column)
		column = line->column;
	room = line->max > column ? line->max - column : 0;
	if (!room || !columns)
		return;
	fprintf(line->out, "%*s", (int)(column - line->column), "");
	if (columns <= room) {
		fputs(text, line->out);
		line->column = column + columns;
		return;
	}
	fwrite(text, 1, bytes_of(text, room - 1), line->out);
	fputs("…", line->out);
	line->column = line->max;
}

/* @text in lane @at, and the bars of the others. */
static void
put_lanes(const struct lanes *l, struct line *line, const char *bars, int at, const char *text)
{
	char bar[2] = "";

	for (int i = 0; i < (int)l->lane_count; i++) {
		if (i == at) {
			put_at(line, l->lane[i].column, text);
		} else if (bars[i] != BAR_GONE && l->lane[i].column > line->column) {
			bar[0] = bars[i];
			put_at(line, l->lane[i].column, bar);
		}
	}
}

/*
 * @place behind what the line has.  Where there is no room, without how the access was written,
 * then only its end.
 */
static void
put_place(const struct lanes *l, struct line *line, char *place)
{
	unsigned at = line->column + 2 > l->source ? line->column + 2 : l->source;
	unsigned columns = lanes_columns(place), room;

	line->max = l->options.columns_max;
	room = line->max > at ? line->max - at : 0;
	if (columns > room) {
		place[strcspn(place, " ")] = 0;
		columns = lanes_columns(place);
	}
	if (columns <= room) {
		put_at(line, at, place);
	} else if (room > 1) {
		put_at(line, at, "…");
		put_at(line, at + 1, place + bytes_of(place, columns - room + 1));
	}
}

static void
end_line(struct line *line)
{
	fputc('\n', line->out);
	line->column = 0;
}

/* --- rows ----------------------------------------------------------------------------------- */

static void
print_header(const struct lanes *l, FILE *out)
{
	struct line line = { out, 0, l->options.columns_max };
	char text[64];

	snprintf(text, sizeof(text), l->options.time ? "step       time_us" : "step");
	put_at(&line, l->options.time ? l->gutter - 20 : l->gutter - 6, text);
	for (size_t i = 0; i < l->lane_count; i++) {
		/* A name keeps to its lane: its end would be read as the next one's. */
		snprintf(text, sizeof(text), "%.*s",
			 (int)bytes_of(l->lane[i].name, l->lane[i].width - 1), l->lane[i].name);
		put_at(&line, l->lane[i].column, text);
	}
	if (l->source)
		put_at(&line, l->source, "source");
	end_line(&line);
}

static void
print_row(const struct lanes *l, size_t i, const char *bars, FILE *out)
{
	const struct event *e = &l->log->events[i];
	struct line line = { out, 0, l->options.columns_max };
	char text[LANES_TEXT_MAX], left[64], place[LANES_PLACE_MAX] = "";
	unsigned columns;
	bool red = l->options.colour && e->kind == EV_VIOLATION;
	int n = (int)l->gutter - 2 - (l->options.time ? 14 : 0);

	n = snprintf(left, sizeof(left), "%*" PRIu64, n, e->step);
	if (l->options.time)
		snprintf(left + n, sizeof(left) - (size_t)n, "%10" PRId64 ".%03d",
			 e->time_ns / 1000, (int)(e->time_ns % 1000));
	put_at(&line, 0, left);
	lanes_text(l, i, text, sizeof(text));
	lanes_place(l, i, place, sizeof(place));
	columns = lanes_columns(place);
	if (columns)
		line.max -=
			2 + (columns < LANES_PLACE_COLUMNS_MIN ? columns : LANES_PLACE_COLUMNS_MIN);
	if (red)
		fputs("\033[1;31m", out);
	put_lanes(l, &line, bars, l->row[i].lane, text);
	if (red)
		fputs("\033[0m", out);
	if (columns)
		put_place(l, &line, place);
	end_line(&line);
}

static void
print_elided(const struct lanes *l, size_t run, const char *bars, FILE *out)
{
	struct line line = { out, 0, l->options.columns_max };
	char text[48];

	snprintf(text, sizeof(text), "… %zu more", run);
	put_at(&line, l->gutter - 4, "..");
	put_lanes(l, &line, bars, 0, text);
	end_line(&line);
}

static int
lane_of(const struct lanes *l, uint32_t actor)
{
	for (size_t i = 0; i < l->lane_count; i++)
		if (l->lane[i].actor == actor)
			return (int)i;
	return -1;
}

static void
follow_bars(const struct lanes *l, const struct event *e, int lane, char *bars)
{
	if (lane >= 0 && l->lane[lane].actor == e->actor && e->kind != EV_FLUSH)
		bars[lane] = e->kind == EV_ACTOR_BLOCK	? BAR_WAITS
			     : e->kind == EV_ACTOR_EXIT ? BAR_GONE
							: BAR_RUNS;
	if (e->kind == EV_ACTOR_WAKE) {
		lane = lane_of(l, (uint32_t)e->arg[0]);
		if (lane >= 0)
			bars[lane] = BAR_RUNS;
	}
}

static void
print_rows(const struct lanes *l, FILE *out)
{
	char *bars = malloc(l->lane_count + 1);
	size_t run = 0;

	must(bars);
	memset(bars, BAR_RUNS, l->lane_count + 1);
	for (size_t i = 0; i < l->log->count; i++) {
		const struct lanes_row *r = &l->row[i];

		if (r->kept && run) {
			print_elided(l, run, bars, out);
			run = 0;
		}
		if (r->kept)
			print_row(l, i, bars, out);
		else
			run += r->lane >= 0;
		follow_bars(l, &l->log->events[i], r->lane, bars);
	}
	if (run)
		print_elided(l, run, bars, out);
	free(bars);
}

/* --- below the rows ------------------------------------------------------------------------- */

/* A paragraph, wrapped at blanks, of at most FOOT_LINES_MAX lines. Returns their number. */
static unsigned
print_wrapped(const char *text, unsigned columns, FILE *out)
{
	unsigned lines = 0;

	while (*text) {
		unsigned indent = lines ? 4 : 0;
		size_t max = bytes_of(text, columns - indent), cut = max;

		if (lines + 1 == FOOT_LINES_MAX && text[max]) {
			cut = bytes_of(text, columns - indent - 1);
			fprintf(out, "%*s%.*s…\n", (int)indent, "", (int)cut, text);
			return lines + 1;
		}
		if (text[max]) {
			while (cut && text[cut] != ' ')
				cut--;
			cut = cut ? cut : max;
		}
		fprintf(out, "%*s%.*s\n", (int)indent, "", (int)cut, text);
		lines++;
		text += cut;
		text += *text == ' ';
	}
	return lines;
}

static unsigned
print_verdict(const struct lanes *l, FILE *out)
{
	const struct finding *f = l->options.finding;
	const char *rule = f && *f->statement ? f->statement : f ? f->oracle : "";
	char text[640];
	unsigned lines;

	if (!f)
		return 0;
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s%s%s", verdict_name[f->verdict],
		 *f->subject ? " (" : "", f->subject, *f->subject ? ")" : "",
		 *f->message ? ": " : "", f->message, *rule ? " [" : "", rule, *rule ? "]" : "");
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (l->options.colour)
		fputs("\033[1;31m", out);
	lines = print_wrapped(text, l->options.columns_max, out);
	if (l->options.colour)
		fputs("\033[0m", out);
	return lines;
}

static unsigned
print_ends(const struct lanes *l, FILE *out)
{
	char *text = NULL;
	size_t size = 0;
	FILE *line = open_memstream(&text, &size);
	unsigned lines, said = 0;

	must(line);
	for (size_t i = 0; i < l->lane_count; i++)
		if (*l->lane[i].end)
			fprintf(line, "%s %s %s", said++ ? ";" : "at the end:", l->lane[i].name,
				l->lane[i].end);
	fclose(line);
	lines = print_wrapped(text, l->options.columns_max, out);
	free(text);
	return lines;
}

unsigned
lanes_print_foot(const struct lanes *l, FILE *out)
{
	unsigned lines = print_verdict(l, out) + print_ends(l, out);
	char text[120];

	if (l->actors_hidden) {
		snprintf(text, sizeof(text), "not shown: %u other actor%s, %" PRIu64 " events",
			 l->actors_hidden, l->actors_hidden == 1 ? "" : "s", l->events_hidden);
		lines += print_wrapped(text, l->options.columns_max, out);
	}
	return lines;
}

void
lanes_print(const struct lanes *l, FILE *out)
{
	if (l->log->dropped)
		fprintf(out, "(%" PRIu64 " earlier events are not in this log)\n", l->log->dropped);
	print_header(l, out);
	print_rows(l, out);
	lanes_print_foot(l, out);
}
