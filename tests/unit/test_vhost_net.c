/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-net's loops: packets over several buffers, a busy wire, weight, and the livelock. */
#include "test_vhost_rig.h"

#define PACKET 100u /* bytes: with its header three buffers of BUFFER */
#define BUFFER 40u
#define PACKETS 3u

/* --- receive -------------------------------------------------------------------------------- */

static void
send_packet(struct rig *r, uint8_t tag)
{
	uint8_t data[PACKET];

	memset(data, tag, sizeof(data));
	assert_true(net_wire_send(r->net, 0, data, sizeof(data)));
}

static void
vmm_sends(struct rig *r)
{
	for (uint8_t n = 1; n <= PACKETS; n++) {
		send_packet(r, n);
		actor_point(r->w);
	}
}

/* One buffer at a time, each with its own kick if it is wanted. */
static void
driver_receives(struct rig *r)
{
	struct virtio_net_hdr_v1 header;
	uint8_t tag;

	rig_driver_ok(r);
	for (uint8_t n = 1; n <= PACKETS; n++) {
		uint64_t first = 0, last = 0;

		for (unsigned i = 0; i < 3; i++) {
			last = rig_rx_buffer(r, BUFFER);
			first = first ? first : last;
			rig_kick(&r->q[0]);
		}
		rig_wait(&r->q[0], 3u * n);
		gm_read(r->w, first, &header, sizeof(header));
		assert_int_equal(header.num_buffers, 3);
		assert_int_equal(r->q[0].last_len, PACKET + sizeof(header) - 2 * BUFFER);
		gm_read(r->w, last + r->q[0].last_len - 1, &tag, 1);
		assert_int_equal(tag, n);
	}
}

static void
test_receive(void **state)
{
	struct rig_config config = { .net = true, .driver = driver_receives, .vmm = vmm_sends };

	for (unsigned i = 0; i < 4; i++) {
		config.user = i & 1;
		config.no_event_idx = i & 2;
		rig_assert_holds(&config, NULL);
	}
}

static void
driver_gives_one(struct rig *r)
{
	rig_driver_ok(r);
	rig_rx_buffer(r, BUFFER);
	rig_kick(&r->q[0]);
	rig_rx_buffer(r, BUFFER);
	rig_kick(&r->q[0]);
}

static bool
not_stalled(struct rig *r)
{
	return r->net->pair[0].rx_packets || !r->net->pair[0].backlog ||
	       r->events[EV_VHOST_RX_STALL] < 1;
}

/* The same where the weight is used up again and again. */
static void
driver_gives_one_light(struct rig *r)
{
	r->dev->set.vq[0].weight = 4;
	driver_gives_one(r);
}

static void
test_livelock(void **state)
{
	struct rig_config config = {
		.net = true, .driver = driver_gives_one, .vmm = vmm_sends, .steps_max = 4000
	};

	rig_assert_fault(config, FAULT_DEVICE_EMPTY_IS_NONEMPTY, FAULT_NONE, not_stalled);
	config.driver = driver_gives_one_light;
	rig_assert_fault(config, FAULT_DEVICE_EMPTY_IS_NONEMPTY, FAULT_NONE, not_stalled);
}

/* Packet and buffers are there before DRIVER_OK, and nothing happens after it. */
static void
driver_is_late(struct rig *r)
{
	send_packet(r, 1);
	for (unsigned i = 0; i < 3; i++)
		rig_rx_buffer(r, BUFFER);
	rig_driver_ok(r);
	rig_wait(&r->q[0], 3);
}

static void
test_packet_before_start(void **state)
{
	struct rig_config config = { .net = true, .driver = driver_is_late };

	rig_assert_fault(config, FAULT_VHOST_START_NO_KICK, FAULT_NONE, NULL);
	config.user = true;
	rig_assert_holds(&config, NULL);
}

/* --- transmit ------------------------------------------------------------------------------- */

static void
driver_sends(struct rig *r)
{
	rig_driver_ok(r);
	for (unsigned n = 1; n <= 2; n++) {
		for (unsigned i = 0; i < 3; i++)
			rig_tx_packet(r, 10 * n + i);
		rig_kick(&r->q[1]);
		rig_wait(&r->q[1], 3 * n);
	}
}

/* All of them, once, in order. */
static bool
not_in_order(struct rig *r)
{
	static const unsigned bytes[] = { 10, 11, 12, 20, 21, 22 };
	struct net_packet *p = r->net->sent;

	for (unsigned i = 0; i < 6; i++, p = p->next)
		if (!p || p->bytes != bytes[i])
			return true;
	return p != NULL;
}

static void
test_transmit(void **state)
{
	struct rig_config config = { .net = true,
				     .driver = driver_sends,
				     .net_config = { .keep_sent = true } };

	rig_assert_holds(&config, not_in_order);
	config.net_config.busy_every = 2;
	config.net_config.busy_ns = 100;
	rig_assert_holds(&config, not_in_order);
	config.no_event_idx = true;
	rig_assert_holds(&config, not_in_order);
	config.user = true;
	rig_assert_holds(&config, not_in_order);
	config.vmm = rig_stop_start;
	rig_assert_holds(&config, not_in_order);
	config.user = false;
	rig_assert_holds(&config, not_in_order);
}

static void
driver_sends_light(struct rig *r)
{
	r->dev->set.vq[1].weight = 1;
	driver_sends(r);
}

/* Each packet ended a run, and was signalled with it. */
static bool
not_by_weight(struct rig *r)
{
	return not_in_order(r) || r->dev->set.vq[1].runs < 6 || r->vdev.vqs[1].pushes != 6;
}

static void
driver_sends_bytes(struct rig *r)
{
	r->dev->set.vq[1].byte_weight = 22;
	driver_sends(r);
}

static void
test_weight(void **state)
{
	struct rig_config config = { .net = true,
				     .driver = driver_sends_light,
				     .net_config = { .keep_sent = true } };

	rig_assert_holds(&config, not_by_weight);
	config.driver = driver_sends_bytes;
	rig_assert_holds(&config, not_by_weight);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_livelock),
		cmocka_unit_test(test_packet_before_start),
		cmocka_unit_test(test_transmit),
		cmocka_unit_test(test_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
