/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's drivers/vhost/vringh.c, unmodified, as the device side of a datapath: split rings.
 *
 * Of its three families of functions it is the one for rings in user space that is used, since only
 * that one checks addresses: vringh_*_kern() trusts the driver.  "User space" is guest memory; an
 * offset that getrange() gives makes a pointer of a gpa.
 *
 * The code around it is not instrumented (DP_UNSEEN): what is seen are the kernel's accesses.
 */
#include "datapath/linux/kernel.h"

#include <linux/version.h>

#include "base/must.h"
#include "datapath/linux/linux_datapath.h"
#include "virtio/ring_split_layout.h"

#include <drivers/vhost/vringh.c>

/* Pieces of guest memory, each with one distance between pointer and gpa, that one chain may lie
 * in. A world has one. */
#define PIECES_MAX 4u

struct dp_device {
	struct vringh vrh;
	struct dp_host host;
	size_t bytes; /* of this object */
	bool broken, notify_enabled;
	bool signal_unknown; /* what another owner of the ring told the driver */
	uint16_t inuse;
	char words[LINUX_WORDS_MAX]; /* the last complaint */
	unsigned pieces;
	struct vringh_range piece[PIECES_MAX];
	struct vringh_iov readable, writable;
	struct iovec iov[2][DP_SG_MAX];
	struct vring_used_elem filled[]; /* size of them */
};

/* @why may be null: then vringh.c said why. */
static DP_UNSEEN int
driver_broke(struct dp_device *d, const char *why, uint64_t value)
{
	bool complained = linux_complaint(d->words, &value);

	d->broken = true;
	if (!why)
		why = complained ? d->words : "address is not in guest memory";
	d->host.guest_error(d->host.ctx, why, value);
	return -EINVAL;
}

/* --- guest memory --------------------------------------------------------------------------- */

static DP_UNSEEN void *
map(struct dp_device *d, uint64_t first, uint64_t last)
{
	return d->host.map(d->host.ctx, first, last - first + 1);
}

/* The piece of guest memory that @addr lies in, by bisection: twice 64 looks at the map. */
static DP_UNSEEN bool
find_piece(struct dp_device *d, uint64_t addr, struct vringh_range *r)
{
	char *p = map(d, addr, addr);

	if (!p)
		return false;
	r->start = r->end_incl = addr;
	for (uint64_t step = UINT64_C(1) << 47; step > 0; step /= 2) {
		if (r->start >= step && map(d, r->start - step, addr))
			r->start -= step;
		if (r->end_incl < UINT64_MAX - step && map(d, addr, r->end_incl + step))
			r->end_incl += step;
	}
	r->offset = (uintptr_t)p - addr;
	return true;
}

static DP_UNSEEN bool
getrange(struct vringh *vrh, u64 addr, struct vringh_range *r)
{
	struct dp_device *d = container_of(vrh, struct dp_device, vrh);

	for (unsigned i = 0; i < d->pieces; i++) {
		*r = d->piece[i];
		if (addr < r->start || addr > r->end_incl)
			continue;
		if (map(d, r->start, r->end_incl) == (void *)(uintptr_t)(r->start + r->offset))
			return true;
		d->pieces = 0; /* the map has changed */
	}
	if (d->pieces == PIECES_MAX || !find_piece(d, addr, r))
		return false;
	d->piece[d->pieces++] = *r;
	return true;
}

static DP_UNSEEN uint64_t
gpa_of(const struct dp_device *d, const void *p)
{
	for (unsigned i = 0; i < d->pieces; i++) {
		uint64_t gpa = (uintptr_t)p - d->piece[i].offset;

		if (gpa >= d->piece[i].start && gpa <= d->piece[i].end_incl)
			return gpa;
	}
	must(!"vringh.c gives pointers out of the ranges it was given");
	return 0;
}

/* --- life ----------------------------------------------------------------------------------- */

static DP_UNSEEN const char *
init_vringh(struct vringh *vrh, const struct dp_vring *vring, const struct dp_host *host)
{
	const char *wrong = ring_split_check(vring);
	void *desc, *avail, *used;

	if (wrong)
		return wrong;
	desc = host->map(host->ctx, vring->desc, ring_split_desc_bytes(vring->size));
	avail = host->map(host->ctx, vring->driver, ring_split_avail_bytes(vring->size));
	used = host->map(host->ctx, vring->device, ring_split_used_bytes(vring->size));
	if (!desc || !avail || !used)
		return "ring is not in guest memory";
	vringh_init_user(vrh, vring->features, vring->size,
			 !(vring->features & BIT_ULL(VIRTIO_F_ORDER_PLATFORM)), desc, avail, used);
	vrh->last_avail_idx = vrh->last_used_idx = vring->start_idx;
	return NULL;
}

static DP_UNSEEN int
device_init(struct dp_device **device, const struct dp_vring *vring, const struct dp_host *host)
{
	size_t bytes = sizeof(struct dp_device) + vring->size * sizeof(struct vring_used_elem);
	struct vringh vrh = { 0 };
	const char *wrong;

	if (vring->features & BIT_ULL(VIRTIO_F_RING_PACKED))
		return -ENOTSUP;
	wrong = init_vringh(&vrh, vring, host);
	if (wrong) {
		host->guest_error(host->ctx, wrong, vring->desc);
		return -EINVAL;
	}

	struct dp_device *d = host->alloc(host->ctx, bytes);

	if (!d)
		return -ENOMEM;
	d->vrh = vrh;
	d->host = *host;
	d->bytes = bytes;
	d->notify_enabled = true;
	vringh_iov_init(&d->readable, d->iov[0], DP_SG_MAX);
	vringh_iov_init(&d->writable, d->iov[1], DP_SG_MAX);
	*device = d;
	return 0;
}

static DP_UNSEEN void
device_destroy(struct dp_device *d)
{
	d->host.free(d->host.ctx, d, d->bytes);
}

/* --- taking --------------------------------------------------------------------------------- */

static DP_UNSEEN uint32_t
take_buffers(const struct dp_device *d, struct dp_buf *sg, const struct vringh_iov *iov)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < iov->used; i++) {
		sg[i].addr = gpa_of(d, iov->iov[i].iov_base);
		sg[i].len = (uint32_t)iov->iov[i].iov_len;
		bytes += sg[i].len;
	}
	return bytes;
}

static DP_UNSEEN int
device_pop(struct dp_device *d, struct dp_elem *elem)
{
	u16 head;
	int ret;

	if (d->broken)
		return -EINVAL;
	if (d->pieces == PIECES_MAX)
		d->pieces = 0;
	ret = vringh_getdesc_user(&d->vrh, &d->readable, &d->writable, getrange, &head);
	if (ret == 0)
		return 0;
	if (ret == -ENOMEM) /* its arrays may not grow */
		return driver_broke(d, "chain is too long", head);
	if (ret < 0)
		return driver_broke(d, NULL, head);
	if (d->readable.used + d->writable.used > DP_SG_MAX)
		return driver_broke(d, "chain is too long", head);
	elem->head = head;
	elem->ndescs = 1;
	elem->out = (uint16_t)d->readable.used;
	elem->in = (uint16_t)d->writable.used;
	elem->out_bytes = take_buffers(d, elem->sg, &d->readable);
	elem->in_bytes = take_buffers(d, elem->sg + elem->out, &d->writable);
	d->inuse++;
	/* With the event index vringh.c's notifications end with the first chain; its users turn
	 * them off while they work. Where one wants them on they are turned on again; what there is
	 * more is found by the next look in any case. */
	if (d->notify_enabled && d->vrh.event_indices)
		vringh_notify_enable_user(&d->vrh);
	return 1;
}

static DP_UNSEEN void
device_unpop(struct dp_device *d, const struct dp_elem *elem)
{
	d->vrh.last_avail_idx--; /* all that vringh_abandon_user() did, while there was one */
	d->inuse--;
}

/* vringh.c has nothing for this: its users pop. */
static bool
device_empty(struct dp_device *d)
{
	return d->broken || READ_ONCE(d->vrh.vring.avail->idx) == d->vrh.last_avail_idx;
}

/* --- giving back ---------------------------------------------------------------------------- */

static DP_UNSEEN void
device_fill(struct dp_device *d, const struct dp_elem *elem, uint32_t len, unsigned offset)
{
	must(offset < d->vrh.vring.num);
	d->filled[offset].id = cpu_to_vringh32(&d->vrh, elem->head);
	d->filled[offset].len = cpu_to_vringh32(&d->vrh, len);
}

static DP_UNSEEN void
device_flush(struct dp_device *d, unsigned count)
{
	if (d->broken || !count)
		return;
	must(count <= d->vrh.vring.num);
	if (count == 1)
		vringh_complete_user(&d->vrh, (u16)vringh32_to_cpu(&d->vrh, d->filled[0].id),
				     vringh32_to_cpu(&d->vrh, d->filled[0].len));
	else
		vringh_complete_multi_user(&d->vrh, d->filled, count);
	d->inuse = (uint16_t)(d->inuse > count ? d->inuse - count : 0);
}

/* --- notifications -------------------------------------------------------------------------- */

static DP_UNSEEN void
device_disable_notify(struct dp_device *d)
{
	if (d->broken)
		return;
	d->notify_enabled = false;
	vringh_notify_disable_user(&d->vrh);
}

/*
 * vringh.c measures "more" against what was popped, not against what was seen: a device that waits
 * for more buffers than there are is told to go on popping for ever.
 */
static DP_UNSEEN bool
device_enable_notify(struct dp_device *d)
{
	if (d->broken)
		return false;
	d->notify_enabled = true;
	return !vringh_notify_enable_user(&d->vrh);
}

static DP_UNSEEN bool
device_should_notify(struct dp_device *d)
{
	bool unknown = d->signal_unknown;

	if (d->broken)
		return false;
	d->signal_unknown = false;
	return vringh_need_notify_user(&d->vrh) > 0 || unknown;
}

/* --- position and state --------------------------------------------------------------------- */

static DP_UNSEEN uint32_t
device_get_position(struct dp_device *d)
{
	return d->vrh.last_avail_idx;
}

/*
 * Public fields of struct vringh; drivers/vdpa/vdpa_sim sets them too.  vringh.c believes that all
 * that is used was signalled, which nobody knows here: hence one interrupt more, as vhost has it.
 */
static DP_UNSEEN void
device_set_position(struct dp_device *d, uint32_t position)
{
	d->vrh.last_avail_idx = (u16)position;
	d->vrh.last_used_idx = d->vrh.vring.used->idx;
	d->vrh.completed = 0;
	d->signal_unknown = true;
	d->inuse = 0;
}

/* vringh.c keeps no copy of avail idx; what it does keep is how far it asked about interrupts. */
static DP_UNSEEN void
device_state(struct dp_device *d, struct dp_state *state)
{
	const struct vring *vr = &d->vrh.vring;
	bool event = d->vrh.event_indices;

	*state = (struct dp_state){
		.last_avail_idx = d->vrh.last_avail_idx,
		.shadow_avail_idx = d->vrh.last_avail_idx,
		.avail_idx = vr->avail->idx,
		.last_used_idx = (uint16_t)(d->vrh.last_used_idx + d->vrh.completed),
		.used_idx = vr->used->idx,
		.signalled_used = event ? d->vrh.last_used_idx : 0,
		.signalled_used_valid = event && !d->signal_unknown,
		.used_event = event ? vring_used_event(vr) : 0,
		.avail_event = event ? vring_avail_event(vr) : 0,
		.avail_flags = vr->avail->flags,
		.used_flags = vr->used->flags,
		.inuse = d->inuse,
		.event_idx = event,
		.broken = d->broken,
		.notify_enabled = d->notify_enabled,
	};
}

/* --- the table ------------------------------------------------------------------------------ */

#define FEATURES \
	(BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
	 BIT_ULL(VIRTIO_F_ORDER_PLATFORM) | BIT_ULL(VIRTIO_F_RING_RESET))

static const struct dp_device_ops linux_device_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "linux",
	.features = FEATURES,
	.init = device_init,
	.destroy = device_destroy,
	.pop = device_pop,
	.unpop = device_unpop,
	.fill = device_fill,
	.flush = device_flush,
	.disable_notify = device_disable_notify,
	.enable_notify = device_enable_notify,
	.should_notify = device_should_notify,
	.empty = device_empty,
	.get_position = device_get_position,
	.set_position = device_set_position,
	.state = device_state,
};

const char linux_version[] = LINUX_VERSION_TEXT;

const struct datapath datapath_linux = {
	.name = "linux",
	.driver = &linux_driver_ops,
	.device = &linux_device_ops,
};
