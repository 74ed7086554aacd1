/* SPDX-License-Identifier: GPL-2.0-or-later */
/* colo-compare: packets of both sides beside each other. */
#include <string.h>

#include "base/must.h"
#include "engine/fault.h"
#include "migration/colo_net_impl.h"

/* ORDER COLO_PROTOCOL */
const char *const colo_protocol_word[COLO_PROTOCOLS] = { "tcp", "udp", "icmp", "other" };

/* --- queues --------------------------------------------------------------------------------- */

/* TCP by sequence number, behind its equals; others as they come. */
static void
insert(struct colo *c, const struct colo_connection *n, struct colo_queue *q,
       struct colo_packet *packet)
{
	struct colo_packet **at = &q->first;
	bool newest_first = n->protocol != COLO_TCP && fault_on(c->w, FAULT_COMPARE_NEWEST_FIRST);

	while (*at && !newest_first &&
	       (n->protocol != COLO_TCP || !colo_after((*at)->seq, packet->seq)))
		at = &(*at)->next;
	packet->next = *at;
	*at = packet;
	q->count++;
}

static void
drop(struct colo *c, struct colo_queue *q, struct colo_packet *packet)
{
	struct colo_packet **at = &q->first;

	while (*at != packet)
		at = &(*at)->next;
	*at = packet->next;
	q->count--;
	packet->next = c->net->unused;
	c->net->unused = packet;
}

/* How old it was when the checkpoint was asked for that lets it go. */
static void
check_age(struct colo *c, const struct colo_packet *p, enum colo_side side)
{
	int64_t age = c->asked_ns - p->created_ns;

	if (!c->vm->steps && c->config.compare_timeout_ns && age > 0)
		emit(c->w, EV_COLO_PACKET_AGE, side, p->sequence, age,
		     c->config.compare_timeout_ns + c->config.expired_scan_cycle_ns);
}

static void
release(struct colo *c, struct colo_connection *n, struct colo_packet *p, bool same)
{
	int64_t held = world_now(c->w) - p->created_ns;

	c->stats.held_ns += held;
	if (held > c->stats.held_most_ns)
		c->stats.held_most_ns = held;
	c->stats.released++;
	c->stats.matched += same;
	/* TCP's bytes are checked here, packets that are the same as a whole by the oracle. */
	emit(c->w, EV_COLO_RELEASE, p->sequence, p->word, (int64_t)p->epoch,
	     same ? 1 + (n->protocol == COLO_TCP) : 0);
	if (same)
		colo_check_release(c, n, p);
	drop(c, &n->queue[COLO_PRIMARY], p);
}

/* colo_compare_inconsistency_notify() */
static void
differ(struct colo *c, const struct colo_connection *n)
{
	const struct colo_packet *p = n->queue[COLO_PRIMARY].first;
	const struct colo_packet *s = n->queue[COLO_SECONDARY].first;

	if (!c->asked) {
		c->stats.mismatched++;
		emit(c->w, EV_COLO_MISMATCH, p->sequence, p->word, s->word);
		colo_check_mismatch(c, n, p);
	}
	colo_checkpoint(c);
}

/* --- TCP ------------------------------------------------------------------------------------ */

static bool
has_compared(const struct colo_connection *n, const struct colo_packet *p)
{
	return p->size == 0 || (n->compared && !colo_after(p->seq_end, n->compare_seq));
}

/* @size bytes of both from where they were compared up to. */
static bool
same_payload(struct colo *c, const struct colo_packet *p, const struct colo_packet *s,
	     unsigned size)
{
	bool same = size <= p->size - p->offset && size <= s->size - s->offset &&
		    !memcmp(p->payload + p->offset, s->payload + s->offset, size);

	/* vnet_hdr_len too few: the comparison begins within the headers. */
	if (c->config.vnet_hdr && fault_on(c->w, FAULT_COMPARE_HEADER_SIZE))
		same = same && p->header == s->header;
	return same != fault_on(c->w, FAULT_COMPARE_INVERTED);
}

/* Both heads have payload; false: they differ. */
static bool
compare_heads(struct colo *c, struct colo_connection *n)
{
	struct colo_packet *p = n->queue[COLO_PRIMARY].first, *s = n->queue[COLO_SECONDARY].first;
	uint32_t acked = n->ack[COLO_SECONDARY];
	unsigned left = p->size - p->offset;

	if (colo_after(acked, n->ack[COLO_PRIMARY]))
		acked = n->ack[COLO_PRIMARY];
	if (fault_on(c->w, FAULT_COMPARE_BY_PACKET) &&
	    (p->seq != s->seq || p->seq_end != s->seq_end))
		return false;
	if (p->seq + p->offset != s->seq + s->offset && !fault_on(c->w, FAULT_COMPARE_UNALIGNED))
		return false; /* something between was lost */
	if (colo_after(p->seq_end, s->seq_end)) {
		left = s->size - s->offset;
		if (!same_payload(c, p, s, left))
			return false;
		p->offset += left;
		n->compare_seq = s->seq_end;
		drop(c, &n->queue[COLO_SECONDARY], s);
	} else {
		if (!same_payload(c, p, s, left))
			return false;
		/* The client would forget what the secondary may not have. */
		if ((p->seq != s->seq || p->seq_end != s->seq_end) && colo_after(p->ack, acked))
			return false;
		s->offset += left;
		n->compare_seq = p->seq_end;
		if (p->seq_end == s->seq_end)
			drop(c, &n->queue[COLO_SECONDARY], s);
		release(c, n, p, true);
	}
	n->compared = true;
	return true;
}

static void
compare_tcp(struct colo *c, struct colo_connection *n)
{
	struct colo_queue *p = &n->queue[COLO_PRIMARY], *s = &n->queue[COLO_SECONDARY];

	while (p->first && s->first) {
		bool old = has_compared(n, p->first);

		if (old)
			release(c, n, p->first, true);
		if (has_compared(n, s->first)) {
			drop(c, s, s->first);
		} else if (!old && !compare_heads(c, n)) {
			differ(c, n);
			return;
		}
	}
	c->net->last_compare_seq = n->compare_seq;
}

/* --- others --------------------------------------------------------------------------------- */

/* The primary's first against all of the secondary's. */
static void
compare_whole(struct colo *c, struct colo_connection *n)
{
	while (n->queue[COLO_PRIMARY].first && n->queue[COLO_SECONDARY].first) {
		struct colo_packet *p = n->queue[COLO_PRIMARY].first;
		struct colo_packet *s = n->queue[COLO_SECONDARY].first;

		while (s && (s->size != p->size || memcmp(s->payload, p->payload, p->size)))
			s = s->next;
		if (!s) {
			differ(c, n);
			return;
		}
		release(c, n, p, true);
		drop(c, &n->queue[COLO_SECONDARY], s);
	}
}

/* --- arrival, checkpoints ------------------------------------------------------------------- */

static void
track_ack(struct colo *c, struct colo_connection *n, enum colo_side side, uint32_t ack)
{
	bool later = colo_after(ack, n->ack[side]);

	if (side == COLO_SECONDARY)
		n->acked = ack;
	if (fault_on(c->w, FAULT_COMPARE_ACK_WRAP))
		later = ack > n->ack[side];
	if (later)
		n->ack[side] = ack;
}

void
colo_net_put(struct colo *c, struct colo_connection *n, enum colo_side side,
	     const struct colo_packet *packet)
{
	struct colo_queue *q = &n->queue[side];
	struct colo_packet *p;

	emit(c->w, EV_COLO_PACKET, side, packet->sequence, packet->word, (int64_t)packet->epoch);
	if (c->failed_over || c->alone || !c->started)
		return; /* nobody compares: it goes to the client */
	if (q->count > c->config.max_queue_size) {
		c->stats.dropped++;
		n->lost = packet->epoch;
		emit(c->w, EV_COLO_DROP, side, packet->sequence);
		return;
	}
	p = c->net->unused;
	if (p)
		c->net->unused = p->next;
	else
		p = world_alloc(c->w, sizeof(*p));
	*p = *packet;
	p->created_ns = world_now(c->w);
	if (n->protocol == COLO_TCP)
		track_ack(c, n, side, p->ack);
	insert(c, n, q, p);
	if (c->dead)
		return;
	if (n->protocol == COLO_TCP)
		compare_tcp(c, n);
	else
		compare_whole(c, n);
}

/*
 * The secondary's were of a state that is no more.  It may have loaded the new one already and have
 * sent something: QEMU 8.2 takes that, too (FAULT_COMPARE_FLUSH_NEW).
 */
static void
flush_secondary(struct colo *c, struct colo_queue *q)
{
	bool all = fault_on(c->w, FAULT_COMPARE_FLUSH_NEW);

	for (struct colo_packet *p = q->first, *next; p; p = next) {
		next = p->next;
		if (p->epoch > c->stops && !all)
			continue;
		check_age(c, p, COLO_SECONDARY);
		drop(c, q, p);
	}
}

/* A checkpoint: all of the primary's leave. */
void
colo_compare_flush(struct colo *c)
{
	for (unsigned i = 0; i < COLO_CONNECTIONS_MAX; i++) {
		struct colo_connection *n = &c->net->connection[i];

		while (n->queue[COLO_PRIMARY].first) {
			check_age(c, n->queue[COLO_PRIMARY].first, COLO_PRIMARY);
			release(c, n, n->queue[COLO_PRIMARY].first, false);
		}
		flush_secondary(c, &n->queue[COLO_SECONDARY]);
	}
}

void
colo_compare_lose(struct colo *c)
{
	for (unsigned i = 0; i < COLO_CONNECTIONS_MAX; i++)
		for (int side = 0; side < COLO_SIDES; side++)
			c->net->connection[i].queue[side] = (struct colo_queue){ 0 };
}

static bool
has_old(const struct colo *c, const struct colo_queue *q)
{
	for (const struct colo_packet *p = q->first; p; p = p->next)
		if (world_now(c->w) - p->created_ns > c->config.compare_timeout_ns)
			return true;
	return false;
}

/* check_old_packet_regular() */
static void
scan(struct actor *self, void *arg)
{
	struct colo *c = arg;

	while (!c->dead && !c->stopped) {
		bool old = false;

		actor_sleep(c->w, c->config.expired_scan_cycle_ns);
		for (unsigned i = 0; i < COLO_CONNECTIONS_MAX; i++) {
			const struct colo_connection *n = &c->net->connection[i];

			old |= has_old(c, &n->queue[COLO_PRIMARY]);
			if (!fault_on(c->w, FAULT_COMPARE_SECONDARY_NEVER_OLD))
				old |= has_old(c, &n->queue[COLO_SECONDARY]);
		}
		if (old && !c->asked && !c->dead) {
			c->stats.expired++;
			colo_checkpoint(c);
		}
	}
}

void
colo_net_create(struct colo *c)
{
	c->net = world_alloc(c->w, sizeof(*c->net));
	if (!c->vm->steps && c->config.compare_timeout_ns)
		actor_set_daemon(actor_create(c->w, "old packets", scan, c, 0), true);
}

bool
colo_is_used(const struct colo *c, unsigned connection)
{
	return c->net->connection[connection].used;
}

enum colo_protocol
colo_protocol_of(const struct colo *c, unsigned connection)
{
	return c->net->connection[connection].protocol;
}

struct colo_connection *
colo_connection_get(struct colo *c, unsigned connection, enum colo_protocol protocol)
{
	struct colo_connection *n = &c->net->connection[connection];

	must(connection < COLO_CONNECTIONS_MAX && (!n->used || n->protocol == protocol));
	if (!n->used) {
		n->used = true;
		n->protocol = protocol;
		/* What was in its memory, unless that is cleared. */
		if (fault_on(c->w, FAULT_COMPARE_SEQ_GARBAGE)) {
			n->compare_seq = c->net->last_compare_seq;
			n->compared = n->compare_seq != 0;
		}
	}
	return n;
}
