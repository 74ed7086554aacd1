/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests' packets, filter-rewriter, and the check beside both. */
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/fault.h"
#include "migration/colo_net_impl.h"

/* --- the check ------------------------------------------------------------------------------ */

void
colo_check_release(struct colo *c, const struct colo_connection *n, const struct colo_packet *p)
{
	uint64_t from = (uint32_t)(p->seq - n->tcp[COLO_PRIMARY].iss - 1);

	if (n->protocol != COLO_TCP || !p->size)
		return;
	if (from + p->size <= n->sent[COLO_SECONDARY] &&
	    !memcmp(n->stream[COLO_SECONDARY] + from, p->payload, p->size))
		return;
	emit(c->w, EV_COLO_COMPARE_FALSE, p->sequence, (int64_t)p->epoch, 1);
}

void
colo_check_mismatch(struct colo *c, const struct colo_connection *n, const struct colo_packet *p)
{
	uint64_t common = n->sent[COLO_PRIMARY] < n->sent[COLO_SECONDARY] ? n->sent[COLO_PRIMARY]
									  : n->sent[COLO_SECONDARY];

	if (n->lost > c->stops)
		return;
	if (n->protocol == COLO_TCP) {
		if (memcmp(n->stream[COLO_PRIMARY], n->stream[COLO_SECONDARY], common) ||
		    colo_after(p->ack, n->acked))
			return;
	} else {
		if (common > COLO_HISTORY ||
		    memcmp(n->history[COLO_PRIMARY], n->history[COLO_SECONDARY],
			   common * sizeof(n->history[0][0])))
			return;
	}
	emit(c->w, EV_COLO_COMPARE_FALSE, p->sequence, (int64_t)p->epoch, 0);
}

/* --- TCP ------------------------------------------------------------------------------------ */

static void
say_offset(struct colo *c, const struct colo_connection *n, const char *what)
{
	emit(c->w, EV_COLO_REWRITER, n - c->net->connection, world_name(c->w, what),
	     (int32_t)n->offset);
}

void
colo_tcp_syn(struct colo *c, unsigned connection, const uint32_t iss[COLO_SIDES],
	     uint32_t client_iss)
{
	struct colo_connection *n = colo_connection_get(c, connection, COLO_TCP);

	if (c->started && actor_current(c->w))
		for (int side = 0; side < COLO_SIDES; side++)
			if (!colo_guest_runs(c, (enum colo_side)side))
				break;
	for (int side = 0; side < COLO_SIDES; side++) {
		n->tcp[side] = (struct colo_tcp){ iss[side], iss[side] + 1, client_iss + 1 };
		n->stream[side] = world_alloc(c->w, COLO_STREAM_MAX);
		n->ack[side] = client_iss + 1;
	}
	n->acked = client_iss + 1;
	n->offset = iss[COLO_SECONDARY];
	n->handshake = true;
	say_offset(c, n, "SYN, ACK");
}

/* TCPS_SYN_RECEIVED to TCPS_ESTABLISHED: the client acknowledges the primary's number. */
void
colo_tcp_established(struct colo *c, unsigned connection)
{
	struct colo_connection *n = &c->net->connection[connection];

	n->offset -= n->tcp[COLO_PRIMARY].iss;
	n->handshake = false;
	say_offset(c, n, "ACK");
}

void
colo_tcp_open(struct colo *c, unsigned connection, const uint32_t iss[COLO_SIDES],
	      uint32_t client_iss)
{
	colo_tcp_syn(c, connection, iss, client_iss);
	colo_tcp_established(c, connection);
}

bool
colo_tcp_is_handshake(const struct colo *c, unsigned connection)
{
	return c->net->connection[connection].handshake;
}

bool
colo_tcp_is_open(const struct colo *c, unsigned connection)
{
	const struct colo_connection *n = &c->net->connection[connection];

	return n->stream[COLO_PRIMARY] && !n->handshake;
}

void
colo_tcp_acknowledge(struct colo *c, enum colo_side side, unsigned connection, uint32_t bytes)
{
	c->net->connection[connection].tcp[side].rcv_nxt += bytes;
}

uint32_t
colo_tcp_sent(const struct colo *c, enum colo_side side, unsigned connection)
{
	return (uint32_t)c->net->connection[connection].sent[side];
}

/* The guest's packet, as it leaves the guest. */
static struct colo_packet
segment(struct colo *c, struct colo_connection *n, enum colo_side side, const uint8_t *bytes,
	unsigned size)
{
	struct colo_tcp *t = &n->tcp[side];
	struct colo_packet p = {
		.seq = t->snd_nxt,
		.ack = t->rcv_nxt,
		.size = size,
		.sequence = (int64_t)n->sent[side],
		.word = size,
		.epoch = c->stops + 1,
		/* Checksum and time stamps are each side's own. */
		.header = (uint64_t)t->iss << 1 | side,
	};

	memcpy(p.payload, bytes, size);
	memcpy(n->stream[side] + n->sent[side], bytes, size);
	n->sent[side] += size;
	t->snd_nxt += size;
	return p;
}

/* handle_secondary_tcp_pkt(); and what it is for: the client knows the primary's numbers. */
static void
rewrite(struct colo *c, const struct colo_connection *n, struct colo_packet *p)
{
	uint64_t sent = n->sent[COLO_SECONDARY] - p->size;

	if (!c->failed_over || !fault_on(c->w, FAULT_REWRITER_PASSTHROUGH))
		p->seq -= n->offset;
	if (c->failed_over && (uint32_t)(p->seq - n->tcp[COLO_PRIMARY].iss - 1) != sent)
		emit(c->w, EV_COLO_COMPARE_FALSE, p->sequence, (int64_t)p->epoch, 2);
}

bool
colo_tcp_send(struct colo *c, enum colo_side side, unsigned connection, const void *bytes,
	      unsigned size, unsigned most)
{
	struct colo_connection *n = colo_connection_get(c, connection, COLO_TCP);
	const uint8_t *at = bytes;

	must(n->stream[side] && most > 0 && most <= COLO_PAYLOAD_MAX);
	for (unsigned done = 0; done < size;) {
		unsigned now = size - done < most ? size - done : most;
		struct colo_packet p;

		if (!colo_guest_runs(c, side))
			return false;
		if (n->sent[side] + now > COLO_STREAM_MAX)
			return false;
		p = segment(c, n, side, at + done, now);
		if (side == COLO_SECONDARY)
			rewrite(c, n, &p);
		p.seq_end = p.seq + p.size;
		colo_net_put(c, n, side, &p);
		done += now;
	}
	return true;
}

/* --- checkpoints ---------------------------------------------------------------------------- */

/* TCP is in the guest's memory. */
void
colo_net_save(struct colo *c)
{
	for (unsigned i = 0; i < COLO_CONNECTIONS_MAX; i++) {
		struct colo_connection *n = &c->net->connection[i];

		n->was_saved = n->stream[COLO_PRIMARY];
		n->saved = n->tcp[COLO_PRIMARY];
		n->saved_sent = n->sent[COLO_PRIMARY];
		if (n->protocol != COLO_TCP)
			n->sent[COLO_PRIMARY] = 0;
	}
}

/*
 * COLO_EVENT_CHECKPOINT: the numbers are the same now.  In a handshake what the client will
 * acknowledge is still to be taken off; QEMU 8.2 has 0 there, too (FAULT_REWRITER_HANDSHAKE).
 */
static void
reset_offset(struct colo *c, struct colo_connection *n)
{
	if (fault_on(c->w, FAULT_REWRITER_OFFSET_KEPT))
		return;
	n->offset = 0;
	if (n->handshake && !fault_on(c->w, FAULT_REWRITER_HANDSHAKE))
		n->offset = n->saved.iss;
	say_offset(c, n, "checkpoint");
}

void
colo_net_load(struct colo *c)
{
	for (unsigned i = 0; i < COLO_CONNECTIONS_MAX; i++) {
		struct colo_connection *n = &c->net->connection[i];

		if (n->protocol != COLO_TCP)
			n->sent[COLO_SECONDARY] = 0;
		if (!n->was_saved || n->protocol != COLO_TCP)
			continue;
		n->tcp[COLO_SECONDARY] = n->saved;
		n->sent[COLO_SECONDARY] = n->saved_sent;
		memcpy(n->stream[COLO_SECONDARY], n->stream[COLO_PRIMARY], n->saved_sent);
		n->ack[COLO_SECONDARY] = n->acked = n->saved.rcv_nxt;
		reset_offset(c, n);
	}
}

/* --- others --------------------------------------------------------------------------------- */

static void
put_whole(struct colo *c, enum colo_side side, struct colo_connection *n, struct colo_packet *p)
{
	int64_t hash = (int64_t)(hash_bytes(p->payload, p->size, p->size) >> 1);

	n->history[side][n->sent[side] % COLO_HISTORY] = hash;
	n->sent[side]++;
	p->epoch = c->stops + 1;
	colo_net_put(c, n, side, p);
}

void
colo_compare_put(struct colo *c, enum colo_side side, int64_t payload)
{
	struct colo_packet p = {
		.size = 2 * sizeof(uint64_t),
		.sequence = (int64_t)c->count[side],
		.word = payload,
	};

	memcpy(p.payload, &c->count[side], sizeof(uint64_t));
	memcpy(p.payload + sizeof(uint64_t), &payload, sizeof(payload));
	put_whole(c, side, colo_connection_get(c, 0, COLO_UDP), &p);
}

bool
colo_send(struct colo *c, enum colo_side side, enum colo_protocol protocol, unsigned connection,
	  const void *bytes, unsigned size)
{
	struct colo_packet p = { .size = size, .sequence = connection };

	must(size <= COLO_PAYLOAD_MAX && protocol != COLO_TCP);
	if (!colo_guest_runs(c, side))
		return false;
	memcpy(p.payload, bytes, size);
	p.word = (int64_t)(hash_bytes(bytes, size, 0) >> 1);
	put_whole(c, side, colo_connection_get(c, connection, protocol), &p);
	return true;
}
