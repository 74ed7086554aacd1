/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The big lock, bottom halves, handlers and polling, under the plain and random schedules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/must.h"
#include "base/prng.h"
#include "engine/world.h"
#include "vmm/iothread.h"
#include "vmm/main_loop.h"

#define RUNS 400

struct bench {
	struct world *w;
	struct main_loop *loop;
	struct iothread *t;
	struct eventfd *fd;
	struct aio_handler handler;
	struct virtio_work work[4];
	int order[32], ordered;
	unsigned inside, seen;
	bool ring; /* what poll() looks at */
	bool notify; /* between poll_end() and poll_begin() */
	unsigned begins, ends, kicks;
};

static struct bench *b;
static void (*more)(void);

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose_random(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

static void
setup(struct world *w, void *arg)
{
	b = world_alloc(w, sizeof(*b));
	b->w = w;
	b->loop = main_loop_create(w);
	b->fd = eventfd_create(w, "fd", EVENTFD_OTHER, EVENTFD_NONBLOCK);
	more();
}

/* Every schedule must end with only daemons asleep, and satisfy @good. */
static void
explore(void (*setup_more)(void), bool (*good)(void))
{
	struct random_chooser r = { { choose_random }, { { 0 } } };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);

	assert_non_null(w);
	more = setup_more;
	if (world_setup(w, setup, NULL, &err))
		fail_msg("%s", err.text);
	world_snapshot(w);
	for (unsigned seed = 0; seed < RUNS; seed++) {
		world_restore(w);
		prng_seed(&r.prng, seed);
		world_set_chooser(w, seed ? &r.base : &chooser_first);
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		for (uint32_t id = 1; id <= world_actors(w); id++)
			assert_true(actor_is_daemon(world_actor(w, id)) ||
				    actor_state(world_actor(w, id)) == ACTOR_DONE);
		if (!good())
			fail_msg("seed %u", seed);
	}
	world_destroy(w);
}

static void
note(int what)
{
	must(b->ordered < 32);
	b->order[b->ordered++] = what;
}

/* --- the lock ------------------------------------------------------------------------------- */

static void
critical(struct actor *self, void *arg)
{
	for (unsigned i = 0; i < 3; i++) {
		bql_lock(b->loop);
		bql_lock(b->loop); /* counted */
		b->seen = b->seen < ++b->inside ? b->inside : b->seen;
		actor_point(b->w);
		bql_unlock(b->loop);
		must(bql_locked(b->loop));
		actor_point(b->w);
		b->inside--;
		bql_unlock(b->loop);
		note(1);
	}
}

static void
three_holders(void)
{
	for (unsigned i = 0; i < 3; i++)
		actor_create(b->w, "holder", critical, NULL, 0);
}

static bool
one_at_a_time(void)
{
	return b->seen == 1 && b->ordered == 9 && !b->loop->bql.owner;
}

static void
lock_excludes(void **state)
{
	explore(three_holders, one_at_a_time);
}

/* --- bottom halves -------------------------------------------------------------------------- */

static void
work_runs(struct virtio_work *work)
{
	must(bql_locked(b->loop));
	note((int)(work - b->work));
	if (work == &b->work[0]) /* for the next turn; once, though asked for twice */
		for (unsigned i = 0; i < 2; i++)
			aio_bh_schedule(&b->loop->ctx, &b->work[3]);
}

static void
schedules(struct actor *self, void *arg)
{
	for (unsigned i = 0; i < 3; i++) {
		aio_bh_schedule(&b->loop->ctx, &b->work[i]);
		actor_point(b->w);
	}
}

static void
a_scheduler(void)
{
	for (unsigned i = 0; i < 4; i++)
		b->work[i] = (struct virtio_work){ .fn = work_runs };
	actor_create(b->w, "scheduler", schedules, NULL, 0);
}

static bool
each_ran_once_in_order(void)
{
	int next = 0, threes = 0;

	for (int i = 0; i < b->ordered; i++) {
		if (b->order[i] == 3)
			threes++;
		else if (b->order[i] != next++)
			return false;
	}
	return next == 3 && threes == 1 && b->ordered == 4;
}

static void
cancels(struct actor *self, void *arg)
{
	bql_lock(b->loop); /* so that the main loop does not run them */
	for (unsigned i = 0; i < 3; i++)
		aio_bh_schedule(&b->loop->ctx, &b->work[i]);
	/* The last, the middle one, one that is not there. */
	aio_bh_cancel(&b->loop->ctx, &b->work[2]);
	aio_bh_cancel(&b->loop->ctx, &b->work[1]);
	aio_bh_cancel(&b->loop->ctx, &b->work[1]);
	aio_bh_schedule(&b->loop->ctx, &b->work[1]);
	bql_unlock(b->loop);
}

static void
a_canceller(void)
{
	for (unsigned i = 0; i < 4; i++)
		b->work[i] = (struct virtio_work){ .fn = work_runs };
	actor_create(b->w, "canceller", cancels, NULL, 0);
}

static bool
without_the_cancelled(void)
{
	return b->ordered == 3 && b->order[0] == 0 && b->order[1] == 1 && b->order[2] == 3;
}

static void
bottom_halves(void **state)
{
	explore(a_scheduler, each_ran_once_in_order);
	explore(a_canceller, without_the_cancelled);
}

/* A holder that needs the main context's work runs it itself. */
static bool
is_seen(void *arg)
{
	return b->seen;
}

static void
sees(struct virtio_work *work)
{
	b->seen++;
}

static void
later(struct world *w, void *arg)
{
	aio_bh_schedule(&b->loop->ctx, &b->work[0]);
}

static void
drains(struct actor *self, void *arg)
{
	bql_lock(b->loop);
	world_after(b->w, 100, later, NULL);
	main_loop_poll(b->loop, is_seen, NULL);
	bql_unlock(b->loop);
}

static void
a_drainer(void)
{
	b->work[0] = (struct virtio_work){ .fn = sees };
	actor_create(b->w, "drainer", drains, NULL, 0);
}

static bool
was_seen_once(void)
{
	return b->seen == 1;
}

static void
nested_poll(void **state)
{
	explore(a_drainer, was_seen_once);
}

/* --- handlers ------------------------------------------------------------------------------- */

static void
on_readable(struct aio_handler *h)
{
	uint64_t value;

	if (!eventfd_read(h->fd, &value))
		b->seen += (unsigned)value;
}

static void
signals(struct actor *self, void *arg)
{
	for (unsigned i = 0; i < 3; i++)
		eventfd_signal(b->fd);
}

static void
detach(void *arg)
{
	aio_detach(arg);
	note(1);
}

/* Takes the handler away in its thread: from then on it is not called. */
static void
takes_away(struct actor *self, void *arg)
{
	aio_run_there(&b->t->ctx, detach, &b->handler);
	b->kicks = b->seen;
	eventfd_signal(b->fd);
}

static void
a_handler(void)
{
	b->t = iothread_create(b->w, "iothread", 0);
	eventfd_signal(b->fd); /* before it is attached */
	b->handler = (struct aio_handler){ .fd = b->fd, .fn = on_readable };
	aio_attach(&b->t->ctx, &b->handler);
	actor_create(b->w, "signaller", signals, NULL, 0);
}

static void
a_detached_handler(void)
{
	a_handler();
	actor_create(b->w, "detacher", takes_away, NULL, 0);
}

static bool
saw_all(void)
{
	return b->seen == 4;
}

static bool
saw_none_after(void)
{
	return b->seen == b->kicks && b->seen + eventfd_count(b->fd) == 5 && b->ordered == 1;
}

static void
handlers(void **state)
{
	explore(a_handler, saw_all);
	explore(a_detached_handler, saw_none_after);
}

/* --- polling -------------------------------------------------------------------------------- */

static bool
poll(struct aio_handler *h)
{
	actor_point(b->w);
	return b->ring;
}

static void
poll_ready(struct aio_handler *h)
{
	b->ring = false;
	b->seen++;
}

static void
poll_begin(struct aio_handler *h)
{
	b->begins++;
	b->notify = false;
}

static void
poll_end(struct aio_handler *h)
{
	b->ends++;
	b->notify = true;
	actor_point(b->w);
}

static void
on_kick(struct aio_handler *h)
{
	eventfd_test_and_clear(h->fd);
	if (b->ring)
		poll_ready(h);
}

/* A driver: adds to the ring, and kicks only if it is to. */
static void
adds(struct actor *self, void *arg)
{
	for (unsigned i = 0; i < 3; i++) {
		while (b->ring)
			actor_yield(b->w);
		b->ring = true;
		actor_point(b->w);
		if (b->notify) {
			b->kicks++;
			eventfd_signal(b->fd);
		}
	}
}

static void
a_polled_handler(void)
{
	b->t = iothread_create(b->w, "iothread", 2);
	b->notify = true;
	b->handler = (struct aio_handler){ .fd = b->fd,
					   .fn = on_kick,
					   .poll = poll,
					   .poll_ready = poll_ready,
					   .poll_begin = poll_begin,
					   .poll_end = poll_end };
	aio_attach(&b->t->ctx, &b->handler);
	actor_create(b->w, "driver", adds, NULL, 0);
}

/* Nothing is missed though kicks are left out; asleep, notifications are on. */
static bool
nothing_missed(void)
{
	return b->seen == 3 && !b->ring && b->notify && b->begins == b->ends && b->begins;
}

static void
polling(void **state)
{
	explore(a_polled_handler, nothing_missed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_excludes), cmocka_unit_test(bottom_halves),
		cmocka_unit_test(nested_poll),	 cmocka_unit_test(handlers),
		cmocka_unit_test(polling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
