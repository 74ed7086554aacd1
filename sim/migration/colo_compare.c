/* SPDX-License-Identifier: GPL-2.0-or-later */
/* colo-compare: packets of both sides beside each other, in the order they were sent. */
#include <string.h>

#include "base/must.h"
#include "migration/colo_impl.h"

static void
release(struct colo *c, const struct colo_packet *p, bool matched)
{
	c->stats.released++;
	emit(c->w, EV_COLO_RELEASE, (int64_t)p->sequence, p->payload, (int64_t)p->epoch, matched);
}

static void
drop_first(struct colo_queue *q)
{
	q->count--;
	memmove(q->packet, q->packet + 1, q->count * sizeof(q->packet[0]));
}

/* colo_compare_packet(): the heads, as long as they are the same. */
static void
compare(struct colo *c)
{
	struct colo_queue *p = &c->compare[COLO_PRIMARY], *s = &c->compare[COLO_SECONDARY];

	while (p->count && s->count) {
		if (p->packet[0].sequence != s->packet[0].sequence ||
		    p->packet[0].payload != s->packet[0].payload) {
			if (!c->asked) {
				c->stats.mismatched++;
				emit(c->w, EV_COLO_MISMATCH, (int64_t)p->packet[0].sequence,
				     p->packet[0].payload, s->packet[0].payload);
			}
			colo_checkpoint(c);
			return;
		}
		c->stats.matched++;
		release(c, &p->packet[0], true);
		drop_first(p);
		drop_first(s);
	}
}

void
colo_compare_put(struct colo *c, enum colo_side side, int64_t payload)
{
	struct colo_queue *q = &c->compare[side];

	emit(c->w, EV_COLO_PACKET, side, (int64_t)c->count[side], payload, (int64_t)c->stops + 1);
	if (c->failed_over)
		return; /* nobody compares any more: the secondary's go to the client */
	/* MAX_QUEUE_SIZE: a checkpoint, and until then the guest's packets are lost on the way. */
	if (q->count == COLO_PACKETS_MAX) {
		colo_checkpoint(c);
		return;
	}
	q->packet[q->count++] = (struct colo_packet){ c->count[side], payload, c->stops + 1 };
	if (!c->dead)
		compare(c);
}

/* colo_flush_packets(): all of the primary's; the secondary's were of a state that is no more. */
void
colo_compare_flush(struct colo *c)
{
	struct colo_queue *p = &c->compare[COLO_PRIMARY];

	for (; p->count; drop_first(p))
		release(c, &p->packet[0], false);
	c->compare[COLO_SECONDARY].count = 0;
}
