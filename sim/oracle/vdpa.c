/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vDPA devices: what they reach is mapped, what the VMM maps of its own goes away, and a guest does
 * not say how much of it there is.
 */
#include <inttypes.h>
#include <stdio.h>

#include "oracle/oracle_impl.h"

static const char *
subject(struct world *w, int64_t device, char *text, size_t size)
{
	snprintf(text, size, "dev=%s", world_name_text(w, device));
	return text;
}

static void
on_fault(struct world *w, const struct event *e, void *context)
{
	char text[64];

	oracle_report(w, ORACLE_INV_IOTLB, subject(w, e->arg[0], text, sizeof(text)),
		      "the device %s IO address 0x%" PRIx64 " of address space %" PRId64
		      ", which is %s",
		      e->arg[3] ? "writes" : "reads", (uint64_t)e->arg[2], e->arg[1],
		      world_name_text(w, e->arg[4]));
}

static void
on_stopped(struct world *w, const struct event *e, void *context)
{
	char text[64];

	if (e->arg[1] || e->arg[2])
		oracle_report(w, ORACLE_INV_UNMAPPED, subject(w, e->arg[0], text, sizeof(text)),
			      "stopped, and %" PRId64
			      " maps of the VMM's own memory are left in the device, %" PRId64
			      " maps in the IOVA tree",
			      e->arg[1], e->arg[2]);
}

static void
on_alloc(struct world *w, const struct event *e, void *context)
{
	char text[64];

	if (e->arg[2] > e->arg[3])
		oracle_report(w, ORACLE_INV_ALLOC_BOUND, subject(w, e->arg[0], text, sizeof(text)),
			      "the guest's chain on queue %" PRId64
			      " makes the VMM allocate %" PRId64 " bytes, more than %" PRId64,
			      e->arg[1], e->arg[2], e->arg[3]);
}

static void
on_net_go(struct world *w, const struct event *e, void *context)
{
	char text[64];

	if (!e->arg[1])
		oracle_report(
			w, ORACLE_INV_CTRL_STATE, subject(w, e->arg[0], text, sizeof(text)),
			"data queues are enabled, and the device has not the control state that "
			"the guest set");
}

void
vdpa_attach(struct world *w)
{
	world_observe(w, EV_VDPA_FAULT, on_fault, NULL);
	world_observe(w, EV_VDPA_STOPPED, on_stopped, NULL);
	world_observe(w, EV_SVQ_ALLOC, on_alloc, NULL);
	world_observe(w, EV_VDPA_NET_GO, on_net_go, NULL);
}
