/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The race detector on whole rings: silent as they are; and each of their barriers that orders
 * contents, when it is taken out, is missed, under sequential consistency, where nothing goes
 * wrong without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "datapath/registry.h"
#include "engine/world.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "memory/model.h"
#include "memory/race.h"
#include "memory/site.h"
#include "virtio/spec.h"

#define SCHEDULES 400
#define FENCES_MAX 64

struct fence {
	int64_t site;
	char kind[8];
};

struct ring {
	const char *datapath;
	uint64_t features;
	unsigned contents; /* how many barriers order contents; of Linux, whose versions differ, at
			      least */
	struct fence fence[FENCES_MAX];
	unsigned fences;
	struct world *w;
};

struct random {
	struct chooser chooser;
	struct prng prng;
};

static uint32_t
random_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random *)self)->prng, n);
}

static void
build(struct world *w, void *arg)
{
	const struct ring *r = arg;
	struct raw_config config = { .buffers = 6, .size = 4, .features = r->features };

	gm_create(w, 1 << 20);
	race_detect(w);
	if (r->datapath)
		datapath_select_default(w, r->datapath);
	raw_pair_create(w, &config);
}

/* The barriers that a run goes through, by place. */
static void
note_fences(void *context, const struct event *e, size_t count)
{
	struct ring *r = context;

	for (; count--; e++) {
		unsigned i = 0;

		if (e->kind != EV_FENCE)
			continue;
		while (i < r->fences && r->fence[i].site != e->arg[1])
			i++;
		if (i < r->fences)
			continue;
		assert_true(r->fences < FENCES_MAX);
		r->fence[r->fences].site = e->arg[1];
		snprintf(r->fence[r->fences++].kind, sizeof(r->fence[0].kind), "%s",
			 world_name_text(r->w, e->arg[0]));
	}
}

/* Whether one of some random schedules has a race. */
static bool
races(struct ring *r, enum memory_model model, int64_t without)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct random random = { .chooser = { random_choose } };
	struct error err = { 0 };
	bool found = false;

	r->w = world_create(&config, &err);
	assert_non_null(r->w);
	if (world_setup(r->w, build, r, &err))
		fail_msg("%s", err.text);
	memory_set_model(r->w, model);
	memory_ignore_barrier(r->w, without);
	world_set_chooser(r->w, &random.chooser);
	if (!without)
		world_set_sink(r->w, note_fences, r);
	world_snapshot(r->w);
	for (unsigned i = 0; i < SCHEDULES && !found; i++) {
		world_restore(r->w);
		prng_seed(&random.prng, i);
		world_run(r->w);
		found = race_count(r->w);
	}
	world_set_sink(r->w, NULL, NULL);
	world_destroy(r->w);
	return found;
}

static unsigned
first_of(char (*place)[64], unsigned i)
{
	unsigned first = 0;

	while (strcmp(place[first], place[i]))
		first++;
	return first;
}

/*
 * A write or read barrier orders contents; a full one stands between a store and a later load of
 * words, where none is a race.
 */
static void
check(struct ring *r)
{
	char place[FENCES_MAX][64];
	bool missed[FENCES_MAX] = { false };
	unsigned contents = 0;

	for (enum memory_model m = 0; m < MEMORY_MODELS; m++)
		if (races(r, m, 0))
			fail_msg("a race under %s", memory_model_name[m]);
	/* Where a function is inlined twice, its barrier is two: of the same line. */
	for (unsigned i = 0; i < r->fences; i++) {
		site_text(r->fence[i].site, place[i], sizeof(place[i]));
		missed[first_of(place, i)] |= races(r, MEMORY_SC, r->fence[i].site);
	}
	for (unsigned i = 0; i < r->fences; i++) {
		if (first_of(place, i) != i)
			continue;
		if (!r->datapath && missed[i] == !strcmp(r->fence[i].kind, "mb"))
			fail_msg("%s at %s: %s", r->fence[i].kind, place[i],
				 missed[i] ? "is missed" : "is not missed");
		contents += missed[i];
	}
	assert_true(r->datapath ? contents >= r->contents : contents == r->contents);
}

static void
test_split(void **state)
{
	check(&(struct ring){ .contents = 4 });
	check(&(struct ring){ .features = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), .contents = 4 });
}

static void
test_packed(void **state)
{
	check(&(struct ring){ .features = VIRTIO_BIT(VIRTIO_F_RING_PACKED), .contents = 4 });
}

/* Where the kernel's source is. Its own code makes plain accesses to indices and flags. */
static void
test_linux(void **state)
{
	struct error err;

	if (!datapath_find("linux", &err))
		skip();
	check(&(struct ring){ .datapath = "linux", .contents = 4 });
	check(&(struct ring){ .datapath = "linux",
			      .features = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
			      .contents = 4 });
	check(&(struct ring){ .datapath = "linux,native",
			      .features = VIRTIO_BIT(VIRTIO_F_RING_PACKED),
			      .contents = 4 });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_linux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
