/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exploring around a run: the order within each actor is kept, the order between actors is open.
 *
 * The world is in WORLD_AROUND (engine/world.h).  Between a strategy and the world stands a chooser
 * that puts the answers in the order of time, so that answer 0 is what the timed run (or the
 * recording) did, and each other answer is a deviation from it.  `random` thus departs here and
 * there, `bounded` tries all runs with at most so many deviations.  Schedules keep the engine's own
 * numbers: replay needs nothing of this.
 *
 * Who is passed over stands last from then on, until it is taken by another deviation or nobody
 * else can go on: so that a step is moved behind any later one by two deviations, not by one for
 * each step between.  Who is interrupted at a point goes on as soon as time says so.
 *
 * For strategies that take answers as numbers (strategy_ops.numbered): others look at who stands
 * behind an answer, and have no plain run to depart from.
 */
#ifndef RINGSIDE_EXPLORE_AROUND_H
#define RINGSIDE_EXPLORE_AROUND_H

struct around;
struct world;

/* Never null. */
struct around *
around_create(void);
/* Null is allowed. */
void
around_destroy(struct around *a);

/* After the strategy's begin(): its answers are in the order of time from now on. */
void
around_begin(struct around *a, struct world *w);

#endif
