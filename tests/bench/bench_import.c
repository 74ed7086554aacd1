/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of recordings a second, from text in memory to records; of a trace.dat events, with the
 * start of the process that reads it.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "trace/trace.h"
#include "trace/tracedat.h"

static const char *path;
static char *text; /* the recording again and again */
static size_t size;

static void
fill(size_t at_least)
{
	struct error err;
	size_t n;
	char *once = trace_read_file(path, &n, &err);

	if (!once) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	text = malloc(at_least + n);
	for (size = 0; text && size < at_least; size += n)
		memcpy(text + size, once, n);
	free(once);
}

static double
imported_lines(long unused)
{
	struct recording r = { 0 };
	double start = bench_seconds(), seconds;
	struct error err;
	uint64_t lines;

	if (!text || trace_open_text(path, text, size, NULL, &r, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	lines = r.lines;
	recording_free(&r);
	seconds = bench_seconds() - start;
	return (double)lines / seconds;
}

/* The ftrace text a hundred times, as trace-cmd would have recorded it. */
static void
bench_trace_dat(void)
{
	static char file[] = "/tmp/bench-XXXXXX";
	int fd = mkstemp(file);
	char command[256];
	struct error err = { "no trace.dat could be made" };

	snprintf(command, sizeof(command),
		 "lua5.4 tests/cli/make-trace-dat.lua traces/kvm-firmware.ftrace.txt %s repeat=100",
		 file);
	path = "trace.dat";
	text = fd < 0 || system(command) ? NULL : trace_read_file(file, &size, &err);
	if (fd >= 0) {
		close(fd);
		unlink(file);
	}
	if (!text) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	bench_print("import of trace.dat", bench_best(imported_lines, 0), "lines/s");
	free(text);
}

int
main(void)
{
	static const char *const recording[][2] = {
		{ "traces/qemu-linux61-split-blk-net.log", "import of QEMU text, queues" },
		{ "traces/qemu-migrate-tcg-linux.src.log", "import of QEMU text, a migration" },
		{ "traces/kvm-firmware.ftrace.txt", "import of ftrace text" },
	};

	for (unsigned i = 0; i < sizeof(recording) / sizeof(recording[0]); i++) {
		path = recording[i][0];
		fill(32u << 20);
		bench_print(recording[i][1], bench_best(imported_lines, 0), "lines/s");
		free(text);
	}
	if (tracedat_built_in())
		bench_trace_dat();
	return 0;
}
