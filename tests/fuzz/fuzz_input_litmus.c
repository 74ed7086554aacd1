/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged litmus tests. What is taken is translated to C, too. */
#include "fuzz_input.h"
#include "script/litmus.h"

static const char *const words[] = { "(*",
				     "*)",
				     "/*",
				     "//",
				     "Result: Never",
				     "C x\n",
				     "{}",
				     "{",
				     "}",
				     "P0(int *x)",
				     "P1(",
				     "int ",
				     "unsigned long ",
				     "spinlock_t *",
				     "**",
				     "(u8 *)",
				     "READ_ONCE(*x)",
				     "WRITE_ONCE(*x, 1);\n",
				     "cmpxchg(x, 0, 1)",
				     "atomic_add_return(1, x)",
				     "synchronize_rcu();\n",
				     "srcu_read_lock(x)",
				     "if (r0) ",
				     "else ",
				     "r0 = ",
				     "exists (",
				     "~exists ",
				     "forall ",
				     "filter ",
				     "locations [",
				     "0:r0=1",
				     "15:r0",
				     " /\\ ",
				     " \\/ ",
				     "~",
				     "&",
				     "((((((((((((((((((((((((((((((((",
				     "9223372036854775808",
				     "0x" };
static struct input examples[3];

static void
round_one(struct fuzz *f)
{
	struct error err = { "" };
	struct litmus_test *t;
	struct input in;

	input_watch(f);
	in = input_damage(f, examples, 3, INPUT_WORDS(words));
	t = litmus_parse("damaged.litmus", in.data, in.size, &err);
	if (!t) {
		input_check_error(f, &err);
	} else {
		fuzz_check(f, t->procs && t->procs <= LITMUS_PROCS_MAX);
		fuzz_check(f, t->condition && t->condition_text);
		if (!t->unsupported)
			free(litmus_emit(t, 0, fuzz_below(f, 2)));
	}
	litmus_free(t);
	free(in.data);
}

int
main(int argc, char **argv)
{
	examples[0] = input_read("tests/litmus/MP+wmb+addr.litmus");
	examples[1] = input_read("tests/litmus/MP+release+rmw+acquire.litmus");
	examples[2] = input_read("tests/litmus/MP+trylock.litmus");
	return fuzz_main(argc, argv, "input_litmus", 60000, round_one);
}
