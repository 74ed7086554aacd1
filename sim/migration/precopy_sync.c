/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration_bitmap_sync_precopy(), and what is evaluated in it: dirty rate, throttle. */
#include <string.h>

#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/precopy_impl.h"
#include "vmm/machine.h"

#define EVALUATION_NS INT64_C(1000000000)

int64_t
precopy_throttle(struct migration_vm *vm, const struct precopy_config *config, uint64_t dirty,
		 uint64_t limit, uint64_t sent)
{
	int64_t now = vm->throttle_percent, inc = config->throttle_increment;
	int64_t max = config->throttle_max, percent = config->throttle_initial;

	if (now && config->tailslow) {
		int64_t cpu = 100 - now;
		int64_t needed = cpu - (int64_t)((__int128)cpu * limit / dirty);

		inc = needed < inc ? needed : inc;
	}
	if (now)
		percent = now + inc < max ? now + inc : max;
	vm->throttle_percent = percent;
	emit(vm->w, EV_MIG_THROTTLE, percent, (int64_t)dirty, (int64_t)sent);
	return percent;
}

static void
throttle_guest_down(struct precopy *m, uint64_t dirty, uint64_t limit, uint64_t sent)
{
	int64_t percent = precopy_throttle(m->vm, &m->config, dirty, limit, sent);

	if (percent > m->stats.throttle_percent)
		m->stats.throttle_percent = percent;
}

/*
 * migration_trigger_throttle(): "two high periods" are any two since it fired last, since nothing
 * sets the counter back in a good period.
 */
static void
trigger_throttle(struct precopy *m)
{
	uint64_t sent = m->stats.bytes - m->period_bytes;
	uint64_t dirty = m->period_dirty_pages * PAGE_BYTES;
	uint64_t limit = sent * m->config.throttle_trigger / 100;

	m->stats.throttle_evaluations++;
	if (dirty <= limit || ++m->dirty_rate_high < 2)
		return;
	m->dirty_rate_high = 0;
	if (m->config.auto_converge)
		throttle_guest_down(m, dirty, limit, sent);
	else if (m->config.vcpu_dirty_limit)
		m->vm->dirty_limit = m->config.vcpu_dirty_limit;
}

/* With the big lock, where there is a machine that has one. */
static void
move_logs(struct precopy *m, bool last)
{
	struct main_loop *loop = m->vm->machine ? m->vm->machine->loop : NULL;
	uint64_t chunks = ram_pages(m->vm->ram) / m->config.clear_chunk_pages + 1, added;

	/* ram_postcopy_send_discard_bitmap() syncs by itself: nobody who gives hints is told, and
	 * as it is not called the last stage the bitmap beside dirty rings is not fetched. */
	bool notify = m->state != PRECOPY_POSTCOPY_ACTIVE;

	if (loop)
		bql_lock(loop);
	if (notify)
		precopy_notify(m->w, PRECOPY_NOTIFY_BEFORE_BITMAP_SYNC);
	precopy_bitmap_lock(m);
	added = vm_log_sync(m->vm, &m->bitmap, last && notify);
	m->dirty_pages += added;
	m->last_sync_pages = m->dirty_pages;
	memset(m->clear_pending, 0xff, (chunks + 63) / 64 * sizeof(uint64_t));
	precopy_bitmap_unlock(m);
	m->period_dirty_pages += added;
	emit(m->w, EV_MIG_SYNC, (int64_t)m->stats.rounds, (int64_t)m->bitmap.set, (int64_t)added,
	     last);
	if (m->vm->watch_count)
		vm_record(m->vm, PAGE_RECORD_ALL, 0, "synced", m->name);
	if (notify)
		precopy_notify(m->w, PRECOPY_NOTIFY_AFTER_BITMAP_SYNC);
	if (loop)
		bql_unlock(loop);
}

void
precopy_sync(struct precopy *m, bool last)
{
	int64_t gib = (int64_t)(ram_pages(m->vm->ram) >> 18) + 1, now, period;

	precopy_point(m);
	precopy_spend(m, cost_of(m->w, COST_MIG_SYNC_GIB) * gib, true);
	m->stats.rounds++;
	if (!m->last_evaluation_ns)
		m->last_evaluation_ns = precopy_now(m);
	move_logs(m, last);
	now = precopy_now(m);
	period = now - m->last_evaluation_ns;
	if (!period || (period <= EVALUATION_NS && !fault_on(m->w, FAULT_MIG_THROTTLE_EACH_SYNC)))
		return;
	trigger_throttle(m);
	m->stats.dirty_rate = (int64_t)((__int128)m->period_dirty_pages * 1000000000 / period);
	m->period_dirty_pages = 0;
	m->last_evaluation_ns = now;
	m->period_bytes = m->stats.bytes;
}
