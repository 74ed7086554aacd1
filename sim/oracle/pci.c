/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI transport apart from queues and interrupts: read-only registers, the generation of the
 * configuration (4.1.4.3), where and how doorbells are written (4.1.4.4, 4.1.5.2).
 */
#include <inttypes.h>

#include "oracle/shadow.h"
#include "virtio/pci_transport.h"

static void
on_readonly(struct world *w, const struct event *e, void *context)
{
	shadow_report(w, shadow_of(w, e->arg[0]), -1, ORACLE_VIRTIO_4_1_4_3_2_R1,
		      "%s := 0x%" PRIx64 ", which is read-only", world_name_text(w, e->arg[1]),
		      e->arg[2]);
}

/* --- generation ----------------------------------------------------------------------------- */

static bool
bytes_test(const uint64_t *map, int64_t offset, int64_t size)
{
	for (int64_t i = offset; i < offset + size && i < 256; i++)
		if (map[i / 64] >> (i % 64) & 1)
			return true;
	return false;
}

static void
bytes_set(uint64_t *map, int64_t offset, int64_t size)
{
	for (int64_t i = offset; i < offset + size && i < 256; i++)
		map[i / 64] |= UINT64_C(1) << (i % 64);
}

static void
on_config_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (bytes_test(d->generation_dirty, e->arg[1], e->arg[2]))
		d->generation_owed = true;
	bytes_set(d->generation_read, e->arg[1], e->arg[2]);
}

/* A piece changed. Only after the driver has read something is that something it could notice. */
static void
on_config_step(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (bytes_test(d->generation_read, 0, 256))
		bytes_set(d->generation_dirty, e->arg[1], e->arg[2]);
}

static void
generation_read(struct world *w, struct shadow_device *d, int64_t value)
{
	if (d->generation_owed && value == d->generation)
		shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_3_1_D2,
			      "config_generation still reads %" PRId64
			      ", and the driver has read what changed meanwhile",
			      value);
	for (unsigned i = 0; i < 4; i++)
		d->generation_read[i] = d->generation_dirty[i] = 0;
	d->generation_owed = false;
	d->generation = value;
}

/* --- doorbells ------------------------------------------------------------------------------ */

/* What the notification capability says (4.1.4.4), once a driver asks where a doorbell is. */
static void
notify_off_read(struct world *w, struct shadow_device *d, int64_t queue, uint64_t offset)
{
	const struct virtio_pci *p = shadow_pci(d);
	bool data = virtio_has(d->offered, VIRTIO_F_NOTIFICATION_DATA);
	uint32_t multiplier = p ? p->notify_multiplier : 0, width = data ? 4 : 2;

	if (!p)
		return;
	if (multiplier && (multiplier % width || (multiplier & (multiplier - 1))))
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_4_1_D2,
			      "notify_off_multiplier is %u for doorbells of %u bytes", multiplier,
			      width);
	if (offset * multiplier + width > p->notify.size_bytes)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_4_1_D1,
			      "the doorbell is at %" PRIu64 " of a notification area of %" PRIu64
			      " bytes",
			      offset * multiplier, (uint64_t)p->notify.size_bytes);
}

static void
on_common_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	enum shadow_field field = shadow_field_of(w, e->arg[1]);

	if (field == FIELD_CONFIG_GENERATION)
		generation_read(w, d, e->arg[3]);
	else if (field == FIELD_QUEUE_NOTIFY_OFF && (!d->num_queues || e->arg[2] < d->num_queues))
		notify_off_read(w, d, e->arg[2], (uint64_t)e->arg[3]);
}

static void
check_doorbell(struct world *w, struct shadow_device *d, int64_t queue, uint64_t value,
	       int64_t width)
{
	bool data = virtio_has(d->accepted, VIRTIO_F_NOTIFICATION_DATA);

	if (width != (data ? 4 : 2))
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_2_1_R1,
			      "the doorbell is written with %" PRId64
			      " bytes, NOTIFICATION_DATA %s",
			      width, data ? "accepted" : "not accepted");
	/* With NOTIF_CONFIG_DATA the device chooses the number. */
	else if (queue >= 0 && (value & 0xffff) != (uint64_t)queue &&
		 !virtio_has(d->accepted, VIRTIO_F_NOTIF_CONFIG_DATA))
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_2_1_R2,
			      "0x%" PRIx64 " written to the doorbell", value);
}

static void
on_vq_notify(struct world *w, const struct event *e, void *context)
{
	const struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);

	if (g && g->device && shadow_guest_live(w, e->arg[0]))
		check_doorbell(w, g->device, g->queue, (uint64_t)e->arg[1], e->arg[2]);
}

/* A write that the device could make nothing of; its features may be those of after a reset. */
static void
on_doorbell_bad(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (!d->live)
		return;
	check_doorbell(w, d, -1, (uint64_t)e->arg[2], e->arg[3]);
	shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_5_2_1_R2,
		      "0x%" PRIx64 " written at 0x%" PRIx64
		      " of the notification area: no queue's doorbell",
		      e->arg[2], e->arg[1]);
}

void
pci_attach(struct world *w)
{
	world_observe(w, EV_VIRTIO_COMMON_READONLY, on_readonly, NULL);
	world_observe(w, EV_VIRTIO_COMMON_READ, on_common_read, NULL);
	world_observe(w, EV_VIRTIO_CONFIG_READ, on_config_read, NULL);
	world_observe(w, EV_VIRTIO_CONFIG_STEP, on_config_step, NULL);
	world_observe(w, EV_VQ_NOTIFY, on_vq_notify, NULL);
	world_observe(w, EV_VIRTIO_DOORBELL_BAD, on_doorbell_bad, NULL);
}
