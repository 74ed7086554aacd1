/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy: links that fail, and recovery over another one. */
#include <stdlib.h>

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/postcopy_impl.h"
#include "migration/recv_bitmap.h"

/* --- failures ------------------------------------------------------------------------------- */

/* What the destination had gathered of a host page is of no use: all of it will come again. */
static void
drop_channel(struct postcopy *p, enum postcopy_channel channel)
{
	postcopy_wire_drop(p, channel);
	if (!fault_on(p->w, FAULT_POSTCOPY_TMP_KEPT))
		p->tmp[channel].pages = 0;
}

static void
down(struct postcopy *p)
{
	p->link = POSTCOPY_DOWN;
	p->preempt_up = false;
	p->generation++;
	p->rp.count = 0;
	drop_channel(p, POSTCOPY_MAIN);
	drop_channel(p, POSTCOPY_PREEMPT);
	page_bitmap_clear_all(&p->on_wire, p->w);
	page_bitmap_clear_all(&p->taken, p->w);
	emit(p->w, EV_POSTCOPY_LINK, 0, (int64_t)p->received.set, (int64_t)p->m->bitmap.set);
	waitq_wake_all(p->w, &p->work);
	waitq_wake_all(p->w, &p->m->done);
}

bool
postcopy_break_link(struct postcopy *p)
{
	if (!p->running || p->ended || p->link == POSTCOPY_DOWN)
		return false;
	down(p);
	return true;
}

bool
postcopy_break_preempt(struct postcopy *p)
{
	if (!p->running || p->ended || p->link != POSTCOPY_UP || !p->preempt_up)
		return false;
	p->preempt_up = false;
	postcopy_wire_drop(p, POSTCOPY_PREEMPT);
	p->tmp[POSTCOPY_PREEMPT].pages = 0;
	emit(p->w, EV_POSTCOPY_CHANNEL, POSTCOPY_PREEMPT, 0);
	waitq_wake_all(p->w, &p->work);
	return true;
}

/* migration_detect_error(): an error of either channel, since QEMU 60bb3c5871. */
void
postcopy_preempt_failed(struct postcopy *p)
{
	if (p->link == POSTCOPY_UP && !fault_on(p->w, FAULT_POSTCOPY_PREEMPT_ERROR_UNSEEN))
		down(p);
}

bool
postcopy_pause(struct postcopy *p)
{
	enum precopy_state s = p->m->state;

	if (s != PRECOPY_POSTCOPY_ACTIVE && s != PRECOPY_POSTCOPY_RECOVER)
		return false;
	return postcopy_break_link(p);
}

bool
postcopy_may_cancel(const struct precopy *m)
{
	return fault_on(m->w, FAULT_POSTCOPY_CANCEL);
}

/* --- recovery ------------------------------------------------------------------------------- */

void
postcopy_resize_block(struct postcopy *p, unsigned block, uint64_t pages)
{
	must(block < RAM_BLOCKS_MAX);
	p->used_pages[block] = pages;
}

/* ramblock_dirty_bitmap_clear_discarded_pages(): what is unplugged was not received either. */
static bool
left_out(struct postcopy *p, uint64_t page)
{
	return precopy_unplugged(&p->m->config, page) &&
	       !fault_on(p->w, FAULT_POSTCOPY_RECOVER_UNPLUGGED);
}

/* What the destination says of @block, and of what it has no word is dirty. */
static bool
reload_block(struct postcopy *p, unsigned number, const struct ram_block *block)
{
	bool used = fault_on(p->w, FAULT_POSTCOPY_USED_LENGTH);
	bool native = p->config.big_endian && fault_on(p->w, FAULT_POSTCOPY_BITMAP_NATIVE);
	uint64_t there = used ? p->used_pages[number] : block->pages;
	size_t size = recv_bitmap_bytes(there);
	uint8_t *message = malloc(size);
	enum recv_bitmap_error error;
	int64_t word;

	must(message);
	recv_bitmap_encode(&p->received, block->first, there, native, message);
	error = recv_bitmap_check(message, size, block->pages);
	word = world_name(p->w, recv_bitmap_error_word[error]);
	emit(p->w, EV_POSTCOPY_BITMAP, number, (int64_t)size, word);
	for (uint64_t i = 0; !error && i < block->pages; i++)
		if (recv_bitmap_test(message, i) || left_out(p, block->first + i))
			page_bitmap_test_and_clear(&p->m->bitmap, p->w, block->first + i);
		else
			page_bitmap_test_and_set(&p->m->bitmap, p->w, block->first + i);
	free(message);
	return !error;
}

/* ram_dirty_bitmap_sync_all(), block by block; false if the link failed or an answer is no good. */
static bool
reload_bitmaps(struct postcopy *p, unsigned generation)
{
	const struct ram_block *block;
	unsigned n = ram_blocks(p->m->dst, &block);
	int64_t rate = p->m->config.link_bandwidth, ns;

	for (unsigned i = 0; i < n; i++) {
		precopy_point(p->m);
		if (!p->m->vm->steps) {
			ns = cost_of(p->w, COST_MIG_ROUND_TRIP);
			if (rate)
				ns += (int64_t)((__int128)recv_bitmap_bytes(block[i].pages) *
						1000000000 / rate);
			actor_sleep(p->w, ns);
		}
		if (p->generation != generation)
			return false;
		if (!fault_on(p->w, FAULT_POSTCOPY_NO_RECV_BITMAP) &&
		    !reload_block(p, i, &block[i]))
			return false;
	}
	p->m->dirty_pages = p->m->bitmap.set; /* ram_state_resume_prepare() */
	precopy_point(p->m); /* MIG_CMD_POSTCOPY_RESUME and its answer */
	return p->generation == generation;
}

/* postcopy_do_resume() went wrong: to pause again is better than to throw data away. */
static void
pause_again(struct postcopy *p)
{
	p->link = POSTCOPY_DOWN;
	if (fault_on(p->w, FAULT_POSTCOPY_RECOVER_STUCK)) {
		p->stuck = true;
		return;
	}
	p->stats.pauses++;
	precopy_set_state(p->m, PRECOPY_POSTCOPY_PAUSED);
	waitq_wake_all(p->w, &p->m->done);
}

bool
postcopy_recover(struct postcopy *p)
{
	uint64_t before = p->m->bitmap.set;
	unsigned generation;

	if (p->link != POSTCOPY_DOWN || !p->running || p->ended || p->stuck)
		return false;
	if (p->config.release_ram && !fault_on(p->w, FAULT_POSTCOPY_RELEASE_RAM))
		return false;
	/* Both threads of the source are to have let go of the old link. */
	while (!p->paused || p->rp_busy)
		waitq_wait(p->w, &p->m->done);
	if (p->m->state != PRECOPY_POSTCOPY_PAUSED || p->link != POSTCOPY_DOWN)
		return false; /* somebody else was here */
	generation = ++p->generation;
	p->link = POSTCOPY_RECOVERING;
	precopy_set_state(p->m, PRECOPY_POSTCOPY_RECOVER);
	waitq_wake_all(p->w, &p->m->done);
	precopy_point(p->m);
	p->requests.count = 0;
	if (p->generation != generation || !reload_bitmaps(p, generation)) {
		pause_again(p);
		return false;
	}
	if (p->m->bitmap.set > before)
		p->stats.recovered += p->m->bitmap.set - before;
	p->link = POSTCOPY_UP;
	p->preempt_up = postcopy_preempts(p);
	p->paused = false;
	p->m->at = 0;
	precopy_set_state(p->m, PRECOPY_POSTCOPY_ACTIVE);
	emit(p->w, EV_POSTCOPY_LINK, 1, (int64_t)p->received.set, (int64_t)p->m->bitmap.set);
	/* What was asked for and did not come is asked for again. */
	for (uint64_t page = 0;
	     (page = page_bitmap_next(&p->requested, page)) < p->requested.npages; page++)
		postcopy_push(&p->rp, page, postcopy_request_arrival(p));
	waitq_wake_all(p->w, &p->rp_work);
	waitq_wake_all(p->w, &p->fault_work);
	waitq_wake_all(p->w, &p->work);
	return true;
}
