/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/recording.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

const struct record_info record_info[RECORD_KINDS] = {
#define RECORD(id, name, format, what) [RECORD_##id] = { name, format, what },
#include "trace/records.def"
#undef RECORD
};

#define NS_PER_S 1000000000
#define CLASSES_MAX 256u
#define TEXT_CLASS 255u /* texts are found by their hash in the same table */

struct named {
	uint64_t key; /* pointer, or hash of a text */
	uint32_t number;
	uint8_t class;
	bool used;
};

struct recording_names {
	struct named *slot; /* open addressing, at most half full */
	size_t slots, used;
	char *class[CLASSES_MAX];
	uint32_t numbers[CLASSES_MAX]; /* names given so far, by class */
	unsigned classes;
	char **text;
	size_t texts;
};

void
recording_free(struct recording *r)
{
	struct recording_names *n = r->names;

	for (size_t i = 0; i < r->threads; i++)
		free(r->thread[i]);
	for (size_t i = 0; i < r->kinds_added; i++) {
		free((char *)r->added[i].name);
		free((char *)r->added[i].format);
	}
	for (size_t i = 0; n && i < n->texts; i++)
		free(n->text[i]);
	for (unsigned i = 0; n && i < n->classes; i++)
		free(n->class[i]);
	if (n) {
		free(n->text);
		free(n->slot);
	}
	free(n);
	for (size_t i = 0; i < r->notes; i++)
		free(r->note[i]);
	free(r->note);
	free(r->added);
	free(r->thread);
	free(r->record);
	free(r->name);
	*r = (struct recording){ 0 };
}

struct record *
recording_add(struct recording *r, unsigned kind, uint64_t line)
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

/* --- kinds --------------------------------------------------------------------------------------
 */

const struct record_info *
recording_kind(const struct recording *r, unsigned kind)
{
	must(kind < RECORD_KINDS + r->kinds_added);
	return kind < RECORD_KINDS ? &record_info[kind] : &r->added[kind - RECORD_KINDS];
}

unsigned
recording_kind_find(const struct recording *r, const char *name, size_t size)
{
	unsigned kind = 0;

	for (; kind < RECORD_KINDS + r->kinds_added; kind++) {
		const char *have = recording_kind(r, kind)->name;

		if (strlen(have) == size && !memcmp(have, name, size))
			break;
	}
	return kind;
}

unsigned
recording_kind_add(struct recording *r, const char *name, const char *format)
{
	for (size_t i = 0; i < r->kinds_added; i++)
		if (!strcmp(r->added[i].name, name) && !strcmp(r->added[i].format, format))
			return RECORD_KINDS + (unsigned)i;
	r->added = realloc(r->added, (r->kinds_added + 1) * sizeof(*r->added));
	must(r->added && r->kinds_added < UINT16_MAX - RECORD_KINDS);

	struct record_info *info = &r->added[r->kinds_added];

	*info = (struct record_info){ strdup(name), strdup(format), "as the user defined it" };
	must(info->name && info->format);
	return RECORD_KINDS + (unsigned)r->kinds_added++;
}

/* --- names and texts ----------------------------------------------------------------------------
 */

static struct recording_names *
names_of(struct recording *r)
{
	if (!r->names) {
		r->names = calloc(1, sizeof(*r->names));
		must(r->names);
		r->names->slots = 1024;
		r->names->slot = calloc(r->names->slots, sizeof(*r->names->slot));
		must(r->names->slot);
	}
	return r->names;
}

uint8_t
recording_class(struct recording *r, const char *name, size_t size)
{
	struct recording_names *n = names_of(r);

	for (unsigned i = 0; i < n->classes; i++)
		if (strlen(n->class[i]) == size && !memcmp(n->class[i], name, size))
			return (uint8_t)i;
	if (n->classes == TEXT_CLASS)
		return TEXT_CLASS - 1; /* so many share the last */
	n->class[n->classes] = strndup(name, size);
	must(n->class[n->classes]);
	return (uint8_t)n->classes++;
}

uint64_t
recording_names_of(const struct recording *r, const char *class)
{
	for (unsigned i = 0; r->names && i < r->names->classes; i++)
		if (!strcmp(r->names->class[i], class))
			return r->names->numbers[i];
	return 0;
}

static size_t
name_place(const struct recording_names *n, uint8_t class, uint64_t key)
{
	uint64_t hash = (key ^ (uint64_t) class << 56) * UINT64_C(0x9e3779b97f4a7c15);

	return (hash >> 20) & (n->slots - 1);
}

static void
names_grow(struct recording_names *n)
{
	struct named *old = n->slot;
	size_t slots = n->slots;

	n->slots *= 2;
	n->slot = calloc(n->slots, sizeof(*n->slot));
	must(n->slot);
	for (size_t i = 0; i < slots; i++) {
		size_t place = name_place(n, old[i].class, old[i].key);

		if (!old[i].used)
			continue;
		while (n->slot[place].used)
			place = (place + 1) & (n->slots - 1);
		n->slot[place] = old[i];
	}
	free(old);
}

static struct named *
name_add(struct recording_names *n, uint8_t class, uint64_t key)
{
	size_t place;

	if (2 * n->used >= n->slots)
		names_grow(n);
	place = name_place(n, class, key);
	while (n->slot[place].used)
		place = (place + 1) & (n->slots - 1);
	n->used++;
	n->slot[place] = (struct named){ key, n->numbers[class]++, class, true };
	return &n->slot[place];
}

int64_t
recording_name(struct recording *r, uint8_t class, uint64_t pointer)
{
	struct recording_names *n = names_of(r);
	size_t place = name_place(n, class, pointer);

	for (; n->slot[place].used; place = (place + 1) & (n->slots - 1))
		if (n->slot[place].key == pointer && n->slot[place].class == class)
			return n->slot[place].number;
	return name_add(n, class, pointer)->number;
}

int64_t
recording_text(struct recording *r, const char *text, size_t size)
{
	struct recording_names *n = names_of(r);
	uint64_t hash = UINT64_C(14695981039346656037);
	size_t place;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	place = name_place(n, TEXT_CLASS, hash);
	for (; n->slot[place].used; place = (place + 1) & (n->slots - 1)) {
		const struct named *s = &n->slot[place];

		if (s->class == TEXT_CLASS && s->key == hash &&
		    strlen(n->text[s->number]) == size && !memcmp(n->text[s->number], text, size))
			return s->number;
	}
	if (!(n->texts & (n->texts - 1))) {
		n->text = realloc(n->text, (n->texts ? 2 * n->texts : 1) * sizeof(*n->text));
		must(n->text);
	}
	n->text[n->texts] = strndup(text, size);
	must(n->text[n->texts]);
	name_add(n, TEXT_CLASS, hash);
	return (int64_t)n->texts++;
}

const char *
recording_text_of(const struct recording *r, int64_t number)
{
	must(r->names && number >= 0 && (size_t)number < r->names->texts);
	return r->names->text[number];
}

/* --- figures and lines --------------------------------------------------------------------------
 */

uint64_t
recording_count(const struct recording *r, unsigned kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += r->record[i].kind == kind;
	return n;
}

void
recording_note(struct recording *r, const char *format, ...)
{
	va_list args;
	char *text;

	r->note = realloc(r->note, (r->notes + 1) * sizeof(*r->note));
	must(r->note);
	va_start(args, format);
	must(vasprintf(&text, format, args) >= 0);
	va_end(args);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	r->note[r->notes++] = text;
}

void
recording_times_check(struct recording *r)
{
	for (size_t i = 1; i < r->count; i++)
		r->times_backwards += r->record[i].time_ns < r->record[i - 1].time_ns;
}

static void
print_arg(const struct recording *r, char how, int64_t arg, FILE *to)
{
	if (how == 's')
		fputs(recording_text_of(r, arg), to);
	else if (how != 'h')
		fprintf(to, how == 'x' ? "%" PRIx64 : "%" PRId64, arg);
}

void
recording_print(const struct recording *r, const struct record *record, FILE *to)
{
	const struct record_info *info = recording_kind(r, record->kind);
	unsigned arg = 0;

	if (r->timeless)
		fprintf(to, "#%" PRIu64, record->line);
	else
		fprintf(to, "%" PRId64 ".%09" PRId64 "%s", record->time_ns / NS_PER_S,
			record->time_ns % NS_PER_S, record->estimated ? "~" : "");
	fprintf(to, " %s %s", r->thread[record->thread], info->name);
	if (*info->format)
		fputc(' ', to);
	for (const char *f = info->format; *f; f++) {
		if (*f != '%') {
			fputc(*f, to);
			continue;
		}
		f++;
		must(arg < RECORD_ARGS);
		print_arg(r, *f, record->arg[arg++], to);
	}
	fputc('\n', to);
}
