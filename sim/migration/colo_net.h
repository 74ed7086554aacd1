/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO's packets: what a guest sends, filter-rewriter and colo-compare (QEMU 8.2,
 * net/colo-compare.c, net/filter-rewriter.c).
 *
 *	primary's guest ─────────────────────────▶ queue ─┐ compare ──▶ client
 *	secondary's guest ──▶ rewriter: seq - offset ──▶ queue ─┘ nowhere
 *
 * By connection.  TCP: queues sorted by sequence number; what is the same in both, however cut into
 * packets, is let go, the primary's packet when all of it was compared and the secondary has
 * acknowledged as much.  Packets without payload are not compared.  UDP, ICMP and others: the
 * primary's oldest against all of the secondary's, whole.  What differs asks for a checkpoint, and
 * so does, in timed mode, a packet that is older than compare_timeout_ns, looked for every
 * expired_scan_cycle_ns.  A queue of more than max_queue_size takes no more: the packet is lost.
 *
 * The sides' TCP differ in their initial sequence numbers; the rewriter knows by how much since the
 * handshake.  With a checkpoint the secondary's guest has the primary's, and nothing is to be
 * rewritten.  After a failover the secondary's packets go to the client: those of a connection that
 * has an offset are rewritten still.
 *
 * The check, beside the model: each byte that leaves as the same is one that the secondary sent at
 * this place, else EV_COLO_COMPARE_FALSE with released=1; and no difference is reported where what
 * one side sent is how the other's begins: released=0.
 */
#ifndef RINGSIDE_MIGRATION_COLO_NET_H
#define RINGSIDE_MIGRATION_COLO_NET_H

#include "migration/colo.h"

#define COLO_CONNECTIONS_MAX 16u /* number 0 is colo_step()'s */
#define COLO_PAYLOAD_MAX 64u /* of a packet */
#define COLO_STREAM_MAX 65536u /* bytes of a TCP connection */

/* ORDER COLO_PROTOCOL */
enum colo_protocol { COLO_TCP, COLO_UDP, COLO_ICMP, COLO_OTHER, COLO_PROTOCOLS };
extern const char *const colo_protocol_word[COLO_PROTOCOLS];

/*
 * A client's SYN, and both guests' SYN and ACK.  @iss: the guests' initial sequence numbers,
 * @client_iss the client's.  At set-up, or by an actor, which waits until the guests run;
 * @connection is unused.
 */
void
colo_tcp_syn(struct colo *c, unsigned connection, const uint32_t iss[COLO_SIDES],
	     uint32_t client_iss);
bool
colo_tcp_is_handshake(const struct colo *c, unsigned connection);
/* The client's ACK of the primary's, which ends the handshake. */
void
colo_tcp_established(struct colo *c, unsigned connection);
/* All of it at once. */
void
colo_tcp_open(struct colo *c, unsigned connection, const uint32_t iss[COLO_SIDES],
	      uint32_t client_iss);
bool
colo_is_used(const struct colo *c, unsigned connection);
enum colo_protocol
colo_protocol_of(const struct colo *c, unsigned connection);
bool
colo_tcp_is_open(const struct colo *c, unsigned connection);
/* The guest on @side has read @bytes more of the client's: it acknowledges them from now on. */
void
colo_tcp_acknowledge(struct colo *c, enum colo_side side, unsigned connection, uint32_t bytes);
/*
 * It sends @size bytes, cut into packets of at most @segment; an actor's call, false if that side
 * is no more or COLO ended.  The connection's bytes so far and these are at most COLO_STREAM_MAX.
 */
bool
colo_tcp_send(struct colo *c, enum colo_side side, unsigned connection, const void *bytes,
	      unsigned size, unsigned segment);
uint32_t
colo_tcp_sent(const struct colo *c, enum colo_side side, unsigned connection);
/* A packet of another protocol, of at most COLO_PAYLOAD_MAX bytes; likewise. */
bool
colo_send(struct colo *c, enum colo_side side, enum colo_protocol protocol, unsigned connection,
	  const void *bytes, unsigned size);

#endif
