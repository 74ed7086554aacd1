/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/event_defs.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/must.h"

#define TABLE_MIN 512u

extern const char qemu_trace_events[], qemu_trace_events_end[];

struct event_defs {
	struct recording *r;
	struct event_def **table; /* open addressing by name; the first of each name */
	size_t slots, names;
	struct event_def **all; /* in order */
	size_t count, builtin;
};

/* What a line is parsed with. */
struct reader {
	struct event_defs *d;
	const char *file, *start; /* of the line */
	long line;
	struct cursor c;
	struct event_def *def;
	struct error *err;
};

/* --- the table ----------------------------------------------------------------------------------
 */

static uint32_t
hash_name(const char *name, size_t size)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static struct event_def **
table_place(const struct event_defs *d, const char *name, size_t size)
{
	uint32_t hash = hash_name(name, size);
	size_t i = hash & (d->slots - 1);

	for (; d->table[i]; i = (i + 1) & (d->slots - 1))
		if (d->table[i]->hash == hash && d->table[i]->name_size == size &&
		    !memcmp(d->table[i]->name, name, size))
			break;
	return &d->table[i];
}

static void
table_grow(struct event_defs *d)
{
	free(d->table);
	d->slots = d->slots ? 2 * d->slots : TABLE_MIN;
	d->table = calloc(d->slots, sizeof(struct event_def *));
	must(d->table);
	d->names = 0;
	for (size_t i = 0; i < d->count; i++) {
		struct event_def **place = table_place(d, d->all[i]->name, d->all[i]->name_size);

		if (!*place) {
			*place = d->all[i];
			d->names++;
		}
	}
}

/* The shapes of one name are tried in the order of the definitions. */
static void
table_add(struct event_defs *d, struct event_def *def)
{
	struct event_def **place, *first;

	if (2 * (d->names + 1) >= d->slots)
		table_grow(d);
	if (!(d->count & (d->count - 1))) {
		d->all = realloc(d->all, (d->count ? 2 * d->count : 1) * sizeof(*d->all));
		must(d->all);
	}
	d->all[d->count++] = def;
	place = table_place(d, def->name, def->name_size);
	first = *place;
	if (!first) {
		*place = def;
		d->names++;
		return;
	}
	while (first->next)
		first = first->next;
	first->next = def;
}

const struct event_def *
event_defs_find(const struct event_defs *d, const char *name, size_t size)
{
	return *table_place(d, name, size);
}

bool
event_defs_prefix(const struct event_defs *d, const char *name, size_t size)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->all[i]->name_size >= size && !memcmp(d->all[i]->name, name, size))
			return true;
	return false;
}

const struct event_def *
event_defs_number(const struct event_defs *d, uint64_t number)
{
	return number < d->count - d->builtin ? d->all[d->builtin + number] : NULL;
}

/* --- the syntax ---------------------------------------------------------------------------------
 */

static int
wrong(const struct reader *x, const char *what);

/* Something that QEMU's files have and we do not read: an error only of what is mapped. */
static int
unread(struct reader *x, const char *what)
{
	if (memmem(x->start, (size_t)(x->c.end - x->start), "=>", 2))
		return wrong(x, what);
	x->def->opaque = true;
	return 0;
}

static int
wrong(const struct reader *x, const char *what)
{
	return error_at(x->err, x->file, x->line, x->c.at - x->start + 1, "%s", what);
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static size_t
take_word(struct cursor *c, const char **word)
{
	*word = c->at;
	while (c->at < c->end && is_word(*c->at))
		c->at++;
	return (size_t)(c->at - *word);
}

/* "const void *elem": the last word names it. */
static int
read_arg(struct reader *x, const char *from, const char *to)
{
	struct event_def *def = x->def;
	const char *name = to;
	bool star, is_char = false;

	while (name > from && is_word(name[-1]))
		name--;
	star = memchr(from, '*', (size_t)(name - from));
	for (const char *p = from; p + 4 <= name; p++)
		is_char |= !memcmp(p, "char", 4);
	if (name == to || name == from)
		return wrong(x, "an argument must be a type and a name");
	if (def->args == EVENT_ARGS_MAX)
		return unread(x, "an event may have 16 arguments");
	def->arg_type[def->args] = star && is_char ? EVENT_ARG_STRING
				   : star	   ? EVENT_ARG_POINTER
						   : EVENT_ARG_NUMBER;
	def->arg_name[def->args] = strndup(name, (size_t)(to - name));
	must(def->arg_name[def->args]);
	def->args++;
	return 0;
}

static int
read_args(struct reader *x)
{
	if (!cursor_take(&x->c, '('))
		return wrong(x, "must be NAME(TYPE ARGUMENT, …) \"FORMAT\"");
	for (;;) {
		const char *from, *to;

		cursor_spaces(&x->c);
		from = x->c.at;
		while (x->c.at < x->c.end && *x->c.at != ',' && *x->c.at != ')')
			x->c.at++;
		if (x->c.at == x->c.end)
			return wrong(x, "the list of arguments does not end");
		for (to = x->c.at; to > from && to[-1] == ' '; to--)
			;
		if (!x->def->args && *x->c.at == ')' &&
		    (to == from || (to - from == 4 && !memcmp(from, "void", 4))))
			break;
		if (read_arg(x, from, to))
			return -1;
		if (*x->c.at == ')')
			break;
		x->c.at++;
	}
	x->c.at++;
	return 0;
}

/* "0x%" PRIx64 " …": one text, macros as their letter. Appends to def->text. */
static int
read_format_text(struct reader *x, size_t *used)
{
	struct event_def *def = x->def;
	bool any = false;

	for (;;) {
		const char *word;
		size_t n;

		cursor_spaces(&x->c);
		if (cursor_take(&x->c, '"')) {
			while (x->c.at < x->c.end && *x->c.at != '"') {
				if (*x->c.at == '\\' && x->c.at + 1 < x->c.end)
					x->c.at++;
				def->text[(*used)++] = *x->c.at++;
			}
			if (!cursor_take(&x->c, '"'))
				return wrong(x, "the format's text does not end");
			any = true;
			continue;
		}
		n = take_word(&x->c, &word);
		if (!n)
			break;
		if (n < 4 || memcmp(word, "PRI", 3)) {
			x->c.at = word;
			return wrong(x, "not a format: a text in quotes or PRIx64 and its like");
		}
		def->text[(*used)++] = word[3];
		any = true;
	}
	return any ? 0 : wrong(x, "must have a format in quotes");
}

/* The letter of the conversion at @p, a '#' for "%#x"; 0 if it is none we know. */
static char
conversion_at(const char **p)
{
	bool alt = false;
	char how;

	while (**p && strchr("#0123456789-. +", **p))
		alt |= *(*p)++ == '#';
	while (**p && strchr("hlzjtqL", **p))
		(*p)++;
	how = **p;
	if (!how || !strchr("diuxXpsc", how))
		return 0;
	(*p)++;
	if (how == 'i' || how == 'u')
		how = 'd';
	if (how == 'X')
		how = 'x';
	return how == 'x' && alt ? '#' : how;
}

static int
read_format(struct reader *x)
{
	struct event_def *def = x->def;
	size_t used = 0;
	unsigned n = 0;
	const char *p, *literal;

	cursor_spaces(&x->c);
	if (x->c.at == x->c.end)
		return unread(x, "must have a format in quotes");
	def->text = calloc(1, (size_t)(x->c.end - x->c.at) + 1);
	must(def->text);
	if (read_format_text(x, &used))
		return -1;
	while (used && def->text[used - 1] == ' ')
		used--;
	def->text[used] = 0;
	for (p = literal = def->text; *p;) {
		struct event_conversion *conversion = &def->conversion[n];

		if (*p++ != '%')
			continue;
		if (n == EVENT_ARGS_MAX)
			return unread(x, "a format may have 16 conversions");
		conversion->before = literal;
		conversion->before_size = (uint16_t)(p - 1 - literal);
		conversion->how = conversion_at(&p);
		if (!conversion->how)
			return unread(x, "a conversion of the format is none of d i u x p s c");
		literal = p;
		n++;
	}
	def->conversion[n].before = literal;
	def->conversion[n].before_size = (uint16_t)(p - literal);
	if (n != def->args && !def->opaque)
		return unread(x, "the format must have a conversion for each argument");
	return 0;
}

/* --- from arguments to a record -----------------------------------------------------------------
 */

/* The letter and the class of argument @slot of a kind; 0 past the last. */
static char
kind_arg(const struct record_info *info, unsigned slot, const char **class, size_t *size)
{
	for (const char *f = info->format; *f; f++) {
		if (*f != '%' || slot--)
			continue;
		*class = f;
		while (*class > info->format && is_word((*class)[-1]))
			(*class)--;
		*size = (size_t)(f - *class);
		return f[1];
	}
	return 0;
}

static int
map_arg(struct reader *x, unsigned slot, const char *word, size_t n)
{
	struct event_def *def = x->def;
	const struct record_info *info = recording_kind(x->d->r, def->kind);
	const char *class;
	size_t class_size;
	char how = kind_arg(info, slot, &class, &class_size);
	struct cursor number = { word, word + n };
	uint64_t value;

	if (!how)
		return wrong(x, "more arguments than this kind of record has");
	if (cursor_decimal(&number, &value) && number.at == number.end) {
		def->fixed[slot] = (int64_t)value;
		return 0;
	}
	for (unsigned i = 0; i < def->args; i++) {
		if (strlen(def->arg_name[i]) != n || memcmp(def->arg_name[i], word, n))
			continue;
		def->slot[i] = (uint8_t)slot;
		def->how[i] = (uint8_t)(how == 'n' || how == 's' ? how : 'd');
		if ((how == 's') != (def->arg_type[i] == EVENT_ARG_STRING))
			return wrong(x, "a text and a number do not go together here");
		if (how == 'n')
			def->class[i] = recording_class(x->d->r, class, class_size);
		return 0;
	}
	x->c.at = word;
	return wrong(x, "the event has no argument of that name");
}

/* "=> kind argument …" */
static int
read_mapping(struct reader *x)
{
	struct event_def *def = x->def;
	const char *word;
	unsigned slot = 0;
	size_t n;

	cursor_spaces(&x->c);
	n = take_word(&x->c, &word);
	def->kind = recording_kind_find(x->d->r, word, n);
	if (def->kind >= RECORD_KINDS) {
		x->c.at = word;
		return wrong(x, "there is no kind of record of that name");
	}
	for (;;) {
		cursor_spaces(&x->c);
		if (x->c.at == x->c.end || cursor_take(&x->c, '-'))
			return 0;
		if (cursor_take(&x->c, '@')) {
			def->fixed[slot++] = recording_text(x->d->r, def->name, def->name_size);
			continue;
		}
		n = take_word(&x->c, &word);
		if (!n)
			return wrong(x, "must be the name of an argument, a number, @ or -");
		if (map_arg(x, slot++, word, n))
			return -1;
	}
}

/* The mapping of another shape of the event, by names. */
static bool
map_alike(struct reader *x)
{
	const struct event_def *old = event_defs_find(x->d, x->def->name, x->def->name_size);
	struct event_def *def = x->def;

	if (!old || old->kind >= RECORD_KINDS)
		return false;
	def->kind = old->kind;
	memcpy(def->fixed, old->fixed, sizeof(def->fixed));
	for (unsigned i = 0; i < old->args; i++) {
		unsigned k = 0;

		if (old->slot[i] == RECORD_ARGS)
			continue;
		while (k < def->args && strcmp(def->arg_name[k], old->arg_name[i]))
			k++;
		if (k == def->args || (def->arg_type[k] == EVENT_ARG_STRING) !=
					      (old->arg_type[i] == EVENT_ARG_STRING))
			return false;
		def->slot[k] = old->slot[i];
		def->how[k] = old->how[i];
		def->class[k] = old->class[i];
	}
	return true;
}

/* No mapping: a kind of its own, with as many arguments as a record holds. */
static void
map_own(struct reader *x)
{
	struct event_def *def = x->def;
	char format[512] = "";
	size_t used = 0;

	memset(def->slot, RECORD_ARGS, sizeof(def->slot));
	for (unsigned i = 0; i < def->args && i < RECORD_ARGS && used < sizeof(format) - 128; i++) {
		const char *name = def->arg_name[i];
		bool hex = def->conversion[i].how == 'x' || def->conversion[i].how == '#';

		def->slot[i] = (uint8_t)i;
		def->how[i] = def->arg_type[i] == EVENT_ARG_STRING    ? 's'
			      : def->arg_type[i] == EVENT_ARG_POINTER ? 'n'
								      : 'd';
		if (def->how[i] == 'n')
			def->class[i] = recording_class(x->d->r, name, strlen(name));
		used += (size_t)snprintf(format + used, sizeof(format) - used,
					 "%s%.40s=%s%.40s%%%c", i ? " " : "", name, hex ? "0x" : "",
					 def->how[i] == 'n' ? name : "",
					 hex && def->how[i] == 'd' ? 'x' : def->how[i]);
	}
	def->kind = recording_kind_add(x->d->r, def->name, format);
}

static int
read_definition(struct reader *x)
{
	struct event_def *def = x->def;
	const char *word;
	size_t n;

	for (;;) { /* "disable", "vcpu" and the like may stand before the name */
		n = take_word(&x->c, &word);
		if (!n)
			return wrong(x, "must be the name of an event");
		if (!cursor_spaces(&x->c))
			break;
	}
	def->owned_name = strndup(word, n);
	must(def->owned_name);
	def->name = def->owned_name;
	def->name_size = n;
	def->hash = hash_name(word, n);
	memset(def->slot, RECORD_ARGS, sizeof(def->slot));
	if (read_args(x) || read_format(x))
		return -1;
	if (x->c.at < x->c.end && *x->c.at == ',')
		return unread(x, "an event has one format");
	if (def->opaque)
		return 0;
	if (x->c.end - x->c.at >= 2 && !memcmp(x->c.at, "=>", 2)) {
		x->c.at += 2;
		return read_mapping(x);
	}
	if (x->c.at != x->c.end)
		return wrong(x, "a definition ends with its format, or => and a mapping");
	if (!map_alike(x))
		map_own(x);
	return 0;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void
def_free(struct event_def *def)
{
	for (unsigned i = 0; i < def->args; i++)
		free(def->arg_name[i]);
	free(def->text);
	free(def->owned_name);
	free(def);
}

int
event_defs_add(struct event_defs *d, const char *name, const char *text, size_t size,
	       struct error *err)
{
	const char *at = text, *end = text + size;
	struct reader x = { .d = d, .file = name, .err = err };
	bool cut;

	while (at < end) {
		x.c = cursor_line(&at, end, &cut);
		x.start = x.c.at;
		x.line++;
		cursor_spaces(&x.c);
		while (x.c.end > x.c.at && x.c.end[-1] == ' ')
			x.c.end--;
		if (x.c.at == x.c.end || *x.c.at == '#')
			continue;
		x.def = calloc(1, sizeof(*x.def));
		must(x.def);
		if (read_definition(&x)) {
			def_free(x.def);
			return -1;
		}
		table_add(d, x.def);
	}
	return 0;
}

struct event_defs *
event_defs_create(struct recording *r)
{
	struct event_defs *d = calloc(1, sizeof(*d));
	struct error err = { "" };

	must(d);
	d->r = r;
	table_grow(d);
	must(!event_defs_add(d, "qemu-trace-events", qemu_trace_events,
			     (size_t)(qemu_trace_events_end - qemu_trace_events), &err));
	d->builtin = d->count;
	return d;
}

void
event_defs_destroy(struct event_defs *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++)
		def_free(d->all[i]);
	free(d->all);
	free(d->table);
	free(d);
}

/* --- a line -------------------------------------------------------------------------------------
 */

void
event_def_set(const struct event_def *def, struct recording *r, struct record *record, unsigned i,
	      uint64_t value)
{
	if (def->slot[i] == RECORD_ARGS)
		return;
	record->arg[def->slot[i]] =
		def->how[i] == 'n' ? recording_name(r, def->class[i], value) : (int64_t)value;
}

static bool
take_signed(struct cursor *c, uint64_t *value)
{
	bool negative = cursor_take(c, '-');

	if (!cursor_decimal(c, value) || (negative && *value > (uint64_t)INT64_MAX))
		return false;
	if (negative)
		*value = -*value;
	return true;
}

static bool
take_pointer(struct cursor *c, uint64_t *value)
{
	*value = 0;
	if (c->end - c->at >= 5 && !memcmp(c->at, "(nil)", 5)) {
		c->at += 5;
		return true;
	}
	return cursor_take(c, '0') && cursor_take(c, 'x') && cursor_hex(c, value);
}

/* Up to the text that follows in the format, or the end of the line. */
static size_t
text_size(const struct cursor *c, const struct event_conversion *next)
{
	size_t left = (size_t)(c->end - c->at);
	const char *end;

	if (!next->before_size)
		return left;
	end = memmem(c->at, left, next->before, next->before_size);
	return end ? (size_t)(end - c->at) : left;
}

static bool
take_conversion(const struct event_conversion *conversion, struct recording *r, struct cursor *c,
		bool wanted, uint64_t *value)
{
	size_t n;

	switch (conversion->how) {
	case 'd':
		return take_signed(c, value);
	case 'x':
		return cursor_hex(c, value);
	case '#':
		if (c->end - c->at >= 2 && c->at[0] == '0' && c->at[1] == 'x')
			c->at += 2;
		return cursor_hex(c, value);
	case 'p':
		return take_pointer(c, value);
	case 'c':
		*value = c->at < c->end ? (unsigned char)*c->at++ : 0;
		return true;
	default:
		n = text_size(c, conversion + 1);
		*value = wanted ? (uint64_t)recording_text(r, c->at, n) : 0;
		c->at += n;
		return true;
	}
}

bool
event_def_parse(const struct event_def *def, struct recording *r, struct cursor *c,
		struct record *record)
{
	const struct event_conversion *conversion = def->conversion;

	record->kind = (uint16_t)def->kind;
	memcpy(record->arg, def->fixed, sizeof(record->arg));
	if (c->at < c->end && !cursor_take(c, ' '))
		return false;
	for (unsigned i = 0;; i++, conversion++) {
		uint64_t value;

		if ((size_t)(c->end - c->at) < conversion->before_size ||
		    memcmp(c->at, conversion->before, conversion->before_size))
			return false;
		c->at += conversion->before_size;
		if (!conversion->how)
			break;
		if (!take_conversion(conversion, r, c, def->slot[i] != RECORD_ARGS, &value))
			return false;
		event_def_set(def, r, record, i, value);
	}
	cursor_spaces(c);
	return c->at == c->end;
}

void
event_def_form(const struct event_def *def, char *text, size_t size)
{
	size_t n = 0;

	*text = 0;
	for (const struct event_conversion *c = def->conversion; n < size; c++) {
		n += (size_t)snprintf(text + n, size - n, "%.*s", c->before_size, c->before);
		if (!c->how)
			break;
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, c->how == '#' ? "%%#x" : "%%%c",
					      c->how);
	}
}
