/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failures as values, and their text. Reading is in failure_read.c. */
#include "explore/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

#define FOLD_COLUMNS 72u

/* ORDER STOP */
/* ORDER MODE */
const char *const mode_name[] = { "timed", "relaxed", "around" };
const char *const stop_name[] = { "none", "quiescent", "steps", "time", "asked", "error" };

void
failure_init(struct failure *f)
{
	*f = (struct failure){ 0 };
}

void
failure_free(struct failure *f)
{
	free(f->version);
	free(f->build);
	free(f->scenario);
	free(f->variant);
	for (size_t i = 0; i < f->param_count; i++) {
		free(f->params[i].name);
		free(f->params[i].value);
	}
	free(f->params);
	free(f->strategy);
	free(f->memory);
	free(f->datapath);
	free(f->ring);
	schedule_free(&f->schedule);
	trail_free(&f->trail);
	pick_keys_free(&f->keys);
	free(f->critical);
	free(f->barrier);
	free(f->order);
	free(f->critical_stack[0]);
	free(f->critical_stack[1]);
	schedule_free(&f->passing);
	free(f->expect);
	failure_init(f);
}

void
failure_set(char **field, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	must(copy || !text);
	free(*field);
	*field = copy;
}

void
failure_add_param(struct failure *f, const char *name, const char *value)
{
	must(f->param_count < FAILURE_PARAMS_MAX);
	must(f->params = realloc(f->params, (f->param_count + 1) * sizeof(*f->params)));
	f->params[f->param_count] = (struct failure_param){ 0 };
	failure_set(&f->params[f->param_count].name, name);
	failure_set(&f->params[f->param_count].value, value);
	f->param_count++;
}

/* --- writing -------------------------------------------------------------------------------- */

/* A value that is one word: folded wherever the line is full. */
static void
write_word(FILE *out, const char *key, const char *value)
{
	size_t column = (size_t)fprintf(out, "%s: ", key);

	for (; *value; value++) {
		if (column >= FOLD_COLUMNS) {
			fputs("\n ", out);
			column = 1;
		}
		fputc(*value, out);
		column++;
	}
	fputc('\n', out);
}

/* One character of a text as it stands in the file; @edge: a blank here would be lost. */
static int
write_char(FILE *out, char c, bool edge)
{
	if (c == '\\')
		return fprintf(out, "\\\\");
	if (c == '\n')
		return fprintf(out, "\\n");
	if (c == ' ' && edge)
		return fprintf(out, "\\s");
	if (c == '\r')
		return fprintf(out, "\\r");
	if (c == '\t')
		return fprintf(out, "\\t");
	fputc(c, out);
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* A text: folded at single blanks, which the newline and the blank after it then stand for. */
static void
write_text(FILE *out, const char *key, const char *value)
{
	size_t column = (size_t)fprintf(out, "%s:%s", key, *value ? " " : "");

	for (const char *p = value; *p; p++) {
		size_t word = strcspn(p + 1, " ");
		bool edge = p == value || !p[1] || p[-1] == ' ' || p[1] == ' ';

		if (*p == ' ' && !edge && column + 1 + word > FOLD_COLUMNS) {
			fputs("\n ", out);
			column = 1;
			continue;
		}
		column += (size_t)write_char(out, *p, edge);
	}
	fputc('\n', out);
}

static void
write_optional(FILE *out, const char *key, const char *value)
{
	if (value && *value)
		write_text(out, key, value);
}

static void
write_params(const struct failure *f, FILE *out)
{
	for (size_t i = 0; i < f->param_count; i++) {
		const struct failure_param *p = &f->params[i];
		char *both;

		must(asprintf(&both, "%s=%s", p->name, p->value) >= 0);
		write_text(out, "param", both);
		free(both);
	}
}

static void
write_trail(const struct failure *f, FILE *out)
{
	char *text;

	if (!f->trail.stride || !f->trail.count)
		return;
	must(asprintf(&text, "%" PRIu32 ":%s", f->trail.stride, f->trail.marks) >= 0);
	write_word(out, "trail", text);
	free(text);
}

/* What explains it, and what survives a change of the code. */
static void
write_explained(const struct failure *f, FILE *out)
{
	char text[KEYED_TEXT_MAX];

	write_optional(out, "build", f->build);
	for (size_t i = 0; i < f->keys.count; i++) {
		pick_key_print(&f->keys.key[i], text, sizeof(text));
		write_text(out, "at", text);
	}
	write_optional(out, "critical", f->critical);
	for (int i = 0; i < 2; i++)
		if (f->critical_stack[i])
			write_text(out, "critical-stack", f->critical_stack[i]);
	write_optional(out, "barrier", f->barrier);
	write_optional(out, "order", f->order);
	if (f->passing.choices) {
		char *passing = schedule_print(&f->passing);

		write_word(out, "passing", passing);
		free(passing);
	}
	write_optional(out, "expect", f->expect);
}

int
failure_write(const struct failure *f, FILE *out, struct error *err)
{
	char *schedule = schedule_print(&f->schedule);

	fprintf(out, "ringside-failure: %d\n", FAILURE_FORMAT);
	write_optional(out, "version", f->version);
	write_text(out, "scenario", f->scenario ? f->scenario : "");
	write_optional(out, "variant", f->variant);
	write_params(f, out);
	fprintf(out, "seed: %" PRIu64 "\n", f->seed);
	write_optional(out, "strategy", f->strategy);
	write_optional(out, "memory", f->memory);
	if (f->races)
		write_word(out, "races", "yes");
	write_optional(out, "datapath", f->datapath);
	write_optional(out, "ring", f->ring);
	fprintf(out, "mode: %s\n", mode_name[f->mode]);
	fprintf(out, "verdict: %s\n", verdict_name[f->finding.verdict]);
	write_optional(out, "oracle", f->finding.oracle);
	write_optional(out, "statement", f->finding.statement);
	write_optional(out, "subject", f->finding.subject);
	write_optional(out, "message", f->finding.message);
	fprintf(out, "stop: %s\nsteps: %" PRIu64 "\ntime_ns: %" PRId64 "\n", stop_name[f->stop],
		f->steps, f->time_ns);
	write_word(out, "schedule", schedule);
	write_trail(f, out);
	write_explained(f, out);
	fputs("end: ringside-failure\n", out);
	free(schedule);
	if (fflush(out) || ferror(out))
		return error_set(err, "cannot write a failure: %s", strerror(errno));
	return 0;
}

/* Neither a device (/dev/null), a pipe nor a link is to be replaced by a file. */
static bool
replaceable(const char *path)
{
	struct stat st;

	return lstat(path, &st) || S_ISREG(st.st_mode);
}

int
failure_save(const struct failure *f, const char *path, struct error *err)
{
	bool aside = replaceable(path);
	char *name;
	FILE *out;
	int result;

	if (aside)
		must(asprintf(&name, "%s.%d.tmp", path, (int)getpid()) >= 0);
	else
		must(name = strdup(path));
	out = fopen(name, "w");
	if (!out) {
		result = error_set(err, "%s: cannot be written: %s", name, strerror(errno));
		free(name);
		return result;
	}
	result = failure_write(f, out, err);
	if (fclose(out) && !result)
		result = error_set(err, "%s: cannot be written: %s", name, strerror(errno));
	if (!result && aside && rename(name, path))
		result = error_set(err, "%s: cannot be written: %s", path, strerror(errno));
	if (result && aside)
		unlink(name);
	free(name);
	return result;
}
