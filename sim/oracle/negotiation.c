/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feature negotiation: 2.2, 5.1.3.1, 6.1, 6.2 and the feature windows of 4.1.4.3.  The table of
 * prerequisites is this file's own, written from the specification: the one that driver and device
 * use (virtio/features.c) is under test.
 */
#include <inttypes.h>

#include "oracle/shadow.h"
#include "virtio/device.h"
#include "virtio/net.h"

#define BIT VIRTIO_BIT
/* 24 to 49 are the rings' and transports'; these of them nobody has (6): 25, 26, 30, 31, 44 to 49.
 */
#define RESERVED \
	(BIT(25) | BIT(26) | BIT(30) | BIT(31) | BIT(44) | BIT(45) | BIT(46) | BIT(47) | BIT(48) | \
	 BIT(49))
/* What was defined only for devices that are not legacy ones. */
#define MODERN \
	(BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER) | \
	 BIT(VIRTIO_F_ORDER_PLATFORM) | BIT(VIRTIO_F_SR_IOV) | BIT(VIRTIO_F_NOTIFICATION_DATA) | \
	 BIT(VIRTIO_F_NOTIF_CONFIG_DATA) | BIT(VIRTIO_F_RING_RESET) | BIT(VIRTIO_F_ADMIN_VQ))

struct prerequisite {
	uint64_t of; /* any of these … */
	uint64_t all, any; /* … needs all of those, and one of these unless it is 0 */
};

#define ANY_TSO(side) (BIT(VIRTIO_NET_F_##side##_TSO4) | BIT(VIRTIO_NET_F_##side##_TSO6))

static const struct prerequisite net_prerequisites[] = {
	/* 5.1.3.1 */
	{ ANY_TSO(GUEST) | BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(VIRTIO_NET_F_GUEST_USO4) |
		  BIT(VIRTIO_NET_F_GUEST_USO6),
	  BIT(VIRTIO_NET_F_GUEST_CSUM), 0 },
	{ BIT(VIRTIO_NET_F_GUEST_ECN), 0, ANY_TSO(GUEST) },
	{ ANY_TSO(HOST) | BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_HOST_USO),
	  BIT(VIRTIO_NET_F_CSUM), 0 },
	{ BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_RSC_EXT), 0, ANY_TSO(HOST) },
	{ BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) |
		  BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) |
		  BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_NOTF_COAL) |
		  BIT(VIRTIO_NET_F_VQ_NOTF_COAL) | BIT(VIRTIO_NET_F_RSS) |
		  BIT(VIRTIO_NET_F_HASH_TUNNEL),
	  BIT(VIRTIO_NET_F_CTRL_VQ), 0 },
	{ BIT(VIRTIO_NET_F_HASH_TUNNEL), 0, BIT(VIRTIO_NET_F_RSS) | BIT(VIRTIO_NET_F_HASH_REPORT) },
	{ 0, 0, 0 },
};

static const struct prerequisite common_prerequisites[] = {
	{ MODERN, BIT(VIRTIO_F_VERSION_1), 0 },
	{ 0, 0, 0 },
};

/* The lowest bit that lacks something, or -1. */
static int
missing(const struct prerequisite *p, uint64_t features)
{
	for (; p->of; p++)
		if ((features & p->of) &&
		    ((features & p->all) != p->all || (p->any && !(features & p->any))))
			return __builtin_ctzll(features & p->of);
	return -1;
}

static bool
is_net(const struct shadow_device *d)
{
	return d->vdev && d->vdev->type && d->vdev->type->device_id == VIRTIO_ID_NET;
}

/* --- FEATURES_OK ---------------------------------------------------------------------------- */

static void
check_offer(struct world *w, struct shadow_device *d)
{
	int bit = missing(common_prerequisites, d->offered);
	int net = is_net(d) ? missing(net_prerequisites, d->offered) : -1;

	if (!virtio_has(d->offered, VIRTIO_F_VERSION_1))
		shadow_report(w, d, -1, ORACLE_VIRTIO_6_2_D1,
			      "0x%" PRIx64 " offered, without VERSION_1", d->offered);
	if (virtio_has(d->offered, VIRTIO_F_SR_IOV))
		shadow_report(w, d, -1, ORACLE_VIRTIO_6_2_D3,
			      "SR_IOV offered by a function without that capability");
	if (bit >= 0 || net >= 0)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_2_2_D1,
			      "0x%" PRIx64 " offered: bit %d without its prerequisite", d->offered,
			      bit >= 0 ? bit : net);
	for (unsigned i = 0; i < 2; i++)
		if (d->window_read[i] && d->window[i] != (uint32_t)(d->offered >> (32 * i)))
			shadow_report(
				w, d, -1, ORACLE_VIRTIO_4_1_4_3_1_D1,
				"device_feature read 0x%x with %u selected; offered is 0x%" PRIx64,
				d->window[i], i, d->offered);
}

static void
check_choice(struct world *w, struct shadow_device *d)
{
	int bit = missing(common_prerequisites, d->wanted);
	int net = is_net(d) ? missing(net_prerequisites, d->wanted) : -1;
	bool unoffered = d->wanted & ~d->offered;

	d->invalid_set = unoffered || bit >= 0 || net >= 0;
	if (d->wanted & RESERVED)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_2_1_R3,
			      "reserved bits 0x%" PRIx64 " accepted", d->wanted & RESERVED);
	if (unoffered)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_2_1_R1,
			      "0x%" PRIx64 " accepted, of which 0x%" PRIx64 " was not offered",
			      d->wanted, d->wanted & ~d->offered);
	if (virtio_has(d->offered, VIRTIO_F_VERSION_1) &&
	    !virtio_has(d->wanted, VIRTIO_F_VERSION_1))
		shadow_report(w, d, -1, ORACLE_VIRTIO_6_1_R1,
			      "VERSION_1 was offered and not accepted");
	if (bit >= 0)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_2_1_R2,
			      "0x%" PRIx64 " accepted: bit %d without its prerequisite", d->wanted,
			      bit);
	if (net >= 0)
		shadow_report(w, d, -1, ORACLE_VIRTIO_5_1_3_1_R1,
			      "0x%" PRIx64 " accepted: bit %d without its prerequisite", d->wanted,
			      net);
}

static void
on_features(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->wanted = (uint64_t)e->arg[1];
	d->offered = (uint64_t)e->arg[2];
	d->deciding = true;
	check_offer(w, d);
	check_choice(w, d);
}

static void
on_set_status(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	bool ok = e->arg[1] & VIRTIO_CONFIG_S_FEATURES_OK,
	     was = e->arg[2] & VIRTIO_CONFIG_S_FEATURES_OK;
	bool same = d->wanted == d->last_accepted && d->offered == d->last_offered;

	if (!ok && d->deciding && same && d->last_accepted)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_2_2_D4,
			      "0x%" PRIx64 " refused, which was accepted before", d->wanted);
	d->deciding = false;
	if (!ok || was)
		return;
	if (d->invalid_set)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_2_2_D2,
			      "FEATURES_OK sticks with 0x%" PRIx64 " of the offered 0x%" PRIx64,
			      d->wanted, d->offered);
	d->accepted = d->last_accepted = d->wanted;
	d->last_offered = d->offered;
}

/* --- the windows ---------------------------------------------------------------------------- */

static void
driver_feature_written(struct world *w, struct shadow_device *d, uint32_t value)
{
	uint32_t select = d->driver_select;

	if (!(d->driver_bits & VIRTIO_CONFIG_S_DRIVER))
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R1,
			      "driver_feature written before DRIVER");
	if (select > 1)
		return;
	if ((d->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    (value & ~(uint32_t)(d->accepted >> (32 * select))))
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R3,
			      "driver_feature 0x%x written with %u selected, after FEATURES_OK",
			      value, select);
	else
		d->driver_window[select] = value;
}

static void
on_common_write(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	switch (shadow_field_of(w, e->arg[1])) {
	case FIELD_DEVICE_FEATURE_SELECT:
		d->device_select = (uint32_t)e->arg[3];
		break;
	case FIELD_DRIVER_FEATURE_SELECT:
		d->driver_select = (uint32_t)e->arg[3];
		break;
	case FIELD_DRIVER_FEATURE:
		driver_feature_written(w, d, (uint32_t)e->arg[3]);
		break;
	default:
		break;
	}
}

static void
on_common_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	uint32_t value = (uint32_t)e->arg[3];

	switch (shadow_field_of(w, e->arg[1])) {
	case FIELD_DEVICE_FEATURE:
		if (d->device_select > 1)
			break;
		d->window[d->device_select] = value;
		d->window_read[d->device_select] = true;
		break;
	case FIELD_DRIVER_FEATURE:
		if (d->driver_select < 2 && value != d->driver_window[d->driver_select])
			shadow_report(
				w, d, -1, ORACLE_VIRTIO_4_1_4_3_1_D1,
				"driver_feature reads 0x%x with %u selected; written was 0x%x",
				value, d->driver_select, d->driver_window[d->driver_select]);
		break;
	default:
		break;
	}
}

static void
on_config_write(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (!(d->status & VIRTIO_CONFIG_S_FEATURES_OK))
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R2,
			      "byte %" PRId64
			      " of the configuration written before FEATURES_OK stuck",
			      e->arg[1]);
}

void
negotiation_forget(struct shadow_device *d)
{
	d->accepted = d->wanted = 0;
	d->device_select = d->driver_select = 0;
	d->window_read[0] = d->window_read[1] = d->invalid_set = false;
	d->driver_window[0] = d->driver_window[1] = 0;
}

void
negotiation_attach(struct world *w)
{
	world_observe(w, EV_VIRTIO_FEATURES, on_features, NULL);
	world_observe(w, EV_VIRTIO_SET_STATUS, on_set_status, NULL);
	world_observe(w, EV_VIRTIO_COMMON_WRITE, on_common_write, NULL);
	world_observe(w, EV_VIRTIO_COMMON_READ, on_common_read, NULL);
	world_observe(w, EV_VIRTIO_CONFIG_WRITE, on_config_write, NULL);
}
