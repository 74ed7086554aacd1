/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a queue (4.1.4.3) and what they do to it: set-up, queue reset and re-enabling
 * (2.6.1), and the mapping of events to vectors as the driver writes and reads it (4.1.5.1.2).
 *
 *	queue_reset written 1 ── reads 1 ── over: both read 0 ── programmed again, queue_enable := 1
 */
#include <inttypes.h>

#include "oracle/ring.h"
#include "oracle/shadow.h"
#include "virtio/pci_transport.h"

/* --- vectors -------------------------------------------------------------------------------- */

static void
vector_written(struct world *w, struct shadow_device *d, int64_t queue, struct shadow_vector *v,
	       uint16_t value)
{
	const struct virtio_pci *p = shadow_pci(d);

	if (p && value != VIRTIO_MSI_NO_VECTOR && value >= p->msix->vectors)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_1_2_2_R1,
			      "vector %u written; the table has %u", value, p->msix->vectors);
	v->before = v->now;
	v->now = value;
	v->written = true;
	v->read = false;
}

static void
vector_read(struct world *w, struct shadow_device *d, int64_t queue, struct shadow_vector *v,
	    uint16_t value)
{
	if (!v->written && value != VIRTIO_MSI_NO_VECTOR)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_1_2_1_D3,
			      "the vector reads %u and none was mapped since the reset", value);
	if (v->written && v->now == VIRTIO_MSI_NO_VECTOR && value != VIRTIO_MSI_NO_VECTOR)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_1_2_1_D1,
			      "the vector reads %u after it was unmapped", value);
	if (v->written && value != v->now && value != VIRTIO_MSI_NO_VECTOR)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_1_2_1_D2,
			      "the vector reads %u; %u was mapped", value, v->now);
	v->now = v->before = value; /* NO_VECTOR: the mapping failed */
	v->read = true;
}

static void
vector_forget(struct shadow_vector *v)
{
	*v = (struct shadow_vector){ .now = VIRTIO_MSI_NO_VECTOR, .before = VIRTIO_MSI_NO_VECTOR };
}

/* Mapped and not read back: the driver does not know whether it worked. */
static void
check_vector_known(struct world *w, struct shadow_device *d, int64_t queue,
		   const struct shadow_vector *v, const char *what)
{
	if (v->written && !v->read && v->now != VIRTIO_MSI_NO_VECTOR)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_5_1_2_2_R2,
			      "%s, and vector %u was never read back", what, v->now);
}

/* --- what the driver writes ----------------------------------------------------------------- */

static void
check_programmed(struct world *w, struct shadow_device *d, int64_t queue,
		 const struct shadow_queue *q)
{
	if (q->desc_written && q->driver_written && q->device_written)
		return;
	shadow_report(
		w, d, queue, q->was_reset ? ORACLE_VIRTIO_2_6_1_2_2_R1 : ORACLE_VIRTIO_4_1_4_3_2_R3,
		"queue_enable := 1 without%s%s%s", q->desc_written ? "" : " queue_desc",
		q->driver_written ? "" : " queue_driver", q->device_written ? "" : " queue_device");
}

static void
enable_written(struct world *w, struct shadow_device *d, int64_t queue, struct shadow_queue *q,
	       uint64_t value)
{
	if (value != 1) {
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_2_R5, "queue_enable := %" PRIu64,
			      value);
		return;
	}
	if (q->reset_asked && !q->reset_read)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_2_R7,
			      "queue_enable := 1 before queue_reset read 0");
	if (!(d->driver_bits & VIRTIO_CONFIG_S_FEATURES_OK))
		shadow_report(w, d, queue, ORACLE_VIRTIO_3_1_1_R1,
			      "queue_enable := 1 before FEATURES_OK");
	else if (!d->features_ok_read)
		shadow_report(w, d, queue, ORACLE_VIRTIO_3_1_1_R4,
			      "queue_enable := 1, and FEATURES_OK was never read back");
	check_programmed(w, d, queue, q);
	check_vector_known(w, d, queue, &q->vector, "queue_enable := 1");
	q->enable_asked = true;
}

static void
reset_written(struct shadow_device *d, struct shadow_queue *q, uint64_t value)
{
	if (value != 1 || !q->enabled || !virtio_has(d->accepted, VIRTIO_F_RING_RESET))
		return;
	q->reset_asked = true;
	q->reset_done = q->reset_read = false;
	q->desc_written = q->driver_written = q->device_written = false;
}

static void
size_written(struct world *w, struct shadow_device *d, int64_t queue, uint64_t value)
{
	if (!value || (!virtio_has(d->accepted, VIRTIO_F_RING_PACKED) && (value & (value - 1))))
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_2_R2, "queue_size := %" PRIu64,
			      value);
}

/* Size and addresses of a queue that is enabled are not to be written. */
static void
check_not_enabled(struct world *w, struct shadow_device *d, int64_t queue,
		  const struct shadow_queue *q, const char *field)
{
	if (q->enable_asked && !q->reset_asked)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_2_R3,
			      "%s written, and the queue is enabled", field);
}

static void
queue_written(struct world *w, struct shadow_device *d, const struct event *e,
	      enum shadow_field field)
{
	struct shadow_queue *q = shadow_queue_of(w, d, e->arg[2]);
	uint64_t value = (uint64_t)e->arg[3];

	if (!q)
		return;
	switch (field) {
	case FIELD_QUEUE_SIZE:
		size_written(w, d, e->arg[2], value);
		check_not_enabled(w, d, e->arg[2], q, "queue_size");
		break;
	case FIELD_QUEUE_DESC:
		check_not_enabled(w, d, e->arg[2], q, "queue_desc");
		q->desc_written = true;
		break;
	case FIELD_QUEUE_DRIVER:
		check_not_enabled(w, d, e->arg[2], q, "queue_driver");
		q->driver_written = true;
		break;
	case FIELD_QUEUE_DEVICE:
		check_not_enabled(w, d, e->arg[2], q, "queue_device");
		q->device_written = true;
		break;
	case FIELD_QUEUE_MSIX_VECTOR:
		vector_written(w, d, e->arg[2], &q->vector, (uint16_t)value);
		break;
	case FIELD_QUEUE_ENABLE:
		enable_written(w, d, e->arg[2], q, value);
		break;
	case FIELD_QUEUE_RESET:
		reset_written(d, q, value);
		break;
	default:
		break;
	}
}

static void
on_common_write(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	enum shadow_field field = shadow_field_of(w, e->arg[1]);

	if (field == FIELD_CONFIG_MSIX_VECTOR)
		vector_written(w, d, -1, &d->config_vector, (uint16_t)e->arg[3]);
	else if (field == FIELD_DEVICE_STATUS && (e->arg[3] & VIRTIO_CONFIG_S_DRIVER_OK))
		check_vector_known(w, d, -1, &d->config_vector, "DRIVER_OK");
	else
		queue_written(w, d, e, field);
}

/* --- what the driver reads ------------------------------------------------------------------ */

static void
enable_read(struct world *w, struct shadow_device *d, int64_t queue, const struct shadow_queue *q,
	    uint64_t value)
{
	if (value && q->was_reset && !q->enable_asked)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_1_D12,
			      "the queue's reset is over and queue_enable reads %" PRIu64, value);
	else if (value && !q->enable_asked)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_1_D4,
			      "queue_enable reads %" PRIu64 " and was not written since the reset",
			      value);
}

static void
reset_read(struct world *w, struct shadow_device *d, int64_t queue, struct shadow_queue *q,
	   uint64_t value)
{
	if (q->reset_asked && !q->reset_done && !value)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_1_D12,
			      "queue_reset reads 0 while the reset goes on");
	else if (q->reset_asked && q->reset_done && value)
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_1_D12,
			      "the queue's reset is over and queue_reset reads %" PRIu64, value);
	else if (!q->reset_asked && value)
		shadow_report(w, d, queue,
			      q->enable_asked ? ORACLE_VIRTIO_4_1_4_3_1_D11
					      : ORACLE_VIRTIO_4_1_4_3_1_D10,
			      "queue_reset reads %" PRIu64 " and was not written", value);
	if (q->reset_asked && !value)
		q->reset_read = true;
}

static void
size_read(struct world *w, struct shadow_device *d, int64_t queue, uint64_t value)
{
	bool absent = d->num_queues && queue >= d->num_queues;
	bool split = !virtio_has(d->offered | d->accepted, VIRTIO_F_RING_PACKED);

	if (absent ? value != 0 : split && d->offered && (value & (value - 1)))
		shadow_report(w, d, queue, ORACLE_VIRTIO_4_1_4_3_1_D5,
			      absent ? "queue_size reads %" PRIu64 "; the device has %u queues"
				     : "queue_size reads %" PRIu64,
			      value, d->num_queues);
}

static void
on_common_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	enum shadow_field field = shadow_field_of(w, e->arg[1]);
	struct shadow_queue *q = shadow_queue_of(w, d, e->arg[2]);

	if (field == FIELD_CONFIG_MSIX_VECTOR)
		vector_read(w, d, -1, &d->config_vector, (uint16_t)e->arg[3]);
	else if (field == FIELD_NUM_QUEUES)
		d->num_queues = (uint16_t)e->arg[3];
	else if (field == FIELD_QUEUE_SIZE)
		size_read(w, d, e->arg[2], (uint64_t)e->arg[3]);
	else if (field == FIELD_QUEUE_ENABLE && q)
		enable_read(w, d, e->arg[2], q, (uint64_t)e->arg[3]);
	else if (field == FIELD_QUEUE_RESET && q)
		reset_read(w, d, e->arg[2], q, (uint64_t)e->arg[3]);
	else if (field == FIELD_QUEUE_MSIX_VECTOR && q)
		vector_read(w, d, e->arg[2], &q->vector, (uint16_t)e->arg[3]);
}

/* --- what becomes of a queue ---------------------------------------------------------------- */

static void
on_queue_enable(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_queue *q = shadow_queue_of(w, d, e->arg[1]);

	if (!q)
		return;
	q->enabled = true;
	q->again = q->was_reset;
	q->was_reset = q->reset_asked = false;
	ring_open(w, d, (uint16_t)e->arg[1]);
}

/* The ring of before is kept until the next one goes: what comes late belongs to it. */
static void
queue_close(struct world *w, struct shadow_queue *q)
{
	if (q->ring) {
		ring_close(w, q->ring);
		ring_free(w, q->old);
		q->old = q->ring;
		q->ring = NULL;
	}
	q->enabled = q->enable_asked = q->again = false;
	q->desc_written = q->driver_written = q->device_written = false;
	vector_forget(&q->vector);
}

static void
on_queue_reset_done(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_queue *q = shadow_queue_of(w, d, e->arg[1]);

	if (!q)
		return;
	queue_close(w, q);
	q->was_reset = true;
	q->reset_done = true;
}

void
registers_forget(struct world *w, struct shadow_device *d)
{
	for (uint32_t i = 0; i < d->queue_count; i++) {
		struct shadow_queue *q = &d->queue[i];

		queue_close(w, q);
		q->was_reset = q->reset_asked = q->reset_done = q->reset_read = false;
	}
	vector_forget(&d->config_vector);
	d->num_queues = 0;
}

/* The device works on a queue that was reset. */
static void
on_queue_access(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	const struct shadow_queue *q = shadow_queue_of(w, d, e->arg[1]);

	if (q && q->was_reset && !q->enabled)
		shadow_report(w, d, e->arg[1],
			      e->kind == EV_VIRTIO_NOTIFY ? ORACLE_VIRTIO_2_6_1_1_1_D2
							  : ORACLE_VIRTIO_2_6_1_1_1_D1,
			      "%s after the queue's reset was over", event_info[e->kind].name);
	if (q && q->enabled && q->again && e->kind == EV_VIRTIO_NOTIFY &&
	    e->arg[2] != q->vector.now && e->arg[2] != q->vector.before)
		shadow_report(w, d, e->arg[1], ORACLE_VIRTIO_2_6_1_2_1_D1,
			      "vector %" PRId64 " is used; %u was programmed after the reset",
			      e->arg[2], q->vector.now);
}

/* The driver takes its buffers back from a queue that it has reset. */
static void
on_vq_reset(struct world *w, const struct event *e, void *context)
{
	const struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);
	const struct shadow_queue *q = shadow_guest_queue(w, e->arg[0]);

	if (q && q->reset_asked && !q->reset_read && !shadow_maybe_gone(w, g->device))
		shadow_report(w, g->device, g->queue, ORACLE_VIRTIO_2_6_1_1_2_R1,
			      "%s: %" PRId64 " buffers taken back before queue_reset read 0",
			      world_name_text(w, g->name), e->arg[1]);
}

void
registers_attach(struct world *w)
{
	world_observe(w, EV_VIRTIO_COMMON_WRITE, on_common_write, NULL);
	world_observe(w, EV_VIRTIO_COMMON_READ, on_common_read, NULL);
	world_observe(w, EV_VIRTIO_QUEUE_ENABLE, on_queue_enable, NULL);
	world_observe(w, EV_VIRTIO_QUEUE_RESET_DONE, on_queue_reset_done, NULL);
	world_observe(w, EV_VIRTQUEUE_POP, on_queue_access, NULL);
	world_observe(w, EV_VIRTQUEUE_FILL, on_queue_access, NULL);
	world_observe(w, EV_VIRTQUEUE_FLUSH, on_queue_access, NULL);
	world_observe(w, EV_VIRTIO_BLK_COMPLETE, on_queue_access, NULL);
	world_observe(w, EV_VIRTIO_NOTIFY, on_queue_access, NULL);
	world_observe(w, EV_VQ_RESET, on_vq_reset, NULL);
}
