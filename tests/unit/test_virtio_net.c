/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets through the VMM's handlers: buffers for them, stalls, bursts, a busy wire. */
#include "test_virtio.h"

#include "virtio/net.h"

#define V1 VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define MRG VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF)
#define HEADER sizeof(struct virtio_net_hdr_v1)

static const struct net_config *wire_config;

static void
make(void)
{
	b->type = virtio_net_create(&b->vdev, b->w, "net0", datapath_native.device,
				    V1 | MRG | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 1, 8,
				    wire_config);
}

static void
run_on(const struct net_config *c, void (*body)(void), enum fault fault)
{
	wire_config = c;
	bench_run(make, body, fault);
}

/* An rx buffer; its address. */
static uint64_t
expose(uint32_t bytes, uint64_t token)
{
	uint64_t gpa = gm_alloc(b->w, bytes, 16);

	assert_int_equal(bench_add(0, &(struct dp_buf){ gpa, bytes }, 0, 1, token), 0);
	return gpa;
}

static void
transmit(const char *text)
{
	uint32_t bytes = (uint32_t)strlen(text);
	struct dp_buf sg = { gm_alloc(b->w, HEADER + bytes, 16), (uint32_t)HEADER + bytes };

	gm_write(b->w, sg.addr + HEADER, text, bytes);
	assert_int_equal(bench_add(1, &sg, 1, 0, 1), 0);
}

static unsigned
reap(uint16_t queue)
{
	uint64_t token;
	uint32_t len;
	unsigned n = 0;

	while (bench_get(queue, &token, &len))
		n++;
	return n;
}

/* --- receive -------------------------------------------------------------------------------- */

static void
mergeable_body(void)
{
	struct virtio_net *net = b->type;
	struct virtio_net_hdr_v1 header;
	uint8_t packet[100], got[3][64];
	uint64_t gpa[4], token;
	uint32_t len, want[3] = { 64, 32, 16 };

	for (unsigned i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)i;
	bench_ready(V1 | MRG);
	gpa[0] = expose(64, 1);
	assert_true(net_wire_send(net, 0, packet, sizeof(packet)));
	bench_run_works();
	/* 112 bytes do not fit into 64: the buffer is given back, and a kick asked for. */
	assert_int_equal(net->pair[0].rx_stalls, 1);
	assert_int_equal(b->vdev.vqs[0].inflight, 0);
	assert_int_equal(net->pair[0].backlog_count, 1);
	gpa[1] = expose(32, 2);
	gpa[2] = expose(32, 3);
	gpa[3] = expose(64, 4); /* not needed */
	virtio_queue_notify(&b->vdev.vqs[0]);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(bench_get(0, &token, &len));
		assert_int_equal(token, i + 1);
		assert_int_equal(len, want[i]);
		gm_read(b->w, gpa[i], got[i], len);
	}
	assert_int_equal(reap(0), 0);
	memcpy(&header, got[0], HEADER);
	assert_int_equal(header.num_buffers, 3);
	assert_memory_equal(got[0] + HEADER, packet, 52);
	assert_memory_equal(got[1], packet + 52, 32);
	assert_memory_equal(got[2], packet + 84, 16);
	assert_int_equal(b->interrupts[0], 1); /* one for the packet, not one a buffer */
}

static void
unmergeable_body(void)
{
	struct virtio_net *net = b->type;
	uint8_t packet[100] = { 0 };
	uint64_t token;
	uint32_t len;

	bench_ready(V1);
	expose(64, 1);
	net_wire_send(net, 0, packet, sizeof(packet)); /* does not fit: dropped */
	net_wire_send(net, 0, packet, 20);
	bench_run_works();
	assert_int_equal(net->pair[0].rx_dropped, 1);
	assert_true(bench_get(0, &token, &len));
	assert_int_equal(len, 20 + HEADER);
	assert_int_equal(reap(0), 0);
	/* The backlog has an end. */
	for (unsigned i = 0; i < NET_BACKLOG_MAX; i++)
		assert_true(net_wire_send(net, 0, packet, 1));
	assert_false(net_wire_send(net, 0, packet, 1));
}

static void
early_body(void)
{
	struct virtio_net *net = b->type;

	net_wire_send(net, 0, "x", 1); /* before the driver is there */
	bench_run_works();
	assert_int_equal(b->events[EV_VIRTQUEUE_POP], 0);
	bench_features(V1 | MRG);
	bench_enable(0);
	bench_enable(1);
	expose(64, 1);
	virtio_set_status(&b->vdev, STATUS_READY);
	bench_run_works();
	assert_int_equal(reap(0), 1);
}

/* Buffers popped before a packet is there: used in their order, given back when the ring is left.
 */
static void
ahead_body(void)
{
	struct virtio_net *net = b->type;
	struct virtio_queue *vq = &b->vdev.vqs[0];
	uint8_t packet[100] = { 0 };
	uint64_t token;
	uint32_t len;

	bench_ready(V1 | MRG);
	for (unsigned i = 1; i <= 4; i++)
		expose(64, i);
	virtio_queue_notify(vq);
	assert_int_equal(vq->inflight, 3);
	/* Two of them for a packet, one more popped; then one that does not fit the two left. */
	net_wire_send(net, 0, packet, sizeof(packet));
	bench_run_works();
	assert_true(bench_get(0, &token, &len) && token == 1 && len == 64);
	assert_true(bench_get(0, &token, &len) && token == 2);
	assert_int_equal(net->pair[0].ahead_count, 2);
	net_wire_send(net, 0, (uint8_t[200]){ 0 }, 200);
	bench_run_works();
	assert_int_equal(net->pair[0].rx_stalls, 1);
	assert_int_equal(net->pair[0].ahead_count, 2);
	expose(64, 5);
	expose(64, 6);
	virtio_queue_notify(vq);
	for (unsigned i = 3; i <= 6; i++)
		assert_true(bench_get(0, &token, &len) && token == i);
	/* Left by a stop, popped again. */
	expose(64, 7);
	virtio_queue_notify(vq);
	assert_int_equal(vq->inflight, 1);
	virtio_vm_state(&b->vdev, false);
	assert_int_equal(vq->inflight, 0);
	virtio_vm_state(&b->vdev, true);
	net_wire_send(net, 0, "x", 1);
	bench_run_works();
	assert_true(bench_get(0, &token, &len) && token == 7);
	/* By a queue reset, too. */
	b->vdev.driver_features |= VIRTIO_BIT(VIRTIO_F_RING_RESET);
	expose(64, 8);
	virtio_queue_notify(vq);
	virtio_queue_reset(vq);
	assert_int_equal(vq->inflight, 0);
	assert_int_equal(net->pair[0].ahead_count, 0);
}

static void
receive(void **state)
{
	run_on(&(struct net_config){ .rx_ahead = 3 }, ahead_body, FAULT_NONE);
	run_on(&(struct net_config){ 0 }, mergeable_body, FAULT_NONE);
	run_on(&(struct net_config){ 0 }, unmergeable_body, FAULT_NONE);
	run_on(&(struct net_config){ 0 }, early_body, FAULT_NONE);
}

/* --- transmit ------------------------------------------------------------------------------- */

static void
sent_body(void)
{
	struct virtio_net *net = b->type;
	struct net_packet *packet;

	bench_ready(V1 | MRG);
	transmit("one");
	transmit("two!");
	virtio_queue_notify(&b->vdev.vqs[1]);
	assert_int_equal(reap(1), 0); /* the bottom half does it */
	assert_int_equal(b->works, 1);
	virtio_queue_notify(&b->vdev.vqs[1]); /* it is scheduled already */
	assert_int_equal(b->works, 1);
	bench_run_works();
	assert_int_equal(reap(1), 2);
	packet = net_wire_recv(net);
	assert_int_equal(packet->bytes, 3);
	assert_memory_equal(packet->data, "one", 3);
	net_packet_free(b->w, packet);
	packet = net_wire_wait(net);
	assert_memory_equal(packet->data, "two!", 4);
	assert_null(net_wire_recv(net));
	assert_true(b->vdev.vqs[1].ring.notification);
}

static void
burst_body(void)
{
	struct virtio_work *bh;

	bench_ready(V1);
	for (unsigned i = 0; i < 5; i++)
		transmit("x");
	virtio_queue_notify(&b->vdev.vqs[1]);
	/* Two at a time, and again by itself, because nobody kicks. */
	bh = b->work[--b->works];
	bh->queued = false;
	bh->fn(bh);
	assert_int_equal(reap(1), 2);
	assert_int_equal(b->works, 1);
	while (b->works)
		bench_run_works();
	assert_int_equal(reap(1), 3);
}

/* The wire is busy at the second packet; when it is free, a burst ends before the ring is empty. */
static void
busy_body(void)
{
	struct virtio_net *net = b->type;
	bool fault = fault_on(b->w, FAULT_NET_TX_BURST_ASYNC);

	bench_ready(V1);
	for (unsigned i = 0; i < 6; i++)
		transmit("x");
	virtio_queue_notify(&b->vdev.vqs[1]);
	bench_run_works();
	assert_int_equal(reap(1), 1);
	assert_non_null(net->pair[0].async_tx);
	assert_int_equal(b->vdev.vqs[1].inflight, 1);
	net->config.busy_every = 0;
	net->config.tx_burst = 2;
	actor_sleep(b->w, 200);
	assert_int_equal(b->works, 1); /* tx_complete */
	bench_run_works();
	while (b->works)
		bench_run_works();
	/* The parked one and a burst of two; the rest only if somebody goes on. */
	assert_int_equal(reap(1), fault ? 3 : 5);
	assert_int_equal(b->vdev.vqs[1].inflight, 0);
}

static void
transmission(void **state)
{
	const struct net_config busy = { .tx_burst = 6, .busy_every = 2, .busy_ns = 100 };

	run_on(&(struct net_config){ .keep_sent = true }, sent_body, FAULT_NONE);
	run_on(&(struct net_config){ .tx_burst = 2 }, burst_body, FAULT_NONE);
	run_on(&busy, busy_body, FAULT_NONE);
	run_on(&busy, busy_body, FAULT_NET_TX_BURST_ASYNC);
}

static void
link_body(void)
{
	uint16_t status;

	bench_ready(V1);
	virtio_net_set_link(b->type, false);
	virtio_config_read(&b->vdev, offsetof(struct virtio_net_config, status), &status, 2);
	assert_int_equal(status, 0);
	assert_int_equal(b->config_interrupts, 1);
	assert_true(b->vdev.device_features == (V1 | MRG | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)));
}

static void
link_state(void **state)
{
	run_on(&(struct net_config){ 0 }, link_body, FAULT_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receive),
		cmocka_unit_test(transmission),
		cmocka_unit_test(link_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
