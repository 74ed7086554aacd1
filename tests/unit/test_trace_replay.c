/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay of recordings through the models of slots: what is lost, under which order, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "engine/world.h"
#include "explore/around.h"
#include "trace/trace.h"
#include "trace_util.h"

#define RECORDING "traces/colo-memslot-2015.syslog"

/* A replay with its recording, and where its result can be read. */
struct replay {
	struct recording recording;
	struct memslot_replay *p;
	const struct memslot_replay_result *r;
};

static void
run(struct replay *t, enum slot_removal removal)
{
	struct error err;

	t->p = memslot_replay_create(&t->recording,
				     &(struct memslot_replay_config){ .removal = removal }, &err);
	if (!t->p)
		fail_msg("%s", err.text);
	if (memslot_replay_run(t->p, &err))
		fail_msg("%s", err.text);
	t->r = memslot_replay_result(t->p);
}

static void
run_log(struct replay *t, const struct log *l, enum slot_removal removal)
{
	struct error err;

	*t = (struct replay){ 0 };
	if (trace_open_text("log", l->text, l->size, NULL, &t->recording, &err))
		fail_msg("%s", err.text);
	run(t, removal);
}

static void
run_2015(struct replay *t, enum slot_removal removal)
{
	struct error err;

	*t = (struct replay){ 0 };
	assert_int_equal(trace_open(RECORDING, NULL, &t->recording, &err), 0);
	run(t, removal);
}

static void
done(struct replay *t)
{
	memslot_replay_destroy(t->p);
	recording_free(&t->recording);
}

static char *
report(const struct replay *t)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	memslot_replay_report(t->p, to);
	fclose(to);
	return text;
}

static void
the_2015_recording_loses(enum slot_removal removal)
{
	static const uint64_t gfn[] = { 0xca, 0xcb, 0xcc }, dirtied[] = { 5, 7, 6 };
	struct replay t;

	run_2015(&t, removal);
	assert_int_equal(t.r->lines_read, 57);
	assert_int_equal(t.r->lines_skipped, 10);
	assert_int_equal(t.r->dirty_marks, 18);
	assert_int_equal(t.r->bitmaps_destroyed, 24);
	assert_int_equal(t.r->bits_destroyed, 3);
	assert_int_equal(t.r->memslot_updates, 48);
	assert_int_equal(t.r->deletions_assumed, 0);
	assert_int_equal(t.r->syncs, 1);
	assert_int_equal(t.r->pages_synced, 0);
	assert_int_equal(t.r->undecided, 0);
	assert_int_equal(t.r->seen_agree, 3);
	assert_int_equal(t.r->seen_disagree, 0);
	assert_int_equal(t.r->lost, 3);
	for (int i = 0; i < 3; i++) {
		const struct lost_page *l = &t.r->lost_page[i];

		assert_int_equal(l->gfn, gfn[i]);
		assert_int_equal(l->dirtied, dirtied[i]);
		assert_int_equal(l->slot, 2);
		assert_int_equal(l->base_gfn, 0xc0);
		assert_int_equal(l->npages, 524096);
		assert_int_equal(l->died_ns, INT64_C(15908988470000));
		assert_int_equal(l->died_line, 22);
		assert_int_equal(l->sync_line, 40);
		assert_true(l->sync_estimated);
		assert_int_equal(l->seen, LOST_AGREES);
	}

	char *text = report(&t);

	assert_non_null(strstr(text, "\nlost gfn=0xca dirtied=5 slot=2 base_gfn=0xc0 npages=524096 "
				     "died=15908.988470 died_line=22 "));
	assert_non_null(strstr(text, " recording=agrees\nlost gfn=0xcb dirtied=7 "));
	assert_non_null(strstr(text, "\nverdict: dirty-page-lost, 3 pages lost\n"));
	free(text);
	done(&t);
}

static void
lost_in_2015(void **state)
{
	the_2015_recording_loses(SLOT_REMOVAL_SLOT_LOG_ONLY);
	the_2015_recording_loses(SLOT_REMOVAL_NO_SYNC);
	the_2015_recording_loses(SLOT_REMOVAL_DELETE_FIRST);
}

static void
nothing_lost_today(void **state)
{
	struct replay t;

	run_2015(&t, SLOT_REMOVAL_SYNC_FIRST);
	assert_int_equal(t.r->lost, 0);
	assert_int_equal(t.r->pages_synced, 3);
	assert_int_equal(t.r->bits_destroyed, 0);
	/* What really happened was not this. */
	assert_int_equal(t.r->seen_disagree, 3);

	char *text = report(&t);

	assert_null(strstr(text, "\nlost "));
	assert_non_null(strstr(text, "\nverdict: ok, 0 pages lost\n"));
	free(text);
	done(&t);
}

/* The answer comes from the model: without the recording's own looks it is the same. */
static void
looks_do_not_matter(void **state)
{
	for (int set = -1; set < 2; set++) {
		struct log l = { .size = 0 };
		struct replay t;

		log_dirty(&l, 0x1005, 9, 0x1000, 8);
		log_dirty(&l, 0x40, 1, 0, 0x800);
		log_dirty(&l, 0x1005, 9, 0x1000, 8);
		log_destroyed(&l, 9, 0x1000, 8);
		log_sync(&l);
		if (set >= 0)
			log_seen(&l, 0x1005, set);
		run_log(&t, &l, SLOT_REMOVAL_NO_SYNC);
		assert_int_equal(t.r->lost, 1);
		assert_int_equal(t.r->lost_page[0].gfn, 0x1005);
		assert_int_equal(t.r->lost_page[0].slot, 9);
		assert_int_equal(t.r->lost_page[0].dirtied, 2);
		assert_int_equal(t.r->lost_page[0].died_ns, INT64_C(104000000000));
		assert_int_equal(t.r->lost_page[0].dirtied_ns, INT64_C(103000000000));
		assert_int_equal(t.r->lost_page[0].seen, set < 0 ? LOST_NOT_OBSERVED
							 : set	 ? LOST_DISAGREES
								 : LOST_AGREES);
		/* The page whose slot lived was found. */
		assert_int_equal(t.r->pages_synced, 1);
		done(&t);
	}
}

static void
other_slots_other_answer(void **state)
{
	static const uint64_t want[SLOT_REMOVALS] = { 3, 3, 0, 3 };

	for (int removal = 0; removal < SLOT_REMOVALS; removal++) {
		struct log l = { .size = 0 };
		struct replay t;

		/* Round 1: 0x10 dies, is written again in the next slot: found.  0x11 dies. */
		log_dirty(&l, 0x10, 0, 0, 0x100);
		log_dirty(&l, 0x11, 0, 0, 0x100);
		log_destroyed(&l, 0, 0, 0x100);
		log_dirty(&l, 0x10, 0, 0x10, 1);
		log_sync(&l);
		log_seen(&l, 0x11, 0);
		log_seen(&l, 0x10, 1);
		/* Round 2: nothing.  Round 3: 0x11 dies again; 0x10, fetched before, dies now. */
		log_sync(&l);
		log_dirty(&l, 0x11, 4, 0x11, 7);
		log_destroyed(&l, 4, 0x11, 7);
		log_dirty(&l, 0x10, 0, 0x10, 1);
		log_destroyed(&l, 0, 0x10, 1);
		log_sync(&l);
		/* Round 4: after a sync the death of the slot takes nothing away. */
		log_dirty(&l, 0x20, 4, 0x20, 8);
		log_sync(&l);
		log_destroyed(&l, 4, 0x20, 8);
		log_sync(&l);
		run_log(&t, &l, (enum slot_removal)removal);
		assert_int_equal(t.r->syncs, 5);
		assert_int_equal(t.r->lost, want[removal]);
		if (t.r->lost) {
			assert_int_equal(t.r->lost_page[0].gfn, 0x11);
			assert_int_equal(t.r->lost_page[0].slot, 0);
			assert_int_equal(t.r->lost_page[0].seen, LOST_AGREES);
			assert_int_equal(t.r->lost_page[1].gfn, 0x10);
			assert_int_equal(t.r->lost_page[1].npages, 1);
			assert_int_equal(t.r->lost_page[1].dirtied, 1);
			assert_int_equal(t.r->lost_page[2].gfn, 0x11);
			assert_int_equal(t.r->lost_page[2].slot, 4);
			assert_int_equal(t.r->seen_agree, 2);
		}
		done(&t);
	}
}

/* What a recording does not show but implies: an overlapped slot, or an id's earlier slot, is gone.
 */
static void
deletions_assumed(void **state)
{
	struct log l = { .size = 0 };
	struct replay t;

	log_dirty(&l, 0x50, 1, 0, 0x100);
	log_dirty(&l, 0x200, 2, 0x200, 0x10);
	log_dirty(&l, 0x300, 3, 0x300, 0x10);
	log_dirty(&l, 0x90, 4, 0x80, 0x100); /* overlaps slot 1 */
	log_dirty(&l, 0x400, 2, 0x400, 0x10); /* slot 2 was elsewhere */
	log_sync(&l);
	log_dirty(&l, 0x300, 3, 0x300, 0x10);
	run_log(&t, &l, SLOT_REMOVAL_NO_SYNC);
	assert_int_equal(t.r->slots_assumed, 5);
	assert_int_equal(t.r->deletions_assumed, 2);
	assert_int_equal(t.r->lost, 2);
	assert_int_equal(t.r->lost_page[0].gfn, 0x50);
	assert_int_equal(t.r->lost_page[0].died_line, 4);
	assert_true(t.r->lost_page[0].died_assumed);
	assert_int_equal(t.r->lost_page[1].gfn, 0x200);
	assert_int_equal(t.r->pages_synced, 3);
	assert_int_equal(t.r->undecided, 1);

	char *text = report(&t);

	assert_non_null(strstr(text, "died=104.000000~ died_line=4"));
	assert_non_null(strstr(text, "\nundecided: 1 pages"));
	free(text);
	done(&t);
}

static void
refused(const struct log *l, const char *part)
{
	struct recording r = { 0 };
	struct error err;

	assert_int_equal(trace_open_text("log", l->text, l->size, NULL, &r, &err), 0);
	assert_null(memslot_replay_create(&r, &(struct memslot_replay_config){ 0 }, &err));
	if (!strstr(err.text, part))
		fail_msg("%s\n\tinstead of %s", err.text, part);
	recording_free(&r);
}

static void
what_no_kvm_could_say(void **state)
{
	struct log l = { .size = 0 };

	log_sync(&l);
	refused(&l, "log: nothing to replay");
	log_dirty(&l, 0x10, 1, 0, 0x10);
	refused(&l, "log:2: gfn 0x10 is not in its slot 1");
	l = (struct log){ .size = 0 };
	log_dirty(&l, 0xf, 1, 0x10, 0x10);
	refused(&l, "log:1: gfn 0xf is not in its slot 1");
	l = (struct log){ .size = 0 };
	log_destroyed(&l, 1, 0, 0);
	refused(&l, "log:1: slot of 0 pages");
	l = (struct log){ .size = 0 };
	log_destroyed(&l, 1, 0, 0x80000000);
	refused(&l, "log:1: slot of 2147483648 pages");
	l = (struct log){ .size = 0 };
	log_destroyed(&l, 32764, 0, 1);
	refused(&l, "log:1: slot id 32764");
	l = (struct log){ .size = 0 };
	log_kernel(&l, "memslot dirty bitmap of '1' was destroyed, base_gfn 0x3ffffffff, npages 2");
	refused(&l, "log:1: slot at base_gfn 0x3ffffffff");
	l = (struct log){ .size = 0 };
	log_dirty(&l, 0xf, 1, 0, 0x10);
	refused(&l, "log: nothing to decide");
}

/* The largest things that KVM allows: they must not cost what they span. */
static void
large_slots(void **state)
{
	struct log l = { .size = 0 };
	struct replay t;

	for (int i = 0; i < 40; i++) {
		log_kernel(&l, "+++ gfn=0x3fffffffe is marked dirty, id=32763, "
			       "base_gfn=0x380000000, npages=2147483647");
		log_destroyed(&l, 32763, 0x80000000, 2147483647);
	}
	log_sync(&l);
	run_log(&t, &l, SLOT_REMOVAL_NO_SYNC);
	assert_int_equal(t.r->lost, 1);
	assert_int_equal(t.r->lost_page[0].gfn, 0x3fffffffe);
	assert_int_equal(t.r->lost_page[0].dirtied, 40);
	done(&t);
}

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose_random(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

/* The recorded order is kept whatever a chooser wants; runs repeat; the clock is the recording's.
 */
static void
order_is_the_recordings(void **state)
{
	struct random_chooser r = { { choose_random }, { { 0 } } };
	struct error err;
	struct replay t;

	run_2015(&t, SLOT_REMOVAL_NO_SYNC);

	struct world *w = memslot_replay_world(t.p);
	uint64_t digest = world_digest(w);

	assert_int_equal(world_now(w), INT64_C(15922586579000));
	world_restore(w);
	assert_int_equal(memslot_replay_run(t.p, &err), 0);
	assert_int_equal(world_digest(w), digest);
	world_set_chooser(w, &r.base);
	for (uint64_t seed = 0; seed < 50; seed++) {
		world_restore(w);
		prng_seed(&r.prng, seed);
		assert_int_equal(memslot_replay_run(t.p, &err), 0);
		assert_int_equal(memslot_replay_result(t.p)->lost, 3);
		assert_int_equal(memslot_replay_result(t.p)->dirty_marks, 18);
	}
	done(&t);
}

static void
removal_names(void **state)
{
	for (int i = 0; i < SLOT_REMOVALS; i++)
		assert_int_equal(slot_removal_find(slot_removal_info[i].name), i);
	assert_int_equal(slot_removal_find("sync"), SLOT_REMOVALS);
}

/* Around the recording, plain answers make the recorded order: the same pages are lost. */
static void
the_plain_order_is_the_recorded_one(void **state)
{
	for (unsigned removal = 0; removal < SLOT_REMOVALS; removal++) {
		struct memslot_replay_config config = { .removal = (enum slot_removal)removal,
							.around = true };
		struct around *around = around_create();
		struct memslot_replay *p;
		struct replay t;
		struct error err;
		const struct memslot_replay_result *r;

		run_2015(&t, (enum slot_removal)removal);
		p = memslot_replay_create(&t.recording, &config, &err);
		assert_non_null(p);
		around_begin(around, memslot_replay_world(p));
		assert_int_equal(memslot_replay_run(p, &err), 0);
		r = memslot_replay_result(p);
		assert_int_equal(r->lost, t.r->lost);
		assert_int_equal(r->memslot_updates, t.r->memslot_updates);
		assert_int_equal(r->dirty_marks, t.r->dirty_marks);
		assert_int_equal(r->bits_destroyed, t.r->bits_destroyed);
		assert_int_equal(r->pages_synced, t.r->pages_synced);
		assert_int_equal(r->seen_agree, t.r->seen_agree);
		assert_int_equal(r->seen_disagree, t.r->seen_disagree);
		for (uint64_t i = 0; i < r->lost; i++) {
			assert_int_equal(r->lost_page[i].gfn, t.r->lost_page[i].gfn);
			assert_int_equal(r->lost_page[i].died_line, t.r->lost_page[i].died_line);
		}
		memslot_replay_destroy(p);
		around_destroy(around);
		memslot_replay_destroy(t.p);
		recording_free(&t.recording);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_plain_order_is_the_recorded_one),
		cmocka_unit_test(lost_in_2015),
		cmocka_unit_test(nothing_lost_today),
		cmocka_unit_test(looks_do_not_matter),
		cmocka_unit_test(other_slots_other_answer),
		cmocka_unit_test(deletions_assumed),
		cmocka_unit_test(what_no_kvm_could_say),
		cmocka_unit_test(large_slots),
		cmocka_unit_test(order_is_the_recordings),
		cmocka_unit_test(removal_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
