/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The importer of QEMU's -trace in text, and definitions of events. */
#include "trace_import.h"

#include <unistd.h>

#include "trace/event_defs.h"

#define MIGRATION "traces/qemu-migrate-kvm-firmware.src.log"
#define SPLIT "traces/qemu-linux61-split-blk-net.log"

static const char sample[] =
	"25621@1795169534.094499:virtio_queue_notify vdev 0x55ade2fd6ea0 n 0 vq 0x7f02710d8010\n"
	"25621@1795169534.094548:virtqueue_pop vq 0x7f02710d8010 elem 0x55ade235aec0 in_num 2 "
	"out_num 1\n"
	"25623@1795169534.5:kvm_set_user_memory Slot#4 flags=0x1 gpa=0xf0000 size=0x10000 "
	"ua=0x7f025bef0000 ret=-22\n"
	"25623@1795169534.6:migrate_set_state new state setup\n"
	"25623@1795169534.7:ram_save_page pc.ram: offset: 0x6000 host: 0x7fe7c3e06000\n"
	"25621@1795169534.8:savevm_state_header \n";

static void
names_and_threads(void **state)
{
	struct recording r;

	import_good(NULL, sample, &r);
	assert_string_equal(r.format, "qemu");
	assert_int_equal(r.count, 6);
	assert_false(r.timeless);
	record_is(&r, 0, "1795169534.094499000 25621 kick vdev=vdev0 n=0 vq=vq0");
	record_is(&r, 1, "1795169534.094548000 25621 pop vq=vq0 elem=elem0 in=2 out=1");
	record_is(&r, 2,
		  "1795169534.500000000 25623 memslot_update slot=4 flags=0x1 gpa=0xf0000 "
		  "size=0x10000 ret=-22");
	record_is(&r, 3, "1795169534.600000000 25623 migrate_state state=setup");
	record_is(&r, 4, "1795169534.700000000 25623 page_sent block=pc.ram offset=0x6000");
	record_is(&r, 5, "1795169534.800000000 25621 migrate_step step=savevm_state_header");
	assert_int_equal(r.threads, 2);
	assert_int_equal(recording_names_of(&r, "vq"), 1);
	recording_free(&r);
}

static void
no_time_stamps(void **state)
{
	struct recording r;

	import_good(NULL,
		    "qemu-system-x86_64: warning: nobody knows this line\n"
		    "virtqueue_pop vq 0x1010 elem 0x2000 in_num 2 out_num 1\r\n"
		    "virtqueue_pop vq 0x1020 elem 0x3000 in_num 2 out_num 1\n"
		    "virtio_notify vdev (nil) vq 0x1010\n",
		    &r);
	assert_true(r.timeless);
	assert_int_equal(r.lines_skipped, 1);
	record_is(&r, 0, "#2 qemu pop vq=vq0 elem=elem0 in=2 out=1");
	record_is(&r, 1, "#3 qemu pop vq=vq1 elem=elem1 in=2 out=1");
	record_is(&r, 2, "#4 qemu interrupt vdev=vdev0 vq=vq0");
	recording_free(&r);
	/* One stamp is enough; what has none is estimated. */
	import_good(NULL,
		    "virtqueue_flush vq 0x1010 count 1\n"
		    "7@10.5:virtqueue_flush vq 0x1010 count 2\n"
		    "virtqueue_flush vq 0x1010 count 3\n",
		    &r);
	assert_false(r.timeless);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(r.record[i].time_ns, 10500000000);
		assert_int_equal(r.record[i].estimated, i != 1);
	}
	recording_free(&r);
}

/* Newer versions print the address space apart. */
static void
shapes_of_versions(void **state)
{
	struct recording r;

	import_good("qemu",
		    "1@1.0:kvm_set_user_memory AddrSpace#1 Slot#3 flags=0x0 gpa=0x0 size=0x1000 "
		    "ua=0x7f ret=0\n"
		    "1@1.0:kvm_set_user_memory AddrSpace#0 Slot#3 flags=0x0 gpa=0x0 size=0x1000 "
		    "ua=0x7f guest_memfd=-1 guest_memfd_offset=0x0 ret=0\n",
		    &r);
	assert_int_equal(r.record[0].arg[0], 1 << 16 | 3);
	assert_int_equal(r.record[1].arg[0], 3);
	recording_free(&r);
}

static void
damaged_lines(void **state)
{
	import_refused(NULL, "1@1.0:virtqueue_pop vq 0x10 elem 0x20 in_num two out_num 1\n",
		       "log:1:46: damaged line");
	import_refused(
		NULL, "1@1.0:virtqueue_pop vq 0x10\n",
		"log:1:28: damaged line: not the arguments that this event has: vq %p elem %p "
		"in_num %d out_num %d");
	import_refused(NULL, "\n1@1.0:virtqueue_flush vq 0x10 count 1 and more\n", "log:2:39: ");
	import_refused(NULL, "1@1.0:virtqueue_flush vq 0x10 count 99999999999999999999\n",
		       "log:1:");
	import_refused(NULL, "1@1.0:virtqueue_flush vq 0x12345678901234567 count 1\n", "log:1:");
	import_refused("qemu", "1@1.0:virtqueue_flush", "log:1:22: damaged line: cut off");
	cut_anywhere("qemu", sample);
	assert_true(bytes_changed("qemu", sample, sizeof(sample) - 1, 4000) > 1000);
}

static void
random_bytes(void **state)
{
	static const char alphabet[] = "0123456789@.: x\n\r\0virtqueue_pop vq elem %in_num";
	static char text[4096];
	struct recording r;
	struct error err;
	struct prng p;

	prng_seed(&p, 9);
	for (int round = 0; round < 300; round++) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = alphabet[prng_below(&p, sizeof(alphabet))];
		if (!import_as("qemu", text, sizeof(text), &r, &err))
			assert_true(r.count + r.lines_skipped == r.lines);
		recording_free(&r);
	}
}

static void
recordings(void **state)
{
	struct recording r = { 0 };
	struct error err;

	assert_int_equal(trace_open(MIGRATION, NULL, &r, &err), 0);
	assert_int_equal(r.lines, 329);
	assert_int_equal(r.count, 329);
	assert_int_equal(recording_count(&r, RECORD_MEMSLOT_UPDATE), 25);
	assert_int_equal(recording_count(&r, RECORD_PAGE_SENT), 182);
	assert_int_equal(r.threads, 3);
	recording_free(&r);
	assert_int_equal(trace_open(SPLIT, NULL, &r, &err), 0);
	assert_int_equal(r.count, 10611);
	assert_int_equal(recording_count(&r, RECORD_POP), 1180);
	assert_int_equal(recording_names_of(&r, "vdev"), 3);
	recording_free(&r);
}

/* --- definitions --------------------------------------------------------------------------------
 */

static int
define(struct recording *r, const char *text, struct error *err)
{
	struct event_defs *d = event_defs_create(r);
	int ret = event_defs_add(d, "defs", text, strlen(text), err);

	event_defs_destroy(d);
	return ret;
}

static void
bad_definitions(void **state)
{
	static const char *const bad[][2] = {
		{ "(int a) \"%d\"", "defs:1:1: " },
		{ "\nx \"%d\"", "defs:2:3: " },
		{ "x(int a \"%d\"", "the list of arguments does not end" },
		{ "x(int) \"%d\"", "a type and a name" },
		{ "x(int a) %d", "must have a format in quotes" },
		{ "x(int a) \"%d", "does not end" },
		{ "x(int a) \"%d %d\" => flush a", "a conversion for each argument" },
		{ "x(double a) \"%f\" => flush a", "none of d i u x p s c" },
		{ "x(int a) \"%d\" LIMIT", "not a format" },
		{ "x(int a) \"%d\" => no_such a", "no kind of record of that name" },
		{ "x(int a) \"%d\" => flush b", "no argument of that name" },
		{ "x(int a) \"%d\" => migrate_state a", "a text and a number" },
		{ "x(int a) \"%d\" => dirty_log_clear a a a a", "more arguments than" },
	};
	struct recording r = { 0 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(define(&r, bad[i][0], &err), -1);
		if (!strstr(err.text, bad[i][1]))
			fail_msg("\"%s\" has no \"%s\"", err.text, bad[i][1]);
		recording_free(&r);
	}
}

/* A definitions file: another event as its own kind, a mapped one, a known one in another shape. */
static void
users_events(void **state)
{
	static const char defs[] =
		"# comment\n"
		"vcpu guest_cpu_enter(void)\n"
		"mode(int a) \"%o\"\n"
		"disable vhost_set_vring_call(void *dev, unsigned index, int fd, const char *who) "
		"\"dev: %p index: %u fd: %d by %s\"\n"
		"my_pop(void *queue, void *e) \"%p -> %p\" => pop queue e 1 0\n"
		"virtqueue_flush(void *vq, unsigned int count, int extra) "
		"\"queue %p: %\" PRIu32 \" of %d\"\n";
	static const char log[] = "1@1.0:vhost_set_vring_call dev: 0x10 index: 3 fd: -1 by me too\n"
				  "1@1.0:mode 755\n"
				  "1@1.1:my_pop 0x20 -> 0x30\n"
				  "1@1.2:virtqueue_flush queue 0x20: 4 of 9\n"
				  "1@1.3:virtqueue_flush vq 0x20 count 5\n";
	char path[] = "trace-events-XXXXXX";
	struct trace_options o = { .events = path };
	struct recording r = { 0 };
	struct error err = { "" };
	int fd = mkstemp(path), ret;

	assert_int_equal(write(fd, defs, sizeof(defs) - 1), sizeof(defs) - 1);
	close(fd);
	ret = trace_open_text_with("log", log, sizeof(log) - 1, &o, &r, &err);
	unlink(path);
	if (ret)
		fail_msg("%s", err.text);
	record_is(&r, 0, "1.000000000 1 vhost_set_vring_call dev=dev0 index=3 fd=-1 who=me too");
	record_is(&r, 1, "1.100000000 1 pop vq=vq0 elem=elem0 in=1 out=0");
	record_is(&r, 2, "1.200000000 1 flush vq=vq0 count=4");
	record_is(&r, 3, "1.300000000 1 flush vq=vq0 count=5");
	recording_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_threads),  cmocka_unit_test(no_time_stamps),
		cmocka_unit_test(shapes_of_versions), cmocka_unit_test(damaged_lines),
		cmocka_unit_test(random_bytes),	      cmocka_unit_test(recordings),
		cmocka_unit_test(bad_definitions),    cmocka_unit_test(users_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
