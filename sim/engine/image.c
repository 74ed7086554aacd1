/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of worlds: see image.h.
 *
 *	| head | events | ready queue | words set aside | stacks | arena's lines |
 *	                                                |<------ hashed ------>|
 *
 * What the hash must not see is taken out of the world before the rest is taken, zeros left in its
 * place, and put back afterwards.
 */
#include "engine/image.h"

#include "base/hash.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

#define ASIDE_MAX 4096u /* words; what does not fit tells worlds apart */

struct head {
	uint32_t events, ready, aside; /* how many */
	bool at_point;
	uint8_t kind;
	uint32_t hashed; /* offset */
	size_t stacks, bytes; /* of the stacks; of all */
};

struct aside {
	uint64_t *at;
	uint64_t value;
};

struct stack_head {
	uint64_t id, bytes;
};

/* --- what the hash does not see ------------------------------------------------------------- */

struct taking {
	struct aside *next;
	const struct aside *end;
};

static inline void
set_aside(struct taking *t, void *at)
{
	uint64_t *word = at;

	if (!*word || t->next == t->end)
		return;
	*t->next++ = (struct aside){ word, *word };
	*word = 0;
}

static void
times_set_aside(struct world *w, struct taking *t)
{
	uint32_t mask = w->ready_capacity - 1;

	set_aside(t, &w->now);
	for (uint32_t i = 0; i < w->actor_count; i++)
		set_aside(t, &w->actors[i]->wake_ns);
	for (uint32_t i = 0; i < w->ready_count; i++) {
		struct ready *r = &w->ready[(w->ready_first + i) & mask];

		if (r->fn == timer_due)
			set_aside(t, &((struct timer *)r->arg)->at_ns);
	}
}

/* The list. The ready queue, too, but for what it sums up to: see ready_take_out(). */
static void
image_set_aside(struct world *w, struct taking *t)
{
	set_aside(t, &w->step);
	set_aside(t, &w->trail);
	set_aside(t, &w->digest);
	set_aside(t, &w->choices);
	set_aside(t, &w->events);
	if (w->host->unseen & IMAGE_TIME)
		times_set_aside(w, t);
	for (uint32_t i = 0; i < w->ignored_count; i++) {
		const struct ignored *ignored = &w->ignored[i];

		if (ignored->counter && !(w->host->unseen & IMAGE_COUNTERS))
			continue;
		for (size_t k = 0; k < ignored->words; k++)
			set_aside(t, ignored->at + k);
	}
}

/* What is ready, in any order. */
static uint64_t
ready_sum(const struct ready *r, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += hash_u64((uint64_t)(uintptr_t)r[i].arg ^
				hash_u64((uint64_t)(uintptr_t)r[i].fn + 1));
	return sum;
}

static void
ready_take_out(struct world *w, struct ready *to)
{
	for (uint32_t i = 0; i < w->ready_count; i++)
		to[i] = w->ready[(w->ready_first + i) & (w->ready_capacity - 1)];
	memset(w->ready, 0, w->ready_capacity * sizeof(*w->ready));
	w->ready_first = 0;
}

/* --- stacks --------------------------------------------------------------------------------- */

/* Whether its stack may differ from what the snapshot saved. */
static inline bool
stack_used(const struct world *w, const struct actor *a)
{
	if (a->state == ACTOR_DONE)
		return false;
	return a->id > w->host->saved_count || a->ran_epoch == w->host->epoch;
}

__attribute__((no_sanitize("address"))) static bool
stack_as_saved(const struct world *w, const struct actor *a, size_t bytes)
{
	typedef uint64_t word __attribute__((may_alias));
	const struct saved_stack *s =
		a->id <= w->host->saved_count ? &w->host->saved[a->id - 1] : NULL;

	if (!s || s->from != a->sp || s->bytes != bytes)
		return false;
	for (size_t i = 0; i < bytes / 8; i++)
		if (((word *)a->sp)[i] != ((word *)(w->host->saved_bytes + s->offset))[i])
			return false;
	return true;
}

static char *
stacks_take(struct world *w, char *to, const char *end)
{
	for (uint32_t i = 0; i < w->actor_count; i++) {
		const struct actor *a = w->actors[i];
		size_t bytes;

		if (!stack_used(w, a))
			continue;
		bytes = stack_live_bytes(a);
		if (stack_as_saved(w, a, bytes))
			continue;
		if ((size_t)(end - to) < sizeof(struct stack_head) + bytes)
			return NULL;
		*(struct stack_head *)(void *)to = (struct stack_head){ a->id, bytes };
		stack_copy(to + sizeof(struct stack_head), a->sp, bytes);
		to += sizeof(struct stack_head) + bytes;
	}
	return to;
}

static void
stack_unpoison(const struct actor *a)
{
#if SWITCH_ASAN
	__asan_unpoison_memory_region(a->stack, a->stack_bytes);
#endif
}

/* The arena is put back already. All that ran are listed afterwards, and know it. */
static void
stacks_load(struct world *w, const char *from, const char *end)
{
	struct world_host *h = w->host;

	for (size_t i = 0; i < h->ran_count; i++) {
		uint32_t id = h->ran[i];
		const struct saved_stack *s = &h->saved[id - 1];

		if (id <= h->saved_count && s->bytes) {
			if (w->actors[id - 1]->stack)
				stack_unpoison(w->actors[id - 1]);
			stack_copy(s->from, h->saved_bytes + s->offset, s->bytes);
		}
		if (id <= w->actor_count)
			w->actors[id - 1]->ran_epoch = h->epoch;
	}
	while (from < end) {
		const struct stack_head *s = (const void *)from;
		struct actor *a = w->actors[s->id - 1];

		stack_unpoison(a);
		stack_copy(a->sp, from + sizeof(*s), s->bytes);
		if (a->ran_epoch != h->epoch)
			actor_mark_ran(w, a);
		from += sizeof(*s) + s->bytes;
	}
	/* Who ended in the image has given its stack away, to one of the actors made since: the
	 * snapshot's has to be put back all the same. */
	for (uint32_t i = 0; w->actor_count > h->saved_count && i < h->saved_count; i++)
		if (w->actors[i]->state == ACTOR_DONE && h->saved[i].bytes &&
		    w->actors[i]->ran_epoch != h->epoch)
			actor_mark_ran(w, w->actors[i]);
}

/* --- the whole ------------------------------------------------------------------------------ */

static inline void
ran_mark(struct world *w, uint64_t epoch)
{
	struct world_host *h = w->host;

	for (size_t i = 0; i < h->ran_count; i++)
		if (h->ran[i] <= w->actor_count)
			w->actors[h->ran[i] - 1]->ran_epoch = epoch;
}

static void
put_back(struct world *w, const struct head *head)
{
	const struct ready *ready =
		(const void *)((const struct event *)(const void *)(head + 1) + head->events);
	const struct aside *aside = (const void *)(ready + head->ready);

	w->buffered = head->events;
	w->parked_at_point = head->at_point;
	w->parked_kind = head->kind;
	memcpy(w->ready, ready, head->ready * sizeof(*ready));
	for (uint32_t i = 0; i < head->aside; i++)
		*aside[i].at = aside[i].value;
}

/* Stacks and the arena without what is set aside; returns the end, null where there is no room. */
static char *
take_hashed(struct world *w, struct head *head, char *to, const char *end)
{
	char *arena = stacks_take(w, to, end);
	size_t bytes;

	if (!arena)
		return NULL;
	head->stacks = (size_t)(arena - to);
	ran_mark(w, 0);
	bytes = arena_image_take(w->arena, arena, (size_t)(end - arena));
	ran_mark(w, w->host->epoch);
	return bytes ? arena + bytes : NULL;
}

size_t
world_image_take(struct world *w, void *to, size_t room, struct world_hash *hash)
{
	struct head *head = to;
	struct event *events = (struct event *)(void *)(head + 1);
	struct ready *ready = (struct ready *)(void *)(events + w->buffered);
	struct aside *aside = (struct aside *)(void *)(ready + w->ready_count);
	struct taking t = { aside, aside + ASIDE_MAX };
	char *hashed, *end = (char *)to + room;

	must(!w->current && w->stop && w->ready_capacity);
	if ((ptrdiff_t)room < (char *)(aside + ASIDE_MAX) - (char *)to)
		return 0;
	*head = (struct head){ .events = w->buffered,
			       .ready = w->ready_count,
			       .at_point = w->parked_at_point,
			       .kind = w->parked_kind };
	memcpy(events, w->host->buffer, w->buffered * sizeof(*events));
	w->buffered = 0;
	w->parked_at_point = false;
	w->parked_kind = 0;
	ready_take_out(w, ready);
	image_set_aside(w, &t);
	head->aside = (uint32_t)(t.next - aside);
	hashed = (char *)t.next;
	head->hashed = (uint32_t)(hashed - (char *)to);
	end = take_hashed(w, head, hashed, end);
	put_back(w, head);
	if (!end)
		return 0;
	head->bytes = (size_t)(end - (char *)to);

	XXH128_hash_t h = XXH3_128bits_withSeed(hashed, (size_t)(end - hashed),
						ready_sum(ready, head->ready));

	*hash = (struct world_hash){ h.low64, h.high64 };
	return head->bytes;
}

void
world_image_load(struct world *w, const void *image)
{
	const struct head *head = image;
	const char *stacks = (const char *)image + head->hashed, *arena = stacks + head->stacks;

	arena_image_load(w->arena, arena, head->bytes - head->hashed - head->stacks);
	stacks_load(w, stacks, arena);
	memcpy(w->host->buffer, head + 1, head->events * sizeof(struct event));
	put_back(w, head);
}

/* --- what does not matter --------------------------------------------------------------------- */

void
world_image_see(struct world *w, unsigned see)
{
	if (w->mode != WORLD_RELAXED || w->heap.count || w->time_max)
		see |= IMAGE_TIME;
	w->host->unseen = (uint8_t)(~see & (IMAGE_TIME | IMAGE_COUNTERS));
	w->host->looked = 0;
}

unsigned
world_image_looked(const struct world *w)
{
	return w->host->unseen & w->host->looked;
}

static void
ignore(struct world *w, const struct ignored *ignored)
{
	if (w->ignored_count == w->ignored_capacity) {
		uint32_t capacity = w->ignored_capacity ? w->ignored_capacity * 2 : 16;
		struct ignored *grown = world_alloc(w, capacity * sizeof(*grown));

		if (w->ignored_count)
			memcpy(grown, w->ignored, w->ignored_count * sizeof(*grown));
		world_free(w, w->ignored, w->ignored_capacity * sizeof(*grown));
		w->ignored = grown;
		w->ignored_capacity = capacity;
	}
	must(!((uintptr_t)ignored->at % sizeof(uint64_t)));
	w->ignored[w->ignored_count++] = *ignored;
}

void
world_ignore(struct world *w, void *at, size_t words, const char *why)
{
	must(w->in_setup);
	ignore(w, &(struct ignored){ .at = at, .words = words, .why = why });
}

void
world_count(struct world *w, void *at, size_t words)
{
	if (w->in_setup)
		ignore(w, &(struct ignored){ .at = at,
					     .words = words,
					     .counter = true,
					     .why = "a count for people" });
}

void
world_counters_shown(const struct world *w)
{
	w->host->looked |= IMAGE_COUNTERS;
}
