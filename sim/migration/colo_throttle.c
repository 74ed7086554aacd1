/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Auto-converge under COLO.  Each checkpoint's sync is a migration_bitmap_sync() like any other,
 * and evaluates what was dirtied since the last one.  Between two checkpoints that is about what
 * the one before sent, which counts as high: a guest that is in no hurry to converge with anything
 * would be throttled by every second checkpoint, up to the maximum, and nothing would take that
 * back. So the period begins anew with each checkpoint (91fe9a8dbd).
 */
#include "engine/fault.h"
#include "migration/colo_impl.h"
#include "migration/precopy.h"

#define EVALUATION_NS INT64_C(1000000000)
#define WIRE_BYTES (RAM_PAGE_BYTES + 8) /* of a page and its header */

static void
begin_period(struct colo *c)
{
	c->last_evaluation_ns = world_now(c->w);
	c->period_dirty_pages = 0;
	c->period_pages = c->stats.pages;
}

void
colo_throttle_reset(struct colo *c)
{
	if (c->config.auto_converge && !fault_on(c->w, FAULT_COLO_THROTTLE_NOT_RESET))
		begin_period(c);
}

/* migration_trigger_throttle() */
static void
evaluate(struct colo *c)
{
	struct precopy_config config = precopy_config_default();
	uint64_t sent = (c->stats.pages - c->period_pages) * WIRE_BYTES;
	uint64_t dirty = c->period_dirty_pages * RAM_PAGE_BYTES;
	uint64_t limit = sent * config.throttle_trigger / 100;
	int64_t percent;

	if (dirty <= limit || ++c->dirty_rate_high < 2)
		return;
	c->dirty_rate_high = 0;
	percent = precopy_throttle(c->vm, &config, dirty, limit, sent);
	if (percent > c->stats.throttle_percent)
		c->stats.throttle_percent = percent;
}

void
colo_throttle_synced(struct colo *c, uint64_t added)
{
	if (!c->config.auto_converge)
		return;
	if (!c->last_evaluation_ns)
		begin_period(c);
	c->period_dirty_pages += added;
	if (world_now(c->w) - c->last_evaluation_ns <= EVALUATION_NS)
		return;
	evaluate(c);
	begin_period(c);
}
