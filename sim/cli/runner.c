/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/runner.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/version.h"
#include "cli/watchdog.h"
#include "datapath/registry.h"
#include "explore/replay.h"
#include "memory/race.h"
#include "record/reader.h"
#include "script/lua_world.h"

volatile sig_atomic_t runner_interrupted;

static void
on_signal(int number)
{
	runner_interrupted = number;
}

void
runner_catch_signals(bool restart)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	if (restart)
		sa.sa_flags |= SA_RESTART;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

int64_t
runner_clock(void *context)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const char *
runner_version(void)
{
	static char text[80];

	snprintf(text, sizeof(text), "%s %s", ringside_version, ringside_commit);
	return text;
}

int
runner_exit(enum verdict v)
{
	return v == VERDICT_OK ? EXIT_HELD : v == VERDICT_BUDGET ? EXIT_BUDGET : EXIT_BROKEN;
}

/* --- sessions --------------------------------------------------------------------------------- */

static int
begin(struct session *s, const char *path, const char *variant, const struct options *o,
      struct error *err)
{
	*s = (struct session){ 0 };
	watchdog_start();
	if (scenario_load(path, &s->scenario, err))
		return -1;
	s->variant = scenario_find_variant(&s->scenario, variant, err);
	if (!s->variant)
		return -1;
	scenario_values_init(&s->values, &s->scenario, s->variant);
	if (o->until)
		s->scenario.steps_max = o->until;
	if (o->around && s->scenario.mode != WORLD_TIMED)
		return error_set(err,
				 "--around: %s is in mode relaxed, where no order is the one that "
				 "time gives",
				 path);
	if (o->around)
		s->scenario.mode = WORLD_AROUND;
	return 0;
}

/* @o: of the command line, else of the failure that is replayed. */
static int
set_up(struct session *s, const struct options *o, struct error *err)
{
	struct scenario_set_up how = { .machine = o->machine,
				       .memory = o->memory,
				       .races = o->races };
	struct datapath_choice datapath;

	if (o->memory && memory_model_find(o->memory, err) < 0)
		return error_prefix(err, "--memory");
	if (o->datapath) {
		if (datapath_choose(&datapath, o->datapath, err))
			return error_prefix(err, "--datapath");
		how.datapath = &datapath;
	}
	if (o->ring) {
		if (datapath_ring_parse(o->ring, &how.feature_value, err))
			return error_prefix(err, "--ring");
		how.feature_mask = datapath_ring_features;
		snprintf(s->ring, sizeof(s->ring), "%s", o->ring);
	}
	s->w = scenario_set_up(&s->scenario, s->variant, &s->values, &how, err);
	return s->w ? 0 : -1;
}

static int
finish(struct session *s, const struct options *o, struct error *err)
{
	for (unsigned i = 0; i < o->sets; i++) {
		if (scenario_values_set(&s->values, &s->scenario, o->set_name[i], o->set_value[i],
					err))
			return error_prefix(err, "--set");
	}
	return set_up(s, o, err);
}

int
session_open(struct session *s, const char *text, const struct options *o, struct error *err)
{
	size_t n;
	const char *variant = scenario_split(text, &n);
	char *path = strndup(text, n);
	int ret;

	must(path);
	ret = begin(s, path, variant, o, err) || finish(s, o, err);
	free(path);
	if (ret)
		session_close(s);
	return ret ? -1 : 0;
}

int
session_open_failure(struct session *s, const struct failure *f, const struct options *o,
		     struct error *err)
{
	struct options with = *o;
	int ret = begin(s, f->scenario, f->variant, o, err);

	if (f->mode == WORLD_AROUND)
		s->scenario.mode = WORLD_AROUND;
	if (!with.datapath)
		with.datapath = f->datapath;
	if (!with.memory)
		with.memory = f->memory;
	if (!with.ring)
		with.ring = f->ring;
	with.races |= f->races;
	for (size_t i = 0; !ret && i < f->param_count; i++)
		ret = scenario_values_set(&s->values, &s->scenario, f->params[i].name,
					  f->params[i].value, err);
	if (ret || finish(s, &with, err)) {
		session_close(s);
		return -1;
	}
	return 0;
}

static bool
is_scenario(const char *text)
{
	size_t n;

	scenario_split(text, &n);
	return n >= 4 && !strncmp(text + n - 4, ".lua", 4);
}

int
session_open_either(struct session *s, struct failure *f, const char *text, const struct options *o,
		    struct error *err)
{
	failure_init(f);
	if (is_scenario(text))
		return session_open(s, text, o, err);
	if (failure_open(text, f, err))
		return -1;
	if (!session_open_failure(s, f, o, err))
		return 0;
	failure_free(f);
	return -1;
}

void
session_close(struct session *s)
{
	world_destroy(s->w);
	scenario_values_free(&s->values);
	scenario_free(&s->scenario);
	s->w = NULL;
}

struct strategy_config
session_strategy(const struct options *o)
{
	return (struct strategy_config){
		.seed = o->seed,
		.depth = o->depth,
		.bound = o->bound,
		.delays = o->bound_delays,
		.deviations = o->around,
		.shard = o->shard,
		.shards = o->shards,
	};
}

enum verdict
session_judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	struct session *s = context;
	struct error err;
	enum verdict v;

	watchdog_judge(w);
	v = scenario_judge(w, stop, f, &err);
	watchdog_judge(NULL);
	if (err.text[0] && !s->error.text[0]) {
		s->error = err;
		runner_interrupted = SIGINT; /* nothing more to learn: the explorer ends */
	}
	return v;
}

struct run_info
session_info(struct session *s, const struct options *o, const char *strategy)
{
	for (unsigned i = 0; i < s->scenario.params; i++)
		s->param[i] = (struct run_param){ s->scenario.param[i].name, s->values.value[i] };
	/* Not a parameter of the scenario, but what its queues were made with. */
	if (s->ring[0])
		s->param[s->scenario.params] = (struct run_param){ "--ring", s->ring };
	return (struct run_info){
		.scenario = s->scenario.path,
		.variant = s->variant->name,
		.strategy = strategy,
		.memory = memory_model_name[memory_model_of(s->w)],
		.datapath = datapath_text(s->w),
		.expected = verdict_name[s->variant->expect],
		.version = runner_version(),
		.seed = o->seed,
		.params = s->param,
		.param_count = s->scenario.params + (s->ring[0] != 0),
	};
}

void
session_failure(struct session *s, const struct options *o, const struct finding *finding,
		const struct schedule *schedule, struct failure *f)
{
	failure_init(f);
	failure_set(&f->version, runner_version());
	failure_set(&f->scenario, s->scenario.path);
	failure_set(&f->variant, s->variant->name);
	for (unsigned i = 0; i < s->scenario.params; i++)
		failure_add_param(f, s->scenario.param[i].name, s->values.value[i]);
	f->seed = o->seed;
	failure_set(&f->strategy, o->strategy);
	failure_set(&f->memory, memory_model_name[memory_model_of(s->w)]);
	f->races = race_detecting(s->w);
	failure_set(&f->datapath, datapath_text(s->w));
	failure_set(&f->ring, s->ring[0] ? s->ring : NULL);
	f->mode = s->scenario.mode;
	f->finding = *finding;
	schedule_copy(&f->schedule, schedule);
}

int
session_replay_log(struct session *s, struct schedule *schedule, struct trail *trail,
		   struct event_log *log, struct error *err)
{
	struct divergence div;
	int ret;

	world_set_sink(s->w, event_log_sink, log);
	ret = replay_learn(s->w, schedule, trail, NULL, NULL, &div);
	world_flush(s->w);
	world_set_sink(s->w, NULL, NULL);
	return ret ? error_set(err, "diverged: %s", div.text) : 0;
}

int
session_record_end(struct session *s, struct record *r, struct error *err)
{
	struct script *script = script_of_world(s->w);

	for (unsigned i = 0; i < script->metrics; i++) {
		const struct script_metric *m = &script->metric[i];

		if (record_metric(r, m->name, m->value, m->unit, err))
			return -1;
	}
	return record_names(r, s->w, err);
}

int
session_record_failure(struct record *r, const struct failure *f, const struct found *found,
		       struct error *err)
{
	const struct finding *finding = &f->finding;
	struct run_failure rf = { .verdict = verdict_name[finding->verdict],
				  .oracle = finding->oracle,
				  .subject = finding->subject,
				  .message = finding->message,
				  .index = found ? found->index : 0,
				  .times = found ? found->times : 1,
				  .signature = found ? found->signature : 0 };
	char *line = schedule_print(&f->schedule), *text = NULL;
	const char *statement = *finding->statement ? finding->statement : finding->oracle;
	struct run_violation v = { .oracle = finding->oracle,
				   .statement = statement,
				   .severity = "must",
				   .step = f->steps,
				   .time_ns = f->time_ns,
				   .actor = "",
				   .subject = finding->subject,
				   .message = finding->message,
				   .schedule = line };
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int ret = out ? failure_write(f, out, err) : error_set(err, "out of memory");

	if (out)
		fclose(out);
	rf.schedule = line;
	rf.file = text;
	if (!ret && (record_failure(r, &rf, err) || record_violation(r, &v, err)))
		ret = -1;
	free(text);
	free(line);
	return ret;
}

/* --- failures from files and databases -------------------------------------------------------- */

int
failure_open(const char *text, struct failure *f, struct error *err)
{
	size_t path_len;
	int64_t id;
	char *path, *file;
	struct reader *rd;
	int ret = -1;

	if (!reader_parse_ref(text, &path_len, &id))
		return failure_load(f, text, err);
	failure_init(f);
	must(path = strndup(text, path_len));
	rd = reader_open(path, err);
	file = rd ? reader_failure_file(rd, id, err) : NULL;
	if (file)
		ret = failure_parse(f, file, strlen(file), text, err);
	free(file);
	reader_close(rd);
	free(path);
	return ret;
}
