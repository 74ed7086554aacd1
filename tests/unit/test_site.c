/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses become function, file and line; recorded accesses say through which calls they came. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "engine/world.h"
#include "explore/event_log.h"
#include "guest/raw_driver.h"
#include "memory/calls.h"
#include "memory/guest_memory.h"
#include "memory/site.h"

#define TEXT_MAX 2000

static __attribute__((noinline)) int64_t
here(void)
{
	return site_of(__builtin_return_address(0));
}

static int inner_line, outer_line;

static inline __attribute__((always_inline)) int64_t
inlined(void)
{
	int64_t site = here();

	inner_line = __LINE__ - 2;
	return site;
}

static __attribute__((noinline)) int64_t
outer(void)
{
	int64_t site = inlined();

	outer_line = __LINE__ - 2;
	return site;
}

static void
test_line(void **state)
{
	char text[100], want[100];
	int64_t site = here();

	snprintf(want, sizeof(want), "test_site.c:%d", __LINE__ - 2);
	site_text(site, text, sizeof(text));
	assert_string_equal(text, want);
	assert_int_equal(site >> SITE_IMAGE_SHIFT, 0);
}

static void
test_inlined(void **state)
{
	struct site_frame f[SITE_FRAMES_MAX];
	int64_t site = outer();

	assert_int_equal(site_frames(site, f, SITE_FRAMES_MAX), 2);
	assert_string_equal(f[0].function, "inlined");
	assert_int_equal(f[0].line, inner_line);
	assert_string_equal(f[1].function, "outer");
	assert_int_equal(f[1].line, outer_line);
	assert_string_equal(f[1].file, "test_site.c");
	site_frame(site, f + 2);
	assert_string_equal(f[2].function, "inlined"); /* no header between */
	/* No more than there is room for. */
	assert_int_equal(site_frames(site, f, 1), 1);
}

static void
test_other_image(void **state)
{
	const char *function = dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests");
	char text[100];
	int64_t site;

	assert_non_null(function);
	site = site_of(function + 1);
	assert_int_equal(site >> SITE_IMAGE_SHIFT, 1);
	assert_int_equal(site_of(function + 1), site);
	assert_int_equal(site_of(function + 3), site + 2);
	site_text(site, text, sizeof(text));
	/* With debug information installed it is a line. */
	if (!strchr(text, ':'))
		assert_string_equal(text, "_cmocka_run_group_tests+0x0");
	assert_int_equal(site_images(), 2);
	assert_int_equal(strlen(site_build_id(0)), 40);
	assert_string_not_equal(site_build_id(0), site_build_id(1));
	assert_string_equal(site_build_id(2), "");
}

static void
test_unknown(void **state)
{
	char text[100];

	assert_int_equal(site_of(NULL), 0);
	site_text(INT64_C(7) << SITE_IMAGE_SHIFT | 0x123, text, sizeof(text));
	assert_string_equal(text, "?+0x123");
	site_text(0, text, sizeof(text));
	assert_string_equal(text, "?+0x0");
	site_text(-1, text, sizeof(text));
	site_text(INT64_MAX, text, sizeof(text));
}

/* --- stacks --------------------------------------------------------------------------------- */

static void
set_up(struct world *w, void *arg)
{
	struct raw_config config = { .name = "vq0", .size = 4, .buffers = 3 };

	gm_create(w, 1 << 20);
	raw_pair_create(w, &config);
}

static struct world *
ring_world(void)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct error err;
	struct world *w = world_create(&config, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up, NULL, &err), 0);
	world_snapshot(w);
	return w;
}

static void
run(struct world *w, struct event_log *log)
{
	world_set_sink(w, log ? event_log_sink : NULL, log);
	world_restore(w);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	world_flush(w);
	world_set_sink(w, NULL, NULL);
}

/* Each access and barrier of the ring code names its place and the driver's or device's loop that
 * called it. */
static void
test_stacks(void **state)
{
	struct world *w = ring_world();
	struct event_names names = event_names_of_world(w);
	struct event_log log = { 0 };
	unsigned accesses = 0;
	char text[TEXT_MAX];

	run(w, &log);
	for (size_t i = 0; i < log.count; i++) {
		const struct event *e = &log.events[i];

		event_names_stack(&names, e, text, sizeof(text));
		if (e->kind != EV_LOAD && e->kind != EV_STORE && e->kind != EV_FENCE) {
			assert_string_equal(text, "");
			continue;
		}
		accesses++;
		/* The caller is of the datapath, or of who it is inlined into. */
		if (!strstr(text, " ring_split_") || !strstr(text, " <- ") ||
		    (!strstr(text, " raw_driver.c:") && !strstr(text, " native.c:")))
			fail_msg("%zu %s: %s", i, event_info[e->kind].name, text);
		assert_ptr_equal(strstr(text, "ring_split_"), strstr(text, " ring_split_") + 1);
	}
	assert_true(accesses > 20);
	/* A short buffer is a short text. */
	for (size_t i = 0; i < log.count; i++) {
		size_t n = event_names_stack(&names, &log.events[i], text, 20);

		assert_true(n < 20);
		assert_int_equal(strlen(text), n);
	}
	event_log_free(&log);
	world_destroy(w);
}

/* Twice the same run: the same numbers; and recording changes nothing. */
static void
test_stacks_repeat(void **state)
{
	struct world *w = ring_world();
	struct event_log a = { 0 }, b = { 0 };
	uint64_t plain;

	run(w, NULL);
	plain = world_digest(w);
	run(w, &a);
	assert_int_equal(world_digest(w), plain);
	run(w, &b);
	assert_int_equal(world_digest(w), plain);
	assert_int_equal(a.count, b.count);
	assert_memory_equal(a.events, b.events, a.count * sizeof(*a.events));
	event_log_free(&a);
	event_log_free(&b);
	world_destroy(w);
}

/* Deeper than is kept: callers are cut, exits still match. */
static void
test_deep(void **state)
{
	struct world *w = ring_world();
	struct event_log log = { 0 };
	int64_t site[CALLS_DEPTH_MAX + 8];

	world_set_sink(w, event_log_sink, &log);
	for (int i = 0; i < 3 * (int)CALLS_DEPTH_MAX; i++)
		calls_enter(w, (const char *)(uintptr_t)test_deep + i);
	world_emit_detail(w, EV_NOTE, 0, 0, 0, 0, 0);
	for (int i = 0; i < 3 * (int)CALLS_DEPTH_MAX + 5; i++)
		calls_leave(w);
	world_emit_detail(w, EV_NOTE, 0, 0, 0, 0, 0);
	world_flush(w);
	assert_int_equal(log.count, 2);
	assert_int_equal(calls_sites(w, log.events[0].stack, site, CALLS_DEPTH_MAX + 8),
			 CALLS_DEPTH_MAX);
	assert_int_equal(log.events[1].stack, 0);
	assert_int_equal(calls_sites(w, 0, site, 1), 0);
	assert_int_equal(calls_sites(w, 4711, site, 1), 0);
	world_set_sink(w, NULL, NULL);
	event_log_free(&log);
	world_destroy(w);
}

/* What an inlined function of a header does is known by where it was called. */
#line 7 "barrier.h"
static inline __attribute__((always_inline)) int64_t
of_header(void)
{
	int64_t site = here();

	__asm__ volatile("" ::: "memory");
	return site;
}

#line 1000 "driver.c"
static __attribute__((noinline)) int64_t
of_driver(void)
{
	int64_t site = of_header();

	__asm__ volatile("" ::: "memory");
	return site;
}

#line 1000 "test_site.c"
static void
test_header(void **state)
{
	struct site_frame f[SITE_FRAMES_MAX], shown;
	int64_t site = of_driver();
	char text[100];

	assert_int_equal(site_frames(site, f, SITE_FRAMES_MAX), 2);
	assert_string_equal(f[0].file, "barrier.h");
	assert_string_equal(f[0].function, "of_header");
	assert_int_equal(f[0].line, 10);
	site_frame(site, &shown);
	assert_string_equal(shown.function, "of_driver");
	site_text(site, text, sizeof(text));
	assert_string_equal(text, "driver.c:1003");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),	    cmocka_unit_test(test_inlined),
		cmocka_unit_test(test_other_image), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_stacks),	    cmocka_unit_test(test_stacks_repeat),
		cmocka_unit_test(test_deep),	      cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
