/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/kvm_events.h"

#include <stdio.h>

#include "base/error.h"
#include "base/must.h"

static const struct kvm_event kvm_events[KVM_EVENTS] = {
#define EVENT(name, kind, spec) { name, sizeof(name) - 1, RECORD_##kind, spec, { { 0 } }, 0 },
#include "trace/kvm_events.def"
#undef EVENT
};

/* --- the table ----------------------------------------------------------------------------------
 */

static void
compile(struct kvm_event *e)
{
	for (const char *p = e->spec; *p;) {
		struct kvm_field *f = &e->field[e->fields++];
		size_t n;

		must(e->fields <= RECORD_ARGS);
		f->how = 'd';
		f->required = *p == '!';
		p += f->required;
		if (p[1] == ':') {
			f->how = *p;
			p += 2;
		}
		n = strcspn(p, " |");
		f->name = p;
		f->name_size = (uint8_t)n;
		if (*p == '(' || *p == '^')
			f->place = *p;
		p += n;
		if (*p == '|') {
			f->other = ++p;
			f->other_size = (uint8_t)strcspn(p, " ");
			p += f->other_size;
		}
		p += *p == ' ';
	}
}

void
kvm_events_init(struct kvm_events *k, struct recording *r, const char *unit, struct error *err)
{
	*k = (struct kvm_events){ .r = r, .unit = unit, .err = err };
	memcpy(k->event, kvm_events, sizeof(k->event));
	for (size_t i = 0; i < KVM_EVENTS; i++)
		compile(&k->event[i]);
}

const struct kvm_event *
kvm_event_find(struct kvm_events *k, const char *name, size_t size)
{
	for (size_t n = 0; n < KVM_EVENTS; n++) {
		size_t i = (k->last + n) % KVM_EVENTS;

		if (k->event[i].name_size == size && !memcmp(k->event[i].name, name, size)) {
			k->last = i;
			return &k->event[i];
		}
	}
	return NULL;
}

/* --- threads ------------------------------------------------------------------------------------
 */

static uint16_t
thread_add(struct kvm_events *k, const char *text, size_t n)
{
	char name[KVM_THREAD_MAX];
	size_t digits, comm;

	if (n && text[n - 1] == ')') {
		while (n && text[n - 1] != '(')
			n--;
		n -= n > 0;
		while (n && text[n - 1] == ' ')
			n--;
	}
	for (digits = n; digits && cursor_digit(text[digits - 1]) < 10; digits--)
		;
	for (comm = digits; comm && (text[comm - 1] == ' ' || text[comm - 1] == '-'); comm--)
		;
	return recording_thread(
		k->r, name,
		(size_t)snprintf(name, sizeof(name), "%.*s-%.*s", comm > 64 ? 64 : (int)comm, text,
				 n - digits > 20 ? 20 : (int)(n - digits), text + digits));
}

/* "CPU 0/KVM-7289", of all the shapes of kvm_said.thread. */
static uint16_t
thread_number(struct kvm_events *k, const char *text, size_t n)
{
	if (n == k->thread_size && !memcmp(text, k->thread, n))
		return k->thread_number;
	k->thread_number = thread_add(k, text, n);
	k->thread_size = n < sizeof(k->thread) ? n : 0;
	memcpy(k->thread, text, k->thread_size);
	return k->thread_number;
}

/* --- arguments ----------------------------------------------------------------------------------
 */

static bool
is_separator(char c)
{
	return c == ' ' || c == ',' || c == '=' || c == ':' || c == '(' || c == ')';
}

static bool
token(struct cursor *c, struct cursor *t, bool *parenthesis)
{
	*parenthesis = false;
	while (c->at < c->end && is_separator(*c->at))
		*parenthesis = *c->at++ == '(';
	t->at = c->at;
	while (c->at < c->end && !is_separator(*c->at))
		c->at++;
	t->end = c->at;
	return t->at < t->end;
}

static bool
value_number(char how, struct cursor t, uint64_t *value)
{
	struct cursor x = t;
	bool negative;

	if (t.end - t.at > 2 && t.at[0] == '0' && t.at[1] == 'x') {
		t.at += 2;
		how = 'x';
	}
	if (how == 'x')
		return cursor_hex(&t, value) && t.at == t.end;
	negative = cursor_take(&x, '-');
	if (cursor_decimal(&x, value) && x.at == x.end) {
		*value = negative ? -*value : *value;
		return true;
	}
	return how == 'v' && cursor_hex(&t, value) && t.at == t.end;
}

static bool
field_set(struct kvm_events *k, const struct kvm_field *f, struct cursor t, int64_t *arg)
{
	uint64_t value = 0;

	if (f->how == 's') {
		size_t strip = t.end - t.at > 4 && !memcmp(t.at, "pio_", 4) ? 4 : 0;

		*arg = recording_text(k->r, t.at + strip, (size_t)(t.end - t.at) - strip);
		return true;
	}
	if (!value_number(f->how, t, &value))
		return false;
	*arg = (int64_t)value;
	return true;
}

static bool
field_named(const struct kvm_field *f, struct cursor t)
{
	size_t n = (size_t)(t.end - t.at);

	return (n == f->name_size && !memcmp(t.at, f->name, n)) ||
	       (n == f->other_size && f->other && !memcmp(t.at, f->other, n));
}

int
kvm_event_damaged(const struct kvm_events *k, const struct kvm_said *said, const char *at,
		  const char *what)
{
	return error_at(k->err, k->r->name, (long)said->line,
			said->start ? at - said->start + 1 : 0, "damaged %s: %s", k->unit, what);
}

/* Fill the arguments; 0, or -1 and the error. */
static int
read_fields(struct kvm_events *k, const struct kvm_event *e, const struct kvm_said *said,
	    struct record *record)
{
	struct cursor c = said->args;
	unsigned have = 0;
	bool parenthesis, first = true;
	struct cursor t;

	while (token(&c, &t, &parenthesis)) {
		struct cursor value = t;
		unsigned i = 0;

		for (; i < e->fields; i++) {
			const struct kvm_field *f = &e->field[i];

			if (have & 1u << i)
				continue;
			if (f->place == '^'   ? first
			    : f->place == '(' ? parenthesis
					      : field_named(f, t))
				break;
		}
		first = false;
		if (i == e->fields)
			continue;
		if (!e->field[i].place && !token(&c, &value, &parenthesis))
			break;
		if (!field_set(k, &e->field[i], value, &record->arg[i]))
			return kvm_event_damaged(k, said, value.at, "not a number");
		have |= 1u << i;
	}
	for (unsigned i = 0; i < e->fields; i++) {
		if (have & 1u << i)
			continue;
		if (e->field[i].required)
			return kvm_event_damaged(k, said, c.end,
						 "the event has not all its arguments");
		record->arg[i] = e->field[i].how == 's' ? recording_text(k->r, "?", 1) : -1;
	}
	return 0;
}

int
kvm_event_add(struct kvm_events *k, const struct kvm_event *e, const struct kvm_said *said)
{
	struct record record = { .line = said->line, .time_ns = said->ns };

	if (read_fields(k, e, said, &record))
		return -1;
	if (said->cut)
		return kvm_event_damaged(k, said, said->args.end, "cut off by the end of the file");
	record.kind = (uint16_t)e->kind;
	record.thread = thread_number(k, said->thread, said->thread_size);
	*recording_add(k->r, e->kind, said->line) = record;
	return 0;
}
