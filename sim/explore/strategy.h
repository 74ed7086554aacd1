/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strategies: who answers the choices of an exploration, one schedule after another.
 *
 * This is the seam.  A strategy is a chooser with a begin() before each schedule and an end() after
 * it; the explorer knows nothing else of it.  A new one (dpor, states) is a file that defines a
 * struct strategy_ops, and a line in the table of strategy.c.
 *
 * Schedule number i of a strategy that is `indexed` depends on its configuration and i alone: that
 * is what lets shards partition an exploration without talking (shard I of N runs the i with i % N
 * == I), and what makes "schedule 4711 of seed 7" an address.  A strategy that learns from one
 * schedule for the next is not indexed, and the explorer refuses to shard it.
 *
 * A strategy lives outside the world's arena: it is not put back when the world is restored.
 */
#ifndef RINGSIDE_EXPLORE_STRATEGY_H
#define RINGSIDE_EXPLORE_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/choice.h"
#include "engine/world.h"
#include "explore/estimate.h"

struct strategy;

struct strategy_config {
	uint64_t seed;
	unsigned depth; /* pct: of the bugs to find, 1 … 5 */
	unsigned bound; /* bounded: preemptions a schedule may have */
	bool delays; /* bounded: delays instead */
	bool deviations; /* bounded: answers other than 0 instead, wherever they are asked */
	/* Of a strategy that partitions: part @shard of @shards; 0, 0: all. */
	uint32_t shard, shards;
	uint64_t states_max; /* states: end after so many; 0: STATES_MAX */
};

/* Of the command line; most known bugs need no more. */
#define STRATEGY_DEPTH_DEFAULT 3u
#define STRATEGY_BOUND_DEFAULT 2u

/*
 * What a strategy counts for its statement.  Kept apart so that processes that share an exploration
 * can add up what each has seen: strategy_tally_add().
 */
struct strategy_tally {
	uint64_t schedules; /* without plain ones */
	uint64_t cut; /* runs that were cut off */
	uint64_t classes; /* distinct ones, where that is not the number of schedules: states */
	uint32_t open; /* how many processes were not through, or reached a limit: */
	uint32_t limited;
	uint32_t actors, questions; /* the most that a schedule had */
	uint32_t planned; /* questions that the plan was made for, the same in all processes */
};

void
strategy_tally_add(struct strategy_tally *to, const struct strategy_tally *from);

struct strategy_ops {
	const char *name; /* of --strategy */
	const char *what; /* one line for the help */
	bool indexed; /* schedule i depends on (config, i) only */
	bool numbered; /* takes answers as numbers, 0 the plain one: for around.h */
	bool classes; /* the explorer may watch its schedules to tell classes (classes.h) */
	bool partitions; /* not indexed, but it runs one shard's schedules by itself */
	bool exhaustive; /* begin() returns false when every schedule was tried: "complete" */
	/* Null and @err on failure. */
	struct strategy *(*create)(const struct strategy_config *config, struct error *err);
	/*
	 * Before schedule @index; the world is restored, and may be run and restored here.  False:
	 * there is nothing left to try.
	 */
	bool (*begin)(struct strategy *s, struct world *w, uint64_t index);
	/*
	 * Instead of world_restore() and world_run(), for a strategy whose runs do not begin at the
	 * snapshot: to the end of a run that was not judged yet, or STOP_NONE, when there is none
	 * so far and it is time to look at the budgets (it is no schedule then), or when all were
	 * tried.  The world may have run otherwise in between.  Null: the usual way.
	 */
	enum stop (*run)(struct strategy *s, struct world *w);
	/* After it ran; the world can be looked at. May be null. */
	void (*end)(struct strategy *s, struct world *w, enum stop stop);
	/*
	 * Of one that is exhaustive and was stopped: how many schedules (executions, states) there
	 * are, from @probes runs of @w at random.  False if it cannot be said.  May be null.
	 */
	bool (*estimate)(struct strategy *s, struct world *w, unsigned probes,
			 struct estimate *all);
	/*
	 * Instead of it: the part of the tree that was explored, 0 … 1, by the branches known so
	 * far (Kilby, Slaney, Thiebaux, Walsh: Estimating Search Tree Size, AAAI 2006).  Cheap.
	 */
	double (*explored)(const struct strategy *s);
	/* One line for people: what the schedules so far prove, or promise. May be null. */
	void (*state)(const struct strategy *s, char *text, size_t size);
	void (*destroy)(struct strategy *s);
};

/* Each strategy's own struct begins with this. */
struct strategy {
	struct chooser chooser; /* first, so that the engine's pointer is ours */
	const struct strategy_ops *ops;
	bool left_out; /* begin() returned false, but a bound or a limit left schedules out */
	struct strategy_tally tally; /* indexed: what its statement is made of */
	bool repeated; /* by end(): this schedule was run before; it is not judged or counted */
	struct error error; /* by end(), if not empty: the world answers to nothing we control */
};

/* All of them, ended by null, in the order for the help. */
extern const struct strategy_ops *const strategy_table[];

/*
 * `random`.  Schedule 0 is the plain run, all answers 0.  The others draw each answer, every second
 * one of them uniformly; the rest keep to the running actor (to the newest value, to no early
 * flush) three, fifteen or sixty-three times of four, sixteen or sixty-four: uniform choice alone
 * practically never lets one actor run far while another stands still.
 */
extern const struct strategy_ops strategy_random;

/* Their files begin with what they are. Schedule 0 of pct and pos is the plain run, too. */
extern const struct strategy_ops strategy_pct;
extern const struct strategy_ops strategy_pos;
extern const struct strategy_ops strategy_bounded;
extern const struct strategy_ops strategy_dpor;
extern const struct strategy_ops strategy_states;

/* By name; null and @err, which lists the names, if there is none. */
const struct strategy_ops *
strategy_find(const char *name, struct error *err);

struct strategy *
strategy_create(const struct strategy_ops *ops, const struct strategy_config *config,
		struct error *err);
/* Null is allowed. */
void
strategy_destroy(struct strategy *s);

#endif
