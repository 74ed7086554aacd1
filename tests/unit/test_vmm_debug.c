/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug interface on a hung guest: what recovers it says what was lost.  Each case hangs a
 * guest by losing one thing, then tries one action on the world as the hang left it.
 */
#include "test_guest_rig.h"

#include <errno.h>

#include "guest/blk_driver.h"
#include "memory/guest_memory.h"
#include "vmm/debug.h"

struct state {
	struct guest_blk *blk;
	bool probed, done;
	int result;
};

struct hang {
	struct rig *r;
	int (*act)(struct machine_device *d, unsigned queue, enum debug_level level);
	enum debug_level level;
};

static void
guest(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;
	uint64_t gpa = gm_alloc(r->w, BLK_SECTOR_BYTES, 16);

	assert_int_equal(guest_blk_probe(s->blk, r->cpu[0]), 0);
	s->probed = true;
	actor_sleep(r->w, 1000000); /* everybody has looked and sleeps */
	s->result = guest_blk_rw(s->blk, r->cpu[0], VIRTIO_BLK_T_IN, 0, gpa, BLK_SECTOR_BYTES);
	s->done = true;
}

static void
setup(struct rig *r)
{
	struct guest_blk_config c = {
		.virtio = { .name = "vda", .function = r->d->pci->function },
		.cpus = world_alloc(r->w, sizeof(r->cpu)),
		.cpu_count = 1,
	};
	struct state *s = world_alloc(r->w, sizeof(*s));

	c.cpus[0] = r->cpu[0];
	r->state = s;
	s->blk = guest_blk_create(r->w, &c);
	rig_task(r, "task", guest, r);
}

/* What loses something, right before the first request's doorbell. */
static void
unmap_doorbell(struct world *w, const struct event *e, void *context)
{
	struct rig *r = context;
	struct memregion *notify = &r->d->pci->notify;

	notify->mapped = false; /* as between two writes of a bridge's window */
	for (struct memregion_ioeventfd *i = notify->ioeventfds; i; i = i->next)
		if (i->armed && !iobus_deassign(r->m->bus, &i->e))
			i->armed = false;
}

static void
mask_vector(struct world *w, const struct event *e, void *context)
{
	struct rig *r = context;

	if (e->arg[1] == 0)
		msix_driver_mask(r->d->pci->msix, NULL, r->d->vdev.vqs[0].vector, true);
}

static void
act(struct machine *m, void *arg)
{
	struct hang *h = arg;

	assert_int_equal(h->act(h->r->d, 0, h->level), 0);
}

struct expectation {
	enum machine_backend backend;
	enum event_kind kind; /* at which the loss happens */
	observe_fn lose;
	int (*act)(struct machine_device *d, unsigned queue, enum debug_level level);
	enum debug_level level;
	bool recovers;
	enum guest_notifier_design design;
};

static bool
recovers(const struct expectation *x)
{
	struct rig r = { .config = { .device = { .name = "blk0",
						 .backend = x->backend,
						 .design = x->design },
				     .setup = setup } };
	struct hang h = { &r, x->act, x->level };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	struct state *s;
	bool done;

	assert_non_null(w);
	if (world_setup(w, rig_setup, &r, &err))
		fail_msg("set-up: %s", err.text);
	world_observe(w, x->kind, x->lose, &r);
	s = r.state;
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_true(s->probed);
	if (s->done)
		fail_msg("%s at %s: the guest did not hang in the first place",
			 event_info[x->kind].name, debug_level_name[x->level]);
	debug_run(r.m, act, &h);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	done = s->done;
	world_destroy(w);
	return done;
}

static void
says_what_was_lost(void **state)
{
	static const struct expectation x[] = {
		/* A kick that vanished in the decode: anything that makes the holder look helps. */
		{ MACHINE_VHOST, EV_VQ_NOTIFY, unmap_doorbell, debug_kick, DEBUG_RING, true, 0 },
		{ MACHINE_VHOST, EV_VQ_NOTIFY, unmap_doorbell, debug_kick, DEBUG_EVENTFD, true, 0 },
		{ MACHINE_IOTHREAD, EV_VQ_NOTIFY, unmap_doorbell, debug_kick, DEBUG_RING, true, 0 },
		{ MACHINE_MAIN_LOOP, EV_VQ_NOTIFY, unmap_doorbell, debug_kick, DEBUG_EVENTFD, true,
		  0 },
		/* Through the same decode it vanishes again; an interrupt finds nothing used. */
		{ MACHINE_VHOST, EV_VQ_NOTIFY, unmap_doorbell, debug_kick, DEBUG_DOORBELL, false,
		  0 },
		{ MACHINE_VHOST, EV_VQ_NOTIFY, unmap_doorbell, debug_call, DEBUG_MSI, false, 0 },
		/* A vector that stays masked: kicks do not help. */
		{ MACHINE_VHOST, EV_VIRTQUEUE_POP, mask_vector, debug_kick, DEBUG_RING, false, 0 },
		/* The original notifier passes the mask where masking swaps the call fd. */
		{ MACHINE_VHOST, EV_VIRTQUEUE_POP, mask_vector, debug_call, DEBUG_EVENTFD, true,
		  GUEST_NOTIFIER_SWAP },
		{ MACHINE_VHOST, EV_VIRTQUEUE_POP, mask_vector, debug_call, DEBUG_EVENTFD, false,
		  GUEST_NOTIFIER_UNREGISTER },
		{ MACHINE_VHOST, EV_VIRTQUEUE_POP, mask_vector, debug_call, DEBUG_RING, false,
		  GUEST_NOTIFIER_SWAP },
		{ MACHINE_VHOST, EV_VIRTQUEUE_POP, mask_vector, debug_call, DEBUG_MSI, true, 0 },
		{ MACHINE_MAIN_LOOP, EV_VIRTQUEUE_POP, mask_vector, debug_call, DEBUG_MSI, true,
		  0 },
	};

	for (unsigned i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		if (recovers(&x[i]) != x[i].recovers)
			fail_msg("case %u: %s at %s %s", i,
				 x[i].act == debug_kick ? "kick" : "call",
				 debug_level_name[x[i].level],
				 x[i].recovers ? "should have helped" : "should not have helped");
}

/* --- a guest that does not hang is not disturbed -------------------------------------------- */

static void
pokes(struct actor *self, void *arg)
{
	struct rig *r = arg;

	for (unsigned level = 0; level < DEBUG_LEVELS; level++) {
		debug_kick(r->d, 0, (enum debug_level)level);
		actor_point(r->w);
		debug_call(r->d, 0, (enum debug_level)level);
		actor_yield(r->w);
	}
}

static void
poked_setup(struct rig *r)
{
	setup(r);
	rig_task(r, "host", pokes, r);
}

static bool
request_done(struct rig *r)
{
	const struct state *s = r->state;

	return s->done && s->result == VIRTIO_BLK_S_OK;
}

static void
disturbs_nobody(void **state)
{
	for (unsigned backend = 0; backend < MACHINE_BACKENDS; backend++) {
		struct rig_config c = { .device = { .name = "blk0",
						    .backend = (enum machine_backend)backend },
					.mode = WORLD_RELAXED,
					.setup = poked_setup,
					.good = request_done };

		rig_assert_clean(rig_explore(&c, 200));
	}
}

/* --- dumps and refusals --------------------------------------------------------------------- */

static void
dump_setup(struct world *w, void *arg)
{
	struct machine *m = machine_create(w, NULL);
	struct machine_device *d = machine_add_device(
		m, &(struct machine_device_config){ .name = "blk0", .queues = 2 });
	struct debug_queue_status s;
	char text[2048], little[10];
	uint64_t step = world_step(w);
	size_t length;

	assert_false(debug_queue_status(d, 2, &s));
	assert_true(debug_queue_status(d, 1, &s));
	assert_int_equal(s.vring_num, MACHINE_QUEUE_SIZE);
	assert_true(s.doorbell_decoded);
	assert_true(s.doorbell == d->bar_address[VIRTIO_PCI_BAR_MODERN] + 0x3004);
	length = debug_queue_text(&s, text, sizeof(text));
	assert_int_equal(length, strlen(text));
	assert_non_null(strstr(text, "\nlast_avail_idx=0\n"));
	assert_non_null(strstr(text, "\nowner=none\n"));
	assert_int_equal(debug_queue_text(&s, little, sizeof(little)), 9);
	assert_string_equal(little, "name=blk0");
	assert_int_equal(world_step(w), step); /* looking is no event */
	assert_int_equal(debug_kick(d, 2, DEBUG_RING), -ENOENT);
	assert_int_equal(debug_kick(d, 0, DEBUG_MSI), -EINVAL);
	assert_int_equal(debug_kick(d, 0, DEBUG_RING), -ENOTCONN);
	assert_int_equal(debug_kick(d, 0, DEBUG_EVENTFD), -ENOTCONN);
	assert_int_equal(debug_call(d, 0, DEBUG_DOORBELL), -EINVAL);
	assert_int_equal(debug_call(d, 0, DEBUG_MSI), -ENOTCONN);
	assert_int_equal(debug_call(d, 0, DEBUG_EVENTFD), -ENOTCONN);
}

static void
dumps_and_refusals(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_int_equal(world_setup(w, dump_setup, NULL, &err), 0);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_was_lost),
		cmocka_unit_test(disturbs_nobody),
		cmocka_unit_test(dumps_and_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
