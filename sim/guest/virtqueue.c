/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/virtqueue.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "datapath/native.h"
#include "guest/ring_memory.h"
#include "guest/virtio_driver.h"
#include "memory/guest_memory.h"
#include "virtio/spec.h"

#define SLOT_NONE UINT16_MAX

/* --- what the ring gets from us ------------------------------------------------------------- */

static void *
ring_map(void *ctx, uint64_t gpa, uint64_t len)
{
	struct guest_vq *vq = ctx;

	return gm_map(vq->w, gpa, len);
}

static void *
ring_alloc(void *ctx, size_t size)
{
	struct guest_vq *vq = ctx;

	return world_alloc(vq->w, size);
}

static void
ring_free(void *ctx, void *block, size_t size)
{
	struct guest_vq *vq = ctx;

	world_free(vq->w, block, size);
}

static void
ring_error(void *ctx, const char *what, uint64_t value)
{
	struct guest_vq *vq = ctx;

	emit(vq->w, EV_VQ_BAD_RING, vq->name, world_name(vq->w, what), (int64_t)value);
}

/* --- life ----------------------------------------------------------------------------------- */

static void
slots_reset(struct guest_vq *vq)
{
	for (unsigned i = 0; i < vq->vring.size; i++)
		vq->slots[i] = (struct guest_vq_slot){
			.next = i + 1u < vq->vring.size ? (uint16_t)(i + 1) : SLOT_NONE,
		};
	vq->slot_free = 0;
}

/* Of guest memory for the indirect table of one slot. */
static uint64_t
table_bytes(const struct guest_vq *vq)
{
	uint32_t entry_bytes = vq->ops->table_entry_bytes;

	return (uint64_t)GUEST_SG_MAX * (entry_bytes ? entry_bytes : sizeof(struct vring_desc));
}

static void
slots_make(struct guest_vq *vq, uint64_t features)
{
	vq->slots = world_alloc(vq->w, vq->vring.size * sizeof(*vq->slots));
	slots_reset(vq);
	if (virtio_has(features, VIRTIO_RING_F_INDIRECT_DESC))
		vq->tables_gpa =
			gm_alloc(vq->w, vq->vring.size * table_bytes(vq), VRING_DESC_ALIGN_SIZE);
}

void
guest_vq_create(struct guest_vq *vq, struct guest_virtio *dev, uint16_t index,
		const struct guest_vq_info *info, uint16_t size, uint64_t features)
{
	struct world *w = dev->w;
	const struct datapath *dp = dev->config.datapath;
	char text[64];
	int ret;

	*vq = (struct guest_vq){ .dev = dev, .w = w, .index = index, .info = *info };
	snprintf(text, sizeof(text), "%s.vq%u", world_name_text(w, dev->name), index);
	vq->name = world_name(w, text);
	vq->vector = VIRTIO_MSI_NO_VECTOR;
	guest_spinlock_init(&vq->lock, w, text);
	vq->ops = dp->driver;
	vq->host = (struct dp_host){ vq, ring_map, ring_alloc, ring_free, ring_error };
	ring_memory_alloc(w, &vq->vring, text, size, features);
	vq->vring.index = index;
	vq->vring.quirks = dev->config.quirks | native_quirks(w);
	slots_make(vq, features);
	ret = vq->ops->init(&vq->ring, &vq->vring, &vq->host);
	if (ret)
		world_fail(w, "%s: the driver side of datapath %s refuses the ring (error %d)",
			   text, vq->ops->name, -ret);
	emit(w, EV_VQ_CREATE, vq->name, size, (int64_t)vq->vring.desc, (int64_t)vq->vring.driver,
	     (int64_t)vq->vring.device);
}

void
guest_vq_destroy(struct guest_vq *vq)
{
	if (!vq->ring)
		return;
	emit(vq->w, EV_VQ_DESTROY, vq->name);
	/*
	 * The ring's state is not freed: with a fault on, another CPU may be in the middle of it.
	 * That is the guest's use after free, to be seen (EV_VQ_USE_AFTER_DELETE), and must not be
	 * ours.
	 */
	vq->ring = NULL;
}

/* A queue that was deleted and is used nevertheless, or was deleted while it was used. */
static bool
gone(struct guest_vq *vq)
{
	if (vq->ring)
		return false;
	emit(vq->w, EV_VQ_USE_AFTER_DELETE, vq->name);
	return true;
}

/* --- adding --------------------------------------------------------------------------------- */

int
guest_vq_add(struct guest_vq *vq, const struct dp_buf *sg, unsigned out, unsigned in,
	     uint64_t token)
{
	uint16_t slot = vq->slot_free;
	uint64_t table = 0;
	bool indirect;
	int ret;

	must(out + in && out + in <= GUEST_SG_MAX);
	if (gone(vq) || vq->broken)
		return -EIO;
	if (slot == SLOT_NONE)
		return -ENOSPC;
	/* As virtqueue_use_indirect(): a single buffer gains nothing from a table. */
	indirect = vq->tables_gpa && out + in > 1;
	if (indirect)
		table = vq->tables_gpa + slot * table_bytes(vq);
	ret = vq->ops->add(vq->ring, sg, out, in, slot, indirect, table);
	if (gone(vq))
		return -EIO;
	if (ret)
		return ret;
	vq->slot_free = vq->slots[slot].next;
	vq->slots[slot].token = token;
	vq->slots[slot].used = true;
	vq->added++;
	emit(vq->w, EV_VQ_ADD, vq->name, (int64_t)token, out, in, indirect);
	return 0;
}

bool
guest_vq_kick_prepare(struct guest_vq *vq, uint32_t *data)
{
	struct dp_driver *ring = vq->ring;
	bool wanted;

	*data = vq->index;
	if (gone(vq))
		return false;
	wanted = vq->ops->kick_prepare(ring);
	if (virtio_has(vq->vring.features, VIRTIO_F_NOTIFICATION_DATA))
		*data = vq->ops->notify_data(ring);
	emit(vq->w, EV_VQ_KICK_PREPARE, vq->name, wanted, *data);
	return wanted;
}

void
guest_vq_notify(struct guest_vq *vq, struct guest_cpu *cpu, uint32_t data)
{
	unsigned width = virtio_has(vq->vring.features, VIRTIO_F_NOTIFICATION_DATA) ? 4 : 2;

	if (vq->broken)
		return;
	actor_point(vq->w);
	vq->kicks++;
	emit(vq->w, EV_VQ_NOTIFY, vq->name, data, width);
	guest_mmio_write(cpu, vq->doorbell_gpa, data, width);
}

void
guest_vq_kick(struct guest_vq *vq, struct guest_cpu *cpu)
{
	uint32_t data;

	if (guest_vq_kick_prepare(vq, &data))
		guest_vq_notify(vq, cpu, data);
}

/* --- reaping -------------------------------------------------------------------------------- */

/* The driver's token of a slot that the ring gave back, and the slot to the free list. */
static uint64_t
slot_put(struct guest_vq *vq, uint64_t slot)
{
	must(slot < vq->vring.size &&
	     vq->slots[slot].used); /* the ring checks what the device says */
	vq->slots[slot].used = false;
	vq->slots[slot].next = vq->slot_free;
	vq->slot_free = (uint16_t)slot;
	return vq->slots[slot].token;
}

bool
guest_vq_get(struct guest_vq *vq, uint64_t *token, uint32_t *len)
{
	uint64_t slot;
	int ret;

	if (gone(vq) || vq->broken)
		return false;
	ret = vq->ops->get(vq->ring, &slot, len);
	if (gone(vq))
		return false;
	if (ret < 0)
		vq->broken = true; /* BAD_RING() */
	if (ret <= 0)
		return false;
	*token = slot_put(vq, slot);
	vq->got++;
	emit(vq->w, EV_VQ_GET, vq->name, (int64_t)*token, *len);
	return true;
}

bool
guest_vq_detach_unused(struct guest_vq *vq, uint64_t *token)
{
	uint64_t slot;

	if (!vq->ring || vq->ops->detach_unused(vq->ring, &slot) <= 0)
		return false;
	*token = slot_put(vq, slot);
	return true;
}

unsigned
guest_vq_num_free(struct guest_vq *vq)
{
	struct dp_state st = { 0 };

	if (vq->ring)
		vq->ops->state(vq->ring, &st);
	return st.num_free;
}

bool
guest_vq_more_used(struct guest_vq *vq)
{
	struct dp_state st = { 0 };

	if (vq->ring)
		vq->ops->state(vq->ring, &st);
	return st.last_used_idx != st.used_idx;
}

/* --- callbacks ------------------------------------------------------------------------------ */

void
guest_vq_disable_cb(struct guest_vq *vq)
{
	if (!vq->ring || vq->event_triggered)
		return;
	vq->ops->disable_cb(vq->ring);
}

unsigned
guest_vq_enable_cb_prepare(struct guest_vq *vq)
{
	vq->event_triggered = false;
	return vq->ring ? vq->ops->enable_cb_prepare(vq->ring) : 0;
}

bool
guest_vq_poll(struct guest_vq *vq, unsigned position)
{
	if (!vq->ring || (vq->broken && !fault_on(vq->w, FAULT_GUEST_POLL_BROKEN)))
		return false;
	return vq->ops->poll(vq->ring, position);
}

/* Say what enabling found. */
static bool
enabled_cb(struct guest_vq *vq, bool nothing)
{
	emit(vq->w, EV_VQ_ENABLE_CB, vq->name, !nothing);
	return nothing;
}

bool
guest_vq_enable_cb(struct guest_vq *vq)
{
	vq->event_triggered = false;
	return !vq->ring || enabled_cb(vq, vq->ops->enable_cb(vq->ring) || vq->broken);
}

bool
guest_vq_enable_cb_delayed(struct guest_vq *vq)
{
	vq->event_triggered = false;
	return !vq->ring || enabled_cb(vq, vq->ops->enable_cb_delayed(vq->ring) || vq->broken);
}

/* What became of an interrupt. ORDER VQ_INTERRUPT */
enum { INTERRUPT_NOTHING, INTERRUPT_BROKEN, INTERRUPT_CALLBACK };

enum irq_return
guest_vq_interrupt(struct guest_cpu *cpu, void *arg)
{
	struct guest_vq *vq = arg;
	bool ready = vq->dev->state == GUEST_VIRTIO_READY;
	/* Hardened: a queue is broken until the device is ready.  Linux (8b4ec69d7e09) is that
	 * before it writes DRIVER_OK, the fault after. */
	bool broken = vq->broken || (!ready && fault_on(vq->w, FAULT_GUEST_IRQ_HARDENED));
	bool notes = vq->ring && vq->ops->interrupt; /* the ring code itself */

	if (!(notes && !broken ? vq->ops->interrupt(vq->ring) : guest_vq_more_used(vq))) {
		vq->spurious++;
		emit(vq->w, EV_VQ_INTERRUPT, vq->name, INTERRUPT_NOTHING);
		return IRQ_NONE;
	}
	if (broken) {
		emit(vq->w, EV_VQ_INTERRUPT, vq->name, INTERRUPT_BROKEN);
		return ready ? IRQ_HANDLED : IRQ_NONE;
	}
	if (!notes && virtio_has(vq->vring.features, VIRTIO_RING_F_EVENT_IDX))
		vq->event_triggered = true;
	vq->interrupts++;
	emit(vq->w, EV_VQ_INTERRUPT, vq->name, INTERRUPT_CALLBACK);
	if (vq->info.callback)
		vq->info.callback(cpu, vq);
	return IRQ_HANDLED;
}
