/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged trace.dat files: refused with an error, or imported, whatever becomes of the library that
 * reads them.
 */
#include "fuzz_input.h"
#include "trace/trace.h"
#include "trace/tracedat.h"

static const char *const words[] = {
	"\xff\xff\xff\xff",
	"\x80",
	"flyrecord",
	"options  ",
	"print fmt: \"%s\", REC->vcpu_id\n",
	"__print_symbolic(REC->level, { 0, \"",
	"__get_str(",
	"\tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;\n",
	"offset:4096;",
	"size:0;",
	"ID: ",
	"%*.*s%n%llx",
	"? : REC->",
	"\x1b[31m",
	"((((((((",
	"REC"
};
static struct input examples[3];

static void
look(struct fuzz *f, const struct recording *r, FILE *null)
{
	fuzz_check(f, r->count + r->lines_skipped == r->lines);
	trace_print_import(r, null);
	for (size_t i = 0; i < r->count; i++) {
		fuzz_check(f, r->record[i].thread < r->threads);
		fuzz_check(f, r->record[i].line && r->record[i].line <= r->lines);
		recording_print(r, &r->record[i], null);
	}
}

/* Lengths and places stay right, so that what is behind the checks of those is reached. */
static struct input
poke(struct fuzz *f)
{
	const struct input *good = &examples[fuzz_below(f, 3)];
	struct input in = { malloc(good->size), good->size };

	memcpy(in.data, good->data, in.size);
	for (uint32_t times = 1u << fuzz_below(f, 8); times; times--) {
		size_t at = input_below(f, in.size);

		if (fuzz_below(f, 2))
			in.data[at] = (char)(in.data[at] ^ (1 << fuzz_below(f, 8)));
		else
			in.data[at] = (char)fuzz_below(f, 256);
	}
	return in;
}

static void
round_one(struct fuzz *f)
{
	FILE *null = fopen("/dev/null", "w");
	struct recording r = { 0 };
	struct error err = { "" };
	struct input in;

	fuzz_check(f, null);
	input_watch(f);
	in = fuzz_below(f, 2) ? poke(f) : input_damage(f, examples, 3, INPUT_WORDS(words));
	if (trace_open_text("damaged", in.data, in.size, "tracedat", &r, &err)) {
		input_check_error(f, &err);
		fuzz_check(f, !r.count && !r.record);
	} else {
		look(f, &r, null);
	}
	recording_free(&r);
	free(in.data);
	fclose(null);
}

static struct input
make(const char *options)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "head -n 200 traces/kvm-firmware.ftrace.txt >%s && "
		 "lua5.4 tests/cli/make-trace-dat.lua %s ",
		 input_path("text"), input_path("text"));
	snprintf(command + strlen(command), sizeof(command) - strlen(command), "%s %s",
		 input_path("dat"), options);
	if (system(command)) {
		printf("no trace.dat could be made\n");
		exit(77);
	}
	return input_read(input_path("dat"));
}

int
main(int argc, char **argv)
{
	static const char *const options[] = { "lost=3", "instance=virtio", "endian=big" };

	if (!tracedat_built_in()) {
		printf("there is no libtracecmd\n");
		return 77;
	}
	for (unsigned i = 0; i < 3; i++)
		examples[i] = make(options[i]);
	input_remove((const char *const[]){ "text", "dat" }, 2);
	return fuzz_main(argc, argv, "input_tracedat", 500, round_one);
}
