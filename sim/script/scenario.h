/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: one Lua file that returns one table.
 *
 *	return {
 *		name = "lost-wakeup",                     what it is called in lists
 *		title = "a flag is checked, then slept on",
 *		evidence = { "f65886606c2d", … },         commits and mails that it stands for
 *		mode = "relaxed",                         or "timed"; this is the default
 *		memory = "sc",                            or "tso", "weak"; a variant may differ
 *		races = false,                            whether data races are looked for
 *		params = {
 *			n = { default = 1, min = 1, max = 8, doc = "wake-ups" },
 *			how = { default = "flag", values = { "flag", "count" }, doc = "…" },
 *			fast = { default = false, doc = "…" },
 *		},
 *		buffers = "n",                            the parameter that shrinking makes less of
 *		variants = {                              at least one that fails and one that holds
 *			fails = { expect = "hang", faults = { "…" }, set = { n = 2 },
 *				  runs = 1000, doc = "…" },
 *			holds = { expect = "ok", runs = 20000 },
 *		},
 *		matrix = true,                            in `ringside test --matrix`, or false, or
 *		                                          what it sets itself: { "ring", … }
 *		machine = "file.yaml",                    what machine{} begins with:
 *		                                          machine_file.h
 *		steps_max = 200000, time_max_ns = 0,      limits of one run
 *		setup = function(p) … end,                builds the world; p has the parameters
 *		check = function(p) … end,                looks at the finished world; may
 *		                                          violate()
 *	}
 *
 * Everything is validated, and unknown keys are errors: messages name file, line and column of the
 * key and list what is allowed.  `runs` is the number of schedules that a variant is explored for,
 * or "complete".
 *
 * The file is run twice: once in a world of its own, thrown away, to learn the table
 * (scenario_load); and again in the world that is explored (scenario_set_up), where setup() is
 * called.
 */
#ifndef RINGSIDE_SCRIPT_SCENARIO_H
#define RINGSIDE_SCRIPT_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/fault.h"
#include "engine/world.h"
#include "explore/verdict.h"
#include "memory/model.h"

struct datapath_choice;

#define SCENARIO_PARAMS_MAX 64u
#define SCENARIO_VARIANTS_MAX 64u
#define SCENARIO_FAULTS_MAX 16u
#define SCENARIO_EVIDENCE_MAX 32u
#define SCENARIO_WORDS_MAX 128u
#define SCENARIO_RUNS_DEFAULT UINT64_C(20000)

/* Whether a scenario is one of the conformance matrix (`ringside test --matrix`): matrix = … */
enum scenario_matrix { MATRIX_UNSAID, MATRIX_OUT, MATRIX_IN };
/* What it keeps as it is by itself, in the matrix: matrix = { "ring", … }. ORDER AXIS */
enum scenario_axis {
	AXIS_DRIVER,
	AXIS_DEVICE,
	AXIS_RING, /* split or packed */
	AXIS_EVENT_IDX,
	AXIS_INDIRECT,
	AXIS_IN_ORDER,
	AXIS_MEMORY,
	AXES
};
extern const char *const scenario_axis_name[AXES];

enum param_type { PARAM_INTEGER, PARAM_BOOLEAN, PARAM_WORD };

/* Values of parameters are texts everywhere outside of Lua: "4", "true", "flag". */
struct scenario_param {
	char *name, *doc;
	enum param_type type;
	char *value; /* the default */
	int64_t min, max; /* integers */
	char *word[SCENARIO_WORDS_MAX]; /* words */
	unsigned words;
};

struct scenario_setting {
	char *name, *value;
};

struct scenario_variant {
	char *name, *doc;
	enum verdict expect;
	enum fault fault[SCENARIO_FAULTS_MAX];
	unsigned faults;
	struct scenario_setting *set;
	unsigned sets;
	uint64_t runs;
	bool complete; /* runs = "complete" */
	int memory; /* enum memory_model, or -1: the scenario's */
	int races; /* whether data races are looked for, or -1: as the scenario says */
};

/* Everything is owned (malloc). */
struct scenario {
	char *path;
	char *source;
	size_t source_bytes;
	char *name, *title, *machine;
	char *evidence[SCENARIO_EVIDENCE_MAX];
	unsigned evidences;
	enum world_mode mode;
	enum memory_model memory;
	bool races;
	uint64_t steps_max;
	int64_t time_max_ns;
	struct scenario_param *param;
	unsigned params;
	int buffers; /* the parameter that is the number of buffers, for shrinking; -1: none */
	struct scenario_variant *variant; /* by name */
	unsigned variants;
	bool has_check;
	enum scenario_matrix matrix;
	unsigned matrix_own; /* bits of enum scenario_axis */
};

/* Read and validate. On -1 and @err the scenario is empty. */
int
scenario_load(const char *path, struct scenario *s, struct error *err);
void
scenario_free(struct scenario *s);

/*
 * Null and @err, which lists the names, if there is none. A null @name is the first failing
 * variant.
 */
const struct scenario_variant *
scenario_find_variant(const struct scenario *s, const char *name, struct error *err);

/* "dir/x.lua:fails": *@path_len is that of the path; the variant or null. */
const char *
scenario_split(const char *text, size_t *path_len);

/* One value for each parameter, by index. */
struct scenario_values {
	char *value[SCENARIO_PARAMS_MAX];
};

/* Defaults, then those of the variant (may be null). */
void
scenario_values_init(struct scenario_values *v, const struct scenario *s,
		     const struct scenario_variant *variant);
/* Set by name; -1 and @err with what is allowed. */
int
scenario_values_set(struct scenario_values *v, const struct scenario *s, const char *name,
		    const char *value, struct error *err);
void
scenario_values_free(struct scenario_values *v);

/* What a set-up gets from outside the scenario. Zeroed: nothing. */
struct scenario_set_up {
	const char *machine; /* a YAML file instead of the scenario's own */
	const struct datapath_choice *datapath; /* instead of what the scenario says */
	const char *memory; /* a memory model instead of the variant's */
	bool races; /* look for data races although the variant does not */
	uint64_t feature_mask, feature_value; /* datapath_force_features() */
};

/*
 * A world for @s, set up with these values and the variant's faults (may be null), and its snapshot
 * taken.  @how may be null.  Null and @err.
 */
struct world *
scenario_set_up(const struct scenario *s, const struct scenario_variant *variant,
		const struct scenario_values *values, const struct scenario_set_up *how,
		struct error *err);

/*
 * What the finished world amounts to: what was reported, else what check() says, else what is stuck
 * (oracle/oracle.h).  May be called again on the same finished run.  If check() itself fails,
 * returns VERDICT_BUDGET and @err; @err is empty else.
 */
enum verdict
scenario_judge(struct world *w, enum stop stop, struct finding *f, struct error *err);

#endif
