/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/states_graph.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/must.h"

void
graph_edge(struct states_graph *g, uint32_t from, uint32_t to)
{
	if (g->count == g->size) {
		g->size = g->size ? g->size * 2 : 1024;
		must(g->edge = realloc(g->edge, g->size * sizeof(*g->edge)));
	}
	g->edge[g->count++] = (struct states_edge){ from, to };
}

void
graph_clear(struct states_graph *g)
{
	free(g->edge);
	*g = (struct states_graph){ 0 };
}

size_t
graph_stuck(const struct states_graph *g, size_t states, uint32_t *first)
{
	bool *ends = calloc(states + 1, 1), changed = true;
	size_t stuck = 0;

	must(ends);
	/* Depth first, what follows from a world was met after it: backwards, a pass or two do. */
	while (changed) {
		changed = false;
		for (size_t i = g->count; i-- > 0;) {
			const struct states_edge *e = &g->edge[i];

			if (!ends[e->from] && (e->to == GRAPH_END || ends[e->to]))
				ends[e->from] = changed = true;
		}
	}
	for (size_t i = states; i-- > 0;)
		if (!ends[i]) {
			*first = (uint32_t)i;
			stuck++;
		}
	free(ends);
	return stuck;
}
