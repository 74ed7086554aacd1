/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each fault of engine/faults.def is shown by something.  It stands in a failing variant of a
 * scenario: `ringside test scenarios` then proves that it is found. The others are listed here with
 * the unit test that trips them.
 *
 * Scenarios are scanned as text: a fault counts if the last `expect = "…"` before its name is not
 * "ok", which is how variants are written (scenarios/README.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/fault.h"

#define SCENARIOS "scenarios"
#define FILE_BYTES_MAX (1 << 20)

/* Why no scenario shows it. @test: the file of tests/unit/ that does, or null. */
struct exception {
	enum fault fault;
	const char *id; /* as the test's source spells it */
	const char *test;
	const char *reason;
};

#define TESTED(id, test, reason) \
	{ \
		FAULT_##id, "FAULT_" #id, test, reason \
	}
static const struct exception exceptions[] = {
	TESTED(GUEST_RESET_NO_WAIT, "test_guest_driver.c",
	       "the VMM resets within the exit, so nothing is lost: a breach of a should"),
};

#define EXCEPTIONS (sizeof(exceptions) / sizeof(exceptions[0]))

static unsigned shown[FAULT_COUNT]; /* failing variants that name it */
static unsigned files, names;

/* The whole file as text, or null; the caller frees it. */
static char *
read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = f ? malloc(FILE_BYTES_MAX + 1) : NULL;
	size_t n = text ? fread(text, 1, FILE_BYTES_MAX, f) : 0;

	if (f)
		fclose(f);
	if (text)
		text[n] = 0;
	return text;
}

/* Whether the variant that the text before @at belongs to is one that fails. */
static bool
in_failing_variant(const char *text, const char *at)
{
	static const char expect[] = "expect = \"";
	const char *last = NULL;

	for (const char *p = text; (p = strstr(p, expect)) && p < at; p += sizeof(expect) - 1)
		last = p + sizeof(expect) - 1;
	return last && strncmp(last, "ok\"", 3) != 0;
}

static void
scan_file(const char *path)
{
	char *text = read_text(path);

	assert_non_null(text);
	files++;
	for (unsigned i = 1; i < FAULT_COUNT; i++) {
		char quoted[128];

		snprintf(quoted, sizeof(quoted), "\"%s\"", fault_info[i].name);
		for (const char *p = text; (p = strstr(p, quoted)); p += strlen(quoted)) {
			names++;
			shown[i] += in_failing_variant(text, p);
		}
	}
	free(text);
}

static void
scan_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		fail_msg("%s: cannot be read; run this from the project's folder", path);
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char child[512];
		struct stat st;

		if (e->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
		assert_int_equal(stat(child, &st), 0);
		if (S_ISDIR(st.st_mode))
			scan_folder(child);
		else if (n > 4 && !strcmp(e->d_name + n - 4, ".lua"))
			scan_file(child);
	}
	closedir(d);
}

static const struct exception *
exception_of(unsigned fault)
{
	for (size_t i = 0; i < EXCEPTIONS; i++)
		if ((unsigned)exceptions[i].fault == fault)
			return &exceptions[i];
	return NULL;
}

static void
each_fault_is_shown(void **state)
{
	unsigned missing = 0;

	(void)state;
	scan_folder(SCENARIOS);
	assert_true(files > 0 && names > 0); /* the scan itself works */
	for (unsigned i = 1; i < FAULT_COUNT; i++) {
		const struct exception *x = exception_of(i);

		if (!shown[i] && !x) {
			print_message("no failing variant shows %s (%s)\n", fault_info[i].name,
				      fault_info[i].evidence);
			missing++;
		} else if (shown[i] && x) {
			print_message("%s is shown by a scenario: take it off the list here\n",
				      fault_info[i].name);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

static void
each_exception_is_tested(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXCEPTIONS; i++) {
		const struct exception *x = &exceptions[i];
		char path[256];
		char *text;

		assert_true(x->fault > FAULT_NONE && *x->reason);
		if (!x->test)
			continue;
		snprintf(path, sizeof(path), "tests/unit/%s", x->test);
		text = read_text(path);
		if (!text || !strstr(text, x->id))
			fail_msg("%s does not trip %s", path, fault_info[x->fault].name);
		free(text);
	}
}

/* A fault in a variant that holds, or outside of variants, shows nothing. */
static void
the_scan_tells_variants_apart(void **state)
{
	static const char text[] = "fails = { expect = \"hang\", faults = { \"a.b\" } },\n"
				   "holds = { expect = \"ok\", faults = { \"c.d\" } }";

	(void)state;
	assert_true(in_failing_variant(text, strstr(text, "a.b")));
	assert_false(in_failing_variant(text, strstr(text, "c.d")));
	assert_false(in_failing_variant(text, text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_scan_tells_variants_apart),
		cmocka_unit_test(each_fault_is_shown),
		cmocka_unit_test(each_exception_is_tested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
