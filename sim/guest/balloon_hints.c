/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/balloon_hints.h"

#include "base/must.h"
#include "memory/guest_memory.h"

#define CMD_ID offsetof(struct virtio_balloon_config, free_page_hint_cmd_id)
#define TOKEN_ID UINT64_MAX /* a command id's buffer; others are numbers of hints */

/* --- buffers -------------------------------------------------------------------------------- */

/* Take what the device has used from the queue. */
static void
reap(struct guest_balloon *b)
{
	uint64_t token;
	uint32_t len;

	while (guest_vq_get(b->vq[BALLOON_VQ_FREE_PAGE], &token, &len))
		if (token != TOKEN_ID)
			b->hint[token].queued = false;
}

/* The driver's own places for the two ids it sends: the active one and the stop id. */
static void
send_id(struct guest_balloon *b, struct guest_cpu *cpu, unsigned place, uint32_t id)
{
	struct guest_vq *vq = b->vq[BALLOON_VQ_FREE_PAGE];
	struct dp_buf sg = { b->ids_gpa + place * sizeof(id), sizeof(id) };

	reap(b);
	gm_write(b->w, sg.addr, &id, sizeof(id));
	if (!guest_vq_add(vq, &sg, 1, 0, TOKEN_ID))
		guest_vq_kick(vq, cpu);
}

/* virtio_balloon_cmd_id_received(): read again if the configuration changed. */
static uint32_t
id_received(struct guest_balloon *b, struct guest_cpu *cpu)
{
	if (b->id_seen == b->dev.config_changes)
		return b->id_received;
	b->id_seen = b->dev.config_changes;
	guest_virtio_config_read(&b->dev, cpu, CMD_ID, &b->id_received, sizeof(b->id_received));
	emit(b->w, EV_GUEST_FREE_PAGE_CMD, b->dev.name, b->id_received);
	return b->id_received;
}

/* --- a report ------------------------------------------------------------------------------- */

static void
release(struct guest_balloon *b, unsigned i)
{
	guest_page_free(b->config.pages, b->hint[i].gfn);
	b->hint[i].gfn = GUEST_NO_PAGE;
	b->hints--;
	b->released++;
}

/* return_free_pages_to_mm(); @all: also those whose buffers are not used yet. */
static bool
release_hints(struct guest_balloon *b, bool all)
{
	bool some = false;

	reap(b);
	for (unsigned i = 0; i < GUEST_BALLOON_HINTS_MAX && b->hints; i++) {
		if (b->hint[i].gfn == GUEST_NO_PAGE || (b->hint[i].queued && !all))
			continue;
		release(b, i);
		some = true;
	}
	return some;
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

/* get_free_page_and_send(): false when the report is over. */
static bool
send_page(struct guest_balloon *b, struct guest_cpu *cpu)
{
	struct guest_vq *vq = b->vq[BALLOON_VQ_FREE_PAGE];
	unsigned i;
	uint64_t gfn;
	struct dp_buf sg;

	reap(b);
	i = free_slot(b);
	/* One descriptor is left for the stop id. */
	if (i == GUEST_BALLOON_HINTS_MAX || guest_vq_num_free(vq) <= 1)
		return false;
	gfn = guest_page_take(b->config.pages, GUEST_PAGE_HINTED);
	if (gfn == GUEST_NO_PAGE)
		return false;
	sg = (struct dp_buf){ gfn * GUEST_PAGE_BYTES, GUEST_PAGE_BYTES };
	if (guest_vq_add(vq, &sg, 0, 1, i)) {
		guest_page_free(b->config.pages, gfn);
		return false;
	}
	b->hint[i] = (struct guest_hint){ gfn, true };
	b->hints++;
	b->hinted++;
	if (fault_on(b->w, FAULT_FPH_DRIVER_RELEASES))
		release(b, i);
	guest_vq_kick(vq, cpu);
	return true;
}

/*
 * virtio_balloon_report_free_page().  With the fault pages come from the free list without leaving
 * it for long, so the list never runs empty: a report is as long as the list was.
 */
static void
report(struct guest_balloon *b, struct guest_cpu *cpu)
{
	uint32_t left = b->config.pages->free;

	b->reports++;
	b->id_active = b->id_received;
	send_id(b, cpu, 0, b->id_active);
	/* A stop id or a new one: the rest of this report is of no use. */
	while (left-- && id_received(b, cpu) == b->id_active && send_page(b, cpu))
		;
	send_id(b, cpu, 1, VIRTIO_BALLOON_CMD_ID_STOP);
}

void
balloon_hints_work(struct guest_balloon *b, struct guest_cpu *cpu)
{
	uint32_t id = id_received(b, cpu);

	if (id == VIRTIO_BALLOON_CMD_ID_DONE)
		release_hints(b, true);
	else if (id != VIRTIO_BALLOON_CMD_ID_STOP && id != b->id_active)
		report(b, cpu);
}

/* virtio_balloon_shrinker_scan() */
static bool
shrink(struct guest_shrinker *s, struct guest_cpu *cpu)
{
	struct guest_balloon *b = s->arg;

	return b->ready && b->hints && release_hints(b, fault_on(b->w, FAULT_FPH_SHRINK_UNUSED));
}

void
balloon_hints_init(struct guest_balloon *b)
{
	struct guest_shrinker *s = world_alloc(b->w, sizeof(*s));

	b->ids_gpa = gm_alloc(b->w, 2 * sizeof(uint32_t), 8);
	b->hint = world_alloc(b->w, GUEST_BALLOON_HINTS_MAX * sizeof(*b->hint));
	for (unsigned i = 0; i < GUEST_BALLOON_HINTS_MAX; i++)
		b->hint[i].gfn = GUEST_NO_PAGE;
	*s = (struct guest_shrinker){ .shrink = shrink, .arg = b };
	guest_pages_add_shrinker(b->config.pages, s);
}
