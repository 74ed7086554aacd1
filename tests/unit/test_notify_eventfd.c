/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eventfd: counter, semaphore, edges, who is woken, and that looking takes nothing. */
#include <errno.h>

#include "test_notify.h"

static struct eventfd *fd, *sem, *blocking;

static void
make(struct world *w)
{
	fd = eventfd_create(w, "fd", EVENTFD_HOST, EVENTFD_NONBLOCK);
	sem = eventfd_create(w, "sem", EVENTFD_OTHER, EVENTFD_NONBLOCK | EVENTFD_SEMAPHORE);
	blocking = eventfd_create(w, "blocking", EVENTFD_OTHER, 0);
}

static void
counter_adds_and_clears(struct actor *self, void *arg)
{
	uint64_t value = 7;

	assert_int_equal(eventfd_read(fd, &value), -EAGAIN);
	assert_int_equal(value, 7);
	assert_int_equal(eventfd_poll(fd), EVENTFD_OUT);
	for (int i = 0; i < 15; i++)
		eventfd_signal(fd);
	assert_int_equal(eventfd_write(fd, 3), 0);
	/* Looking takes nothing: the question of the thread. */
	assert_int_equal(eventfd_count(fd), 18);
	assert_int_equal(eventfd_count(fd), 18);
	assert_int_equal(eventfd_poll(fd), EVENTFD_IN | EVENTFD_OUT);
	assert_int_equal(eventfd_read(fd, &value), 0);
	assert_int_equal(value, 18);
	assert_int_equal(eventfd_count(fd), 0);
	assert_false(eventfd_test_and_clear(fd));
	assert_int_equal(fd->signals, 16);
	assert_int_equal(fd->reads, 1);
	assert_int_equal(bench->events[EV_EVENTFD_READ], 1);
}

static void
semaphore_takes_one(struct actor *self, void *arg)
{
	uint64_t value;

	assert_int_equal(eventfd_write(sem, 3), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(eventfd_count(sem), (uint64_t)(3 - i));
		assert_int_equal(eventfd_read(sem, &value), 0);
		assert_int_equal(value, 1);
	}
	assert_int_equal(eventfd_read(sem, &value), -EAGAIN);
}

static void
overflow(struct actor *self, void *arg)
{
	uint64_t value;

	assert_int_equal(eventfd_write(fd, UINT64_MAX), -EINVAL);
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	assert_int_equal(eventfd_poll(fd), EVENTFD_IN);
	assert_int_equal(eventfd_write(fd, 1), -EAGAIN);
	eventfd_set(fd); /* pending already: no error, no change */
	assert_true(eventfd_count(fd) == UINT64_MAX - 1);
	/* Signals of the kernel go one further and stop there. */
	eventfd_signal(fd);
	assert_true(eventfd_count(fd) == UINT64_MAX);
	assert_int_equal(eventfd_poll(fd), EVENTFD_IN | EVENTFD_ERR);
	eventfd_signal(fd);
	assert_true(eventfd_count(fd) == UINT64_MAX);
	assert_int_equal(eventfd_write(fd, 0), -EAGAIN);
	assert_int_equal(eventfd_read(fd, &value), 0);
	assert_true(value == UINT64_MAX);
}

static void
blocked_writer(struct actor *self, void *arg)
{
	assert_int_equal(eventfd_write(blocking, UINT64_MAX - 1), 0);
	assert_int_equal(eventfd_write(blocking, 5), 0); /* waits for the reader */
	note_order(2);
}

static void
late_reader(struct actor *self, void *arg)
{
	uint64_t value;

	while (eventfd_count(blocking) != UINT64_MAX - 1 || !blocking->writers.first)
		actor_yield(bench->w);
	note_order(1);
	assert_int_equal(eventfd_read(blocking, &value), 0);
	assert_int_equal(eventfd_read(blocking, &value), 0);
	assert_int_equal(value, 5);
}

/* --- attached wake-ups ---------------------------------------------------------------------- */

static bool
take_it(struct eventfd_wait *self, struct eventfd *e)
{
	note_order(1);
	return eventfd_take(e) != 0;
}

static bool
see_it(struct eventfd_wait *self, struct eventfd *e)
{
	note_order(2);
	return true; /* not a priority entry: counts for nothing */
}

static void
priority_wakeup_takes_the_event(struct actor *self, void *arg)
{
	static struct eventfd_wait poller = { .wake = see_it };
	static struct eventfd_wait irqfd = { .wake = take_it, .priority = true };

	eventfd_attach(fd, &poller);
	eventfd_signal(fd);
	eventfd_attach(fd, &irqfd);
	eventfd_signal(fd); /* only irqfd sees it */
	assert_int_equal(eventfd_count(fd), 0);
	eventfd_detach(fd, &irqfd);
	eventfd_detach(fd, &irqfd);
	eventfd_signal(fd);
	assert_int_equal(bench->ordered, 3);
	assert_int_equal(bench->order[0], 2);
	assert_int_equal(bench->order[1], 1);
	assert_int_equal(bench->order[2], 2);
	assert_int_equal(eventfd_detach_read(fd, &poller), 1);
	assert_int_equal(eventfd_count(fd), 0);
	eventfd_signal(fd);
	assert_int_equal(bench->ordered, 3);
}

static actor_fn body;

static void
one_actor(struct world *w)
{
	make(w);
	actor_create(w, "t", body, NULL, 0);
}

static void
run_body(actor_fn fn)
{
	body = fn;

	struct world *w = bench_world(one_actor);

	bench_run(w, 0);
	assert_int_equal(actor_state(world_actor(w, (uint32_t)world_actors(w))), ACTOR_DONE);
	world_destroy(w);
}

static void
test_counter(void **state)
{
	run_body(counter_adds_and_clears);
}

static void
test_semaphore(void **state)
{
	run_body(semaphore_takes_one);
}

static void
test_overflow(void **state)
{
	run_body(overflow);
}

static void
test_priority(void **state)
{
	run_body(priority_wakeup_takes_the_event);
}

static void
writer_and_reader(struct world *w)
{
	make(w);
	actor_create(w, "writer", blocked_writer, NULL, 0);
	actor_create(w, "reader", late_reader, NULL, 0);
}

static void
test_blocking_write(void **state)
{
	struct world *w = bench_world(writer_and_reader);

	for (uint64_t seed = 0; seed < 20; seed++) {
		bench_run(w, seed);
		assert_int_equal(bench->ordered, 2);
		assert_int_equal(bench->order[0], 1);
		assert_int_equal(eventfd_count(blocking), 0);
		world_restore(w);
	}
	world_destroy(w);
}

/* --- two readers of one eventfd ------------------------------------------------------------- */

static void
reader(struct actor *self, void *arg)
{
	uint64_t value;

	assert_int_equal(eventfd_read(arg, &value), 0);
	bench->hits++;
}

static void
poster(struct actor *self, void *arg)
{
	eventfd_write(arg, 2);
}

static unsigned reader_flags;

static void
two_readers(struct world *w)
{
	struct eventfd *e = eventfd_create(w, "pause", EVENTFD_OTHER, reader_flags);

	actor_create(w, "r1", reader, e, 0);
	actor_create(w, "r2", reader, e, 0);
	actor_create(w, "poster", poster, e, 0);
}

static void
test_two_waiters(void **state)
{
	for (int semaphore = 0; semaphore < 2; semaphore++) {
		reader_flags = semaphore ? EVENTFD_SEMAPHORE : 0;

		struct world *w = bench_world(two_readers);

		for (uint64_t seed = 0; seed < 20; seed++) {
			bench_run(w, seed);
			/*
			 * The counter coalesces: the first read takes both, unless it is a
			 * semaphore.
			 */
			assert_int_equal(bench->hits, semaphore ? 2 : 1);
			world_restore(w);
		}
		world_destroy(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter),	       cmocka_unit_test(test_semaphore),
		cmocka_unit_test(test_overflow),       cmocka_unit_test(test_priority),
		cmocka_unit_test(test_blocking_write), cmocka_unit_test(test_two_waiters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
