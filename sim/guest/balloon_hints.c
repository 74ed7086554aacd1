/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/balloon_hints.h"

#include "base/must.h"
#include "memory/guest_memory.h"

#define CMD_ID offsetof(struct virtio_balloon_config, free_page_hint_cmd_id)
#define ID_PLACES DP_SG_MAX /* as many as a queue can hold */
#define TOKEN_ID UINT64_MAX /* a command id's buffer; others are numbers of hints */

/* --- buffers -------------------------------------------------------------------------------- */

/* Take what the device has used from the queue; under its lock: worker and shrinker both do. */
static void
reap_locked(struct guest_balloon *b, struct guest_vq *vq)
{
	uint64_t token;
	uint32_t len;

	while (guest_vq_get(vq, &token, &len)) {
		if (token == TOKEN_ID)
			continue;
		for (uint64_t i = GUEST_BALLOON_HINTS_MAX; i != token;) {
			i = token;
			b->hint[i].queued = false;
			token = b->hint[i].chain;
		}
	}
}

static void
reap(struct guest_balloon *b, struct guest_cpu *cpu)
{
	struct guest_vq *vq = b->vq[BALLOON_VQ_FREE_PAGE];

	if (!vq)
		return;
	guest_spin_lock_irq(cpu, &vq->lock);
	reap_locked(b, vq);
	guest_spin_unlock_irq(cpu, &vq->lock);
}

/* Add, and kick when the lock is free again. */
static int
add(struct guest_balloon *b, struct guest_cpu *cpu, const struct dp_buf *sg, unsigned out,
    unsigned in, uint64_t token)
{
	struct guest_vq *vq = b->vq[BALLOON_VQ_FREE_PAGE];
	uint32_t data;
	bool notify;
	int ret;

	guest_spin_lock_irq(cpu, &vq->lock);
	reap_locked(b, vq);
	ret = guest_vq_add(vq, sg, out, in, token);
	notify = !ret && guest_vq_kick_prepare(vq, &data);
	guest_spin_unlock_irq(cpu, &vq->lock);
	if (notify)
		guest_vq_notify(vq, cpu, data);
	return ret;
}

/*
 * A place of its own for each id that may be out.  Linux has one word for the active id
 * (cmd_id_active) and one for the stop id, and does not wait until the device has read the last
 * one.
 */
static void
send_id(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t id)
{
	bool one = fault_on(b->w, FAULT_FPH_ID_OVERWRITTEN);
	unsigned place = one ? id == VIRTIO_BALLOON_CMD_ID_STOP : b->ids_sent++ % ID_PLACES;
	struct dp_buf sg = { b->ids_gpa + place * sizeof(id), sizeof(id) };

	gm_write(b->w, sg.addr, &id, sizeof(id));
	add(b, cpu, &sg, 1, 0, TOKEN_ID);
}

/* virtio_balloon_cmd_id_received() */
static uint32_t
id_received(struct guest_balloon *b, struct guest_cpu *cpu)
{
	if (!b->read_id)
		return b->id_received;
	b->read_id = false;
	b->id_received = guest_virtio_config_get32(&b->dev, cpu, CMD_ID);
	emit(b->w, EV_GUEST_FREE_PAGE_CMD, b->dev.name, b->id_received);
	return b->id_received;
}

/* --- a report ------------------------------------------------------------------------------- */

static uint32_t
block_pages(const struct guest_balloon *b)
{
	return 1u << b->config.hint_order;
}

static void
release(struct guest_balloon *b, unsigned i)
{
	guest_block_free(b->config.pages, b->hint[i].gfn, b->config.hint_order);
	b->hint[i].gfn = GUEST_NO_PAGE;
	b->hints--;
	b->released += block_pages(b);
}

/*
 * return_free_pages_to_mm(): up to @limit blocks, the last one first; @all: also those whose
 * buffers are not used yet.
 */
static bool
release_hints(struct guest_balloon *b, struct guest_cpu *cpu, unsigned limit, bool all)
{
	bool some = false;

	reap(b, cpu);
	for (unsigned i = GUEST_BALLOON_HINTS_MAX; i-- && b->hints && limit;) {
		if (b->hint[i].gfn == GUEST_NO_PAGE || (b->hint[i].queued && !all))
			continue;
		release(b, i);
		limit--;
		some = true;
	}
	return some;
}

void
balloon_hints_return(struct guest_balloon *b)
{
	for (unsigned i = GUEST_BALLOON_HINTS_MAX; i--;)
		if (b->hint[i].gfn != GUEST_NO_PAGE)
			release(b, i);
}

void
balloon_hints_forget(struct guest_balloon *b)
{
	for (unsigned i = 0; i < GUEST_BALLOON_HINTS_MAX; i++)
		b->hint[i].queued = false;
}

void
balloon_hints_reset(struct guest_balloon *b)
{
	b->id_active = b->id_received = VIRTIO_BALLOON_CMD_ID_STOP;
	b->read_id = false;
}

static unsigned
free_slot(const struct guest_balloon *b)
{
	unsigned i = 0;

	/* One that was released early has its buffer out still. */
	while (i < GUEST_BALLOON_HINTS_MAX &&
	       (b->hint[i].gfn != GUEST_NO_PAGE || b->hint[i].queued))
		i++;
	return i;
}

/* A block for the next buffer of a chain whose last one is slot @last: its slot, or HINTS_MAX. */
static unsigned
take_block(struct guest_balloon *b, struct dp_buf *sg, unsigned last)
{
	unsigned i = free_slot(b);
	uint64_t gfn;

	if (i == GUEST_BALLOON_HINTS_MAX)
		return i;
	gfn = guest_block_take(b->config.pages, GUEST_PAGE_HINTED, b->config.hint_order);
	if (gfn == GUEST_NO_PAGE)
		return GUEST_BALLOON_HINTS_MAX;
	*sg = (struct dp_buf){ gfn * GUEST_PAGE_BYTES, block_pages(b) * GUEST_PAGE_BYTES };
	b->hint[i] = (struct guest_hint){ gfn, true, (uint16_t)i };
	if (last < GUEST_BALLOON_HINTS_MAX)
		b->hint[last].chain = (uint16_t)i;
	b->hints++;
	b->hinted += block_pages(b);
	return i;
}

/* The queue has no room: what was taken for it is free again, and the CPU does something else. */
static void
give_back(struct guest_balloon *b, const unsigned *slot, unsigned n)
{
	while (n--) {
		b->hint[slot[n]].queued = false;
		release(b, slot[n]);
		b->hinted -= block_pages(b);
		b->released -= block_pages(b);
	}
	actor_yield(b->w);
}

/* get_free_page_and_send(): false when the report is over. */
static bool
send_page(struct guest_balloon *b, struct guest_cpu *cpu)
{
	struct guest_vq *vq = b->vq[BALLOON_VQ_FREE_PAGE];
	unsigned want = b->config.hint_chain ? b->config.hint_chain : 1, n = 0;
	unsigned last = GUEST_BALLOON_HINTS_MAX, first = last, slot[GUEST_HINT_CHAIN_MAX];
	struct dp_buf sg[GUEST_HINT_CHAIN_MAX];

	reap(b, cpu);
	while (n < want && (last = take_block(b, &sg[n], last)) < GUEST_BALLOON_HINTS_MAX) {
		first = n ? first : last;
		slot[n++] = last;
	}
	if (!n)
		return false;
	/* A descriptor is left for the stop id. */
	if (guest_vq_num_free(vq) <= n) {
		give_back(b, slot, n);
		return true;
	}
	if (add(b, cpu, sg, 0, n, first)) {
		give_back(b, slot, n);
		return false;
	}
	if (fault_on(b->w, FAULT_FPH_DRIVER_RELEASES))
		while (n--)
			release(b, slot[n]);
	return true;
}

/*
 * send_free_pages().  With the fault blocks come from the free list without leaving it for long, so
 * the list never runs empty: a report is as long as the list was.
 */
static void
send_pages(struct guest_balloon *b, struct guest_cpu *cpu)
{
	uint32_t left = b->config.pages->free / block_pages(b);
	bool bounded = fault_on(b->w, FAULT_FPH_DRIVER_RELEASES);

	/* A stop id or a new one: the rest of this report is of no use. */
	while (id_received(b, cpu) == b->id_active && !(bounded && !left--) && send_page(b, cpu))
		;
}

/*
 * virtio_balloon_report_free_page().  The id is looked at once more: a STOP or DONE that came since
 * is sent as if it were a report's, and all free pages behind it.
 */
static void
report(struct guest_balloon *b, struct guest_cpu *cpu)
{
	b->reports++;
	b->id_active = id_received(b, cpu);
	send_id(b, cpu, b->id_active);
	send_pages(b, cpu);
	send_id(b, cpu, VIRTIO_BALLOON_CMD_ID_STOP);
}

void
balloon_hints_work(struct guest_balloon *b, struct guest_cpu *cpu)
{
	uint32_t id = id_received(b, cpu);

	if (id == VIRTIO_BALLOON_CMD_ID_DONE)
		release_hints(b, cpu, GUEST_BALLOON_HINTS_MAX, true);
	else if (id != VIRTIO_BALLOON_CMD_ID_STOP && id != b->id_active)
		report(b, cpu);
}

/* virtio_balloon_shrinker_scan() */
static bool
shrink(struct guest_shrinker *s, struct guest_cpu *cpu)
{
	struct guest_balloon *b = s->arg;

	unsigned limit = GUEST_SHRINK_PAGES / block_pages(b);

	return b->ready && b->hints &&
	       release_hints(b, cpu, limit ? limit : 1, fault_on(b->w, FAULT_FPH_SHRINK_UNUSED));
}

void
balloon_hints_init(struct guest_balloon *b)
{
	struct guest_shrinker *s = world_alloc(b->w, sizeof(*s));

	b->ids_gpa = gm_alloc(b->w, ID_PLACES * sizeof(uint32_t), 8);
	b->hint = world_alloc(b->w, GUEST_BALLOON_HINTS_MAX * sizeof(*b->hint));
	for (unsigned i = 0; i < GUEST_BALLOON_HINTS_MAX; i++)
		b->hint[i].gfn = GUEST_NO_PAGE;
	*s = (struct guest_shrinker){ .shrink = shrink, .arg = b };
	guest_pages_add_shrinker(b->config.pages, s);
}
