/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that reads a trace.dat may do anything: crash, never end, ask for all memory, print,
 * say nonsense.  Here is another reader in the place of libtracecmd's, which does what the file
 * tells it, so each of these is an error of one line, and what is in order is imported.
 */
#include "trace_import.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "trace/tracecmd/walk.h"
#include "trace/tracedat.h"

/* The start of a file of version 7 whose options are at its last byte: what to do. */
static const char head[] = "\x17\x08\x44tracing7\0\0\x08\0\x10\0\0none\0\0\x20\0\0\0\0\0\0\0";
#define HEAD_BYTES (sizeof(head) - 1)
_Static_assert(HEAD_BYTES == 0x20, "the options are behind it");

static void
put(FILE *to, enum walk_type type, uint64_t number, const char *thread, const char *name,
    const char *args)
{
	struct walk_message m = { .type = type,
				  .number = number,
				  .ns = 1500000000,
				  .thread_size = (uint32_t)strlen(thread),
				  .name_size = (uint32_t)strlen(name),
				  .args_size = (uint32_t)strlen(args) };

	fwrite(&m, sizeof(m), 1, to);
	fprintf(to, "%s%s%s", thread, name, args);
}

static void
good(FILE *to)
{
	put(to, WALK_EVENT, 1, "vm-7", "kvm_inj_virq", "IRQ 0x30");
}

static int
memory_without_end(FILE *to)
{
	size_t all = 0;

	while (all < (size_t)64 << 30 && malloc(1u << 26))
		all += 1u << 26;
	if (all >= (size_t)64 << 30)
		put(to, WALK_END, 1, "", "", "");
	return -1;
}

int
tracecmd_walk(int fd, int said, FILE *to)
{
	struct walk_message m = { .type = WALK_EVENT, .number = 2, .args_size = UINT32_MAX };
	char what = 0;

	assert_int_equal(pread(fd, &what, 1, HEAD_BYTES), 1);
	good(to);
	fflush(to);
	switch (what) {
	case 'c': /* crash */
		raise(SIGSEGV);
		break;
	case 'a':
		fprintf(stderr, "all is lost\nand more\n");
		abort();
	case 'x':
		_exit(3);
	case 'l': /* loop */
		for (volatile bool on = true; on;)
			;
		break;
	case 'm':
		return memory_without_end(to);
	case 's': /* say something, at length */
		for (int i = 0; i < 100000; i++)
			printf("\x1b[31m bad page %d\n", i);
		put(to, WALK_END, 1, "", "", "");
		return 0;
	case 'b': /* a message larger than any */
		fwrite(&m, sizeof(m), 1, to);
		break;
	case 'h': /* half a message */
		fwrite(&m, sizeof(m) / 2, 1, to);
		break;
	case 'n':
		put(to, WALK_EVENT, 0, "vm-7", "kvm_inj_virq", "IRQ 0x30");
		break;
	case 'u':
		put(to, WALK_EVENT, 2, "vm-7", "kvm_unknown", "IRQ 0x30");
		break;
	case 'd':
		put(to, WALK_EVENT, 2, "vm-7", "kvm_eoi", "apicid 1");
		break;
	case 't':
		put(to, (enum walk_type)99, 2, "", "", "");
		break;
	case 'f':
		fprintf(stderr, "it is not there\n");
		put(to, WALK_FAILED, 2, "", "", "it cannot be");
		return -1;
	default:
		put(to, WALK_END, 7, "", "", "");
	}
	return 0;
}

static int
import_what(char what, struct recording *r, struct error *err)
{
	char file[HEAD_BYTES + 1];

	memcpy(file, head, HEAD_BYTES);
	file[HEAD_BYTES] = what;
	return import_as(NULL, file, sizeof(file), r, err);
}

static void
in_order(void **state)
{
	struct recording r;
	struct error err;

	assert_true(tracedat_built_in());
	assert_int_equal(import_what('.', &r, &err), 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.lines, 7);
	assert_int_equal(r.lines_skipped, 6);
	assert_int_equal(r.notes, 0);
	record_is(&r, 0, "1.500000000 vm-7 kvm_inj_virq vec=48");
	recording_free(&r);

	/* Its words are for whoever reads of the import, not for the terminal. */
	assert_int_equal(import_what('s', &r, &err), 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.notes, 1);
	assert_string_equal(r.note[0], "libtracecmd says: ?[31m bad page 0");
	recording_free(&r);
}

static void
refuse(char what, const char *why)
{
	struct recording r;
	struct error err;

	assert_int_equal(import_what(what, &r, &err), -1);
	if (!strstr(err.text, why))
		fail_msg("%c: \"%s\" has no \"%s\"", what, err.text, why);
	assert_null(r.record);
	assert_memory_equal(err.text, "log:", 4);
}

static void
ends(void **state)
{
	refuse('c', "libtracecmd crashed (Segmentation fault) after event 1");
	refuse('a', "libtracecmd crashed (Aborted) after event 1: all is lost");
	refuse('x', "libtracecmd gave up after event 1");
	refuse('m', "libtracecmd gave up after event 1");
	refuse('h', "libtracecmd gave up after event 1");
	refuse('b', "after event 1");
	refuse('f', "it cannot be (libtracecmd says: it is not there)");
}

static void
nonsense(void **state)
{
	refuse('n', "damaged after event 1");
	refuse('u', "log:2: an event out of turn");
	refuse('d', "log:2: damaged event: the event has not all its arguments");
	refuse('t', "damaged after event 2");
}

/* A limit that is lower than ours is left: seconds of its own, lest the test take 20. */
static void
loop(void **state)
{
	struct rlimit before, l;

	assert_int_equal(getrlimit(RLIMIT_CPU, &before), 0);
	l = before;
	l.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_CPU, &l), 0);
	refuse('l', "libtracecmd finds no end after event 1");
	assert_int_equal(setrlimit(RLIMIT_CPU, &before), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(ends),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
