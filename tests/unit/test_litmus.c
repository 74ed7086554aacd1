/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Litmus tests as text: what is understood, what is refused and where, and what damage does. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "script/litmus.h"
#include "script/source.h"

static struct litmus_test *
parse(const char *text)
{
	struct error err = { "" };
	struct litmus_test *t = litmus_parse("t", text, strlen(text), &err);

	if (!t)
		fail_msg("%s", err.text);
	return t;
}

/* --- what is understood --------------------------------------------------------------------- */

static void
the_frame(void **state)
{
	struct litmus_test *t =
		parse("C A+b (not a comment)\n\"a string\"\nKEY=VALUE of some tool\n"
		      "(* Result: Never (* inside *) *)\n"
		      "{ x=1; int *p=&y; [z]=-2; atomic_t a = ATOMIC_INIT(7); 1:r0=z; }\n"
		      "P0(int *x, volatile int **p) // producer\n{ int r0 = READ_ONCE(*x); }\n"
		      "P1(void) { long r0, *r1; }\n"
		      "locations [1:r1; x;]\nfilter (x=1)\n~exists (0:r0=1 /\\ x=2 \\/ ~p=y)");

	assert_string_equal(t->name, "A+b (not a comment)");
	assert_string_equal(t->result, "Never");
	assert_int_equal(t->procs, 2);
	assert_int_equal(t->globals, 5);
	assert_string_equal(t->global[1].name, "p");
	assert_int_equal(t->global[1].type.stars, 1);
	assert_int_equal(t->global[1].init_global, 2); /* y */
	assert_int_equal(t->global[3].init, -2);
	assert_int_equal(t->global[4].type.base, LITMUS_ATOMIC);
	assert_int_equal(t->global[4].init, 7);
	assert_int_equal(t->proc[1].reg[0].init_global, 3);
	assert_int_equal(t->proc[1].reg[0].type.base, LITMUS_LONG);
	assert_int_equal(t->quantifier, LITMUS_NOT_EXISTS);
	assert_non_null(t->filter);
	assert_string_equal(t->condition_text, "~exists ((0:r0=1 /\\ x=2) \\/ ~p=y)");
	litmus_free(t);
}

/* Registers by process and name, then variables by name. */
static void
the_order_of_printing(void **state)
{
	static const char *const want[] = { "0:r0", "0:r1", "1:r0", "x", "y" };
	struct litmus_test *t = parse("C o\n{}\nP0(int *x) { int r1; int r0; }\n"
				      "P1(int *y) { int r0; }\n"
				      "exists (y=1 /\\ 1:r0=1 /\\ x=1 /\\ 0:r1=1 /\\ 0:r0=1)");

	assert_int_equal(t->shows, 5);
	for (unsigned i = 0; i < 5; i++) {
		char name[32];

		litmus_shown_name(t, i, name, sizeof(name));
		assert_string_equal(name, want[i]);
	}
	litmus_free(t);
}

static void
conditions(void **state)
{
	static const struct {
		const char *text;
		bool holds;
	} cases[] = {
		{ "x=1", true },
		{ "x=2", false },
		{ "x!=2", true },
		{ "x<>1", false },
		{ "~x=1", false },
		{ "not (x=2)", true },
		{ "true", true },
		{ "x=1 /\\ y=2", true },
		{ "x=1 /\\ y=1", false },
		{ "x=2 \\/ y=2", true },
		{ "x=2 /\\ y=2 \\/ x=1", true }, /* and binds closer */
		{ "x=1 \\/ x=1 /\\ y=9", true },
		{ "~(x=1 /\\ y=9)", true },
		{ "x=1 /\\ (* a comment *) y=2", true },
	};
	const int64_t value[] = { 1, 2 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];
		struct litmus_test *t;

		snprintf(text, sizeof(text),
			 "C c\n{}\nP0(int *x, int *y) { }\nlocations [x; y]\nexists (%s)",
			 cases[i].text);
		t = parse(text);
		if (litmus_holds(t->condition, value) != cases[i].holds)
			fail_msg("%s", cases[i].text);
		litmus_free(t);
	}
}

/* Which loads a dependency starts from. */
static void
dependencies(void **state)
{
	struct litmus_test *t =
		parse("C d\n{}\nP0(int *x, int *y, int **p)\n{\n"
		      "int *r0; int r1; int r2; int r3; int r4;\n"
		      "r0 = READ_ONCE(*p);\n" /* an address */
		      "r1 = READ_ONCE(*r0);\n" /* nothing */
		      "r2 = READ_ONCE(*x);\n" /* through r3: a stored value */
		      "r3 = r2 + 1;\n"
		      "WRITE_ONCE(*y, r3);\n"
		      "r4 = READ_ONCE(*x);\n" /* a condition of loads only: nothing */
		      "if (r4) r1 = READ_ONCE(*y);\n}\nexists (x=1)");
	const struct litmus_stmt *s = t->proc[0].body;
	const bool want[] = { true, false, true, true, false, false };

	for (size_t i = 0; i < 6; i++, s = s->next) {
		if (s->kind == LITMUS_ASSIGN && s->right->feeds != want[i])
			fail_msg("statement %zu", i);
	}
	litmus_free(t);
}

/* --- what is refused ------------------------------------------------------------------------ */

static void
errors(void **state)
{
#define P0(body) "C e\n{}\nP0(int *x, int **p) {\nint r0;\n" body "\n}\nexists (x=1)"
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "t:1:1: expected 'C'" },
		{ "X86 SB\n", "t:1:1: expected 'C'" },
		{ "C\n", "t:1:2: expected the test's name" },
		{ "C e\n(* no end", "t:2:1: a comment that does not end" },
		{ "C e\n{ x=; }", "t:2:5: expected a number, not ';'" },
		{ "C e\n{ int a[2]; }", "t:2:8: expected '=' or ';' (arrays" },
		{ "C e\n{}\nexists (x=1)", "t:3:1: expected P0" },
		{ "C e\n{}\nP1(int *x) {}\n", "t:3:1: expected P0, not 'P1'" },
		{ "C e\n{}\nP0(int x) {}\n", "t:3:8: expected '*' (a parameter" },
		{ "C e\n{ 0:r9=1; }\nP0(int *x) {}\nexists (x=1)",
		  "t:2:5: there is no register r9" },
		{ "C e\n{}\nP0(int *x) {}\n", "t:4:1: expected a process, locations" },
		{ "C e\n{}\nP0(int *x) {}\nexists (0:r0=1)", "t:4:11: expected a register" },
		{ "C e\n{}\nP0(int *x) {}\nexists (x=1) x", "t:4:14: expected the end" },
		{ P0("r1 = 1;"), "t:5:1: this is neither a parameter nor a declared" },
		{ P0("r0 = 1"), "t:6:1: expected ';', not '}'" },
		{ P0("while (r0) ;"), "t:5:1: expected a declaration, an assignment" },
		{ P0("system(x);"), "t:5:1: this function is not one of the memory model's" },
		{ P0("WRITE_ONCE(x, 1);"), "t:5:12: expected a variable" },
		{ P0("smp_store_release(r0, 1);"), "t:5:19: expected a pointer" },
		{ P0("smp_store_release(x);"), "t:5:20: expected ',', not ')'" },
		{ P0("int r0;"), "t:5:5: expected a name that was not declared" },
		{ P0("int x;"), "t:5:5: expected a name that is no parameter's" },
		{ P0("int smp_mb;"), "t:5:5: expected a name that is no function's" },
		{ P0("r0 = *r0;"), "t:5:6: only a pointer" },
		{ P0("1 = r0;"), "t:5:1: only a register or a variable" },
		{ P0("r0 = 5 / r0;"), "t:5:8: division is by a number" },
		{ P0("r0 = 99999999999999999999;"), "t:5:6: a number is at most" },
		{ P0("r0 = 1x;"), "t:5:6: this is neither a number nor a name" },
		{ P0("r0 = `;"), "t:5:6: a character that has no meaning" },
		{ P0("r0++;"), "t:5:3: expected '='" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { "" };
		struct litmus_test *t =
			litmus_parse("t", cases[i].text, strlen(cases[i].text), &err);

		assert_null(t);
		if (strncmp(err.text, cases[i].error, strlen(cases[i].error)))
			fail_msg("%s: not %s", err.text, cases[i].error);
	}
}

/* --- damage --------------------------------------------------------------------------------- */

/* A copy of exactly that size, so that a sanitizer sees a read past its end. */
static void
try_text(const char *text, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct error err = { "" };
	struct litmus_test *t;

	memcpy(copy, text, size);
	t = litmus_parse("damaged", copy, size, &err);
	assert_true(!t == !!err.text[0]);
	if (t)
		free(litmus_emit(t, 0, true));
	litmus_free(t);
	free(copy);
}

static void
damage(void **state)
{
	glob_t files;

	assert_int_equal(glob("tests/litmus/*.litmus", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct error err = { "" };
		char *text;
		size_t size;

		assert_int_equal(
			source_read(files.gl_pathv[i], LITMUS_FILE_MAX, &text, &size, &err), 0);
		for (size_t n = 0; n <= size; n++)
			try_text(text, n);
		for (size_t n = 0; n < size; n++) {
			static const char bytes[] = "\0(*){;/\"~\xff";
			char was = text[n];

			text[n] = bytes[n % sizeof(bytes)];
			try_text(text, size);
			text[n] = was;
		}
		free(text);
	}
	globfree(&files);
}

static void
nested(const char *before, const char *each, const char *after, unsigned n)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	fputs(before, to);
	for (unsigned i = 0; i < n; i++)
		fputs(each, to);
	fputs(after, to);
	fclose(to);
	try_text(text, size);
	free(text);
}

/* What is nested deep, or long, is refused before the stack or the compiler ends. */
static void
depth(void **state)
{
	nested("C d\n{}\nP0(int *x) { int r0; r0 = ", "(", "1", 20000);
	nested("C d\n{}\nP0(int *x) { int r0; r0 = 1", "+1", "; } exists (x=1)", 20000);
	nested("C d\n{}\nP0(int *x) { int r0; r0 = ", "-", "1; } exists (x=1)", 20000);
	nested("C d\n{}\nP0(int *x) { ", "if (1) ", "; } exists (x=1)", 20000);
	nested("C d\n{}\nP0(int *x) { ", "{", "", 20000);
	nested("C d\n{}\nP0(int *x) { } exists ", "~", "x=1", 20000);
	nested("C d\n{}\nP0(int *x) { } exists ", "(", "x=1", 20000);
	nested("C d\n{}\nP0(int *x) { } exists x=1", "/\\x=1", "", 20000);
	nested("C d\n", "(*", "", 20000);
	nested("C d\n{", "x;", "}", 20000);
	nested("C d\n{}\nP0(int ", "*", "x) {}", 20000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_frame),  cmocka_unit_test(the_order_of_printing),
		cmocka_unit_test(conditions), cmocka_unit_test(dependencies),
		cmocka_unit_test(errors),     cmocka_unit_test(damage),
		cmocka_unit_test(depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
