/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged recordings: imported, and replayed under an order of slot removal.  Whatever the
 * recording says, reading the log before a slot is deleted loses nothing.
 */
#include "engine/world.h"
#include "fuzz_input.h"
#include "trace/trace.h"

static const char *const words[] = { "Jan 29 18:48:23 ",
				     "kernel: [15908.524721] ",
				     "qemu-system-x86_64: ",
				     "\n",
				     "\r\n",
				     "gfn=0x",
				     "id=",
				     "base_gfn=",
				     "npages=",
				     "+++ ",
				     "memslot dirty bitmap of '",
				     "' was destroyed",
				     "0xfffffffffffff",
				     "[",
				     "]",
				     "-",
				     "\x1b[31m" };
static struct input examples[1];

static void
look(struct fuzz *f, const struct recording *r)
{
	FILE *null = fopen("/dev/null", "w");

	fuzz_check(f, null);
	fuzz_check(f, r->count + r->lines_skipped <= r->lines);
	trace_print_import(r, null);
	for (size_t i = 0; i < r->count; i++) {
		fuzz_check(f, r->record[i].kind < RECORD_KINDS && r->record[i].thread < r->threads);
		fuzz_check(f, r->record[i].line && r->record[i].line <= r->lines);
		recording_print(r, &r->record[i], null);
	}
	fclose(null);
}

static void
replay(struct fuzz *f, const struct recording *r)
{
	struct memslot_replay_config config = { .removal = fuzz_below(f, SLOT_REMOVALS) };
	struct error err = { "" };
	struct memslot_replay *p = memslot_replay_create(r, &config, &err);
	FILE *null = fopen("/dev/null", "w");

	if (!p) {
		input_check_error(f, &err);
	} else if (memslot_replay_run(p, &err)) {
		input_check_error(f, &err);
	} else {
		memslot_replay_report(p, null);
		fuzz_check(f, config.removal != SLOT_REMOVAL_SYNC_FIRST ||
				      !memslot_replay_result(p)->lost);
	}
	fclose(null);
	memslot_replay_destroy(p);
}

static void
round_one(struct fuzz *f)
{
	struct recording r = { 0 };
	struct error err = { "" };
	struct input in;

	input_watch(f);
	in = input_damage(f, examples, 1, INPUT_WORDS(words));
	if (trace_open_text("damaged", in.data, in.size, fuzz_below(f, 8) ? "syslog" : NULL, &r,
			    &err)) {
		input_check_error(f, &err);
		fuzz_check(f, !r.count && !r.record);
	} else {
		look(f, &r);
		replay(f, &r);
	}
	recording_free(&r);
	free(in.data);
}

int
main(int argc, char **argv)
{
	examples[0] = input_read("traces/colo-memslot-2015.syslog");
	return fuzz_main(argc, argv, "input_syslog", 40000, round_one);
}
