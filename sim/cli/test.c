/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside test: every variant of every scenario, in worker processes.
 *
 * Numbers of cases stand in one pipe before the first worker starts; each worker takes the next one
 * when it is done with the last, and writes results into another pipe.  A worker that crashes costs
 * the case it was at: that case fails as a bug in Ringside, and the rest go on.
 */
#include "cli/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/runner.h"
#include "cli/scenario_files.h"

#define JOBS_MAX 256

_Static_assert(sizeof(struct test_result) <= 4096, "a result is written to a pipe in one piece");

struct tests {
	const struct options *o;
	struct test_case *cases;
	struct test_result *results;
	unsigned count, to_run;
	void **owned; /* names, errors and cells of the cases */
	unsigned owned_count;
	int jobs_fd, results_fd[2];
	pid_t worker[JOBS_MAX];
	unsigned workers;
	unsigned crashed;
	bool interrupted;
};

/* --- the list ------------------------------------------------------------------------------- */

static const void *
own(struct tests *t, void *text)
{
	must(text);
	must(t->owned = realloc(t->owned, (t->owned_count + 1) * sizeof(*t->owned)));
	return t->owned[t->owned_count++] = text;
}

static void
add_case(struct tests *t, const char *name, const char *broken)
{
	must(t->cases = realloc(t->cases, (t->count + 1) * sizeof(*t->cases)));
	t->cases[t->count++] = (struct test_case){ .name = name, .broken = broken };
}

static int
add_cell(void *arg, char *name, char *broken, struct test_cell *cell, struct error *err)
{
	struct tests *t = arg;

	add_case(t, own(t, name), broken ? own(t, broken) : NULL);
	if (cell)
		t->cases[t->count - 1].cell = own(t, cell);
	t->to_run += !cell || !cell->impossible[0];
	if (t->to_run > TEST_CASES_MAX)
		return error_set(err, "more than %u cells; --memory and fewer paths make less",
				 TEST_CASES_MAX);
	return 0;
}

static int
list_cases(struct tests *t, const struct scenario_files *files, struct error *err)
{
	for (size_t i = 0; i < files->count; i++) {
		const char *path = files->path[i];
		struct scenario s;
		struct error broken;

		if (t->count + SCENARIO_VARIANTS_MAX > TEST_CASES_MAX)
			return error_set(err, "more than %u cases", TEST_CASES_MAX);
		if (scenario_load(path, &s, &broken)) {
			add_case(t, own(t, strdup(path)), own(t, strdup(broken.text)));
			continue;
		}
		for (unsigned k = 0; k < s.variants; k++) {
			char *name;

			must(asprintf(&name, "%s:%s", path, s.variant[k].name) >= 0);
			add_case(t, own(t, name), NULL);
		}
		scenario_free(&s);
	}
	return 0;
}

static int
list_corpus(struct tests *t, struct error *err)
{
	struct scenario_files files = { 0 };
	int ret = failure_files_find(&files, t->o->corpus, err);

	if (!ret && t->count + files.count > TEST_CASES_MAX)
		ret = error_set(err, "more than %u cases", TEST_CASES_MAX);
	for (size_t i = 0; !ret && i < files.count; i++) {
		add_case(t, own(t, strdup(files.path[i])), NULL);
		t->cases[t->count - 1].corpus = true;
	}
	scenario_files_free(&files);
	return ret;
}

static int
list_all(struct tests *t, const struct scenario_files *files, struct error *err)
{
	if (!t->o->arg_count && !t->o->corpus)
		return error_set(err, "usage: ringside test [--corpus DIR] [PATH…]");
	if (list_cases(t, files, err) || (t->o->corpus && list_corpus(t, err)))
		return -1;
	return t->count ? 0 : error_set(err, "there is no scenario there");
}

static int
list_matrix(struct tests *t, const struct scenario_files *files, struct error *err)
{
	if (test_matrix_list(t->o, (const char *const *)files->path, files->count, add_cell, t,
			     err))
		return -1;
	return t->count ? 0 : error_set(err, "none of them is in the matrix (matrix = …)");
}

/* --- workers -------------------------------------------------------------------------------- */

static _Noreturn void
work(struct tests *t)
{
	struct error err;
	struct record *r = record_open(t->o->db, &err);
	uint32_t index;

	close(t->results_fd[0]);
	while (!runner_interrupted && read(t->jobs_fd, &index, sizeof(index)) == sizeof(index)) {
		struct test_result result = { .index = index };

		if (r) {
			const struct test_case *c = &t->cases[index];

			(c->corpus ? test_corpus_run : test_case_run)(c, t->o, r, &result);
		} else {
			result.status = TEST_FAILED;
			snprintf(result.text, sizeof(result.text), "%s", err.text);
		}
		must(write(t->results_fd[1], &result, sizeof(result)) == sizeof(result));
	}
	record_close(r);
	_exit(0);
}

static int
start_workers(struct tests *t, struct error *err)
{
	unsigned jobs = t->o->jobs < 1 ? 1 : t->o->jobs > JOBS_MAX ? JOBS_MAX : t->o->jobs;
	int numbers[2];

	if (pipe(numbers) || pipe(t->results_fd))
		return error_set(err, "test: %s", strerror(errno));
	for (uint32_t i = 0; i < t->count; i++)
		if (t->results[i].status == TEST_NONE)
			must(write(numbers[1], &i, sizeof(i)) == sizeof(i));
	close(numbers[1]);
	t->jobs_fd = numbers[0];
	for (unsigned i = 0; i < jobs && i < t->count; i++) {
		pid_t child = fork();

		if (!child)
			work(t);
		if (child < 0)
			return error_set(err, "test: %s", strerror(errno));
		t->worker[t->workers++] = child;
	}
	close(t->results_fd[1]);
	close(t->jobs_fd);
	return 0;
}

/* One result, or false when all workers are gone. */
static bool
next_result(struct tests *t)
{
	struct test_result result;
	ssize_t n;

	while ((n = read(t->results_fd[0], &result, sizeof(result))) < 0 && errno == EINTR)
		for (unsigned i = 0; i < t->workers; i++)
			kill(t->worker[i],
			     SIGTERM); /* a second signal to a worker is the last one it needs */
	if (n != sizeof(result))
		return false;
	t->interrupted |= result.interrupted != 0;
	if (result.index < t->count)
		t->results[result.index] = result;
	return true;
}

/* What a crashed worker was at has no result: the first such cases, one for each crash. */
static void
wait_workers(struct tests *t)
{
	unsigned crashes = 0, stuck = 0;
	int status;

	for (unsigned i = 0; i < t->workers; i++) {
		if (waitpid(t->worker[i], &status, 0) <= 0)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE)
			stuck++; /* watchdog.h */
		else if (!WIFEXITED(status) || WEXITSTATUS(status))
			crashes++;
	}
	t->crashed = crashes;
	crashes += stuck;
	for (unsigned i = 0; i < t->count; i++) {
		struct test_result *r = &t->results[i];

		if (r->status != TEST_NONE)
			continue;
		r->status = crashes ? TEST_FAILED : TEST_SKIPPED;
		snprintf(r->text, sizeof(r->text), "%s",
			 crashes ? t->crashed ? "bug in Ringside: the process died (see above)"
					      : "the script does not come back (see above)"
			 : runner_interrupted || t->interrupted ? "interrupted"
								: "not run: no process was left");
		crashes -= crashes > 0;
	}
}

static int
run_all(struct tests *t, struct error *err)
{
	struct test_report report = { t->o, t->cases, t->results, t->count, 0, { 0 } };
	struct progress progress;
	unsigned done = 0;

	fflush(stdout);
	if (start_workers(t, err))
		return EXIT_USAGE;
	runner_catch_signals(false);
	progress_init(&progress, t->o->quiet);
	while (next_result(t)) {
		progress_clear(&progress);
		test_report_flush(&report);
		progress_show_list(&progress, ++done, t->count, report.tally[TEST_FAILED]);
	}
	progress_clear(&progress);
	wait_workers(t);
	test_report_flush(&report);
	if (t->o->matrix)
		test_matrix_print(&report);
	if (test_report_end(&report, err))
		return EXIT_USAGE;
	if (t->crashed)
		return EXIT_BUG;
	if (report.tally[TEST_FAILED])
		return EXIT_BROKEN;
	return runner_interrupted || t->interrupted ? EXIT_BUDGET : EXIT_HELD;
}

/* What cannot be is known before anything is run. */
static void
set_impossible(struct tests *t)
{
	for (uint32_t i = 0; i < t->count; i++) {
		const struct test_cell *cell = t->cases[i].cell;

		if (!cell || !cell->impossible[0])
			continue;
		t->results[i].index = i;
		t->results[i].status = TEST_IMPOSSIBLE;
		snprintf(t->results[i].text, sizeof(t->results[i].text), "impossible: %s",
			 cell->impossible);
	}
}

int
command_test(const struct options *o, struct error *err)
{
	struct scenario_files files = { 0 };
	struct tests t = { .o = o };
	char *everything[] = { (char *)"scenarios" }, **args = o->args;
	int count = o->arg_count, status = EXIT_USAGE;

	if (!count && o->matrix) {
		args = everything;
		count = 1;
	}
	if (!scenario_files_find(&files, args, count, err) &&
	    !(o->matrix ? list_matrix(&t, &files, err) : list_all(&t, &files, err))) {
		must(t.results = calloc(t.count, sizeof(*t.results)));
		set_impossible(&t);
		status = run_all(&t, err);
	}
	for (unsigned i = 0; i < t.owned_count; i++)
		free(t.owned[i]);
	free(t.owned);
	free(t.cases);
	free(t.results);
	scenario_files_free(&files);
	return status;
}
