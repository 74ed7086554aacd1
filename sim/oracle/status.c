/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device status, initialisation and reset: statements of 2.1, 2.4 and 3.1.
 *
 * The driver's order (3.1.1): reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK, read it back,
 * queues, DRIVER_OK.  Bits may be written together, but none without those that come earlier.
 *
 * "After a reset" begins where the device says that status reads 0; what it finishes before that is
 * allowed.
 */
#include <inttypes.h>

#include "oracle/shadow.h"
#include "virtio/spec.h"

#define DRIVER_BITS \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK | \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_SUSPEND | VIRTIO_CONFIG_S_FAILED)
/* Bits that the device may drop: a refused FEATURES_OK; DRIVER_OK and SUSPEND in 3.4. */
#define DROPPABLE \
	(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_SUSPEND)

/* --- the driver ----------------------------------------------------------------------------- */

/* The step of 3.1.1 that has to come before each bit. */
static void
check_order(struct world *w, struct shadow_device *d, uint8_t status)
{
	static const struct {
		uint8_t bit, needs;
		const char *text;
	} order[] = {
		{ VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_ACKNOWLEDGE,
		  "DRIVER without ACKNOWLEDGE" },
		{ VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER,
		  "FEATURES_OK without DRIVER" },
		{ VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK,
		  "DRIVER_OK without FEATURES_OK" },
	};

	if (!d->reset_written)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R1,
			      "status 0x%x written, and the device was never reset before", status);
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if ((status & order[i].bit) && !(status & order[i].needs))
			shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R1, "status 0x%x: %s", status,
				      order[i].text);
	if ((status & VIRTIO_CONFIG_S_DRIVER_OK) && d->features_refused)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R5,
			      "DRIVER_OK although the device refused FEATURES_OK");
	if ((status & VIRTIO_CONFIG_S_DRIVER_OK) && d->features_ok_written && !d->features_ok_read)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_1_1_R4,
			      "DRIVER_OK, and FEATURES_OK was never read back");
}

static void
driver_writes_status(struct world *w, struct shadow_device *d, uint8_t status)
{
	uint8_t kept = d->driver_bits & (uint8_t)~DROPPABLE;

	if (d->reset_asked)
		shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_3_2_R4,
			      "status 0x%x written before the reset read back as 0", status);
	if ((status & kept) != kept)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_1_1_R2,
			      "status 0x%x written after 0x%x: bits 0x%x cleared without a reset",
			      status, d->driver_bits, kept & ~status);
	if (status & (uint8_t) ~(DRIVER_BITS | VIRTIO_CONFIG_S_NEEDS_RESET))
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_1_1_R1,
			      "status 0x%x: bits 0x%x record no progress of a driver", status,
			      status & (uint8_t) ~(DRIVER_BITS | VIRTIO_CONFIG_S_NEEDS_RESET));
	if (d->failed && (status & DRIVER_BITS & (uint8_t)~d->driver_bits))
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_1_1_R3,
			      "status 0x%x written after FAILED, without a reset", status);
	check_order(w, d, status);
	if ((status & VIRTIO_CONFIG_S_FEATURES_OK) && !(d->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		d->features_ok_written = true;
		d->features_ok_read = false;
	}
	d->driver_bits |= status & DRIVER_BITS;
	d->failed |= (status & VIRTIO_CONFIG_S_FAILED) != 0;
}

static void
on_common_write(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d;

	if (shadow_field_of(w, e->arg[1]) != FIELD_DEVICE_STATUS)
		return;
	d = shadow_of(w, e->arg[0]);
	if (e->arg[3]) {
		driver_writes_status(w, d, (uint8_t)e->arg[3]);
		return;
	}
	d->reset_asked = d->reset_written = true;
	d->reset_over = false;
}

static void
on_common_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->register_step = e->step + 1;
	if (shadow_field_of(w, e->arg[1]) != FIELD_DEVICE_STATUS)
		return;
	if (!e->arg[3] && d->resetting && d->reset_from_nonzero)
		shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_3_1_D3,
			      "device status reads 0 while the reset still goes on");
	if (e->arg[3] && d->reset_asked && d->reset_over)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_4_1_D1,
			      "the reset is over and device status reads 0x%" PRIx64, e->arg[3]);
	if (!e->arg[3])
		d->reset_asked = false;
	if (d->features_ok_written)
		d->features_ok_read = true;
}

/* The driver of @g gives ring memory back. */
static void
on_vq_destroy(struct world *w, const struct event *e, void *context)
{
	const struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);
	struct shadow_device *d = g ? g->device : NULL;

	if (d && d->reset_asked && !shadow_maybe_gone(w, d))
		/* 4.1.4.3.2 makes it a must on PCI: until then the device may still write there. */
		shadow_report(w, d, g->queue,
			      shadow_pci(d) ? ORACLE_VIRTIO_4_1_4_3_2_R4 : ORACLE_VIRTIO_2_4_2_R1,
			      "%s: ring memory given back before device status read 0",
			      world_name_text(w, g->name));
}

static void
on_kick(struct world *w, const struct event *e, void *context)
{
	const struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);
	struct shadow_device *d = g ? g->device : NULL;

	/* A queue that is not set up any more: a kick that was decided before the reset. */
	if (d && shadow_guest_live(w, e->arg[0]) && !(d->driver_bits & VIRTIO_CONFIG_S_DRIVER_OK))
		shadow_report(w, d, g->queue, ORACLE_VIRTIO_3_1_1_R7,
			      "%s: the doorbell is written before DRIVER_OK",
			      world_name_text(w, g->name));
}

/* --- the device ----------------------------------------------------------------------------- */

static void
on_set_status(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->status = (uint8_t)e->arg[1];
	d->features_refused = d->features_ok_written && !(d->status & VIRTIO_CONFIG_S_FEATURES_OK);
	if (d->status & VIRTIO_CONFIG_S_DRIVER_OK)
		d->live = true;
}

static void
on_reset(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->resetting = true;
	d->reset_from_nonzero = e->arg[1] != 0;
}

static void
forget(struct world *w, struct shadow_device *d)
{
	d->driver_bits = d->status = 0;
	d->failed = d->needs_reset = d->needs_reset_untold = d->broken_ring = false;
	d->features_ok_written = d->features_ok_read = d->features_refused = false;
	d->resetting = d->live = false;
	d->reset_over = true;
	registers_forget(w, d);
	negotiation_forget(d);
	interrupt_forget(d);
}

static void
on_reset_done(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->was_live |= d->live;
	forget(w, d);
}

/* Plugged in or out: nothing of before holds. */
static void
on_present(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	forget(w, d);
	d->reset_asked = d->reset_written = d->was_live = false;
}

/* The device touches a queue or a buffer of it. */
static void
device_touches(struct world *w, const struct event *e, int64_t queue)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (d->live)
		return;
	if (d->was_live)
		shadow_report(w, d, queue, ORACLE_VIRTIO_2_4_1_D3, "%s after the reset was over",
			      event_info[e->kind].name);
	else
		shadow_report(w, d, queue, ORACLE_VIRTIO_2_1_2_D1, "%s before DRIVER_OK",
			      event_info[e->kind].name);
}

static void
on_queue_access(struct world *w, const struct event *e, void *context)
{
	device_touches(w, e, e->arg[1]);
}

static void
on_net_receive(struct world *w, const struct event *e, void *context)
{
	if (e->arg[3])
		device_touches(w, e, 2 * e->arg[1]); /* 5.1.2: receive queues are the even ones */
}

static void
on_notify(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	int64_t queue = e->kind == EV_VIRTIO_NOTIFY ? e->arg[1] : -1;

	if (queue < 0)
		d->needs_reset_untold = false;
	if (d->live)
		return;
	if (d->was_live)
		shadow_report(w, d, queue, ORACLE_VIRTIO_2_4_1_D2, "%s after the reset was over",
			      event_info[e->kind].name);
	else if (queue >= 0)
		shadow_report(w, d, queue, ORACLE_VIRTIO_2_1_2_D2,
			      "a used buffer notification before DRIVER_OK");
}

static void
on_error(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->needs_reset = true;
	d->needs_reset_untold = (e->arg[2] & VIRTIO_CONFIG_S_DRIVER_OK) != 0;
}

static void
on_guest_error(struct world *w, const struct event *e, void *context)
{
	shadow_of(w, e->arg[0])->broken_ring = true;
}

/* --- when nothing runs any more ------------------------------------------------------------- */

void
status_judge(struct world *w, struct shadow_device *d)
{
	if (d->needs_reset_untold)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_1_2_D4,
			      "DEVICE_NEEDS_RESET was set and the driver was not told");
	if (d->broken_ring && d->live && !d->needs_reset)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_1_2_D3,
			      "the driver broke a ring and DEVICE_NEEDS_RESET is not set");
	if (d->features_refused && !d->failed)
		shadow_report(
			w, d, -1, ORACLE_VIRTIO_3_1_1_R6,
			"the features were refused, and the driver neither set FAILED nor reset");
}

void
status_attach(struct world *w)
{
	world_observe(w, EV_VIRTIO_COMMON_WRITE, on_common_write, NULL);
	world_observe(w, EV_VIRTIO_COMMON_READ, on_common_read, NULL);
	world_observe(w, EV_VQ_DESTROY, on_vq_destroy, NULL);
	world_observe(w, EV_VQ_NOTIFY, on_kick, NULL);
	world_observe(w, EV_VIRTIO_SET_STATUS, on_set_status, NULL);
	world_observe(w, EV_VIRTIO_RESET, on_reset, NULL);
	world_observe(w, EV_VIRTIO_RESET_DONE, on_reset_done, NULL);
	world_observe(w, EV_PCI_PRESENT, on_present, NULL);
	world_observe(w, EV_VIRTQUEUE_POP, on_queue_access, NULL);
	world_observe(w, EV_VIRTQUEUE_FILL, on_queue_access, NULL);
	world_observe(w, EV_VIRTQUEUE_FLUSH, on_queue_access, NULL);
	world_observe(w, EV_VIRTIO_BLK_COMPLETE, on_queue_access, NULL);
	world_observe(w, EV_VIRTIO_NET_RX, on_net_receive, NULL);
	world_observe(w, EV_VIRTIO_NOTIFY, on_notify, NULL);
	world_observe(w, EV_VIRTIO_NOTIFY_CONFIG, on_notify, NULL);
	world_observe(w, EV_VIRTIO_ERROR, on_error, NULL);
	world_observe(w, EV_VIRTQUEUE_GUEST_ERROR, on_guest_error, NULL);
}
