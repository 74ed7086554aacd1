/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/svq.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "guest/ring_memory.h"
#include "memory/guest_memory.h"
#include "notify/eventfd.h"
#include "vhost/svq_copy.h"
#include "vhost/vdpa.h"
#include "virtio/dma.h"
#include "virtio/host_notifier.h"

#define POLL_LIMIT_NS INT64_C(10000000000)
#define POLL_STEP_NS 1000 /* a look at used.idx and another one: timed mode needs time to pass */

static void
guest_error(struct svq *s, const char *what, int64_t value)
{
	struct virtio_device *vdev = s->vq->vdev;

	emit(vdev->w, EV_SVQ_GUEST_ERROR, vdev->name, s->vq->index, world_name(vdev->w, what),
	     value);
}

/* --- from the guest to the device ----------------------------------------------------------- */

int
svq_add(struct svq *s, const struct dp_buf *sg, unsigned out, unsigned in, struct svq_elem *elem)
{
	struct virtio_device *vdev = s->vq->vdev;
	uint16_t head = 0;
	int ret = svq_ring_add(&s->ring, sg, out, in, elem, &head);

	emit(vdev->w, EV_SVQ_ADD, vdev->name, s->vq->index, head, out + in, ret);
	if (ret)
		return ret;
	s->forwarded++;
	if (svq_ring_needs_kick(&s->ring))
		eventfd_set(s->hdev_kick);
	return 0;
}

/* One buffer of the guest's: pieces of the VMM's, translated, appended to s->sg. */
static int
translate_buf(struct svq *s, const struct dp_buf *buf, unsigned *n)
{
	uint64_t gpa = buf->addr, left = buf->len;

	do {
		const struct vdpa_section *section = vdpa_find_section(s->v, gpa);
		uint64_t len = left, hva, offset;
		const struct dma_map *map;

		if (!section || *n == DP_SG_MAX) {
			guest_error(s, "invalid address given by guest", (int64_t)gpa);
			return -EINVAL;
		}
		if (len > section->bytes - (gpa - section->gpa))
			len = section->bytes - (gpa - section->gpa);
		hva = section->hva + (gpa - section->gpa);
		map = vhost_iova_tree_find_guest(s->v->tree, gpa, hva, vdpa_needle_size(s->v, len),
						 &offset);
		if (!map) {
			guest_error(s, "no IOVA for an address given by guest", (int64_t)gpa);
			return -EINVAL;
		}
		if (len && len - 1 > map->size - offset) {
			guest_error(s, "guest buffer expands over iova range", (int64_t)gpa);
			return -EINVAL;
		}
		s->sg[(*n)++] = (struct dp_buf){ map->iova + offset, (uint32_t)len };
		gpa += len;
		left -= len;
	} while (left);
	return 0;
}

static int
add_translated(struct svq *s, struct svq_elem *e)
{
	unsigned n = 0, out = 0;
	int ret = 0;

	for (unsigned i = 0; !ret && i < (unsigned)e->elem->out + e->elem->in; i++) {
		ret = translate_buf(s, &e->elem->sg[i], &n);
		if (i + 1u == e->elem->out)
			out = n;
	}
	return ret ? ret : svq_add(s, s->sg, out, n - out, e);
}

static void
elem_free(struct svq *s, struct svq_elem *e)
{
	struct world *w = s->vq->vdev->w;

	virtio_elem_free(w, e->elem);
	world_free(w, e, sizeof(*e));
}

/* The next chain of the guest's, or null. */
static struct svq_elem *
next_elem(struct svq *s)
{
	struct world *w = s->vq->vdev->w;
	struct svq_elem *e = s->next_guest_avail_elem;

	s->next_guest_avail_elem = NULL;
	if (e)
		return e;
	if (virtio_ring_pop(&s->vq->ring, s->vq->ring.elem) <= 0)
		return NULL;
	e = world_alloc(w, sizeof(*e));
	e->elem = virtio_elem_dup(w, s->vq->ring.elem);
	return e;
}

static int
forward(struct svq *s, struct svq_elem *e)
{
	int ret;

	if (!s->avail_handler)
		return s->copy ? svq_copy_add(s, e) : add_translated(s, e);
	ret = s->avail_handler(s, e->elem);
	if (!ret)
		world_free(s->vq->vdev->w, e, sizeof(*e));
	return ret;
}

void
svq_handle_guest_kick(struct svq *s)
{
	struct virtio_device *vdev = s->vq->vdev;
	struct svq_elem *e;

	do {
		virtio_ring_disable_notify(&s->vq->ring);
		while ((e = next_elem(s))) {
			int ret = forward(s, e);

			if (!ret)
				continue;
			if (ret == -ENOSPC) {
				/* The vring is full: kicks are ignored until something is used. */
				emit(vdev->w, EV_SVQ_FULL, vdev->name, s->vq->index, e->elem->head);
				s->full++;
				s->next_guest_avail_elem = e;
			} else {
				/* Broken: the chain is not given back. */
				elem_free(s, e);
			}
			return;
		}
	} while (virtio_ring_enable_notify(&s->vq->ring));
}

static void
on_guest_kick(struct vdpa_handler *h)
{
	struct svq *s = h->arg;

	eventfd_test_and_clear(h->fd);
	svq_handle_guest_kick(s);
}

/* --- from the device to the guest ----------------------------------------------------------- */

/* Take a used chain; false if there is none, or what is there is the device's mistake. */
static bool
get_buf(struct svq *s, struct svq_elem **e, uint32_t *len)
{
	struct virtio_device *vdev = s->vq->vdev;
	void *elem = NULL;
	uint32_t head = 0;
	int ret = svq_ring_get(&s->ring, &elem, &head, len);

	if (ret < 0)
		guest_error(s, "device used what was not available", head);
	if (ret <= 0)
		return false;
	*e = elem;
	s->used++;
	emit(vdev->w, EV_SVQ_GET, vdev->name, s->vq->index, head, *len, elem != NULL);
	return true;
}

/* address_space_unmap() of what the device wrote: the VMM's dirty memory has it from here on. */
static void
note_written(struct svq *s, const struct dp_elem *elem, uint32_t len)
{
	for (unsigned i = elem->out; len && i < (unsigned)elem->out + elem->in; i++) {
		uint32_t n = len < elem->sg[i].len ? len : elem->sg[i].len;

		dma_note(s->vq->vdev->w, elem->sg[i].addr, n);
		len -= n;
	}
}

/* vhost_svq_flush() */
static void
flush(struct svq *s, bool check_for_avail)
{
	struct virtio_ring *r = &s->vq->ring;

	do {
		struct svq_elem *e;
		unsigned i = 0;
		uint32_t len;

		svq_ring_disable_notification(&s->ring);
		while (i < s->ring.num && get_buf(s, &e, &len) && e) {
			if (s->copy)
				svq_copy_done(s, e, len);
			else
				note_written(s, e->elem, len);
			virtio_ring_fill(r, e->elem, len, i++);
			elem_free(s, e);
		}
		virtio_ring_flush(r, i);
		/* The VMM does not ask whether the guest wants to know. */
		virtio_ring_signal_always(r);
		if (check_for_avail && s->next_guest_avail_elem)
			svq_handle_guest_kick(s);
	} while (!svq_ring_enable_notification(&s->ring));
}

static void
on_device_call(struct vdpa_handler *h)
{
	struct svq *s = h->arg;

	eventfd_test_and_clear(h->fd);
	flush(s, true);
}

uint64_t
svq_poll(struct svq *s, unsigned n)
{
	struct world *w = s->vq->vdev->w;
	uint64_t written = 0;

	while (n--) {
		int64_t limit = world_now(w) + POLL_LIMIT_NS;
		struct svq_elem *e;
		uint32_t len = 0;

		while (!svq_ring_more_used(&s->ring)) {
			if (world_now(w) > limit || vdpa_device_idle(s->v, s->vq->index))
				return written;
			actor_yield(w);
			actor_sleep(w, POLL_STEP_NS);
		}
		get_buf(s, &e, &len);
		written += len;
	}
	return written;
}

/* --- start and stop ------------------------------------------------------------------------- */

void
svq_init(struct svq *s, struct vdpa *v, struct virtio_queue *vq, struct virtio_queue *hw)
{
	struct virtio_device *vdev = vq->vdev;
	struct world *w = vdev->w;
	char name[64];

	s->v = v;
	s->vq = vq;
	s->hw = hw;
	s->sg = world_alloc(w, DP_SG_MAX * sizeof(*s->sg));
	s->ring.state = world_alloc(w, vq->size_max * sizeof(*s->ring.state));
	s->ring.desc_next = world_alloc(w, vq->size_max * sizeof(*s->ring.desc_next));
	snprintf(name, sizeof(name), "%s.svq%u.kick", vdev->name_text, vq->index);
	s->hdev_kick = eventfd_create(w, name, EVENTFD_OTHER, EVENTFD_NONBLOCK);
	snprintf(name, sizeof(name), "%s.svq%u.call", vdev->name_text, vq->index);
	s->hdev_call = eventfd_create(w, name, EVENTFD_OTHER, EVENTFD_NONBLOCK);
	s->kick = (struct vdpa_handler){ .fn = on_guest_kick, .arg = s };
	s->call = (struct vdpa_handler){ .fn = on_device_call, .arg = s };
}

/* Memory of the vring, made for the size that the guest chose first, or anew. */
static int
make_vring(struct svq *s)
{
	struct hva_space *hva = s->v->hva;
	struct virtio_device *vdev = s->vq->vdev;
	uint32_t page = s->v->dev.config.page_bytes;
	uint64_t len, gpa;
	char name[64];
	char *p;

	if (s->hva && s->layout.size != s->vq->size) {
		hva_free(hva, s->hva, s->driver_bytes + s->device_bytes);
		s->hva = 0;
	}
	if (!s->hva) {
		ring_split_layout_init(&s->layout, s->vq->size, page);
		s->driver_bytes = s->layout.used;
		s->device_bytes =
			(s->layout.bytes - s->layout.used + page - 1) & ~(uint64_t)(page - 1);
		s->hva = hva_alloc(hva, s->driver_bytes + s->device_bytes);
		if (!s->hva)
			return -ENOMEM;
		len = s->layout.bytes;
		must(hva_to_gpa(hva, s->hva, &len, &gpa));
		snprintf(name, sizeof(name), "%s.svq%u", vdev->name_text, s->vq->index);
		ring_memory_name(vdev->w, &s->layout, gpa, name);
	}
	len = s->layout.bytes;
	must(hva_to_gpa(hva, s->hva, &len, &gpa));
	hva_clear(hva, s->hva, s->driver_bytes + s->device_bytes);
	p = gm_map(vdev->w, gpa, s->layout.bytes);
	s->ring.num = s->vq->size;
	s->ring.desc = (struct vring_desc *)p;
	s->ring.avail = (struct vring_avail *)(p + s->layout.avail);
	s->ring.used = (struct vring_used *)(p + s->layout.used);
	s->ring.used_event = &s->ring.avail->ring[s->ring.num];
	s->ring.avail_event = (uint16_t *)&s->ring.used->ring[s->ring.num];
	return 0;
}

static int
map_vring(struct svq *s)
{
	uint64_t driver, device;
	int ret = vdpa_map_own(s->v, s->asid, s->hva, s->driver_bytes, IOVA_RO, &driver);

	if (ret)
		return ret;
	ret = vdpa_map_own(s->v, s->asid, s->hva + s->driver_bytes, s->device_bytes, IOVA_RW,
			   &device);
	if (ret) {
		vdpa_unmap_own(s->v, s->asid, s->hva);
		return ret;
	}
	s->hw->size = s->vq->size;
	s->hw->desc_gpa = driver;
	s->hw->driver_gpa = driver + s->layout.avail;
	s->hw->device_gpa = device;
	return 0;
}

int
svq_start(struct svq *s, unsigned asid)
{
	struct virtio_device *vdev = s->vq->vdev;
	int ret;

	if (s->running)
		return -EBUSY; /* its stop was left out */
	ret = make_vring(s);
	s->asid = asid;
	if (!ret)
		ret = map_vring(s);
	emit(vdev->w, EV_SVQ_START, vdev->name, s->vq->index, s->vq->position, asid, ret);
	if (ret)
		return ret;
	s->ring.event_idx = virtio_device_has(vdev, VIRTIO_RING_F_EVENT_IDX);
	s->ring.slots_by_chain = fault_on(vdev->w, FAULT_SVQ_SLOTS_BY_CHAIN);
	s->ring.first_desc_only = fault_on(vdev->w, FAULT_SVQ_FIRST_DESC_ONLY);
	svq_ring_start(&s->ring);
	s->next_guest_avail_elem = NULL;
	/* The ring is the VMM's, and its calls go where vhost's would. */
	if (!virtio_queue_take(s->vq, VIRTIO_OWNER_VHOST)) {
		vdpa_unmap_own(s->v, s->asid, s->hva);
		vdpa_unmap_own(s->v, s->asid, s->hva + s->driver_bytes);
		return -EINVAL;
	}
	s->running = true;
	vdpa_watch(s->v, &s->call, s->hdev_call);
	/* Whoever had the ring before may have taken the last kick. */
	vdpa_watch(s->v, &s->kick, virtio_host_notifier(s->vq));
	eventfd_set(s->kick.fd);
	return 0;
}

/* It is available again, or (before 4241e8bd72) nowhere until the destination rewinds. */
static void
give_back(struct svq *s, struct svq_elem *e)
{
	if (fault_on(s->vq->vdev->w, FAULT_SVQ_NO_REWIND))
		virtio_ring_forget(&s->vq->ring, e->elem);
	else
		virtio_ring_unpop(&s->vq->ring, e->elem);
	elem_free(s, e);
}

/* What the device has and did not use, newest first. */
static void
unpop_all(struct svq *s)
{
	struct svq_elem *e = s->next_guest_avail_elem;
	uint16_t n = s->ring.num;

	s->next_guest_avail_elem = NULL;
	if (e)
		give_back(s, e);
	for (uint16_t i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(s->ring.shadow_avail_idx - 1 - i) & (n - 1);
		uint16_t head = s->ring.avail->ring[at];

		if (head >= n || !(e = s->ring.state[head].elem))
			continue;
		s->ring.state[head].elem = NULL;
		if (s->copy)
			svq_copy_undo(s, e);
		give_back(s, e);
	}
}

void
svq_stop(struct svq *s)
{
	struct virtio_device *vdev = s->vq->vdev;

	if (!s->running)
		return;
	vdpa_unwatch(s->v, &s->kick);
	flush(s, false);
	unpop_all(s);
	vdpa_unwatch(s->v, &s->call);
	s->running = false;
	emit(vdev->w, EV_SVQ_STOP, vdev->name, s->vq->index, virtio_ring_position(&s->vq->ring),
	     s->ring.last_used_idx);
	if (fault_on(vdev->w, FAULT_SVQ_RINGS_NOT_UNMAPPED))
		return;
	vdpa_unmap_own(s->v, s->asid, s->hva);
	vdpa_unmap_own(s->v, s->asid, s->hva + s->driver_bytes);
}
