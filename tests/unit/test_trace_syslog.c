/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The syslog importer: the 2015 recording, times, and input that is damaged or hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "trace/trace.h"
#include "trace_util.h"

#define RECORDING "traces/colo-memslot-2015.syslog"
#define KERNEL "Mar 31 18:32:53 master kernel: [15908.524721] "
#define QEMU "Mar 31 18:33:02 master qemu-system-x86_64: "

static int
import(const char *text, size_t size, struct recording *r, struct error *err)
{
	*r = (struct recording){ 0 };
	err->text[0] = '\0';
	return trace_open_text("log", text, size, "syslog", r, err);
}

static void
the_2015_recording(void **state)
{
	struct recording r = { 0 };
	struct error err;

	assert_int_equal(trace_open(RECORDING, NULL, &r, &err), 0);
	assert_string_equal(r.format, "syslog");
	assert_int_equal(r.lines, 57);
	assert_int_equal(r.lines_skipped, 10);
	assert_int_equal(r.count, 47);
	assert_int_equal(r.times_backwards, 0);
	assert_int_equal(recording_count(&r, RECORD_PAGE_DIRTY), 18);
	assert_int_equal(recording_count(&r, RECORD_BITMAP_DESTROYED), 24);
	assert_int_equal(recording_count(&r, RECORD_MIGRATION_SYNC), 1);
	assert_int_equal(recording_count(&r, RECORD_CHECKPOINT), 1);
	assert_int_equal(recording_count(&r, RECORD_BIT_SEEN), 3);
	assert_int_equal(r.threads, 2);

	/* Line 2. */
	assert_int_equal(r.record[1].kind, RECORD_PAGE_DIRTY);
	assert_int_equal(r.record[1].line, 2);
	assert_int_equal(r.record[1].time_ns, INT64_C(15908657853000));
	assert_int_equal(r.record[1].arg[0], 0xcc);
	assert_int_equal(r.record[1].arg[1], 2);
	assert_int_equal(r.record[1].arg[2], 0xc0);
	assert_int_equal(r.record[1].arg[3], 524096);
	assert_false(r.record[1].estimated);
	/* The first look at a bit: nine wall seconds after the kernel's last line. */
	assert_int_equal(r.record[35].kind, RECORD_BIT_SEEN);
	assert_int_equal(r.record[35].arg[0], 0xca);
	assert_int_equal(r.record[35].arg[1], 0);
	assert_true(r.record[35].estimated);
	assert_int_equal(r.record[35].time_ns, INT64_C(15918107354000));
	recording_free(&r);
	assert_null(r.record);
}

static void
times_between_neighbours(void **state)
{
	static const char text[] =
		/* Before the first kernel line: counted back from it, across the year's end. */
		"Dec 31 23:59:59 h qemu[12]: == migration_bitmap_sync ==\n"
		"Jan  1 00:00:01 h kernel: [   50.250000] eth0: up\n"
		/* Five wall seconds on, but the kernel speaks again after three. */
		"Jan  1 00:00:06 h qemu[12]: == migration_bitmap_sync ==\n"
		"Jan  1 00:00:06 h kernel: [   53.5][  T77] eth0: down\n"
		/* A wall clock that was set back does not take us back. */
		"Jan  1 00:00:02 h qemu[12]: == migration_bitmap_sync ==\n"
		"[   60.000000001] "
		"memslot dirty bitmap of '1' was destroyed, base_gfn 0x1, npages 2\n"
		"[    1.000000] "
		"memslot dirty bitmap of '1' was destroyed, base_gfn 0x1, npages 2\n";
	static const int64_t want[] = { 48250000000, 53500000000, 53500000000, 60000000001,
					1000000000 };
	struct recording r;
	struct error err;

	assert_int_equal(import(text, sizeof(text) - 1, &r, &err), 0);
	assert_int_equal(r.count, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(r.record[i].time_ns, want[i]);
		assert_int_equal(r.record[i].estimated, i < 3);
	}
	assert_int_equal(r.times_backwards, 1);
	assert_int_equal(r.lines_skipped, 2);
	assert_string_equal(r.thread[0], "qemu[12]");
	assert_string_equal(r.thread[1], "kernel");
	recording_free(&r);
}

static void
no_kernel_clock(void **state)
{
	static const char text[] = "Feb 29 01:00:00 h kernel: "
				   "+++ gfn=0x5 is marked dirty, id=0, base_gfn=0x0, npages=9\n"
				   "Feb 29 01:00:07 h qemu: == migration_bitmap_sync ==\r\n";
	struct recording r;
	struct error err;

	assert_int_equal(import(text, sizeof(text) - 1, &r, &err), 0);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.record[0].time_ns, 0);
	assert_int_equal(r.record[1].time_ns, 7000000000);
	assert_true(r.record[0].estimated);
	recording_free(&r);
}

static void
refused(const char *text, const char *where)
{
	struct recording r;
	struct error err;

	if (!import(text, strlen(text), &r, &err))
		fail_msg("taken: %s", text);
	assert_null(r.record);
	if (strncmp(err.text, where, strlen(where)))
		fail_msg("%s\n\tinstead of %s", err.text, where);
}

static void
damaged_lines(void **state)
{
	refused(KERNEL "memslot dirty bitmap of 'x' was destroyed, base_gfn 0x100, npages 1\n",
		"log:1:72: ");
	refused(KERNEL "memslot dirty bitmap of '-1' was destroyed, base_gfn 0x100, npages 1\n",
		"log:1:");
	refused(KERNEL "memslot dirty bitmap of '4' was destroyed, base_gfn 100, npages 1\n",
		"log:1:");
	refused(KERNEL "memslot dirty bitmap of '4' was destroyed, base_gfn 0x, npages 1\n",
		"log:1:");
	refused(KERNEL "memslot dirty bitmap of '4' was destroyed, base_gfn 0x100, npages 1x\n",
		"log:1:");
	refused(KERNEL "memslot dirty bitmap of '4' was\n", "log:1:");
	refused("\n\n" KERNEL "+++ gfn=0xcg is marked dirty, id=2, base_gfn=0xc0, npages=5\n",
		"log:3:");
	refused(KERNEL "+++ gfn=0xc is marked dirty, id=2, base_gfn=0xc0, npages=\n", "log:1:");
	refused(KERNEL
		"+++ gfn=0x8000000000000000 is marked dirty, id=2, base_gfn=0xc0, npages=1\n",
		"log:1:");
	refused(KERNEL
		"+++ gfn=0xc is marked dirty, id=9223372036854775808, base_gfn=0xc0, npages=1\n",
		"log:1:");
	refused(QEMU "====qemu: The first times do checkpoing===\n", "log:1:");
	refused(QEMU "== migration_bitmap_sync =\n", "log:1:");
	refused(QEMU "qemu:  --- addr=0xca000 (hva=?), who's bitmap not set ---\n", "log:1:");
	refused(QEMU "qemu:  --- addr=0xca001 (hva=0x1), who's bitmap not set ---\n", "log:1:");
	refused(QEMU "qemu: +++ OK, addr=0xca000 (hva=0x1), who's bitap is set +++\n", "log:1:");
	/* The message is whole but what stands before it is not: its time would be a guess. */
	refused("Mar 31 18:32:53 master kernel: [15908.5x4721] == migration_bitmap_sync ==\n",
		"log:1:");
	refused("Mbr 31 18:32:53 master qemu: == migration_bitmap_sync ==\n", "log:1:1: ");
	refused("Mar 32 18:32:53 master qemu: == migration_bitmap_sync ==\n", "log:1:");
	refused("Feb 30 18:32:53 master qemu: == migration_bitmap_sync ==\n", "log:1:");
	refused("Mar 31 25:32:53 master qemu: == migration_bitmap_sync ==\n", "log:1:");
	refused("== migration_bitmap_sync ==\n", "log:1:1: ");
}

/* Any cut through a log is noticed as soon as six characters of a message are there. */
static void
cut_anywhere(void **state)
{
	struct log l = { .size = 0 };
	struct recording r;
	struct error err;
	size_t lines = 0, message = 0;

	log_dirty(&l, 0x12, 3, 0x10, 16);
	log_seen(&l, 0x12, 0);
	log_sync(&l);
	log_destroyed(&l, 3, 0x10, 16);
	for (size_t cut = 1; cut <= l.size; cut++) {
		const char *last = &l.text[cut - 1];
		bool ended = *last == '\n';

		/* Where the message of the line that is cut begins: behind the second ": " or ] */
		if (cut > 4 && (!strncmp(last - 1, "] ", 2) || !strncmp(last - 3, "64: ", 4)))
			message = cut;
		if (ended) {
			lines++;
			message = 0;
		}

		bool whole = !message || l.text[cut] == '\n';
		bool number = message && *last >= '0' && *last <= '9';
		bool want = whole ? !number : cut < message + 6;
		int result = import(l.text, cut, &r, &err);

		if (result != (want ? 0 : -1))
			fail_msg("cut at %zu: %d %s", cut, result, err.text);
		if (!result)
			assert_int_equal(r.count, lines + (message && whole));
		recording_free(&r);
	}
	assert_int_equal(lines, 4);
}

static void
other_lines(void **state)
{
	/* Quoted, or alike, but not said by anybody: skipped. */
	static const char text[] =
		"Mar 31 18:33:02 master sudo: grep memslot dirty bitmap of '4' /var/log/messages\n"
		"Mar 31 18:33:02 master kernel: [drm] initialized\n"
		"Mar 31 18:33:02 master kernel: memslot 4\n"
		"\n"
		"-- Logs begin --\n"
		"=======\n" QEMU "====qemu: ready\n";
	struct recording r;
	struct error err;

	assert_int_equal(import(text, sizeof(text) - 1, &r, &err), 0);
	assert_int_equal(r.lines, 7);
	assert_int_equal(r.lines_skipped, 7);
	assert_int_equal(r.count, 0);
	recording_free(&r);
}

static void
hostile_bytes(void **state)
{
	size_t size = (1u << 20) + 200;
	char *text = malloc(size);
	struct recording r;
	struct error err;

	/* One line of a mebibyte, NUL bytes in it, then a good one without a newline at its end. */
	memset(text, '+', size);
	memset(text + 1000, 0, 1000);
	text[1u << 20] = '\n';
	memcpy(text + (1u << 20) + 1, QEMU "== migration_bitmap_sync ==", sizeof(QEMU) - 1 + 27);
	assert_int_equal(import(text, (1u << 20) + sizeof(QEMU) + 27, &r, &err), 0);
	assert_int_equal(r.lines, 2);
	assert_int_equal(r.count, 1);
	recording_free(&r);

	/* A NUL within a message is damage. */
	static const char nul[] = QEMU "== migration_bitmap_sync\0==\n";

	assert_int_equal(import(nul, sizeof(nul) - 1, &r, &err), -1);

	/* Whatever bytes come: an answer, and no more records than lines. */
	struct prng p;
	static const char alphabet[] = "+= 0x'[]:.,\n\r\0agfn=memslot dirty bitmap of 'QEMUar31";

	prng_seed(&p, 3);
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < 4096; i++)
			text[i] = alphabet[prng_below(&p, sizeof(alphabet))];
		if (!import(text, 4096, &r, &err))
			assert_true(r.count + r.lines_skipped == r.lines);
		recording_free(&r);
	}
	free(text);
}

/* Single bytes of the recording changed: an error that names a line, or a recording of 57 lines. */
static void
flipped_bytes(void **state)
{
	FILE *from = fopen(RECORDING, "rb");
	static char whole[8192], text[8192];
	struct recording r;
	struct error err;
	struct prng p;
	int errors = 0;

	assert_non_null(from);

	size_t size = fread(whole, 1, sizeof(whole), from);

	fclose(from);
	prng_seed(&p, 5);
	for (int round = 0; round < 3000; round++) {
		memcpy(text, whole, size);
		text[prng_below(&p, (uint32_t)size)] = (char)prng_below(&p, 256);
		if (import(text, size, &r, &err)) {
			errors++;
			assert_memory_equal(err.text, "log:", 4);
		}
		recording_free(&r);
	}
	assert_true(errors > 1000);
}

static void
formats(void **state)
{
	struct recording r = { 0 };
	struct error err;
	static const char lua[] = "return {\n\tname = \"x\",\n}\n";

	assert_int_equal(trace_open_text("a.lua", lua, sizeof(lua) - 1, NULL, &r, &err), -1);
	assert_non_null(strstr(err.text, "a.lua: "));
	assert_non_null(strstr(err.text, "'syslog'"));
	assert_int_equal(trace_open_text("empty", "", 0, NULL, &r, &err), -1);
	assert_string_equal(err.text, "empty: the file is empty");
	assert_int_equal(trace_open_text("empty", "", 0, "syslog", &r, &err), 0);
	assert_int_equal(r.lines, 0);
	recording_free(&r);
	assert_int_equal(trace_open(RECORDING, "strace", &r, &err), -1);
	assert_non_null(strstr(err.text, "'strace'"));
	assert_int_equal(trace_open("traces/no-such-file", NULL, &r, &err), -1);
	assert_non_null(strstr(err.text, "traces/no-such-file: "));
	assert_int_equal(trace_open("traces", NULL, &r, &err), -1);
	assert_null(r.record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_2015_recording),
		cmocka_unit_test(times_between_neighbours),
		cmocka_unit_test(no_kernel_clock),
		cmocka_unit_test(damaged_lines),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(other_lines),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(flipped_bytes),
		cmocka_unit_test(formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
