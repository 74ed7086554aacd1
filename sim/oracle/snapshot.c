/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A background snapshot has each page as it was when the machine stood. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/world.h"
#include "oracle/oracle.h"
#include "oracle/oracle_impl.h"

static void
on_save(struct world *w, const struct event *e, void *context)
{
	oracle_progress(w);
	if (!e->arg[3])
		return;
	oracle_report_page(w, ORACLE_INV_SNAPSHOT, e->arg[0],
			   "page 0x%" PRIx64 " is saved with version %" PRId64
			   "; when the machine stood it had %" PRId64,
			   e->arg[0], e->arg[1], e->arg[2]);
}

static void
on_state(struct world *w, const struct event *e, void *context)
{
	if (e->arg[1] < e->arg[0])
		oracle_report(w, ORACLE_INV_SNAPSHOT_STATE, "-",
			      "of %" PRId64 " bytes of device state %" PRId64
			      " are in the snapshot: the load ends in the middle of a device",
			      e->arg[0], e->arg[1]);
	if (e->arg[2])
		oracle_report(w, ORACLE_INV_SNAPSHOT_STATE, "-",
			      "the devices' state is %" PRId64
			      " of the guest's writes later than its memory",
			      e->arg[2]);
}

static void
on_unplugged(struct world *w, const struct event *e, void *context)
{
	oracle_report_page(w, ORACLE_INV_UNPLUGGED, e->arg[0],
			   "%" PRId64 " pages from 0x%" PRIx64
			   " on are unplugged, and are read: the host has to have memory for them",
			   e->arg[1], e->arg[0]);
}

void
snapshot_attach(struct world *w)
{
	world_observe(w, EV_SNAPSHOT_SAVE, on_save, NULL);
	world_observe(w, EV_SNAPSHOT_STATE, on_state, NULL);
	world_observe(w, EV_UNPLUGGED_READ, on_unplugged, NULL);
}
