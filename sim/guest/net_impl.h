/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the network driver share. */
#ifndef RINGSIDE_GUEST_NET_IMPL_H
#define RINGSIDE_GUEST_NET_IMPL_H

#include "guest/net_driver.h"
#include "virtio/net.h"

/* Guest RAM for each ring entry; what was there before is kept if it suffices. All are free. */
void
net_buffers_make(struct world *w, struct guest_net_buffers *b, uint16_t count, uint32_t bytes);
static inline uint64_t
net_buffer_gpa(const struct guest_net_buffers *b, uint64_t token)
{
	return b->gpa + token * b->bytes;
}
/* A free one, or -1. */
int
net_buffer_get(struct guest_net_buffers *b);
void
net_buffer_put(struct guest_net_buffers *b, uint64_t token);

/* schedule_delayed_work(), if the gate is open; cancel_delayed_work_sync(). */
void
net_refill_queue(struct guest_net *net, int64_t delay_ns);

void
net_rx_init(struct guest_rxq *rq);
/* try_fill_recv(): false when a buffer could not be allocated. */
bool
net_rx_fill(struct guest_cpu *cpu, struct guest_rxq *rq);
/* virtnet_napi_enable(): polls once, for what came while nobody looked. */
void
net_napi_enable(struct guest_cpu *cpu, struct guest_napi *n);
void
net_rx_callback(struct guest_cpu *cpu, struct guest_vq *vq);
void
net_rx_recycle(struct guest_vq *vq, uint64_t token);

void
net_tx_init(struct guest_txq *sq);
void
net_tx_callback(struct guest_cpu *cpu, struct guest_vq *vq);
void
net_tx_recycle(struct guest_vq *vq, uint64_t token);
/* virtnet_poll_cleantx(): from the receive poll. */
void
net_tx_clean(struct guest_cpu *cpu, struct guest_txq *sq);
/* netif_tx_wake_queue() if there is room. */
void
net_tx_wake(struct guest_txq *sq);

#endif
