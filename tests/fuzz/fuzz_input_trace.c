/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged recordings of machines: imported, replayed against the models, merged with their
 * neighbour, and, where a migration is in them, replayed under an era of QEMU.
 */
#include "engine/world.h"
#include "fuzz_input.h"
#include "trace/merge.h"
#include "trace/replay_machine.h"
#include "trace/replay_precopy.h"
#include "trace/trace.h"

static const char *const words[] = { "29710@1795167931.504988:",
				     "kvm_set_user_memory Slot#0 flags=0x1 gpa=0x0 size=",
				     "kvm_clear_dirty_log slot#",
				     "virtqueue_pop vq 0x7f elem 0x5 in_num 2 out_num 1",
				     "virtio_set_status vdev 0x55ade2fd6ea0 val ",
				     "migration_bitmap_sync_end dirty_pages 0",
				     "migration_completion_vm_stop ret 0",
				     " [001] ..... 2623.713972: ",
				     "kvm_mmio: mmio write len 1 gpa 0xfebf8014 val 0x",
				     "0xffffffffffffffff",
				     "18446744073709551615",
				     "-1",
				     "0x",
				     "\n",
				     "\r\n",
				     "(nil)",
				     "\x1b[31m" };
static struct input examples[3];

static void
look(struct fuzz *f, const struct recording *r, FILE *null)
{
	fuzz_check(f, r->count + r->lines_skipped <= r->lines);
	trace_print_import(r, null);
	for (size_t i = 0; i < r->count; i++) {
		fuzz_check(f, r->record[i].thread < r->threads);
		fuzz_check(f, r->record[i].line && r->record[i].line <= r->lines);
		recording_print(r, &r->record[i], null);
	}
}

static void
replay_machine(struct fuzz *f, const struct recording *r, FILE *null)
{
	struct error err = { "" };
	struct machine_replay *p = machine_replay_create(r, &err);

	if (!p || machine_replay_run(p, &err)) {
		input_check_error(f, &err);
	} else {
		machine_replay_report(p, null);
		fuzz_check(f, machine_replay_disagreements(p)->count <= 4 * r->count + 1000);
	}
	machine_replay_destroy(p);
}

static void
replay_precopy(struct fuzz *f, const struct recording *r, FILE *null)
{
	struct error err = { "" };
	struct precopy_replay *p =
		precopy_replay_create(r, (enum qemu_era)fuzz_below(f, QEMU_ERAS), &err);

	if (!p) {
		input_check_error(f, &err);
		return;
	}
	world_run(precopy_replay_world(p));
	fuzz_check(f, precopy_replay_result(p)->lost <= r->count);
	precopy_replay_report_order(p, null, 10);
	precopy_replay_destroy(p);
}

static void
merge(struct fuzz *f, const struct recording *r)
{
	struct recording other = { 0 }, both = { 0 };
	struct error err = { "" };
	struct alignment a;

	if (trace_open_text("other", examples[2].data, examples[2].size, NULL, &other, &err))
		fuzz_check(f, false);
	if (recording_merge(&both, &other, r, &a, &err))
		input_check_error(f, &err);
	else
		fuzz_check(f, both.count == r->count + other.count);
	recording_free(&both);
	recording_free(&other);
}

static void
round_one(struct fuzz *f)
{
	static const char *const format[] = { NULL, "qemu", "ftrace", "simpletrace" };
	FILE *null = fopen("/dev/null", "w");
	struct recording r = { 0 };
	struct error err = { "" };
	struct input in;

	fuzz_check(f, null);
	input_watch(f);
	in = input_damage(f, examples, 3, INPUT_WORDS(words));
	if (trace_open_text("damaged", in.data, in.size, format[fuzz_below(f, 8) / 2 % 4], &r,
			    &err)) {
		input_check_error(f, &err);
		fuzz_check(f, !r.count && !r.record);
	} else {
		look(f, &r, null);
		replay_machine(f, &r, null);
		replay_precopy(f, &r, null);
		if (!fuzz_below(f, 16))
			merge(f, &r);
	}
	recording_free(&r);
	free(in.data);
	fclose(null);
}

/* The first @bytes of a file, to the end of a line. */
static struct input
head_of(const char *path, size_t bytes)
{
	struct input in = input_read(path);

	if (in.size > bytes)
		in.size = bytes;
	while (in.size && in.data[in.size - 1] != '\n')
		in.size--;
	return in;
}

int
main(int argc, char **argv)
{
	examples[0] = input_read("traces/qemu-migrate-kvm-firmware.src.log");
	examples[1] = head_of("traces/qemu-kvm-firmware-pc.log", 16000);
	examples[2] = input_read("traces/kvm-firmware.qemu.log");
	return fuzz_main(argc, argv, "input_trace", 20000, round_one);
}
