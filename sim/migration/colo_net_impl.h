/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets and connections of COLO; for colo_compare.c and colo_tcp.c only. */
#ifndef RINGSIDE_MIGRATION_COLO_NET_IMPL_H
#define RINGSIDE_MIGRATION_COLO_NET_IMPL_H

#include "migration/colo_impl.h"
#include "migration/colo_net.h"

#define COLO_HISTORY 256u

struct colo_packet {
	struct colo_packet *next;
	uint32_t seq, seq_end, ack;
	unsigned size, offset; /* of the payload; what of it was compared */
	uint8_t payload[COLO_PAYLOAD_MAX];
	int64_t created_ns;
	int64_t sequence, word; /* in events: place and content */
	uint64_t epoch; /* the checkpoint that has the state behind it */
	uint64_t header; /* its last bytes: window, checksum, time stamps */
};

struct colo_queue {
	struct colo_packet *first;
	unsigned count;
};

/* A guest's end of a TCP connection. */
struct colo_tcp {
	uint32_t iss, snd_nxt, rcv_nxt;
};

struct colo_connection {
	bool used;
	enum colo_protocol protocol;
	struct colo_queue queue[COLO_SIDES];
	/* TCP: up to where it was compared; the last acknowledgement of each side. */
	uint32_t compare_seq, ack[COLO_SIDES];
	bool compared;
	uint64_t lost; /* the checkpoint behind the last packet that was dropped */
	/* The rewriter's: secondary's numbers - primary's; in a handshake, which it has seen to the
	 * secondary's SYN and ACK, the secondary's alone. */
	uint32_t offset;
	bool handshake;
	struct colo_tcp tcp[COLO_SIDES], saved; /* of the guests; of the checkpoint */
	bool was_saved; /* the connection is as old as that */
	/* For the check alone: TCP's bytes, or others' packets since the checkpoint. */
	uint8_t *stream[COLO_SIDES];
	int64_t history[COLO_SIDES][COLO_HISTORY];
	uint64_t sent[COLO_SIDES], saved_sent;
	uint32_t acked; /* by the secondary */
};

struct colo_net {
	struct colo_connection connection[COLO_CONNECTIONS_MAX];
	struct colo_packet *unused;
	uint32_t last_compare_seq; /* what a connection's memory held before */
};

static inline bool
colo_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

struct colo_connection *
colo_connection_get(struct colo *c, unsigned connection, enum colo_protocol protocol);
/* @packet arrives at compare, or after a failover at the client; a copy is kept. */
void
colo_net_put(struct colo *c, struct colo_connection *n, enum colo_side side,
	     const struct colo_packet *packet);

/* colo_tcp.c: the check of a packet that left, and of a difference that was reported. */
void
colo_check_release(struct colo *c, const struct colo_connection *n, const struct colo_packet *p);
void
colo_check_mismatch(struct colo *c, const struct colo_connection *n, const struct colo_packet *p);

#endif
