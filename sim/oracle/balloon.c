/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balloon: statements of 5.5.6.  One balloon a world, which is what a guest has.
 *
 *	in the balloon    from the device's inflate request until its deflate request
 *	a round of hints  from the command id that the device asked with until it says STOP, DONE or
 *	                  another id; what the driver sent last says which round its pages are of
 */
#include <inttypes.h>
#include <string.h>

#include "kvm/page_bitmap.h"
#include "memory/guest_memory.h"
#include "oracle/shadow.h"
#include "virtio/balloon.h"
#include "vmm/machine.h"

struct balloon_watch {
	struct shadow_device *device; /* null until there is one */
	struct page_bitmap in; /* the balloon */
	uint32_t poison;
	uint32_t asked, sent; /* command ids: 0 outside of a round; the driver's last */
	uint32_t owed; /* command id of the last round that was asked for, until DONE */
	bool ended; /* the migration that asked for it */
	uint64_t pages;
};

static void
on_request(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;
	uint64_t gfn = (uint64_t)e->arg[1];

	if (!b->device) {
		b->device = shadow_of(w, e->arg[0]);
		b->pages = gm_size(w) >> VIRTIO_BALLOON_PFN_SHIFT;
		page_bitmap_init(&b->in, w, b->pages);
	}
	if (gfn >= b->pages)
		return;
	if (e->arg[2])
		page_bitmap_test_and_clear(&b->in, w, gfn);
	else
		page_bitmap_test_and_set(&b->in, w, gfn);
}

static void
on_alloc(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;
	uint64_t gfn = (uint64_t)e->arg[0];

	if (b->device && gfn < b->pages && page_bitmap_test(&b->in, gfn) &&
	    virtio_has(b->device->accepted, VIRTIO_BALLOON_F_MUST_TELL_HOST))
		shadow_report(w, b->device, BALLOON_VQ_DEFLATE, ORACLE_VIRTIO_5_5_6_1_R3,
			      "page 0x%" PRIx64
			      " is used, and the device has not taken it out of the balloon",
			      gfn);
}

static void
on_state(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;
	const char *state = world_name_text(w, e->arg[1]);

	if (!strcmp(state, "requested")) {
		b->asked = b->owed = (uint32_t)e->arg[2];
		b->ended = false;
	} else if (strcmp(state, "start")) {
		b->asked = 0;
	}
	if (!strcmp(state, "done"))
		b->owed = 0;
}

static void
on_notify(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;

	if (!strcmp(world_name_text(w, e->arg[0]), "cleanup"))
		b->ended = true;
}

/* As posted in 2018 there was no DONE to tell; Firecracker's is no migration's. */
static bool
has_done(const struct world *w)
{
	const struct machine *m = world_room(w, ROOM_MACHINE);
	const struct machine_device *d = m ? m->devices : NULL;

	while (d && !d->balloon)
		d = d->next;
	return d && !d->config.hints_as_posted && !d->config.hints_discard;
}

/* The device's state was sent, and nobody tells a device at the destination that it is over. */
static void
on_switchover(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;

	if (b->device && b->owed && has_done(w))
		shadow_report(w, b->device, BALLOON_VQ_FREE_PAGE, ORACLE_C_O8,
			      "free page hints were asked for under command id 0x%x, and the "
			      "device went to the destination without DONE",
			      b->owed);
}

/* The driver has its pages back after that. */
static void
on_reset(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;

	if (b->device && b->device == shadow_of(w, e->arg[0]))
		b->owed = 0;
}

void
balloon_judge(struct world *w)
{
	const struct balloon_watch *b = shadow_state(w)->balloon;

	if (b->device && b->owed && b->ended && has_done(w))
		shadow_report(w, b->device, BALLOON_VQ_FREE_PAGE, ORACLE_C_O8,
			      "free page hints were asked for under command id 0x%x, the migration "
			      "is over, and the driver was never told DONE",
			      b->owed);
}

static void
on_command(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;

	b->device = b->device ? b->device : shadow_of(w, e->arg[0]);
	b->sent = (uint32_t)e->arg[1];
}

static void
on_hint(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;

	if (b->device && b->sent != b->asked)
		shadow_report(w, b->device, BALLOON_VQ_FREE_PAGE, ORACLE_VIRTIO_5_5_6_5_2_D3,
			      "a hint under command id 0x%x counts, and the device asks for 0x%x "
			      "(0: none)",
			      b->sent, b->asked);
}

static void
on_config(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;

	b->poison = (uint32_t)e->arg[2];
}

static void
on_report(struct world *w, const struct event *e, void *context)
{
	struct balloon_watch *b = context;
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (e->arg[3] && b->poison && virtio_has(d->accepted, VIRTIO_BALLOON_F_PAGE_POISON))
		shadow_report(w, d, BALLOON_VQ_REPORTING, ORACLE_VIRTIO_5_5_6_7_2_D1,
			      "page 0x%" PRIx64 " was reported, and is taken: it held 0x%x",
			      e->arg[1], b->poison);
}

void
balloon_attach(struct world *w)
{
	struct balloon_watch *b = world_alloc(w, sizeof(*b));

	shadow_state(w)->balloon = b;
	world_observe(w, EV_PRECOPY_NOTIFY, on_notify, b);
	world_observe(w, EV_MIG_SWITCHOVER, on_switchover, b);
	world_observe(w, EV_VIRTIO_RESET, on_reset, b);
	world_observe(w, EV_BALLOON_REQUEST, on_request, b);
	world_observe(w, EV_GUEST_PAGE_ALLOC, on_alloc, b);
	world_observe(w, EV_FREE_PAGE_STATE, on_state, b);
	world_observe(w, EV_FREE_PAGE_CMD, on_command, b);
	world_observe(w, EV_FREE_PAGE_HINT, on_hint, b);
	world_observe(w, EV_BALLOON_ACTUAL, on_config, b);
	world_observe(w, EV_BALLOON_REPORT, on_report, b);
}
