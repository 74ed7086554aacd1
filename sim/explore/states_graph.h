/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the worlds that `states` met lead to an end.  From the others a run goes on for ever,
 * whatever is chosen: a livelock, which no end shows.
 *
 * One edge a transition, 8 bytes; the question costs some passes over all of them.
 */
#ifndef RINGSIDE_EXPLORE_STATES_GRAPH_H
#define RINGSIDE_EXPLORE_STATES_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#define GRAPH_END UINT32_MAX /* as where an edge leads */

struct states_graph {
	struct states_edge {
		uint32_t from, to;
	} * edge;
	size_t count, size;
};

void
graph_edge(struct states_graph *g, uint32_t from, uint32_t to);
void
graph_clear(struct states_graph *g);
/* How many of states 0 … @states - 1 lead to no end; *@first is the first of them. */
size_t
graph_stuck(const struct states_graph *g, size_t states, uint32_t *first);

#endif
