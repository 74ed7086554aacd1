/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings of machines replayed against the models: what is caught, and what is not held against
 * them. */
#include "trace_import.h"

#include "engine/world.h"
#include "trace/replay_machine.h"

#define READY \
	"1@1.0:virtio_set_status vdev 0xd0 val 0\n" \
	"1@1.0:virtio_set_status vdev 0xd0 val 3\n" \
	"1@1.0:virtio_set_status vdev 0xd0 val 11\n" \
	"1@1.0:virtio_set_status vdev 0xd0 val 15\n"
#define KICK "1@1.1:virtio_queue_notify vdev 0xd0 n 0 vq 0x10\n"
#define POP(elem) "2@1.2:virtqueue_pop vq 0x10 elem " elem " in_num 1 out_num 1\n"
#define FILL(elem) "2@1.3:virtqueue_fill vq 0x10 elem " elem " len 1 idx 0\n"
#define FLUSH "2@1.3:virtqueue_flush vq 0x10 count 1\n"
#define NOTIFY "2@1.4:virtio_notify_irqfd vdev 0xd0 vq 0x10\n"

struct replay {
	struct recording recording;
	struct machine_replay *p;
};

static void
replay_run_all(struct replay *t)
{
	struct error err;

	t->p = machine_replay_create(&t->recording, &err);
	if (!t->p || machine_replay_run(t->p, &err))
		fail_msg("%s", err.text);
}

static void
replay_end(struct replay *t)
{
	machine_replay_destroy(t->p);
	recording_free(&t->recording);
}

/* A log must be replayed without a disagreement. */
static void
agrees(const char *log)
{
	struct replay t = { .p = NULL };
	const struct disagreements *d;

	import_good("qemu", log, &t.recording);
	replay_run_all(&t);
	d = machine_replay_disagreements(t.p);
	if (d->count)
		fail_msg("line %d: %s", (int)d->item[0].line, d->item[0].message);
	assert_int_equal(machine_replay_verdict(t.p), VERDICT_OK);
	replay_end(&t);
}

/* The first disagreement must be in that line, of that subject, and say so. */
static void
disagrees(const char *log, unsigned line, const char *subject, const char *what)
{
	struct replay t = { .p = NULL };
	const struct disagreements *d;

	import_good("qemu", log, &t.recording);
	replay_run_all(&t);
	d = machine_replay_disagreements(t.p);
	if (!d->count)
		fail_msg("nothing found: %s", what);
	if (d->item[0].line != line || strcmp(d->item[0].subject, subject) ||
	    !strstr(d->item[0].message, what))
		fail_msg("line %d: %s: %s", (int)d->item[0].line, d->item[0].subject,
			 d->item[0].message);
	assert_int_not_equal(machine_replay_verdict(t.p), VERDICT_OK);
	replay_end(&t);
}

static void
queues(void **state)
{
	agrees(READY KICK POP("0x1") FILL("0x1") FLUSH NOTIFY POP("0x1") FILL("0x1") FLUSH NOTIFY);
	disagrees(READY POP("0x1") KICK, 5, "vq0", "a pop that has no available buffer");
	/* A reset takes the buffers away. */
	disagrees(READY KICK POP("0x1") FILL("0x1") FLUSH READY POP("0x1"), 13, "vq0",
		  "a pop that has no available buffer: nothing was announced since the reset");
	disagrees("1@1.0:virtio_set_status vdev 0xd0 val 3\n" KICK, 2, "vq0",
		  "a kick while the status is 3");
	disagrees(READY KICK "1@1.2:virtio_set_status vdev 0xd0 val 0\n" POP("0x1"), 7, "vq0",
		  "a pop while the status is 0");
	/* Kicks that are not traced are not missed. */
	agrees(READY POP("0x1") FILL("0x1") FLUSH);
	disagrees(READY KICK POP("0x1") FILL("0x2") FLUSH, 7, "elem1", "was never popped");
	disagrees(READY KICK POP("0x1") FILL("0x1") FILL("0x1"), 8, "elem0", "was never popped");
	disagrees(READY KICK POP("0x1") "2@1.3:virtqueue_fill vq 0x20 elem 0x1 len 1 idx 0\n", 7,
		  "elem0", "of an element popped from vq0");
	disagrees(READY KICK POP("0x1") FLUSH, 7, "vq0", "1 elements published, 0 were filled in");
	disagrees(READY KICK POP("0x1") POP("0x2") FILL("0x1") FLUSH FILL("0x2"), 10, "vq0",
		  "1 elements were filled in and never published");
	/* QEMU may give an element back and take it again. */
	agrees(READY KICK POP("0x1") POP("0x1") FILL("0x1") FLUSH);
}

static void
resets(void **state)
{
	/* What is in flight may finish while the device resets, and not after. */
	agrees(READY KICK POP("0x1") "1@1.3:virtio_set_status vdev 0xd0 val 0\n" FILL("0x1"));
	disagrees(READY KICK POP("0x1") READY FILL("0x1"), 11, "elem0", "popped before the reset");
	disagrees(READY "1@1.3:virtio_set_status vdev 0xd0 val 11\n", 5, "vdev0",
		  "status goes from 15 to 11");
	disagrees("1@1.0:virtio_set_status vdev 0xd0 val 0\n"
		  "1@1.0:virtio_set_status vdev 0xd0 val 4\n",
		  2, "vdev0", "DRIVER_OK without DRIVER");
	disagrees("1@1.0:virtio_set_status vdev 0xd0 val 3\n" NOTIFY, 2, "vq0",
		  "an interrupt while the status is 3");
}

#define LATE \
	"2@1.9:virtqueue_pop vq 0x10 elem 0x3 in_num 1 out_num 1\n" \
	"2@2.0:virtqueue_fill vq 0x10 elem 0x3 len 1 idx 0\n" \
	"2@2.0:virtqueue_flush vq 0x10 count 1\n"

static void
completions_announced(void **state)
{
	/* Used long after the last interrupt, and nothing is ever heard again. */
	disagrees(READY KICK POP("0x1") FILL("0x1") FLUSH NOTIFY KICK LATE, 12, "vq0",
		  "a completion that was never announced, 600 ms after");
	/* With an interrupt, a driver that goes on, or one that never asked: nothing. */
	agrees(READY KICK POP("0x1") FILL("0x1") FLUSH NOTIFY KICK LATE
	       "2@2.1:virtio_notify vdev 0xd0 vq 0x10\n");
	agrees(READY KICK POP("0x1") FILL("0x1") FLUSH NOTIFY KICK LATE
	       "1@2.1:virtio_queue_notify vdev 0xd0 n 0 vq 0x10\n");
	agrees(READY KICK POP("0x1") FILL("0x1") FLUSH KICK LATE);
	/* The driver's handler still runs. */
	agrees(READY KICK POP("0x1") FILL("0x1") FLUSH NOTIFY
	       "2@1.401:virtqueue_pop vq 0x10 elem 0x3 in_num 1 out_num 1\n"
	       "2@1.402:virtqueue_fill vq 0x10 elem 0x3 len 1 idx 0\n"
	       "2@1.402:virtqueue_flush vq 0x10 count 1\n");
}

#define SLOT(id, flags, gpa, size) \
	"1@1.0:kvm_set_user_memory Slot#" id " flags=" flags " gpa=" gpa " size=" size \
	" ua=0x7f0000000000 ret=0\n"
#define PIO(assign) \
	"1@1.0:kvm_set_ioeventfd_pio fd: 11 @0xc010 val=0x0 assign: " assign " size: 2 match: 1\n"

static void
memory(void **state)
{
	agrees(SLOT("0", "0x1", "0x0",
		    "0x100000") "1@1.0:kvm_clear_dirty_log slot#0 start 0x0 size "
				"0x100\n" SLOT("0", "0x0", "0x0", "0x0"));
	disagrees(SLOT("0", "0x0", "0x0", "0x0"), 1, "slot 0",
		  "a deletion of no slot answers -22 in the model and 0 in the recording");
	disagrees(SLOT("0", "0x0", "0x0", "0x2000") SLOT("1", "0x0", "0x1000", "0x2000"), 2,
		  "slot 1", "answers -17");
	/* The recorded kernel refused, and so does the model. */
	agrees(SLOT("0", "0x0", "0x0",
		    "0x2000") "1@1.0:kvm_set_user_memory Slot#1 flags=0x0 gpa=0x1000 size=0x2000 "
			      "ua=0x7f0000000000 ret=-17\n");
	disagrees("1@1.0:kvm_clear_dirty_log slot#3 start 0x0 size 0x40\n", 1, "slot 3",
		  "of a slot that does not exist");
	disagrees(SLOT("3", "0x0", "0x0",
		       "0x100000") "1@1.0:kvm_clear_dirty_log slot#3 start 0x0 size 0x40\n",
		  2, "slot 3", "the slot does not log");
	disagrees(SLOT("3", "0x1", "0x0",
		       "0x100000") "1@1.0:kvm_clear_dirty_log slot#3 start 0x1 size 0x40\n",
		  2, "slot 3", "refused by the model: -22");
	agrees(PIO("1") PIO("0") PIO("1"));
	disagrees(PIO("1") PIO("0") PIO("0"), 3, "pio 0xc010",
		  "an ioeventfd is removed that was never assigned");
	disagrees(PIO("1") PIO("1"), 2, "pio 0xc010", "there is one");
}

static void
migration(void **state)
{
	agrees("1@1.0:migrate_set_state new state setup\n1@1.0:migration_bitmap_sync_start \n"
	       "1@1.0:migration_bitmap_sync_end dirty_pages 0\n"
	       "1@1.5:ram_save_page pc.ram: offset: 0x0 host: 0x7f00\n"
	       "1@2.0:migration_completion_vm_stop ret 0\n"
	       "1@2.2:migrate_set_state new state completed\n");
	disagrees("1@1.5:ram_save_page pc.ram: offset: 0x0 host: 0x7f00\n", 1, "migration",
		  "before the first sync");
	disagrees("1@1.5:ram_save_pages pc.ram: offset: 0x0 pages: 3 us: 5\n", 1, "migration",
		  "before the first sync");
	disagrees("1@1.0:migration_bitmap_sync_end dirty_pages 0\n", 1, "migration",
		  "did not begin");
	disagrees("1@1.0:migration_bitmap_sync_start \n1@1.0:migration_bitmap_sync_start \n", 2,
		  "migration", "within another");
	disagrees("1@1.0:migrate_set_state new state setup\n"
		  "1@2.2:migrate_set_state new state completed\n",
		  2, "migration", "never stopped");
}

static void
get_figure(void *context, const char *name, int64_t value, const char *unit)
{
	int64_t *figure = context;
	static const char *const wanted[] = { "memslot_updates",
					      "ioeventfd_assigned",
					      "ioeventfd_removed",
					      "status_writes",
					      "kicks",
					      "pops",
					      "completions",
					      "interrupts",
					      "dirty_log_clears",
					      "bitmap_syncs",
					      "pages_sent",
					      "lines_read",
					      "lines_skipped",
					      "disagreements",
					      "downtime_ns" };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strcmp(wanted[i], name))
			figure[i] = value;
}

static void
recordings(void **state)
{
	static const struct {
		const char *path;
		int64_t figure[15];
	} want[] = {
		{ "traces/qemu-migrate-kvm-firmware.src.log",
		  { 25, 7, 7, 4, 0, 0, 0, 0, 38, 4, 182, 329, 0, 0, 1728000 } },
		{ "traces/qemu-kvm-firmware-pc.log",
		  { 37, 13, 13, 17, 264, 263, 263, 0, 0, 0, 0, 1411, 0, 0, 0 } },
		{ "traces/kvm-firmware.qemu.log",
		  { 30, 9, 9, 13, 2, 1, 1, 0, 0, 0, 0, 72, 0, 0, 0 } },
		{ "traces/qemu-migrate-tcg-linux.src.log",
		  { 0, 0, 0, 19, 0, 0, 0, 0, 0, 4, 28351, 28464, 0, 0, 30763000 } },
		/* Linux's balloon driver makes its queue of statistics available too early. */
		{ "traces/qemu-linux61-split-blk-net.log",
		  { 0, 0, 0, 73, 1182, 1180, 1179, 1170, 0, 0, 0, 10611, 0, 2, 0 } },
		{ "traces/qemu-linux61-packed-blk-net.log",
		  { 0, 0, 0, 73, 1179, 1178, 1177, 1167, 0, 0, 0, 9421, 0, 2, 0 } },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct replay t = { .p = NULL };
		int64_t figure[15] = { 0 };
		struct error err;

		if (trace_open(want[i].path, NULL, &t.recording, &err))
			fail_msg("%s", err.text);
		replay_run_all(&t);
		machine_replay_each(t.p, get_figure, figure);
		for (int k = 0; k < 15; k++)
			if (figure[k] != want[i].figure[k])
				fail_msg("%s: figure %d is %d", want[i].path, k, (int)figure[k]);
		replay_end(&t);
	}
}

/* A recording with one line taken out is one with a hole: which lines are missed? */
static void
lines_missed(void **state)
{
	static char text[200000];
	FILE *from = fopen("traces/qemu-kvm-firmware-pc.log", "rb");
	size_t size, at = 0, end;
	unsigned found[3] = { 0 }, tried[3] = { 0 };

	assert_non_null(from);
	size = fread(text, 1, sizeof(text), from);
	fclose(from);
	for (unsigned line = 1; at < size; line++, at = end) {
		static char without[200000];
		struct replay t = { .p = NULL };
		struct error err;
		const char *begin = text + at;
		int kind;

		end = at + strcspn(begin, "\n") + 1;
		kind = memmem(begin, end - at, "virtqueue_pop", 13)    ? 0
		       : memmem(begin, end - at, "virtqueue_fill", 14) ? 1
		       : memmem(begin, end - at, "ioeventfd", 9)       ? 2
								       : -1;
		if (kind < 0 || (kind < 2 && line % 7))
			continue;
		memcpy(without, text, at);
		memcpy(without + at, text + end, size - end);
		if (trace_open_text("log", without, size - (end - at), NULL, &t.recording, &err))
			fail_msg("%s", err.text);
		replay_run_all(&t);
		tried[kind]++;
		found[kind] += machine_replay_verdict(t.p) != VERDICT_OK;
		replay_end(&t);
	}
	for (int k = 0; k < 2; k++)
		assert_true(tried[k] > 10 && found[k] == tried[k]);
	assert_true(tried[2] == 26 && found[2] >= 13); /* an assignment is missed when removed */
}

static void
nothing(void **state)
{
	struct recording r;
	struct error err;

	import_good("qemu", "hello\n", &r);
	assert_null(machine_replay_create(&r, &err));
	assert_non_null(strstr(err.text, "log: nothing to replay"));
	recording_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues),
		cmocka_unit_test(resets),
		cmocka_unit_test(completions_announced),
		cmocka_unit_test(memory),
		cmocka_unit_test(migration),
		cmocka_unit_test(recordings),
		cmocka_unit_test(lines_missed),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
