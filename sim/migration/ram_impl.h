/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For ram.c and ram_bytes.c only. */
#ifndef RINGSIDE_MIGRATION_RAM_IMPL_H
#define RINGSIDE_MIGRATION_RAM_IMPL_H

#include "migration/ram.h"

struct ram_chunk {
	ram_content *page; /* null: all of it is: */
	ram_content uniform;
};

struct ram_bytes;

struct ram {
	struct world *w;
	uint64_t pages;
	uint64_t versions; /* handed out */
	uint64_t chunks, real;
	uint64_t touched; /* see ram_touched() */
	struct ram_chunk *chunk;
	struct ram_block block[RAM_BLOCKS_MAX];
	unsigned blocks;
	struct ram_bytes *bytes; /* shared with destinations */
};

/* ram_bytes.c: a table that is empty and takes next to nothing. */
struct ram_bytes *
ram_bytes_create(struct world *w);

#endif
