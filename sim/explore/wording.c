/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/wording.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "memory/access.h"

/* An access to a field that no region names: buffers, tables of the guest. */
#define WEIGHT_UNNAMED 15
#define WEIGHT_IDLE 20
#define WEIGHT_LITTLE 20
#define CONTENT_GARBAGE ((INT64_C(1) << 48) - 1) /* the version in migration/ram.h's RAM_GARBAGE \
						  */
#define WORDING_KEY_MAX 128 /* of what stands in braces */

/* What a thread waits for, by the beginning of its name, when it has nothing to do. */
static const char *const idle_waits[] = { "vcpu",	   "softirq",	 "main loop: ",
					  "iothread: ",	   "vhost work", "vhost-user message",
					  "channels_ready" };

/* What a value of a flags field means, by the end of the field's name. */
static const struct {
	const char *field;
	uint64_t value;
	const char *meaning;
} meanings[] = {
	{ "used.flags", 0, "kick wanted" }, /* VIRTQ_USED_F_NO_NOTIFY, split ring */
	{ "used.flags", 1, "no kick" },
	{ "avail.flags", 0, "interrupt wanted" }, /* VIRTQ_AVAIL_F_NO_INTERRUPT */
	{ "avail.flags", 1, "no interrupt" },
	{ "device_event.flags", 0, "kick wanted" }, /* RING_EVENT_FLAGS_*, packed ring */
	{ "device_event.flags", 1, "no kick" },
	{ "device_event.flags", 2, "kick at desc" },
	{ "driver_event.flags", 0, "interrupt wanted" },
	{ "driver_event.flags", 1, "no interrupt" },
	{ "driver_event.flags", 2, "interrupt at desc" },
};

/* By kind; found once, names are compared for that. */
struct words {
	const struct wording *wording; /* null: there is none */
	int little; /* argument without which it is worth little, or -1 */
	bool known;
};

static const struct words *
words_of(unsigned kind)
{
	static struct words of[EV_COUNT];
	struct words found = { NULL, -1, true };
	const char *name = event_info[kind].name;

	if (of[kind].known)
		return &of[kind];
	for (const struct wording *w = wording_table; w->kind; w++)
		if (!strcmp(w->kind, name))
			found.wording = w;
	for (const struct wording_little *l = wording_little_table; l->kind; l++)
		if (!strcmp(l->kind, name))
			found.little = event_arg(kind, l->key);
	of[kind] = found;
	return &of[kind];
}

/* --- one argument --------------------------------------------------------------------------- */

static void
print_gpa(const struct event_names *names, uint64_t gpa, FILE *out)
{
	char text[96];

	if (names->gpa)
		names->gpa(names->context, gpa, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "gpa 0x%" PRIx64, gpa);
	fputs(text, out);
}

static void
print_plain(const struct event_names *names, char conversion, int64_t v, FILE *out)
{
	const char *text;

	if (conversion == 's') {
		text = names->text ? names->text(names->context, v) : NULL;
		if (text)
			fputs(text, out);
		else
			fprintf(out, "#%" PRId64, v);
	} else if (conversion == 'x') {
		fprintf(out, "0x%" PRIx64, (uint64_t)v);
	} else {
		fprintf(out, conversion == 'u' ? "%" PRIu64 : "%" PRId64, v);
	}
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* Compilers access len, flags and next of a split descriptor as one word of eight bytes. */
static bool
is_descriptor_tail(const struct event_names *names, const struct event *e)
{
	char field[96];
	int size = event_arg(e->kind, "size");

	if (size < 0 || e->arg[size] != 8 || !names->gpa)
		return false;
	names->gpa(names->context, (uint64_t)e->arg[0], field, sizeof(field));
	return strstr(field, "desc[") && ends_with(field, ".len");
}

/* Of "down|up" the word that stands at @n, or the last. */
static void
print_word(const char *words, uint64_t n, FILE *out)
{
	for (; n && strchr(words, '|'); n--)
		words = strchr(words, '|') + 1;
	fprintf(out, "%.*s", (int)strcspn(words, "|"), words);
}

/* @key is what stands in the braces, "gpa@gpa"; an empty key is the format's first argument. */
static void
print_arg(const struct event_names *names, const struct event *e, const char *key, FILE *out)
{
	char name[WORDING_KEY_MAX], how[8] = "", *words;
	struct event_field f = { 0 };
	bool found = false;

	snprintf(name, sizeof(name), "%s", key);

	char *at = strchr(name, '@');

	words = strchr(name, '?');
	if (words)
		*words++ = 0;
	if (at) {
		snprintf(how, sizeof(how), "%s", at + 1);
		*at = 0;
	}
	while (!found && event_field_next(e->kind, &f))
		found = !*name ||
			(f.key_len == (int)strlen(name) && !strncmp(f.key, name, strlen(name)));
	if (!found)
		return;

	int64_t v = e->arg[f.arg];

	if (words) {
		print_word(words, (uint64_t)v, out);
	} else if (!strcmp(how, "gpa")) {
		print_gpa(names, (uint64_t)v, out);
	} else if (!strcmp(how, "actor")) {
		char actor[64];

		event_names_actor(names, (uint32_t)v, actor, sizeof(actor));
		fputs(actor, out);
	} else if (!strcmp(how, "slot")) {
		fprintf(out, v >> 16 ? "%d (SMM)" : "%d", (int)(v & 0xffff));
	} else if (!strcmp(how, "ver")) {
		if (v == CONTENT_GARBAGE)
			fputs("garbage", out);
		else
			fprintf(out, "version %" PRId64, v);
	} else if (!strcmp(how, "value") && is_descriptor_tail(names, e)) {
		fprintf(out, "%" PRIu32 ", flags %u, next %u", (uint32_t)v,
			(unsigned)((uint64_t)v >> 32 & 0xffff), (unsigned)((uint64_t)v >> 48));
	} else if (!strcmp(how, "value")) {
		fprintf(out, (uint64_t)v <= UINT16_MAX ? "%" PRIu64 : "0x%" PRIx64, (uint64_t)v);
	} else {
		print_plain(names, f.conversion, v, out);
	}
}

/* --- one event ------------------------------------------------------------------------------ */

static void
print_template(const struct event_names *names, const struct event *e, const char *t, FILE *out)
{
	while (*t) {
		const char *close = *t == '{' ? strchr(t, '}') : NULL;
		char key[WORDING_KEY_MAX];

		if (!close) {
			fputc(*t++, out);
			continue;
		}
		snprintf(key, sizeof(key), "%.*s", (int)(close - t - 1), t + 1);
		print_arg(names, e, key, out);
		t = close + 1;
	}
}

/* "kick vq=0": the kind's name as words, then its arguments. */
static void
print_default(const struct event_names *names, const struct event *e, FILE *out)
{
	char detail[400];

	for (const char *p = event_info[e->kind].name; *p; p++)
		fputc(*p == '_' ? ' ' : *p, out);
	if (event_names_format(names, e, detail, sizeof(detail)))
		fprintf(out, " %s", detail);
}

static void
print_meaning(const struct event_names *names, const struct event *e, FILE *out)
{
	int gpa = event_arg(e->kind, "gpa"), value = event_arg(e->kind, "value");
	char field[96];

	if (gpa < 0 || value < 0 || !names->gpa)
		return;
	names->gpa(names->context, (uint64_t)e->arg[gpa], field, sizeof(field));
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if ((uint64_t)e->arg[value] == meanings[i].value &&
		    ends_with(field, meanings[i].field))
			fprintf(out, " (%s)", meanings[i].meaning);
}

/* What the memory model made of it. */
static void
print_fate(const struct event *e, FILE *out)
{
	unsigned how = (unsigned)e->arg[event_arg(e->kind, "how")];

	if (how & ACCESS_BUFFERED)
		fputs(" (buffered)", out);
	if (how & ACCESS_LATE)
		fputs(" (overwritten already)", out);
	if (how & ACCESS_FORWARDED)
		fputs(" (own store)", out);
	if (how & ACCESS_STALE)
		fputs(" (stale)", out);
}

const char *
wording_access(const struct event *e)
{
	unsigned how;

	if (e->kind != EV_LOAD && e->kind != EV_STORE)
		return "";
	how = (unsigned)e->arg[event_arg(e->kind, "how")];
	if (how & ACCESS_SEQ_CST)
		return "seq_cst";
	if ((how & ACCESS_ACQUIRE) && e->kind == EV_LOAD)
		return "acquire";
	if ((how & ACCESS_RELEASE) && e->kind == EV_STORE)
		return "release";
	if (how & ACCESS_ATOMIC)
		return "atomic";
	return how & ACCESS_ONCE ? "once" : "";
}

size_t
wording_text(const struct event_names *names, const struct event *e, char *text, size_t size)
{
	const struct wording *wording = words_of(e->kind)->wording;
	char line[1024] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");
	size_t n = 0;

	must(out && size);
	if (wording)
		print_template(names, e, wording->text, out);
	else
		print_default(names, e, out);
	if (e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH)
		print_meaning(names, e, out);
	if (e->kind == EV_LOAD || e->kind == EV_STORE)
		print_fate(e, out);
	fclose(out);
	line[sizeof(line) - 1] = 0;
	for (; line[n] && n + 1 < size; n++)
		text[n] = (unsigned char)line[n] < ' ' || line[n] == 0x7f ? ' ' : line[n];
	/* Do not end within a character. */
	if (line[n])
		while (n && ((unsigned char)line[n] & 0xc0) == 0x80)
			n--;
	text[n] = 0;
	return n;
}

bool
wording_idle(const struct event_names *names, const struct event *e)
{
	int on = event_arg(e->kind, e->kind == EV_ACTOR_BLOCK ? "on" : "by");
	const char *text;

	if (e->kind == EV_VCPU_HLT || e->kind == EV_VCPU_BLOCK || e->kind == EV_VCPU_WAKE)
		return true;
	if (e->kind != EV_ACTOR_BLOCK && e->kind != EV_ACTOR_WAKE)
		return false;
	text = names->text ? names->text(names->context, e->arg[on]) : NULL;
	for (size_t i = 0; text && i < sizeof(idle_waits) / sizeof(*idle_waits); i++)
		if (!strncmp(text, idle_waits[i], strlen(idle_waits[i])))
			return true;
	return false;
}

int
wording_weight(const struct event_names *names, const struct event *e)
{
	const struct wording *wording = words_of(e->kind)->wording;
	int little = words_of(e->kind)->little;
	char field[96];

	if (wording_idle(names, e))
		return WEIGHT_IDLE;
	if ((e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH) && names->gpa) {
		names->gpa(names->context, (uint64_t)e->arg[0], field, sizeof(field));
		if (!strncmp(field, "gpa ", 4))
			return WEIGHT_UNNAMED;
	}
	if (!wording)
		return WORDING_WEIGHT_DEFAULT;
	if (little >= 0 && !e->arg[little])
		return WEIGHT_LITTLE;
	return wording->weight;
}
