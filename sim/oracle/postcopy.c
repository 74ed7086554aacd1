/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Postcopy (migration/postcopy.h): what is asked for must come, and nothing may come over a page
 * that the destination has.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/world.h"
#include "oracle/oracle.h"
#include "oracle/oracle_impl.h"

static void
on_refused(struct world *w, const struct event *e, void *context)
{
	oracle_report_page(w, ORACLE_C_O11, e->arg[0],
			   "page 0x%" PRIx64
			   " was asked for; the source takes it for sent, and the "
			   "destination never got it: who touched it waits for good",
			   e->arg[0]);
}

static void
on_place(struct world *w, const struct event *e, void *context)
{
	oracle_progress(w);
	if (!e->arg[3])
		return;
	oracle_report_page(w, ORACLE_INV_POSTCOPY_ONCE, e->arg[0],
			   "page 0x%" PRIx64 ", version %" PRId64
			   ", came a second time%s: UFFDIO_COPY "
			   "fails with %" PRId64 ", and the guest is whole on neither side",
			   e->arg[0], e->arg[1],
			   e->arg[4] ? ", and the guest has written it since" : "", e->arg[3]);
}

static void
on_mixed(struct world *w, const struct event *e, void *context)
{
	if (e->arg[3] < 0)
		oracle_report_page(w, ORACLE_INV_POSTCOPY_WHOLE, e->arg[0],
				   "page 0x%" PRIx64
				   " comes as a difference, and the destination has "
				   "nothing to apply it to",
				   e->arg[0]);
	else
		oracle_report_page(w, ORACLE_INV_POSTCOPY_WHOLE, e->arg[0],
				   "page 0x%" PRIx64 " comes by channel %" PRId64 " when %" PRId64
				   " pages of the host page at 0x%" PRIx64
				   " have: neither can be placed",
				   e->arg[0], e->arg[1], e->arg[2], e->arg[3]);
}

static void
on_unaligned(struct world *w, const struct event *e, void *context)
{
	oracle_report_page(w, ORACLE_INV_POSTCOPY_WHOLE, e->arg[0],
			   "page 0x%" PRIx64 " is to be discarded, and of the host page of %" PRId64
			   " pages that it is in not all",
			   e->arg[0], e->arg[1]);
}

static void
on_access(struct world *w, const struct event *e, void *context)
{
	oracle_progress(w);
}

void
postcopy_attach(struct world *w)
{
	world_observe(w, EV_POSTCOPY_REFUSED, on_refused, NULL);
	world_observe(w, EV_POSTCOPY_PLACE, on_place, NULL);
	world_observe(w, EV_POSTCOPY_MIXED, on_mixed, NULL);
	world_observe(w, EV_POSTCOPY_UNALIGNED, on_unaligned, NULL);
	world_observe(w, EV_POSTCOPY_ACCESS, on_access, NULL);
}
