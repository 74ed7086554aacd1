/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Around a recorded precopy: what follows from the recording, and what is lost in which order. */
#include "trace_import.h"

#include "engine/world.h"
#include "trace/precopy_plan.h"
#include "trace/replay_precopy.h"

#define RECORDING "traces/qemu-migrate-kvm-firmware.src.log"

static void
plan_of_the_recording(void **state)
{
	static const uint64_t want[] = { 0x0,	  0x6,	   0x9f,    0xe8,    0xe9,
					 0xf5,	  0xf6,	   0x1efe2, 0x1efe9, 0x1efea,
					 0x1efeb, 0x1efff, 0x1ffe0, 0x1ffe1 };
	struct precopy_plan plan = { NULL };
	struct recording r = { 0 };
	unsigned writes = 0, transactions = 0;
	struct error err;

	assert_int_equal(trace_open(RECORDING, NULL, &r, &err), 0);
	assert_int_equal(precopy_plan_make(&plan, &r, &err), 0);
	/* Pages sent after the last sync; those of the second pass say nothing: new slots. */
	assert_int_equal(plan.pages, sizeof(want) / sizeof(want[0]));
	assert_memory_equal(plan.page, want, sizeof(want));
	assert_int_equal(plan.passes, 4);
	for (size_t i = 0; i < plan.count; i++) {
		const struct precopy_op *op = &plan.op[i];

		writes += op->kind == PRECOPY_OP_WRITE;
		transactions += op->last;
		assert_true(!i || op->time_ns > op[-1].time_ns);
		if (op->transaction)
			assert_true(op->overlaps && op->actor == PRECOPY_QEMU);
		if (op->kind == PRECOPY_OP_SLOT && op->line < 25)
			assert_int_equal(op->actor, PRECOPY_MIGRATION);
	}
	assert_int_equal(writes, 14);
	assert_int_equal(transactions, 2);
	precopy_plan_free(&plan);
	recording_free(&r);
}

/* --- one page, one slot that is replaced in the middle of the first pass ------------------------
 */

#define SLOT(thread, at, flags, size) \
	thread "@" at ":kvm_set_user_memory Slot#0 flags=" flags " gpa=0x0 size=" size \
	       " ua=0x100000 ret=0\n"
#define SYNC(at) \
	"2@" at ":migration_bitmap_sync_start \n2@" at ":migration_bitmap_sync_end dirty_pages 1\n"
#define CLEAR(at) \
	"2@" at ":migration_bitmap_clear_dirty rb pc.ram start 0x0 size 0x10000 page 0x0\n"
#define SEND(at) "2@" at ":ram_save_page pc.ram: offset: 0x3000 host: 0x103000\n"

static const char one_page[] = SLOT("1", "1.0", "0x0", "0x10000") SLOT("2", "2.0", "0x1", "0x10000")
	SYNC("2.1") CLEAR("2.2") SEND("2.3") SYNC("3.0") CLEAR("3.1") SEND("3.2")
		SLOT("1", "3.5", "0x0", "0x0") SLOT("1", "3.6", "0x1", "0x10000") SYNC("4.0")
			CLEAR("4.1")
				SEND("4.2") "2@5.0:migration_completion_vm_stop ret 0\n" SYNC("5.1")
					CLEAR("5.2") SEND("5.3");

static void
replay_recorded(const char *log, enum qemu_era era, struct precopy_replay **p, struct recording *r)
{
	struct error err;

	import_good("qemu", log, r);
	*p = precopy_replay_create(r, era, &err);
	if (!*p)
		fail_msg("%s", err.text);
}

static void
recorded_order(void **state)
{
	for (int era = 0; era < QEMU_ERAS; era++) {
		struct precopy_replay *p;
		struct recording r;
		uint64_t writes, pages;

		replay_recorded(one_page, (enum qemu_era)era, &p, &r);
		precopy_replay_tracked(p, &writes, &pages);
		assert_int_equal(pages, 1);
		/* The second pass's page was written in the first; the third's slot was new. */
		assert_int_equal(writes, 2);
		precopy_replay_destroy(p);
		recording_free(&r);
	}
}

static void
refuse(const char *log, const char *why)
{
	struct precopy_replay *p;
	struct recording r;
	struct error err;

	import_good("qemu", log, &r);
	p = precopy_replay_create(&r, QEMU_2_3, &err);
	assert_null(p);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" has no \"%s\"", err.text, why);
	recording_free(&r);
}

static void
nothing_to_explore(void **state)
{
	refuse("1@1.0:virtqueue_flush vq 0x1 count 1\n", "no line tells of a memory slot");
	refuse(SLOT("1", "1.0", "0x0", "0x10000") SYNC("2.1"), "no line tells of a second sync");
	refuse(SLOT("1", "1.0", "0x0", "0x10000") SYNC("2.1") SYNC("3.0"),
	       "no page was sent again");
	refuse("1@1.0:kvm_set_user_memory Slot#0 flags=0x0 gpa=0x0 size=0xffffffffffffffff "
	       "ua=0x100000 ret=0\n" SYNC("2.1") SYNC("3.0"),
	       "log:1: ");
	refuse("1@1.0:kvm_set_user_memory Slot#900 flags=0x0 gpa=0x0 size=0x1000 "
	       "ua=0x100000 ret=0\n" SYNC("2.1") SYNC("3.0"),
	       "log:1: slot 900");
	refuse("kvm_set_user_memory Slot#0 flags=0x0 gpa=0x0 size=0x1000 ua=0x100000 ret=0\n"
	       "migration_bitmap_sync_end dirty_pages 1\nmigration_bitmap_sync_end dirty_pages 1\n",
	       "no time stamps");
}

/* The recording with bytes changed: a plan or an error, and nothing else. */
static void
damaged(void **state)
{
	static char text[sizeof(one_page)];
	unsigned planned = 0;
	struct prng p;

	prng_seed(&p, 11);
	for (int round = 0; round < 3000; round++) {
		struct precopy_plan plan = { NULL };
		struct recording r;
		struct error err;

		memcpy(text, one_page, sizeof(one_page));
		for (unsigned k = prng_below(&p, 3); k < 3; k++)
			text[prng_below(&p, sizeof(one_page) - 1)] =
				"0123456789abcdefx "[prng_below(&p, 18)];
		if (import_as("qemu", text, sizeof(one_page) - 1, &r, &err))
			continue;
		if (!precopy_plan_make(&plan, &r, &err))
			planned++;
		precopy_plan_free(&plan);
		recording_free(&r);
	}
	assert_true(planned > 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_of_the_recording),
		cmocka_unit_test(recorded_order),
		cmocka_unit_test(nothing_to_explore),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
