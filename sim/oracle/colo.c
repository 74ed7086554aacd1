/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO's output commit (migration/colo.h), as the client would judge it: a packet that left must be
 * one that the secondary sent too, or one whose state the secondary has whole.  And its disk
 * (migration/colo_disk.h), whose check is the model's: said here.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/world.h"
#include "oracle/oracle.h"
#include "oracle/oracle_impl.h"

#define PACKETS 128u

struct colo_watch {
	int64_t received; /* the last checkpoint that is whole at the secondary */
	int64_t sequence[PACKETS], payload[PACKETS]; /* of the secondary */
	unsigned packets;
};

static void
on_received(struct world *w, const struct event *e, void *context)
{
	((struct colo_watch *)context)->received = e->arg[0];
	oracle_progress(w);
}

/* There is nobody left who could contradict. */
static void
on_alone(struct world *w, const struct event *e, void *context)
{
	((struct colo_watch *)context)->received = INT64_MAX;
	oracle_progress(w);
}

static void
on_packet(struct world *w, const struct event *e, void *context)
{
	struct colo_watch *c = context;

	oracle_progress(w);
	if (e->arg[0] != 1)
		return;
	c->sequence[c->packets % PACKETS] = e->arg[1];
	c->payload[c->packets % PACKETS] = e->arg[2];
	c->packets++;
}

static bool
secondary_sent(const struct colo_watch *c, int64_t sequence, int64_t payload)
{
	for (unsigned i = 0; i < c->packets && i < PACKETS; i++)
		if (c->sequence[i] == sequence && c->payload[i] == payload)
			return true;
	return false;
}

static void
on_release(struct world *w, const struct event *e, void *context)
{
	const struct colo_watch *c = context;
	char subject[32];

	if (c->received >= e->arg[2] || e->arg[3] == 2 ||
	    (e->arg[3] && secondary_sent(c, e->arg[0], e->arg[1])))
		return;
	snprintf(subject, sizeof(subject), "packet=%" PRId64, e->arg[0]);
	oracle_report(w, ORACLE_C_O3, subject,
		      "packet %" PRId64 " leaves; the state behind it goes with checkpoint %" PRId64
		      ", the secondary has %" PRId64 ": if the primary dies now, the client has "
		      "seen what never was",
		      e->arg[0], e->arg[2], c->received);
}

static void
on_compare_false(struct world *w, const struct event *e, void *context)
{
	const struct colo_watch *c = context;
	char subject[32];

	snprintf(subject, sizeof(subject), "packet=%" PRId64, e->arg[0]);
	if (e->arg[2] == 0)
		oracle_report(w, ORACLE_INV_COLO_COMPARE, subject,
			      "a difference is reported, and what one side has sent is how the "
			      "other's begins");
	else if (e->arg[2] == 2)
		oracle_report(w, ORACLE_INV_COLO_CLIENT, subject,
			      "the client gets it with numbers of another place");
	else if (c->received < e->arg[1])
		oracle_report(w, ORACLE_C_O3, subject,
			      "packet %" PRId64 " leaves as the same on both sides; the secondary "
			      "did not send it, and has checkpoint %" PRId64 ", not %" PRId64,
			      e->arg[0], c->received, e->arg[1]);
}

static void
on_age(struct world *w, const struct event *e, void *context)
{
	char subject[32];

	if (e->arg[2] <= e->arg[3])
		return;
	snprintf(subject, sizeof(subject), "packet=%" PRId64, e->arg[1]);
	oracle_report(w, ORACLE_INV_COLO_AGE, subject,
		      "a packet of the %s waited for %" PRId64 " ns before a checkpoint was asked "
		      "for, and %" PRId64 " are allowed",
		      e->arg[0] ? "secondary" : "primary", e->arg[2], e->arg[3]);
}

static void
on_disk_differs(struct world *w, const struct event *e, void *context)
{
	char subject[32];

	snprintf(subject, sizeof(subject), "sector=%" PRId64, e->arg[0]);
	oracle_report(w, ORACLE_INV_COLO_DISK, subject,
		      "the secondary's guest would read version %" PRId64 ", the state that it has "
		      "goes with %" PRId64 "; %" PRId64 " sectors differ",
		      e->arg[2], e->arg[1], e->arg[3]);
}

static void
on_progress(struct world *w, const struct event *e, void *context)
{
	oracle_progress(w);
}

void
colo_attach(struct world *w)
{
	struct colo_watch *c = world_alloc(w, sizeof(*c));

	world_observe(w, EV_COLO_RECEIVED, on_received, c);
	world_observe(w, EV_COLO_ALONE, on_alone, c);
	world_observe(w, EV_COLO_PACKET, on_packet, c);
	world_observe(w, EV_COLO_RELEASE, on_release, c);
	world_observe(w, EV_COLO_COMPARE_FALSE, on_compare_false, c);
	world_observe(w, EV_COLO_PACKET_AGE, on_age, NULL);
	world_observe(w, EV_COLO_DISK_WRITE, on_progress, NULL);
	world_observe(w, EV_COLO_DISK_DIFFERS, on_disk_differs, NULL);
}
