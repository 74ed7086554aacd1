/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"

#define PAIRS_MAX (1u << 21)
#define PORT_MIN 0x1000 /* below are the ports of the board */

enum key_kind { KEY_NONE, KEY_STATUS, KEY_KICK };

struct keyed {
	uint32_t key;
	int64_t time_ns;
};

struct pair {
	int64_t diff_ns; /* first clock less second */
	double weight;
	uint32_t of; /* event of the first */
};

/* --- events that both sides see -----------------------------------------------------------------
 */

static uint32_t
key_of_access(int64_t size, int64_t value)
{
	if (size == 1)
		return KEY_STATUS << 16 | (uint32_t)(value & 0xff);
	if (size == 2)
		return KEY_KICK << 16 | (uint32_t)(value & 0xffff);
	return KEY_NONE;
}

static uint32_t
key_of(const struct recording *r, const struct record *record)
{
	switch (record->kind) {
	case RECORD_STATUS_WRITE:
		return KEY_STATUS << 16 | (uint32_t)(record->arg[1] & 0xff);
	case RECORD_KICK:
		return KEY_KICK << 16 | (uint32_t)(record->arg[1] & 0xffff);
	case RECORD_KVM_MMIO:
		return strcmp(recording_text_of(r, record->arg[0]), "write")
			       ? (uint32_t)KEY_NONE
			       : key_of_access(record->arg[1], record->arg[3]);
	case RECORD_KVM_PIO:
		return record->arg[1] < PORT_MIN ||
				       strcmp(recording_text_of(r, record->arg[0]), "write")
			       ? (uint32_t)KEY_NONE
			       : key_of_access(record->arg[2], record->arg[4]);
	default:
		return KEY_NONE;
	}
}

static bool
of_kernel(const struct recording *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->record[i].kind >= RECORD_KVM_ENTRY && r->record[i].kind < RECORD_KINDS)
			return true;
	return false;
}

static struct keyed *
keyed_events(const struct recording *r, size_t *count)
{
	struct keyed *list = calloc(r->count + 1, sizeof(*list));

	must(list);
	*count = 0;
	for (size_t i = 0; i < r->count; i++) {
		uint32_t key = key_of(r, &r->record[i]);

		if (key)
			list[(*count)++] = (struct keyed){ key, r->record[i].time_ns };
	}
	return list;
}

static uint64_t
count_key(const struct keyed *list, size_t count, uint32_t key)
{
	uint64_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += list[i].key == key;
	return n;
}

/* --- alignment ----------------------------------------------------------------------------------
 */

static int
compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->diff_ns != y->diff_ns)
		return x->diff_ns > y->diff_ns ? 1 : -1;
	return (x->of > y->of) - (x->of < y->of);
}

static size_t
make_pairs(struct pair *pair, const struct keyed *a, size_t as, const struct keyed *b, size_t bs)
{
	size_t n = 0;

	for (size_t i = 0; i < as; i++) {
		double weight = 1.0 / (double)count_key(a, as, a[i].key);
		uint64_t others = count_key(b, bs, a[i].key);

		for (size_t k = 0; k < bs && n < PAIRS_MAX; k++)
			if (a[i].key == b[k].key)
				pair[n++] = (struct pair){ a[i].time_ns - b[k].time_ns,
							   weight / (double)others, (uint32_t)i };
	}
	return n;
}

/* Events of the first in [from, to). */
static uint64_t
distinct(const struct pair *pair, size_t from, size_t to, size_t events)
{
	bool *seen = calloc(events + 1, sizeof(*seen));
	uint64_t n = 0;

	must(seen);
	for (size_t i = from; i < to; i++) {
		n += !seen[pair[i].of];
		seen[pair[i].of] = true;
	}
	free(seen);
	return n;
}

static void
heaviest(const struct pair *pair, size_t pairs, size_t *from, size_t *to)
{
	double weight = 0, best = 0;
	size_t first = 0;

	*from = *to = 0;
	for (size_t i = 0; i < pairs; i++) {
		weight += pair[i].weight;
		while (pair[i].diff_ns - pair[first].diff_ns > ALIGN_NS)
			weight -= pair[first++].weight;
		if (weight > best + 1e-9) {
			best = weight;
			*from = first;
			*to = i + 1;
		}
	}
}

static int
align(const struct recording *a, const struct recording *b, struct alignment *alignment,
      struct error *err)
{
	size_t as, bs, pairs, from, to;
	struct keyed *ka = keyed_events(a, &as), *kb = keyed_events(b, &bs);
	struct pair *pair = calloc(PAIRS_MAX, sizeof(*pair));

	must(pair);
	pairs = make_pairs(pair, ka, as, kb, bs);
	qsort(pair, pairs, sizeof(*pair), compare_pairs);
	heaviest(pair, pairs, &from, &to);
	alignment->events = distinct(pair, from, to, as);
	if (alignment->events >= ALIGN_EVENTS_MIN) {
		/* The kernel sees a write before QEMU does. */
		alignment->offset_ns = pair[of_kernel(a) ? to - 1 : from].diff_ns;
		alignment->spread_ns = pair[to - 1].diff_ns - pair[from].diff_ns;
	}
	free(pair);
	free(ka);
	free(kb);
	if (alignment->events < ALIGN_EVENTS_MIN)
		return error_at(err, b->name, 0, 0,
				"cannot be aligned with %s: status writes and kicks that both have "
				"seen are needed, at least %u",
				a->name, ALIGN_EVENTS_MIN);
	return 0;
}

static bool
same_clock(const struct recording *a, const struct recording *b)
{
	return !strcmp(a->format, b->format) && a->count && b->count &&
	       a->record[0].time_ns <= b->record[b->count - 1].time_ns &&
	       b->record[0].time_ns <= a->record[a->count - 1].time_ns;
}

/* --- one of two ---------------------------------------------------------------------------------
 */

/* A record of @from in @into's words. @file tells pointers of two files apart. */
static void
take_over(struct recording *into, const struct recording *from, const struct record *record,
	  int64_t offset_ns, unsigned file)
{
	const struct record_info *info = recording_kind(from, record->kind);
	const char *thread = from->thread[record->thread];
	struct record *out;
	struct record copy = *record;
	unsigned slot = 0;
	char name[256];

	if (record->kind >= RECORD_KINDS)
		copy.kind = (uint16_t)recording_kind_add(into, info->name, info->format);
	for (const char *f = info->format; *f; f++) {
		const char *class = f;

		if (*f != '%')
			continue;
		while (class > info->format && class[-1] != '=')
			class --;
		if (f[1] == 's') {
			const char *text = recording_text_of(from, record->arg[slot]);

			copy.arg[slot] = recording_text(into, text, strlen(text));
		} else if (f[1] == 'n') {
			copy.arg[slot] = recording_name(
				into, recording_class(into, class, (size_t)(f - class)),
				(uint64_t)file << 56 | (uint64_t)record->arg[slot]);
		}
		slot++;
	}
	copy.time_ns += offset_ns;
	snprintf(name, sizeof(name), "%s/%.200s", from->format, thread);
	copy.thread = recording_thread(into, name, strlen(name));
	out = recording_add(into, copy.kind, copy.line);
	*out = copy;
}

int
recording_merge(struct recording *into, const struct recording *a, const struct recording *b,
		struct alignment *alignment, struct error *err)
{
	size_t i = 0, k = 0, size = strlen(a->name) + strlen(b->name) + 4;
	int64_t tie = of_kernel(b) ? 0 : 1; /* of equal times the kernel's comes first */

	*alignment = (struct alignment){ 0 };
	if (a->timeless || b->timeless)
		return error_at(err, (a->timeless ? a : b)->name, 0, 0,
				"has no time stamps: it cannot be aligned with another recording");
	if (!same_clock(a, b) && align(a, b, alignment, err))
		return -1;
	into->name = malloc(size);
	must(into->name);
	snprintf(into->name, size, "%s + %s", a->name, b->name);
	into->format = "merged";
	into->lines = a->lines + b->lines;
	into->lines_skipped = a->lines_skipped + b->lines_skipped;
	into->events_lost = a->events_lost + b->events_lost;
	into->gaps = a->gaps + b->gaps;
	for (size_t n = 0; n < a->notes + b->notes; n++) {
		const struct recording *of = n < a->notes ? a : b;

		recording_note(into, "%s: %s", of->name, of->note[of == a ? n : n - a->notes]);
	}
	while (i < a->count || k < b->count) {
		bool first =
			k == b->count ||
			(i < a->count &&
			 a->record[i].time_ns < b->record[k].time_ns + alignment->offset_ns + tie);

		if (first)
			take_over(into, a, &a->record[i++], 0, 0);
		else
			take_over(into, b, &b->record[k++], alignment->offset_ns, 1);
	}
	recording_times_check(into);
	return 0;
}
