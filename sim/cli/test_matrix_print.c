/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conformance matrix as a table. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/test.h"
#include "memory/model.h"

#define LEFT 56 /* columns before the cells */

static void
print_head(void)
{
	/* Bit k of a column says whether it has the k-th. */
	static const char *const word[] = { "event_idx", "indirect", "in_order" };

	printf("\n%-*s split    packed\n", LEFT, "");
	for (unsigned k = 0; k < 3; k++) {
		printf("%*s ", LEFT, word[k]);
		for (unsigned i = 0; i < TEST_MATRIX_COLUMNS; i++)
			printf("%s%c", i == TEST_MATRIX_COLUMNS / 2 ? " " : "",
			       i >> k & 1 ? word[k][k == 2 ? 3 : 0] : '.');
		printf("\n");
	}
}

/* The sixteen cells from case @first on. */
static void
pattern(const struct test_report *t, unsigned first, char *text)
{
	static const char sign[] = "?+Fs-";

	for (unsigned i = 0; i < TEST_MATRIX_COLUMNS; i++) {
		if (i == TEST_MATRIX_COLUMNS / 2)
			*text++ = ' ';
		*text++ = sign[t->results[first + i].status];
	}
	*text = 0;
}

/* Blocks from @first on that differ in nothing but the memory model. */
static unsigned
models(const struct test_report *t, unsigned first)
{
	const struct test_case *c = &t->cases[first];
	unsigned n = 1;

	while (first + n * TEST_MATRIX_COLUMNS < t->count) {
		const struct test_case *next = &t->cases[first + n * TEST_MATRIX_COLUMNS];

		if (!next->cell || strcmp(next->name, c->name) ||
		    strcmp(next->cell->datapath, c->cell->datapath))
			break;
		n++;
	}
	return n;
}

/* Lines of one variant and one pair of datapaths: models with the same cells share one. */
static void
print_pair(const struct test_report *t, unsigned first, unsigned count, const char *variant)
{
	bool done[MEMORY_MODELS] = { false };

	must(count <= MEMORY_MODELS);
	for (unsigned i = 0; i < count; i++) {
		char cells[TEST_MATRIX_COLUMNS + 2], other[TEST_MATRIX_COLUMNS + 2], memory[40];
		size_t n = 0;

		pattern(t, first + i * TEST_MATRIX_COLUMNS, cells);
		if (done[i] || !strpbrk(cells, "+Fs?"))
			continue; /* why it is impossible is said below */
		for (unsigned k = i; k < count; k++) {
			unsigned at = first + k * TEST_MATRIX_COLUMNS;

			pattern(t, at, other);
			if (strcmp(cells, other))
				continue;
			done[k] = true;
			n += (size_t)snprintf(memory + n, sizeof(memory) - n, "%s%s", n ? " " : "",
					      t->cases[at].cell->memory);
		}
		if (t->o->quiet && !strpbrk(cells, "F?"))
			continue;
		printf("  %-22.22s %-18.18s %-11s %s\n", variant, t->cases[first].cell->datapath,
		       memory, cells);
	}
}

/* --- why not -------------------------------------------------------------------------------- */

struct reason {
	const char *text;
	unsigned count;
};

static void
print_reasons(const struct test_report *t, enum test_status status)
{
	struct reason *reason = calloc(t->count + 1, sizeof(*reason));
	unsigned reasons = 0;

	must(reason);
	for (unsigned i = 0; i < t->count; i++) {
		const char *text = t->results[i].text;
		unsigned k = 0;

		if (t->results[i].status != status)
			continue;
		while (k < reasons && strcmp(reason[k].text, text))
			k++;
		if (k == reasons)
			reason[reasons++].text = text;
		reason[k].count++;
	}
	for (unsigned k = 0; k < reasons; k++)
		printf("%6u %s\n", reason[k].count, reason[k].text);
	free(reason);
}

void
test_matrix_print(const struct test_report *t)
{
	const char *path = "";
	unsigned step;

	if (t->o->tap)
		return;
	if (!t->o->quiet)
		print_head();
	for (unsigned i = 0; i < t->count; i += step) {
		const struct test_case *c = &t->cases[i];
		const char *colon = strrchr(c->name, ':');
		size_t n = colon ? (size_t)(colon - c->name) : strlen(c->name);

		step = 1;
		if (!c->cell)
			continue;
		step = models(t, i);
		if (!t->o->quiet && (strncmp(path, c->name, n) || path[n] != ':'))
			printf("%.*s\n", (int)n, c->name);
		path = c->name;
		print_pair(t, i, step, colon ? colon + 1 : "");
		step *= TEST_MATRIX_COLUMNS;
	}
	if (!t->o->quiet) {
		printf("\n+ as it should be  F failed  - impossible  s a failing variant away from "
		       "home, and nothing found\n\n");
		print_reasons(t, TEST_SKIPPED);
		print_reasons(t, TEST_IMPOSSIBLE);
	}
	printf("%u impossible\n", t->tally[TEST_IMPOSSIBLE]);
}
