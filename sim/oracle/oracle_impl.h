/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the oracle room keeps for a world; for the files of sim/oracle/ only. */
#ifndef RINGSIDE_ORACLE_ORACLE_IMPL_H
#define RINGSIDE_ORACLE_ORACLE_IMPL_H

#include "oracle/oracle.h"

struct watched_driver {
	struct guest_virtio *driver;
	struct watched_driver *next;
};

struct shadow;
struct slot_watch;

struct watched_pair {
	struct raw_pair *pair;
	struct watched_pair *next;
};

struct oracles {
	struct violation *first, *last;
	uint64_t count;
	bool off[ORACLE_COUNT];
	bool counts[ORACLE_COUNT]; /* counted only, */
	uint64_t counted[ORACLE_COUNT]; /* so often */
	bool judging; /* the run is over: its digest stands, nothing is emitted any more */
	struct watched_driver *drivers;
	struct watched_pair *pairs;
	uint64_t progress_step; /* of the last thing that counts as getting somewhere */
	struct shadow *shadow; /* the statements' own state: shadow.h */
	struct slot_watch *slots; /* memslot.c */
};

struct oracles *
oracles_of(const struct world *w);

/* Register the observers of a file. */
void
quiescence_attach(struct world *w);
/* The statements' state and observers. */
void
shadow_attach(struct world *w);
/* migration.c */
void
migration_attach(struct world *w);
/* postcopy.c */
void
postcopy_attach(struct world *w);
/* colo.c */
void
colo_attach(struct world *w);
/* snapshot.c */
void
snapshot_attach(struct world *w);
/* memslot.c */
void
memslot_attach(struct world *w);

/* vdpa.c */
void
vdpa_attach(struct world *w);
/* What an access met in a transaction, if nothing else went wrong: reports at most one. */
void
memslot_judge(struct world *w);
/* Statements that are decided when nothing runs any more. */
void
shadow_judge(struct world *w);

/* What is stuck when nothing runs any more: reports at most one violation. */
void
quiescence_judge(struct world *w);

#endif
