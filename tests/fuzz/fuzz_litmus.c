/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random litmus tests: written, parsed, compiled and explored; the final states under sc and tso
 * are those of the x86-TSO machine, dpor finds what all schedules do, and each model shows what the
 * stronger one shows.  A round is a dozen of tests, as the compiler takes longer to start.
 */
#include "../unit/litmus_machine.h"

#include "fuzz.h"

#define TESTS 12u
#define TEXT_MAX 4096u

struct writer {
	struct fuzz *f;
	char *text;
	size_t n;
	unsigned regs; /* of the process */
	bool bytes; /* it accesses parts of a granule */
};

static void
put(struct writer *wr, const char *text)
{
	size_t n = strlen(text);

	must(wr->n + n < TEXT_MAX);
	memcpy(wr->text + wr->n, text, n + 1);
	wr->n += n;
}

static const char *
any(struct writer *wr, const char *const *list, unsigned count)
{
	return list[fuzz_below(wr->f, count)];
}
#define ANY(wr, list) any(wr, list, sizeof(list) / sizeof((list)[0]))

/* What loads and gives something; what does not. V: a value, X: a variable, A: an atomic_t. */
static const char *const loads[] = { "READ_ONCE(*X)",
				     "READ_ONCE(*X)",
				     "READ_ONCE(*X)",
				     "smp_load_acquire(X)",
				     "xchg(X, V)",
				     "xchg_relaxed(X, V)",
				     "xchg_release(X, V)",
				     "cmpxchg(X, V, V)",
				     "cmpxchg_acquire(X, V, V)",
				     "atomic_read(A)",
				     "atomic_fetch_inc(A)",
				     "atomic_add_return_relaxed(V, A)",
				     "atomic_sub_return_release(V, A)",
				     "atomic_fetch_or_acquire(V, A)",
				     "atomic_dec_and_test(A)",
				     "atomic_add_negative(-V, A)",
				     "atomic_add_unless(A, V, V)",
				     "spin_is_locked(l)",
				     "READ_ONCE(*(u16 *)X)",
				     "READ_ONCE(*((u16 *)X + 1))",
				     "READ_ONCE(*((u8 *)X + 1))" };
static const char *const stores[] = { "WRITE_ONCE(*X, V)",
				      "WRITE_ONCE(*X, V)",
				      "WRITE_ONCE(*X, V)",
				      "smp_store_release(X, V)",
				      "smp_store_mb(*X, V)",
				      "atomic_set(A, V)",
				      "atomic_inc(A)",
				      "atomic_xor(V, A)",
				      "smp_mb()",
				      "smp_rmb()",
				      "smp_wmb()",
				      "smp_mb__after_atomic()",
				      "WRITE_ONCE(*(u16 *)X, V)",
				      "WRITE_ONCE(*((u16 *)X + 1), V)",
				      "WRITE_ONCE(*((u8 *)X + 1), V)" };

static void
put_operation(struct writer *wr, const char *form)
{
	static const char *const variables[] = { "x", "y" };
	static const char *const values[] = { "1", "2", "3", "0" };

	wr->bytes |= strstr(form, "u8") != NULL;
	for (; *form; form++) {
		char one[2] = { *form, 0 }, reg[16];

		/* A capital alone, not one of a name. */
		if (strchr("XVA", *form) && !strchr("_NECTRIDBVXA", form[1]) &&
		    (form[-1] == '(' || strchr(" )*-", form[-1]))) {
			snprintf(reg, sizeof(reg), "r%u", fuzz_below(wr->f, wr->regs + 1));
			put(wr, *form == 'A'				      ? "a"
				: *form == 'X'				      ? ANY(wr, variables)
				: fuzz_below(wr->f, 6)			      ? ANY(wr, values)
				: wr->regs && reg[1] < (char)('0' + wr->regs) ? reg
									      : "1");
		} else {
			put(wr, one);
		}
	}
}

static void
put_statement(struct writer *wr, unsigned depth)
{
	char text[64];

	switch (fuzz_below(wr->f, 8)) {
	case 0:
	case 1:
	case 2:
		snprintf(text, sizeof(text), "\tr%u = ", wr->regs);
		put(wr, text);
		put_operation(wr, ANY(wr, loads));
		wr->regs++;
		break;
	case 3:
		if (wr->regs && !depth) {
			snprintf(text, sizeof(text), "\tif (r%u) {\n", wr->regs - 1);
			put(wr, text);
			put_statement(wr, 1);
			put(wr, "\t}\n");
			return;
		}
		/* fallthrough */
	default:
		put(wr, "\t");
		put_operation(wr, ANY(wr, stores));
	}
	put(wr, ";\n");
}

static void
put_process(struct writer *wr, unsigned number, unsigned statements)
{
	char text[128];
	bool locks = !fuzz_below(wr->f, 4), tries = locks && !fuzz_below(wr->f, 3);

	wr->regs = 0;
	snprintf(text, sizeof(text), "P%u(int *x, int *y, atomic_t *a, spinlock_t *l)\n{\n",
		 number);
	put(wr, text);
	put(wr, "\tint r0; int r1; int r2; int r3; int r4; int r5;\n");
	if (locks)
		put(wr, tries ? "\tr5 = spin_trylock(l);\n\tif (r5) {\n" : "\tspin_lock(l);\n");
	for (unsigned i = 0; i < statements; i++)
		put_statement(wr, 0);
	if (locks)
		put(wr, "\tspin_unlock(l);\n");
	put(wr, tries ? "\t}\n}\n" : "}\n");
}

static void
write_test(struct fuzz *f, char *text, bool *bytes)
{
	struct writer wr = { .f = f, .text = text };
	unsigned procs = 2 + !fuzz_below(f, 3);

	put(&wr, "C random\n{}\n");
	for (unsigned i = 0; i < procs; i++)
		put_process(&wr, i, procs == 2 ? 2 + fuzz_below(f, 4) : 1 + fuzz_below(f, 3));
	put(&wr, "locations [");
	for (unsigned i = 0; i < procs; i++) {
		char shown[80];

		snprintf(shown, sizeof(shown), "%u:r0; %u:r1; %u:r2; %u:r3; %u:r5; ", i, i, i, i,
			 i);
		put(&wr, shown);
	}
	put(&wr, "x; y; a]\nexists (x=1)\n");
	*bytes = wr.bytes;
}

static struct litmus_result
explore(struct fuzz *f, struct litmus_test *t, const struct litmus_code *code,
	enum memory_model memory, const struct strategy_ops *strategy)
{
	struct litmus_config config = { .memory = memory,
					.strategy = strategy,
					.runs_max = strategy ? 0 : 20000 };
	struct litmus_result r;
	struct error err = { "" };

	if (litmus_run(t, code, &config, &r, &err)) {
		fprintf(stderr, "%s\n", err.text);
		fuzz_check(f, false);
	}
	return r;
}

static void
check(struct fuzz *f, const char *text, const char *wrong)
{
	if (!wrong)
		return;
	fprintf(stderr, "%s\n%s\n", text, wrong);
	fuzz_check(f, !wrong);
}

static void
compare(struct fuzz *f, const char *text, struct litmus_test *t, const struct litmus_code *strong,
	const struct litmus_code *weak, bool bytes)
{
	struct litmus_result r[MEMORY_MODELS];

	for (int i = 0; i < MEMORY_MODELS; i++) {
		enum memory_model m = (enum memory_model)i;
		const struct litmus_code *code = m == MEMORY_WEAK ? weak : strong;
		struct litmus_result all = explore(f, t, code, m, NULL);

		r[m] = explore(f, t, code, m, &strategy_dpor);
		check(f, text, r[m].complete ? NULL : "dpor is not complete");
		if (m != MEMORY_WEAK)
			check(f, text, machine_compare(t, &r[m], m == MEMORY_TSO));
		if (all.complete &&
		    (!outcomes_within(t, &all, &r[m]) || !outcomes_within(t, &r[m], &all)))
			check(f, text, memory_model_name[m]);
		litmus_result_free(&all);
	}
	check(f, text,
	      outcomes_within(t, &r[MEMORY_SC], &r[MEMORY_TSO]) ? NULL : "sc is not within tso");
	/* Parts of a granule are not told apart under weak. */
	if (!bytes)
		check(f, text,
		      outcomes_within(t, &r[MEMORY_TSO], &r[MEMORY_WEAK])
			      ? NULL
			      : "tso is not within weak");
	for (int m = 0; m < MEMORY_MODELS; m++)
		litmus_result_free(&r[m]);
}

static void
round_one(struct fuzz *f)
{
	static char text[TESTS][TEXT_MAX];
	struct litmus_test *t[TESTS];
	struct litmus_code strong[TESTS], weak[TESTS];
	struct error err = { "" };
	enum litmus_built built;
	bool bytes[TESTS];

	for (unsigned i = 0; i < TESTS; i++) {
		write_test(f, text[i], &bytes[i]);
		t[i] = litmus_parse("random", text[i], strlen(text[i]), &err);
		check(f, text[i], t[i] ? NULL : err.text);
	}
	built = litmus_build(t, TESTS, false, false, strong, &err);
	if (built == LITMUS_NO_COMPILER) {
		printf("%s\n", err.text);
		exit(77);
	}
	if (built == LITMUS_BUILT)
		built = litmus_build(t, TESTS, true, false, weak, &err);
	check(f, "", built == LITMUS_BUILT ? NULL : err.text);
	for (f->operation = 0; f->operation < TESTS; f->operation++) {
		unsigned i = (unsigned)f->operation;

		compare(f, text[i], t[i], &strong[i], &weak[i], bytes[i]);
		litmus_unload(&strong[i]);
		litmus_unload(&weak[i]);
		litmus_free(t[i]);
	}
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "litmus", 6, round_one);
}
