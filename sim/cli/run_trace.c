/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside run TRACE, ringside import TRACE: recordings of real systems.  --format names the
 * importer.  --set removal=NAME chooses how QEMU removes slots (trace/replay_memslot.h).
 */
#include "cli/run_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/runner.h"
#include "explore/replay.h"
#include "trace/merge.h"
#include "trace/trace.h"

bool
is_trace(const char *text)
{
	size_t n;

	scenario_split(text, &n);
	return n < 4 || strncmp(text + n - 4, ".lua", 4);
}

int
trace_of(const struct options *o, struct recording *r, struct error *err)
{
	struct trace_options how = { .format = o->format,
				     .events = o->events,
				     .pattern = o->pattern };

	return trace_open_with(o->args[0], &how, r, err);
}

int
trace_removal(const struct options *o, enum slot_removal *removal, struct error *err)
{
	char list[256] = "";
	size_t n = 0;

	*removal = SLOT_REMOVAL_SLOT_LOG_ONLY;
	for (unsigned i = 0; i < SLOT_REMOVALS; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", slot_removal_info[i].name);
	for (unsigned i = 0; i < o->sets; i++) {
		if (strcmp(o->set_name[i], "removal"))
			return error_set(err, "--set %s: a recording has only: removal",
					 o->set_name[i]);
		*removal = slot_removal_find(o->set_value[i]);
		if (*removal == SLOT_REMOVALS)
			return error_set(err, "--set removal=%s: must be one of:%s",
					 o->set_value[i], list);
	}
	return 0;
}

struct run_info
trace_info(const struct options *o, const struct memslot_replay_config *config,
	   const char *strategy, struct run_param *param)
{
	const char *removal = slot_removal_info[config->removal].name;

	*param = (struct run_param){ "removal", removal };
	return (struct run_info){ .scenario = o->args[0],
				  .variant = removal,
				  .strategy = strategy,
				  .memory = "sc",
				  .datapath = "",
				  .expected = "",
				  .version = runner_version(),
				  .seed = o->seed,
				  .params = param,
				  .param_count = 1 };
}

/* In the recorded order, or in that of --schedule, which `explore` has printed. */
static int
replay_as_told(const struct options *o, struct memslot_replay *p, struct error *err)
{
	struct schedule schedule = { 0 };
	struct divergence div;
	int status = EXIT_HELD;

	if (!o->schedule)
		return memslot_replay_run(p, err) ? EXIT_USAGE : EXIT_HELD;
	if (schedule_parse(&schedule, o->schedule, strlen(o->schedule), err)) {
		error_prefix(err, "--schedule");
		return EXIT_USAGE;
	}
	if (replay_run(memslot_replay_world(p), &schedule, NULL, NULL, &div)) {
		error_set(err, "diverged: %s", div.text);
		status = EXIT_DIVERGED;
	}
	schedule_free(&schedule);
	return status;
}

static int
record_lost(struct record *r, const struct memslot_replay_result *result, struct error *err)
{
	for (uint64_t i = 0; i < result->lost; i++) {
		const struct lost_page *p = &result->lost_page[i];
		char subject[64], message[256];
		struct run_violation v = {
			"dirty-page-lost", "dirty-page-lost", "must", 0, p->sync_ns, "qemu",
			subject,	   message,	      ""
		};

		snprintf(subject, sizeof(subject), "gfn=0x%" PRIx64, p->gfn);
		snprintf(message, sizeof(message),
			 "dirtied %" PRIu64 " times since the last sync, and "
			 "its bit died with slot %u at %" PRId64 " ns",
			 p->dirtied, p->slot, p->died_ns);
		if (record_violation(r, &v, err))
			return -1;
	}
	return 0;
}

static int
replay_recording(const struct options *o, struct memslot_replay *p, struct record *r,
		 struct run_info *info, struct error *err)
{
	struct world *w = memslot_replay_world(p);
	const struct memslot_replay_result *result;
	struct run_result run = { .schedules = 1 };
	int64_t began = runner_clock(NULL);
	struct event_tap tap;
	int status;

	if (record_run_begin(r, info, err) < 0)
		return EXIT_USAGE;
	event_tap_open(&tap, w, o, record_keeps(r) ? record_sink : NULL, r);
	status = replay_as_told(o, p, err);
	if (status != EXIT_HELD)
		return status;
	result = memslot_replay_result(p);
	if (!o->quiet && o->schedule)
		memslot_replay_report_order(p, stdout, UINT32_MAX);
	if (!o->quiet)
		memslot_replay_report(p, stdout);
	run.verdict = verdict_name[result->lost ? VERDICT_DIRTY_PAGE_LOST : VERDICT_OK];
	run.steps = world_step(w);
	run.sim_time_ns = world_now(w);
	run.digest = world_digest(w);
	run.wall_ns = runner_clock(NULL) - began;
	if (record_lost(r, result, err) ||
	    record_metric(r, "pages_lost", (int64_t)result->lost, "pages", err) ||
	    record_metric(r, "dirty_marks", (int64_t)result->dirty_marks, "", err) ||
	    record_metric(r, "lines_skipped", (int64_t)result->lines_skipped, "lines", err) ||
	    record_names(r, w, err) || record_run_end(r, &run, err))
		return EXIT_USAGE;
	return result->lost ? EXIT_BROKEN : EXIT_HELD;
}

bool
trace_of_bitmaps(const struct recording *r)
{
	return recording_count(r, RECORD_PAGE_DIRTY) ||
	       recording_count(r, RECORD_BITMAP_DESTROYED) || !strcmp(r->format, "syslog");
}

static int
run_memslots(const struct options *o, const struct recording *recording, struct error *err)
{
	struct memslot_replay_config config = { .around = o->schedule != NULL };
	struct memslot_replay *p = NULL;
	struct run_param param;
	struct run_info info;
	struct record *r = NULL;
	int status = EXIT_USAGE;

	if (!trace_removal(o, &config.removal, err))
		p = memslot_replay_create(recording, &config, err);
	if (p)
		r = record_open(o->db, err);
	if (r) {
		info = trace_info(o, &config, o->schedule ? "replay" : "run", &param);
		status = replay_recording(o, p, r, &info, err);
	}
	memslot_replay_destroy(p);
	record_close(r);
	return status;
}

/* The first recording, with the others aligned to it. */
static int
trace_all(const struct options *o, struct recording *r, struct error *err)
{
	if (trace_of(o, r, err))
		return -1;
	for (int i = 1; i < o->arg_count; i++) {
		struct trace_options how = { .format = o->format,
					     .events = o->events,
					     .pattern = o->pattern };
		struct recording other = { 0 }, both = { 0 };
		struct alignment a;
		int ret;

		if (trace_open_with(o->args[i], &how, &other, err))
			return -1;
		ret = recording_merge(&both, r, &other, &a, err);
		if (!ret && a.events)
			printf("%s: its clock is %" PRId64 " ns behind, by %" PRIu64
			       " events that agree within %" PRId64 " ns\n",
			       other.name, a.offset_ns, a.events, a.spread_ns);
		else if (!ret)
			printf("%s: has the same clock\n", other.name);
		recording_free(&other);
		recording_free(r);
		*r = both;
		if (ret)
			return -1;
	}
	return 0;
}

int
run_trace(const struct options *o, struct error *err)
{
	struct recording recording = { 0 };
	int status;

	if (trace_all(o, &recording, err)) {
		recording_free(&recording);
		return EXIT_USAGE;
	}
	status = trace_of_bitmaps(&recording) ? run_memslots(o, &recording, err)
					      : run_trace_machine(o, &recording, err);
	recording_free(&recording);
	return status;
}

/* --- import --------------------------------------------------------------------------------- */

static int
record_import(struct record *r, const struct recording *recording, struct error *err)
{
	struct run_info info = { .scenario = recording->name,
				 .strategy = "import",
				 .memory = "",
				 .datapath = "",
				 .variant = recording->format,
				 .expected = "",
				 .version = runner_version() };
	struct run_result result = { .verdict = verdict_name[VERDICT_OK],
				     .schedules = 1,
				     .steps = recording->count };

	if (record_run_begin(r, &info, err) < 0 ||
	    record_metric(r, "lines", (int64_t)recording->lines, "lines", err) ||
	    record_metric(r, "lines_skipped", (int64_t)recording->lines_skipped, "lines", err) ||
	    record_metric(r, "records", (int64_t)recording->count, "records", err))
		return -1;
	for (unsigned k = 0; k < RECORD_KINDS + recording->kinds_added; k++) {
		uint64_t n = recording_count(recording, k);

		if (n && record_metric(r, recording_kind(recording, k)->name, (int64_t)n, "records",
				       err))
			return -1;
	}
	return record_run_end(r, &result, err);
}

int
command_import(const struct options *o, struct error *err)
{
	struct recording recording = { 0 };
	struct record *r = NULL;
	int status = EXIT_USAGE;

	if (trace_all(o, &recording, err)) {
		recording_free(&recording);
		return EXIT_USAGE;
	}
	trace_print_import(&recording, stdout);
	for (size_t i = 0; !o->quiet && i < recording.count; i++)
		recording_print(&recording, &recording.record[i], stdout);
	r = record_open(o->db, err);
	if (r && !record_import(r, &recording, err))
		status = EXIT_HELD;
	record_close(r);
	recording_free(&recording);
	return status;
}
