/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guest memory is made of; for the files of sim/memory/ only. */
#ifndef RINGSIDE_MEMORY_GM_IMPL_H
#define RINGSIDE_MEMORY_GM_IMPL_H

#include "memory/guest_memory.h"

#define GM_HOOKS 8

struct gm_region {
	uint64_t gpa, len;
	const char *name;
	gm_describe_fn describe;
	const void *context;
	struct gm_region *next;
};

struct gm {
	char *base;
	uint64_t size;
	uint64_t next; /* first gpa that gm_alloc() has not given out */
	struct gm_region *regions; /* the newest first */
	unsigned hooks;
	struct {
		gm_write_hook fn;
		void *context;
	} hook[GM_HOOKS];
};

/* Number the names that recording shows now: a run may not differ by whether somebody records it.
 */
void
access_init(struct world *w);

/* Tell the hooks of a write to guest RAM. */
void
gm_wrote(struct world *w, uint64_t gpa, uint64_t len);

#endif
