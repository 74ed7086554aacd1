/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/page_alloc.h"

#include "base/must.h"
#include "memory/guest_memory.h"

#define BLOCK_BYTES 65536u /* the largest page that a host may have under them */

const char *const guest_page_state_name[GUEST_PAGE_STATES] = { /* ORDER GUEST_PAGE_STATE */
							       "free", "used", "balloon", "hinted",
							       "reported"
};

static uint32_t
number_of(const struct guest_pages *p, uint64_t gfn)
{
	must(guest_pages_has(p, gfn));
	return (uint32_t)(gfn - p->first);
}

static void
store(struct guest_pages *p, uint64_t gfn, uint64_t value)
{
	must(gm_write(p->w, gfn * GUEST_PAGE_BYTES, &value, sizeof(value)));
}

static uint64_t
load(const struct guest_pages *p, uint64_t gfn)
{
	uint64_t value;

	must(gm_read(p->w, gfn * GUEST_PAGE_BYTES, &value, sizeof(value)));
	return value;
}

struct guest_pages *
guest_pages_create(struct world *w, uint32_t count, bool poisoning, uint32_t poison_val)
{
	struct guest_pages *p = world_alloc(w, sizeof(*p));

	must(count && count <= GUEST_PAGES_MAX);
	p->w = w;
	p->count = count;
	p->first = gm_alloc(w, (uint64_t)count * GUEST_PAGE_BYTES, BLOCK_BYTES) / GUEST_PAGE_BYTES;
	gm_set_first_page(w, p->first * GUEST_PAGE_BYTES);
	p->state = world_alloc(w, count);
	p->stack = world_alloc(w, count * sizeof(*p->stack));
	p->poisoning = poisoning;
	p->poison = (uint64_t)poison_val << 32 | poison_val;
	for (unsigned i = 0; i < GUEST_PAGE_STATES; i++)
		p->state_name[i] = world_name(w, guest_page_state_name[i]);
	/* The lowest frame is given out first. */
	for (uint32_t i = 0; i < count; i++) {
		p->stack[i] = count - 1 - i;
		if (poisoning)
			store(p, p->first + i, p->poison);
	}
	p->free = count;
	return p;
}

void
guest_pages_add_shrinker(struct guest_pages *p, struct guest_shrinker *s)
{
	struct guest_shrinker **end = &p->shrinkers;

	while (*end)
		end = &(*end)->next;
	*end = s;
}

/* kernel_unpoison_pages() */
static void
check_poison(struct guest_pages *p, uint64_t gfn)
{
	uint64_t value;

	if (!p->poisoning)
		return;
	value = load(p, gfn);
	if (value == p->poison)
		return;
	p->poison_errors++;
	emit(p->w, EV_GUEST_PAGE_POISON, gm_page(p->w, gfn * GUEST_PAGE_BYTES), (int64_t)value,
	     (int64_t)p->poison);
}

static void
give(struct guest_pages *p, uint64_t gfn, enum guest_page_state state)
{
	p->state[number_of(p, gfn)] = (uint8_t)state;
	/* Reporting isolates blocks without allocating them: nobody looks at the content. */
	if (state != GUEST_PAGE_REPORTED)
		check_poison(p, gfn);
	emit(p->w, EV_GUEST_PAGE_ALLOC, gm_page(p->w, gfn * GUEST_PAGE_BYTES),
	     p->state_name[state]);
}

uint64_t
guest_page_take(struct guest_pages *p, enum guest_page_state state)
{
	uint64_t gfn;

	must(state != GUEST_PAGE_FREE);
	if (!p->free)
		return GUEST_NO_PAGE;
	gfn = p->first + p->stack[--p->free];
	give(p, gfn, state);
	return gfn;
}

/* The first block of @size frames none of which is in use, or count. */
static uint32_t
free_block(const struct guest_pages *p, uint32_t size)
{
	uint32_t run = 0;

	for (uint32_t n = 0; n < p->count && p->free >= size; n++) {
		run = p->state[n] != GUEST_PAGE_FREE ? 0 : n % size == run ? run + 1 : 0;
		if (run == size)
			return n + 1 - size;
	}
	return p->count;
}

uint64_t
guest_block_take(struct guest_pages *p, enum guest_page_state state, unsigned order)
{
	uint32_t size = 1u << order, block, left = 0;

	if (!order)
		return guest_page_take(p, state);
	must(state != GUEST_PAGE_FREE);
	block = free_block(p, size);
	if (block == p->count)
		return GUEST_NO_PAGE;
	for (uint32_t i = 0; i < p->free; i++)
		if (p->stack[i] - block >= size)
			p->stack[left++] = p->stack[i];
	must(left == p->free - size);
	p->free = left;
	for (uint32_t i = 0; i < size; i++)
		give(p, p->first + block + i, state);
	return p->first + block;
}

void
guest_block_free(struct guest_pages *p, uint64_t gfn, unsigned order)
{
	for (uint32_t i = 1u << order; i--;)
		guest_page_free(p, gfn + i);
}

uint64_t
guest_page_alloc(struct guest_pages *p, struct guest_cpu *cpu)
{
	struct guest_shrinker *s = p->shrinkers;
	uint64_t gfn;

	actor_point(p->w);
	while ((gfn = guest_page_take(p, GUEST_PAGE_USED)) == GUEST_NO_PAGE && s)
		if (!s->shrink(s, cpu))
			s = s->next;
	p->failed += gfn == GUEST_NO_PAGE;
	return gfn;
}

void
guest_page_free(struct guest_pages *p, uint64_t gfn)
{
	uint32_t n = number_of(p, gfn);
	enum guest_page_state was = (enum guest_page_state)p->state[n];

	must(was != GUEST_PAGE_FREE && p->free < p->count);
	if (p->poisoning && was != GUEST_PAGE_REPORTED)
		store(p, gfn, p->poison);
	p->state[n] = GUEST_PAGE_FREE;
	p->stack[p->free++] = n;
	emit(p->w, EV_GUEST_PAGE_FREE, gm_page(p->w, gfn * GUEST_PAGE_BYTES), p->state_name[was]);
}

enum guest_page_state
guest_page_state(const struct guest_pages *p, uint64_t gfn)
{
	return (enum guest_page_state)p->state[number_of(p, gfn)];
}

void
guest_page_write(struct guest_pages *p, uint64_t gfn, uint64_t value)
{
	actor_point(p->w);
	store(p, gfn, value);
}

uint64_t
guest_page_read(const struct guest_pages *p, uint64_t gfn)
{
	number_of(p, gfn);
	return load(p, gfn);
}
