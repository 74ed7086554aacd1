/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's drivers/virtio/virtio_ring.c, unmodified, as the driver side of a datapath, split and
 * packed.  The file is included as it is, so that the rings can stand where dp_vring says (three
 * areas) and state() can look into struct vring_virtqueue; the operations go through what the file
 * exports.
 *
 * The code around it is not instrumented (DP_UNSEEN): what is seen are the kernel's accesses.
 */
#include "datapath/linux/kernel.h"

#include <linux/version.h>

#include "datapath/linux/linux_datapath.h"
#include "virtio/ring_packed_layout.h"
#include "virtio/ring_split_layout.h"

#include <drivers/virtio/virtio_ring.c>

struct dp_driver {
	struct linux_ring ring; /* first: its address goes along as flags of an allocation */
	struct device parent; /* vdev.dev's */
	struct virtio_device vdev;
	struct virtqueue *vq;
	size_t bytes; /* of this object */
	uint16_t size, index; /* of the queue */
	bool packed;
	bool kick_owed; /* the kernel notified by itself */
	uint16_t added, got; /* chains, modulo 2^16 */
	char words[LINUX_WORDS_MAX]; /* the last complaint */
	struct scatterlist sg[]; /* size of them */
};

static DP_UNSEEN struct dp_driver *
driver_of(struct virtio_device *vdev)
{
	return container_of(vdev, struct dp_driver, vdev);
}

/* --- what the kernel's file takes from elsewhere in the kernel ------------------------------- */

/* A check that a driver listed a feature that it asks for. */
void
virtio_check_driver_offered_feature(const struct virtio_device *vdev, unsigned int fbit)
{
}

/* "%s:id %u out of range\n", the queue's name, the number */
DP_UNSEEN void
shim_dev_err(const struct device *dev, const char *fmt, ...)
{
	struct dp_driver *d = driver_of(dev_to_virtio((struct device *)dev));
	uint64_t value;
	va_list ap;

	va_start(ap, fmt);
	va_arg(ap, const char *);
	value = va_arg(ap, unsigned);
	va_end(ap);
	linux_words(d->words, fmt + strlen("%s:"));
	d->ring.host.guest_error(d->ring.host.ctx, d->words, value);
}

/*
 * The kernel notifies by itself where a chain with readable buffers does not fit, and after 2^16 -
 * 1 chains without a kick_prepare(): our answer to the next one is yes.
 */
static DP_UNSEEN bool
notify(struct virtqueue *vq)
{
	driver_of(vq->vdev)->kick_owed = true;
	return true;
}

static void
callback(struct virtqueue *vq)
{
}

/* --- life ----------------------------------------------------------------------------------- */

/* Where the areas are in this side's mapping; null, or what is wrong. */
static DP_UNSEEN const char *
map_areas(struct linux_ring *ring, const struct dp_vring *vring)
{
	bool packed = vring->features & BIT_ULL(VIRTIO_F_RING_PACKED);
	/* Linux writes used_event also where VIRTIO_RING_F_EVENT_IDX was not negotiated. */
	const uint64_t bytes[3] = {
		packed ? ring_packed_desc_bytes(vring->size) : ring_split_desc_bytes(vring->size),
		packed ? RING_PACKED_EVENT_BYTES : ring_split_avail_bytes(vring->size),
		packed ? RING_PACKED_EVENT_BYTES : ring_split_used_bytes(vring->size),
	};
	const uint64_t gpa[3] = { vring->desc, vring->driver, vring->device };
	const char *wrong = packed ? ring_packed_check(vring) : ring_split_check(vring);

	if (wrong)
		return wrong;
	for (int i = 0; i < 3; i++) {
		ring->area_gpa[i] = gpa[i];
		ring->area[i] = ring->host.map(ring->host.ctx, gpa[i], bytes[i]);
		if (!ring->area[i])
			return "ring is not in guest memory";
	}
	linux_distance((uintptr_t)ring->area[0] - vring->desc);
	return NULL;
}

static DP_UNSEEN struct virtqueue *
make_split(struct dp_driver *d, const struct dp_vring *vring)
{
	struct vring_virtqueue_split split = {
		.vring = { vring->size, d->ring.area[0], d->ring.area[1], d->ring.area[2] },
	};

	return LINUX_NEW_VIRTQUEUE(vring->index, &split, &d->vdev, true, false, notify, callback,
				   "vq" LINUX_DMA_DEVICE(&d->parent));
}

static DP_UNSEEN struct virtqueue *
make_packed(struct dp_driver *d, const struct dp_vring *vring)
{
	return vring_create_virtqueue(vring->index, vring->size, PAGE_SIZE, &d->vdev, true, false,
				      false, notify, callback, "vq");
}

/* As if 2^16 - n buffers had gone round: no code of the kernel's does that. */
static DP_UNSEEN void
start_at(struct virtqueue *_vq, uint16_t idx)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	vq->split.avail_idx_shadow = vq->last_used_idx = idx;
	vq->split.vring.avail->idx = vq->split.vring.used->idx = idx;
	if (vq->event)
		vring_used_event(&vq->split.vring) = vring_avail_event(&vq->split.vring) = idx;
}

static DP_UNSEEN int
driver_init(struct dp_driver **driver, const struct dp_vring *vring, const struct dp_host *host)
{
	size_t bytes = sizeof(struct dp_driver) + vring->size * sizeof(struct scatterlist);
	bool packed = vring->features & BIT_ULL(VIRTIO_F_RING_PACKED);
	struct linux_ring ring = { .host = *host };

	if (packed && vring->start_idx)
		return -ENOTSUP;
	if (map_areas(&ring, vring))
		return -EINVAL;

	struct dp_driver *d = host->alloc(host->ctx, bytes);

	if (!d)
		return -ENOMEM;
	d->ring = ring;
	d->bytes = bytes;
	d->size = vring->size;
	d->index = vring->index;
	d->packed = packed;
	d->vdev.dev.parent = &d->parent;
	d->vdev.features = vring->features;
	INIT_LIST_HEAD(&d->vdev.vqs);
	linux_make(&d->ring);
	d->vq = packed ? make_packed(d, vring) : make_split(d, vring);
	linux_make(NULL);
	if (!d->vq) {
		host->free(host->ctx, d, bytes);
		return -ENOMEM;
	}
	if (vring->start_idx)
		start_at(d->vq, vring->start_idx);
	*driver = d;
	return 0;
}

static DP_UNSEEN void
driver_destroy(struct dp_driver *d)
{
	struct dp_host host = d->ring.host;

	vring_del_virtqueue(d->vq);
	host.free(host.ctx, d, d->bytes);
}

/* --- adding and kicking --------------------------------------------------------------------- */

#ifdef LINUX_EXTRA_IN_TABLE
#define TABLE_ENTRY_BYTES (sizeof(struct vring_desc) + sizeof(struct vring_desc_extra))
#else
#define TABLE_ENTRY_BYTES sizeof(struct vring_desc)
#endif

/* Where Linux's kmalloc() for an indirect table finds ours; false if it cannot stand there. */
static DP_UNSEEN bool
leave_table(struct dp_driver *d, uint64_t gpa, unsigned total)
{
	size_t bytes = total * (size_t)TABLE_ENTRY_BYTES;
	void *table = d->ring.host.map(d->ring.host.ctx, gpa, bytes);

	if (!table || (uintptr_t)table % 16)
		return false;
	d->ring.table = table;
	d->ring.table_bytes = bytes;
	linux_distance((uintptr_t)table - gpa);
	return true;
}

/* One list; a multiple of a frame and what is above it. */
static DP_UNSEEN void
fill_list(struct scatterlist *sg, const struct dp_buf *buf, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		sg[i].page = (struct page *)(uintptr_t)(buf[i].addr >> PAGE_SHIFT);
		sg[i].offset = buf[i].addr & (PAGE_SIZE - 1);
		sg[i].length = buf[i].len;
		sg[i].last = i + 1 == n;
	}
}

static DP_UNSEEN int
driver_add(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned in, uint64_t token,
	   bool indirect, uint64_t table)
{
	struct scatterlist *list[2] = { d->sg, &d->sg[out] };
	unsigned total = out + in;
	int ret;

	/* The token is a pointer there, and none may be null. */
	if (!total || out > d->size || in > d->size || total > d->size || token == UINT64_MAX)
		return -EINVAL;
	/* Linux gains nothing from a table for one buffer, and makes none. */
	if (indirect && total > 1 && to_vvq(d->vq)->indirect && !leave_table(d, table, total))
		return -EINVAL;
	fill_list(list[0], sg, out);
	fill_list(list[1], sg + out, in);
	ret = virtqueue_add_sgs(d->vq, out ? list : list + 1, !!out, !!in, (void *)(token + 1),
				(gfp_t)&d->ring);
	d->ring.table = NULL;
	if (!ret)
		d->added++;
	return ret;
}

static DP_UNSEEN bool
driver_kick_prepare(struct dp_driver *d)
{
	bool wanted = virtqueue_kick_prepare(d->vq), owed = d->kick_owed;

	d->kick_owed = false;
	/* virtqueue_notify() looks at this. */
	return (wanted || owed) && !virtqueue_is_broken(d->vq);
}

/* vring_notification_data(), which 6.4 brought. */
static DP_UNSEEN uint32_t
driver_notify_data(struct dp_driver *d)
{
	const struct vring_virtqueue *vq = to_vvq(d->vq);
	uint32_t next = vq->split.avail_idx_shadow;

	if (d->packed)
		next = vq->packed.next_avail_idx | (uint32_t)vq->packed.avail_wrap_counter
							   << VRING_PACKED_EVENT_F_WRAP_CTR;
	return next << 16 | d->index;
}

/* --- reaping -------------------------------------------------------------------------------- */

static DP_UNSEEN int
driver_get(struct dp_driver *d, uint64_t *token, uint32_t *len)
{
	void *data = virtqueue_get_buf(d->vq, len);

	if (!data)
		return virtqueue_is_broken(d->vq) ? -EINVAL : 0;
	d->got++;
	*token = (uint64_t)(uintptr_t)data - 1;
	return 1;
}

static DP_UNSEEN void
driver_disable_cb(struct dp_driver *d)
{
	virtqueue_disable_cb(d->vq);
}

static DP_UNSEEN unsigned
driver_enable_cb_prepare(struct dp_driver *d)
{
	return virtqueue_enable_cb_prepare(d->vq);
}

static DP_UNSEEN bool
driver_poll(struct dp_driver *d, unsigned position)
{
	return virtqueue_poll(d->vq, position);
}

static DP_UNSEEN bool
driver_enable_cb(struct dp_driver *d)
{
	return virtqueue_enable_cb(d->vq);
}

static DP_UNSEEN bool
driver_enable_cb_delayed(struct dp_driver *d)
{
	return virtqueue_enable_cb_delayed(d->vq);
}

/* Linux notes it (event_triggered), and then has no need to turn interrupts off. */
static DP_UNSEEN bool
driver_interrupt(struct dp_driver *d)
{
	return vring_interrupt(0, d->vq) == IRQ_HANDLED;
}

static DP_UNSEEN int
driver_detach_unused(struct dp_driver *d, uint64_t *token)
{
	void *data = virtqueue_detach_unused_buf(d->vq);

	if (!data)
		return 0;
	d->got++;
	*token = (uint64_t)(uintptr_t)data - 1;
	return 1;
}

/* --- state: a look from outside ------------------------------------------------------------- */

static DP_UNSEEN void
state_split(const struct dp_driver *d, struct dp_state *state)
{
	const struct vring_virtqueue *vq = to_vvq(d->vq);
	const struct vring *vr = &vq->split.vring;

	state->avail_idx = vr->avail->idx;
	state->last_used_idx = vq->last_used_idx;
	state->used_idx = vr->used->idx;
	state->used_event = vq->event ? vring_used_event(vr) : 0;
	state->avail_event = vq->event ? vring_avail_event(vr) : 0;
	state->avail_flags = vr->avail->flags;
	state->used_flags = vr->used->flags;
	state->callbacks_enabled = !(vq->split.avail_flags_shadow & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Offset and wrap counter in one, as in the event areas. */
static DP_UNSEEN uint16_t
forth(unsigned size, uint16_t off_wrap, unsigned n)
{
	unsigned off = (off_wrap & 0x7fffu) + n, wrap = off_wrap & 0x8000u;

	return (uint16_t)(off >= size ? (off - size) | (wrap ^ 0x8000u) : off | wrap);
}

/* IN_ORDER: the last id of the batch that get() is within; NO_BATCH also without that feature. */
#define NO_BATCH UINT32_MAX

static DP_UNSEEN uint32_t
batch_of(const struct vring_virtqueue *vq, bool *in_order)
{
#ifdef LINUX_HAS_IN_ORDER
	*in_order = virtqueue_is_in_order(vq);
	return *in_order ? vq->batch_last.id : NO_BATCH;
#else
	*in_order = false;
	return NO_BATCH;
#endif
}

static DP_UNSEEN bool
is_used(const struct vring_packed_desc *desc, uint16_t off_wrap)
{
	bool avail = desc->flags & 1u << VRING_PACKED_DESC_F_AVAIL;
	bool used = desc->flags & 1u << VRING_PACKED_DESC_F_USED;

	return avail == used && used == off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR;
}

/* How many buffers the device has used that get() has not returned, and where it stands. */
static DP_UNSEEN uint16_t
count_used(const struct dp_driver *d, uint16_t *at)
{
	const struct vring_virtqueue *vq = to_vvq(d->vq);
	uint16_t count = 0, outstanding = (uint16_t)(d->added - d->got);
	bool in_order;
	uint32_t batch = batch_of(vq, &in_order);

	for (*at = vq->last_used_idx; count < outstanding; count++) {
		const struct vring_packed_desc *desc = &vq->packed.vring.desc[*at & 0x7fffu];
		uint16_t id = desc->id;

		if (batch == NO_BATCH && !is_used(desc, *at))
			break;
		if (in_order) { /* an id is where the buffer begins */
			batch = batch == NO_BATCH ? id : batch;
			id = *at & 0x7fffu;
			batch = batch == id ? NO_BATCH : batch;
		}
		if (id >= d->size || !vq->packed.desc_state[id].data)
			break;
		*at = forth(d->size, *at, vq->packed.desc_state[id].num);
	}
	return count;
}

/* Whether @event asks to be told of what lies between @from and @to. */
static DP_UNSEEN bool
asks(const struct dp_driver *d, const struct vring_packed_desc_event *event, uint16_t from,
     uint16_t to)
{
	uint16_t lap = d->size, at = event->off_wrap & 0x7fff;

	if (event->flags != VRING_PACKED_EVENT_FLAG_DESC)
		return event->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	if ((event->off_wrap ^ to) & 0x8000)
		at -= lap;
	return vring_need_event(at, to & 0x7fff,
				(uint16_t)((from & 0x7fff) - ((from ^ to) & 0x8000 ? lap : 0)));
}

static DP_UNSEEN void
state_packed(const struct dp_driver *d, struct dp_state *state)
{
	const struct vring_virtqueue *vq = to_vvq(d->vq);
	uint16_t used, ready = count_used(d, &used);
	uint16_t avail =
		(uint16_t)(vq->packed.next_avail_idx | vq->packed.avail_wrap_counter << 15);

	state->avail_idx = d->added;
	state->last_used_idx = d->got;
	state->used_idx = (uint16_t)(d->got + ready);
	state->used_event = vq->packed.vring.driver->off_wrap;
	state->avail_event = vq->packed.vring.device->off_wrap;
	state->avail_flags = vq->packed.vring.driver->flags;
	state->used_flags = vq->packed.vring.device->flags;
	state->avail_wrap_counter = vq->packed.avail_wrap_counter;
	state->used_wrap_counter = vq->last_used_idx >> VRING_PACKED_EVENT_F_WRAP_CTR;
	state->packed = true;
	state->callbacks_enabled = vq->packed.event_flags_shadow != VRING_PACKED_EVENT_FLAG_DISABLE;
	state->kick_asked = asks(d, vq->packed.vring.device, used, avail);
	state->call_asked = asks(d, vq->packed.vring.driver, vq->last_used_idx, used);
}

static DP_UNSEEN void
driver_state(struct dp_driver *d, struct dp_state *state)
{
	const struct vring_virtqueue *vq = to_vvq(d->vq);

	*state = (struct dp_state){
		.inuse = (uint16_t)(d->added - d->got),
		.num_free = (uint16_t)vq->vq.num_free,
		.event_idx = vq->event,
		.broken = vq->broken,
	};
	if (d->packed)
		state_packed(d, state);
	else
		state_split(d, state);
}

/* --- the table ------------------------------------------------------------------------------ */

/* What vring_transport_features() keeps, and a queue reset, which is its caller's. */
#define FEATURES \
	(BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
	 BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_ORDER_PLATFORM) | \
	 BIT_ULL(VIRTIO_F_RING_RESET) | NOTIFICATION_DATA | IN_ORDER)
#ifdef LINUX_HAS_NOTIFICATION_DATA
#define NOTIFICATION_DATA BIT_ULL(VIRTIO_F_NOTIFICATION_DATA)
#else
#define NOTIFICATION_DATA 0
#endif
#ifdef LINUX_HAS_IN_ORDER
#define IN_ORDER BIT_ULL(VIRTIO_F_IN_ORDER)
#else
#define IN_ORDER 0
#endif

const struct dp_driver_ops linux_driver_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "linux",
	.features = FEATURES,
	.table_entry_bytes = TABLE_ENTRY_BYTES,
	.init = driver_init,
	.destroy = driver_destroy,
	.add = driver_add,
	.kick_prepare = driver_kick_prepare,
	.notify_data = driver_notify_data,
	.get = driver_get,
	.disable_cb = driver_disable_cb,
	.enable_cb_prepare = driver_enable_cb_prepare,
	.poll = driver_poll,
	.enable_cb = driver_enable_cb,
	.enable_cb_delayed = driver_enable_cb_delayed,
	.detach_unused = driver_detach_unused,
	.state = driver_state,
	.interrupt = driver_interrupt,
};
