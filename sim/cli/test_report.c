/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results of tests: lines, TAP 13, JUnit XML. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/runner.h"
#include "cli/test.h"
#include "cli/version.h"
#include "trace/export_text.h"

char *
test_case_label(const struct test_case *c, char text[TEST_LABEL_MAX])
{
	if (c->cell)
		snprintf(text, TEST_LABEL_MAX, "%s [%s %s %s]", c->name, c->cell->datapath,
			 c->cell->ring, c->cell->memory);
	else
		snprintf(text, TEST_LABEL_MAX, "%s", c->name);
	return text;
}

void
test_print_repro(const struct test_report *t, const struct test_case *c, FILE *to)
{
	const char *datapath = c->cell ? c->cell->datapath : t->o->datapath;
	const char *ring = c->cell ? c->cell->ring : t->o->ring;
	const char *memory = c->cell ? c->cell->memory : t->o->memory;

	if (c->corpus) {
		fprintf(to, "ringside replay --tolerant %s", c->name);
		return;
	}
	fprintf(to, "ringside explore %s --seed %" PRIu64, c->name, t->o->seed);
	if (datapath)
		fprintf(to, " --datapath %s", datapath);
	if (ring)
		fprintf(to, " --ring %s", ring);
	if (memory)
		fprintf(to, " --memory %s", memory);
	for (unsigned i = 0; i < t->o->sets; i++)
		fprintf(to, " --set %s=%s", t->o->set_name[i], t->o->set_value[i]);
}

static void
print_line(const struct test_report *t, const struct test_case *c, const struct test_result *r)
{
	static const char *const word[] = { "", "ok  ", "FAIL", "SKIP", "SKIP" };
	char label[TEST_LABEL_MAX];

	/* Of a matrix there is a table. */
	if ((t->o->quiet || c->cell) && r->status != TEST_FAILED &&
	    (c->cell || r->status == TEST_PASSED))
		return;
	printf("%s %s  %s (%.2f s)\n", word[r->status], test_case_label(c, label), r->text,
	       (double)r->elapsed_ns / 1e9);
	if (r->status == TEST_FAILED && !c->broken) {
		printf("     ");
		test_print_repro(t, c, stdout);
		printf("\n");
	}
}

/* TAP takes # in a description for a directive. */
static void
print_tap_text(const char *text)
{
	for (; *text; text++)
		printf(*text == '#' ? "\\#" : "%c", *text);
}

static void
print_tap(const struct test_report *t, unsigned i)
{
	const struct test_case *c = &t->cases[i];
	const struct test_result *r = &t->results[i];
	char label[TEST_LABEL_MAX];

	printf("%sok %u - ", r->status == TEST_FAILED ? "not " : "", i + 1);
	print_tap_text(test_case_label(c, label));
	if (r->status == TEST_SKIPPED || r->status == TEST_IMPOSSIBLE)
		printf(" # SKIP %s", r->text);
	printf("\n");
	if (r->status != TEST_FAILED)
		return;
	printf("  ---\n  message: ");
	export_json_string(stdout, r->text);
	printf("\n  seed: %" PRIu64 "\n  schedule: ", t->o->seed);
	export_json_string(stdout, r->schedule);
	printf("\n  git: %s\n  repro: \"", ringside_commit);
	test_print_repro(t, c, stdout);
	printf("\"\n  ...\n");
}

void
test_report_flush(struct test_report *t)
{
	if (t->o->tap && !t->printed)
		printf("TAP version 13\n1..%u\n", t->count);
	for (; t->printed < t->count && t->results[t->printed].status != TEST_NONE; t->printed++) {
		const struct test_result *r = &t->results[t->printed];

		t->tally[r->status]++;
		if (t->o->tap)
			print_tap(t, t->printed);
		else
			print_line(t, &t->cases[t->printed], r);
	}
	fflush(stdout);
}

/* --- JUnit ---------------------------------------------------------------------------------- */

/* XML has no control characters, not even escaped. */
static void
print_xml(FILE *to, const char *text)
{
	char clean[4096];
	size_t n = 0;

	for (; *text && n + 1 < sizeof(clean); text++)
		clean[n++] = (unsigned char)*text < 0x20 ? ' ' : *text;
	clean[n] = 0;
	export_html_text(to, clean);
}

static void
junit_case(FILE *to, const struct test_report *t, unsigned i)
{
	const struct test_case *c = &t->cases[i];
	const struct test_result *r = &t->results[i];
	size_t n;
	const char *variant = scenario_split(c->name, &n);
	char path[512];

	snprintf(path, sizeof(path), "%.*s", (int)n, c->name);
	fprintf(to, "  <testcase classname=\"");
	print_xml(to, path);
	fprintf(to, "\" name=\"");
	print_xml(to, c->corpus ? "replay" : variant ? variant : "load");
	if (c->cell) {
		snprintf(path, sizeof(path), " [%s %s %s]", c->cell->datapath, c->cell->ring,
			 c->cell->memory);
		print_xml(to, path);
	}
	fprintf(to, "\" time=\"%.3f\"", (double)r->elapsed_ns / 1e9);
	if (r->status == TEST_PASSED) {
		fprintf(to, "/>\n");
		return;
	}
	fprintf(to, ">\n    <%s message=\"", r->status == TEST_FAILED ? "failure" : "skipped");
	print_xml(to, r->text);
	if (r->status == TEST_FAILED) {
		fprintf(to, "\">seed %" PRIu64 ", schedule ", t->o->seed);
		print_xml(to, r->schedule);
		fprintf(to, ", commit %s</failure>\n", ringside_commit);
	} else {
		fprintf(to, "\"/>\n");
	}
	fprintf(to, "  </testcase>\n");
}

static int
write_junit(const struct test_report *t, struct error *err)
{
	FILE *to = fopen(t->o->junit, "w");
	int failed;

	if (!to)
		return error_set(err, "%s: %s", t->o->junit, strerror(errno));
	fprintf(to,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"ringside\" "
		"tests=\"%u\" "
		"failures=\"%u\" skipped=\"%u\">\n",
		t->count, t->tally[TEST_FAILED],
		t->tally[TEST_SKIPPED] + t->tally[TEST_IMPOSSIBLE]);
	for (unsigned i = 0; i < t->count; i++)
		junit_case(to, t, i);
	fprintf(to, "</testsuite>\n");
	failed = ferror(to);
	failed |= fclose(to);
	return failed ? error_set(err, "%s: cannot be written", t->o->junit) : 0;
}

int
test_report_end(struct test_report *t, struct error *err)
{
	int ret = t->o->junit ? write_junit(t, err) : 0;

	printf("%s%u passed, %u failed, %u skipped\n", t->o->tap ? "# " : "", t->tally[TEST_PASSED],
	       t->tally[TEST_FAILED], t->tally[TEST_SKIPPED]);
	fflush(stdout);
	return ret;
}
