/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's ring code under weaker memory than SC.  Its barriers are enough: nothing is lost under
 * tso and weak.  And they are there: each one's place is known, and where one of those that hold
 * notifications together is left out something is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "datapath/native.h"
#include "linux_queue.h"
#include "linux_util.h"
#include "memory/site.h"

#define EVENT VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define PACKED VIRTIO_BIT(VIRTIO_F_RING_PACKED)

static struct plan
plan_of(const struct datapath *driver, const struct datapath *device, uint64_t features,
	enum memory_model model)
{
	return (struct plan){ .driver = driver,
			      .device = device,
			      .features = features,
			      .size = 4,
			      .buffers = 3,
			      .chain = 1,
			      .model = model };
}

static void
barriers_suffice(void **state)
{
	for (enum memory_model model = MEMORY_TSO; model < MEMORY_MODELS; model++)
		for (unsigned i = 0; i < 4; i++) {
			struct plan plan =
				plan_of(&datapath_linux, i & 2 ? &datapath_native : &datapath_linux,
					(i & 1 ? EVENT : 0) | (i & 2 ? PACKED : 0), model);
			struct tally t = queue_explore(&plan, 5000);

			assert_int_equal(t.lost + t.livelock + t.errors + t.wrong, 0);
		}
}

/* --- one left out ---------------------------------------------------------------------------- */

#define FENCES_MAX 32u

struct fences {
	struct world *w;
	unsigned count;
	int64_t site[FENCES_MAX];
	const char *kind[FENCES_MAX];
};

/* "mb" of a run, for as long as the process lives. */
static const char *
kind_of(const struct world *w, int64_t name)
{
	static const char *const kind[] = { "mb", "rmb", "wmb" };

	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(world_name_text(w, name), kind[i]))
			return kind[i];
	return "?";
}

static void
note_fence(void *context, const struct event *e, size_t count)
{
	struct fences *f = context;
	unsigned i;

	for (; count > 0; count--, e++) {
		/* A notification's has no place. */
		if (e->kind != EV_FENCE || !e->arg[1])
			continue;
		for (i = 0; i < f->count && f->site[i] != e->arg[1]; i++)
			;
		if (i < f->count || i == FENCES_MAX)
			continue;
		f->site[i] = e->arg[1];
		f->kind[i] = kind_of(f->w, e->arg[0]);
		f->count++;
	}
}

/* The barriers that a run goes through. */
static struct fences
fences_of(const struct plan *plan)
{
	struct fences f = { 0 };
	struct world *w = queue_world(plan);

	f.w = w;
	world_set_sink(w, note_fence, &f);
	world_run(w);
	world_flush(w);
	world_destroy(w);
	return f;
}

static unsigned
failures(const struct plan *plan, enum memory_model model, int64_t ignore, long schedules)
{
	struct plan without = *plan;
	struct tally t;

	without.model = model;
	without.ignore = ignore;
	t = queue_explore(&without, schedules);
	return t.lost + t.livelock + t.errors + t.wrong;
}

/*
 * tso: the full ones, and no other, since x86 keeps loads and stores in order.  weak: all of them
 * but @spare.
 */
static void
each_is_needed(const struct plan *plan, unsigned spare)
{
	struct fences f = fences_of(plan);
	unsigned not_needed = 0;

	assert_true(f.count >= 3);
	for (unsigned i = 0; i < f.count; i++) {
		bool full = !strcmp(f.kind[i], "mb");
		/* Some are needed in one schedule of a thousand only. */
		unsigned tso = failures(plan, MEMORY_TSO, f.site[i], full ? 16000 : 4000);
		unsigned weak = failures(plan, MEMORY_WEAK, f.site[i], 4000);
		struct site_frame frame[SITE_FRAMES_MAX];
		unsigned n = site_frames(f.site[i], frame, SITE_FRAMES_MAX);

		print_message("%-4s %s:%d", f.kind[i], frame[0].file, frame[0].line);
		for (unsigned j = 0; j < n; j++)
			print_message(" %s", frame[j].function);
		print_message(": %u fail under tso, %u under weak\n", tso, weak);
		assert_true(!tso || full);
#ifndef RINGSIDE_HOSTILE /* its store buffers hold too few for what is rare */
		assert_true(tso || !full);
#endif
		not_needed += weak == 0;
	}
	assert_true(not_needed <= spare);
}

static void
linux_needs_each(void **state)
{
	struct plan plan = plan_of(&datapath_linux, &datapath_linux, EVENT, MEMORY_SC);

	each_is_needed(&plan, 0);
	plan.keep_cb = true; /* then virtqueue_get_buf() moves used_event */
	plan.buffers = 4;
	each_is_needed(&plan, 0);
}

/*
 * Three are not needed for this: those between the two fields of an event area, in the driver's and
 * in the device's.  A device that sees the new flags with the old offset and does not interrupt has
 * published before virtqueue_poll() looks.
 */
static void
packed_needs_each(void **state)
{
	struct plan plan = plan_of(&datapath_linux, &datapath_native, EVENT | PACKED, MEMORY_SC);

	each_is_needed(&plan, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(barriers_suffice),
		cmocka_unit_test(linux_needs_each),
		cmocka_unit_test(packed_needs_each),
	};

	if (!&datapath_linux)
		return linux_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
