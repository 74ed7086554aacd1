/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world's table of names: text to number and back.  Open addressing, half full at most. */
#include "base/hash.h"
#include "engine/world_impl.h"

#define NAMES_FIRST 32u

static void
names_grow(struct world *w)
{
	uint32_t capacity = w->name_capacity ? w->name_capacity * 2 : NAMES_FIRST;
	const char **names = world_alloc(w, capacity / 2 * sizeof(*names));
	uint32_t *index = world_alloc(w, capacity * sizeof(*index));

	for (uint32_t i = 0; i < w->name_count; i++) {
		uint64_t at = hash_bytes(w->names[i], strlen(w->names[i]), 0);

		while (index[at & (capacity - 1)])
			at++;
		index[at & (capacity - 1)] = i + 1;
		names[i] = w->names[i];
	}
	world_free(w, (void *)w->names, w->name_capacity / 2 * sizeof(*names));
	world_free(w, w->name_index, w->name_capacity * sizeof(*index));
	w->names = names;
	w->name_index = index;
	w->name_capacity = capacity;
}

int64_t
world_name(struct world *w, const char *text)
{
	if (!w->name_count && !w->name_capacity) {
		names_grow(w);
		world_name(w, "-"); /* number 0 */
	}
	if (!text)
		return 0;

	uint64_t at = hash_bytes(text, strlen(text), 0);
	uint32_t mask = w->name_capacity - 1;

	for (; w->name_index[at & mask]; at++)
		if (!strcmp(w->names[w->name_index[at & mask] - 1], text))
			return w->name_index[at & mask] - 1;
	if (w->name_count == w->name_capacity / 2) {
		names_grow(w);
		return world_name(w, text);
	}
	w->names[w->name_count++] = world_strdup(w, text);
	w->name_index[at & mask] = w->name_count;
	return w->name_count - 1;
}

const char *
world_name_text(const struct world *w, int64_t number)
{
	return number >= 0 && number < w->name_count ? w->names[number] : "?";
}

size_t
world_names(const struct world *w)
{
	return w->name_count;
}
