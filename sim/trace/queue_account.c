/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/queue_account.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/world.h"
#include "virtio/spec.h"

#define ORACLE_OWN "INV-CONS"
#define ORACLE_EPOCH "INV-EPOCH"

struct device {
	uint8_t status;
	bool seen; /* its status is known */
	bool resetting; /* 0 was written, and nothing since: what was in flight may finish */
};

struct queue {
	int64_t vdev; /* -1: not known yet */
	uint64_t kicks; /* since the reset */
	uint64_t unflushed, flushes;
	uint64_t interrupts,
		waiting; /* completions since the last interrupt, that are waited for */
	int64_t interrupt_ns, waiting_ns;
	uint64_t waiting_line;
};

struct element {
	int64_t vq; /* -1: not with a device */
	int64_t popped_ns;
	uint32_t in;
	bool stale; /* a reset came since it was popped */
	bool request; /* a block request that is not complete */
};

struct queue_account {
	const struct recording *r;
	struct disagreements *d;
	struct device *device;
	struct queue *queue;
	struct element *element;
	uint64_t devices, queues, elements;
	bool kicks_shown;
	struct queue_account_figures f;
};

struct queue_account *
queue_account_create(struct world *w, const struct recording *r, struct disagreements *d)
{
	struct queue_account *q = world_alloc(w, sizeof(*q));

	q->r = r;
	q->d = d;
	q->devices = recording_names_of(r, "vdev");
	q->queues = recording_names_of(r, "vq");
	q->elements = recording_names_of(r, "elem");
	q->kicks_shown = recording_count(r, RECORD_KICK);
	/* One more of each, for arguments that no pattern has set. */
	q->device = world_alloc(w, (q->devices + 1) * sizeof(*q->device));
	q->queue = world_alloc(w, (q->queues + 1) * sizeof(*q->queue));
	q->element = world_alloc(w, (q->elements + 1) * sizeof(*q->element));
	for (uint64_t i = 0; i <= q->queues; i++)
		q->queue[i].vdev = -1;
	for (uint64_t i = 0; i <= q->elements; i++)
		q->element[i].vq = -1;
	return q;
}

/* --- words --------------------------------------------------------------------------------------
 */

static struct queue *
queue_of(struct queue_account *q, int64_t vq)
{
	return &q->queue[(uint64_t)vq < q->queues ? (uint64_t)vq : q->queues];
}

static struct device *
device_of(struct queue_account *q, int64_t vdev)
{
	return &q->device[(uint64_t)vdev < q->devices ? (uint64_t)vdev : q->devices];
}

static struct element *
element_of(struct queue_account *q, int64_t elem)
{
	return &q->element[(uint64_t)elem < q->elements ? (uint64_t)elem : q->elements];
}

static const char *
called(char *text, const char *class, int64_t number)
{
	snprintf(text, 32, "%s%" PRId64, class, number);
	return text;
}

/* --- devices ------------------------------------------------------------------------------------
 */

static void
judge_completions(struct queue_account *q, int64_t vq)
{
	struct queue *x = queue_of(q, vq);
	char name[32];

	q->f.unannounced += x->waiting;
	if (!x->waiting || !x->interrupts || q->r->timeless ||
	    x->waiting_ns < x->interrupt_ns + ANNOUNCE_NS)
		return;
	q->d->line = x->waiting_line;
	q->d->time_ns = x->waiting_ns;
	disagree(q->d, VERDICT_LOST_INTERRUPT, "lost-interrupt", called(name, "vq", vq),
		 "a completion that was never announced, %" PRId64
		 " ms after the queue's last interrupt",
		 (x->waiting_ns - x->interrupt_ns) / 1000000);
}

static void
reset_device(struct queue_account *q, int64_t vdev)
{
	for (uint64_t i = 0; i < q->queues; i++) {
		if (q->queue[i].vdev != vdev)
			continue;
		q->f.unannounced += q->queue[i].waiting;
		q->queue[i] = (struct queue){ .vdev = vdev };
	}
	for (uint64_t i = 0; i < q->elements; i++) {
		struct element *e = &q->element[i];

		if (e->vq >= 0 && queue_of(q, e->vq)->vdev == vdev && !e->stale) {
			e->stale = true;
			q->f.outstanding--;
		}
	}
	q->f.resets++;
}

static void
status_write(struct queue_account *q, int64_t vdev, uint8_t status)
{
	struct device *x = device_of(q, vdev);
	char name[32];

	q->f.status_writes++;
	called(name, "vdev", vdev);
	if (!status) {
		if (x->status)
			reset_device(q, vdev);
	} else if (x->seen && x->status & ~status) {
		disagree(q->d, VERDICT_SPEC_VIOLATION, "VIRTIO-2.1.1-R2", name,
			 "status goes from %u to %u: only a reset clears bits", x->status, status);
	} else if (status & VIRTIO_CONFIG_S_DRIVER_OK && x->seen &&
		   !(x->status & VIRTIO_CONFIG_S_DRIVER)) {
		disagree(q->d, VERDICT_SPEC_VIOLATION, "VIRTIO-2.1.1-R1", name,
			 "status goes from %u to %u: DRIVER_OK without DRIVER", x->status, status);
	}
	x->resetting = !status;
	x->status = status;
	x->seen = true;
}

/* --- queues -------------------------------------------------------------------------------------
 */

static void
kick(struct queue_account *q, const struct record *record)
{
	struct queue *x = queue_of(q, record->arg[2]);

	const struct device *vdev = device_of(q, record->arg[0]);
	char name[32];

	q->f.kicks++;
	if (vdev->seen && vdev->status && !(vdev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		disagree(q->d, VERDICT_SPEC_VIOLATION, "VIRTIO-3.1.1-R7",
			 called(name, "vq", record->arg[2]),
			 "a kick while the status is %u: the driver announces no buffer before "
			 "DRIVER_OK",
			 vdev->status);
	x->vdev = record->arg[0];
	x->kicks++;
	/* A driver that goes on has seen what it waited for. */
	q->f.unannounced += x->waiting;
	x->waiting = 0;
}

static void
pop(struct queue_account *q, const struct record *record)
{
	struct queue *x = queue_of(q, record->arg[0]);
	struct element *e = element_of(q, record->arg[1]);
	const struct device *vdev = device_of(q, x->vdev);
	char name[32];

	q->f.pops++;
	called(name, "vq", record->arg[0]);
	if (x->vdev >= 0 && vdev->seen && !(vdev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		disagree(
			q->d, VERDICT_SPEC_VIOLATION, "VIRTIO-2.1.2-D1", name,
			"a pop while the status is %u: the device takes no buffer before DRIVER_OK",
			vdev->status);
	else if (q->kicks_shown && !x->kicks)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_OWN, name,
			 "a pop that has no available buffer: nothing was announced since the %s",
			 x->vdev >= 0 ? "reset" : "beginning");
	if (e->vq >= 0 && !e->stale) {
		q->f.given_back++;
		q->f.outstanding--;
	}
	*e = (struct element){ .vq = record->arg[0],
			       .popped_ns = record->time_ns,
			       .in = (uint32_t)record->arg[2] };
	if (++q->f.outstanding > q->f.outstanding_max)
		q->f.outstanding_max = q->f.outstanding;
}

/* Whether the element may be finished, of this queue. */
static bool
may_fill(struct queue_account *q, const struct element *e, int64_t elem, int64_t vq)
{
	char name[32];

	called(name, "elem", elem);
	if (e->vq < 0)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_OWN, name,
			 "a completion on vq%" PRId64 " of an element that was never popped", vq);
	else if (e->vq != vq)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_OWN, name,
			 "a completion on vq%" PRId64 " of an element popped from vq%" PRId64, vq,
			 e->vq);
	else if (e->stale && !device_of(q, queue_of(q, vq)->vdev)->resetting)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_EPOCH, name,
			 "a completion on vq%" PRId64 " of an element popped before the reset", vq);
	else
		return true;
	return false;
}

static void
fill(struct queue_account *q, const struct record *record)
{
	struct queue *x = queue_of(q, record->arg[0]);
	struct element *e = element_of(q, record->arg[1]);
	int64_t ns = record->time_ns - e->popped_ns;

	q->f.completions++;
	if (may_fill(q, e, record->arg[1], record->arg[0]) && !e->stale) {
		q->f.outstanding--;
		q->f.request_ns_sum += ns;
		if (ns > q->f.request_ns_max)
			q->f.request_ns_max = ns;
		x->unflushed++;
		if (e->in && !x->waiting++) {
			x->waiting_ns = record->time_ns;
			x->waiting_line = record->line;
		}
	}
	e->vq = -1;
}

static void
flush(struct queue_account *q, const struct record *record)
{
	struct queue *x = queue_of(q, record->arg[0]);
	uint64_t count = (uint64_t)record->arg[1];
	char name[32];

	q->f.flushes++;
	x->flushes++;
	if (count > x->unflushed)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_OWN,
			 called(name, "vq", record->arg[0]),
			 "%" PRIu64 " elements published, %" PRIu64 " were filled in", count,
			 x->unflushed);
	x->unflushed -= count < x->unflushed ? count : x->unflushed;
}

static void
interrupt(struct queue_account *q, const struct record *record)
{
	struct queue *x = queue_of(q, record->arg[1]);
	const struct device *vdev = device_of(q, record->arg[0]);
	char name[32];

	q->f.interrupts++;
	if (vdev->seen && !(vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) && !vdev->resetting)
		disagree(q->d, VERDICT_SPEC_VIOLATION, "VIRTIO-2.1.2-D2",
			 called(name, "vq", record->arg[1]),
			 "an interrupt while the status is %u: none before DRIVER_OK",
			 vdev->status);
	x->vdev = record->arg[0];
	x->interrupts++;
	x->interrupt_ns = record->time_ns;
	x->waiting = 0;
}

/* --- block requests -----------------------------------------------------------------------------
 */

static void
request(struct queue_account *q, const struct record *record)
{
	struct element *e = element_of(q, record->arg[1]);
	char name[32];

	q->f.requests++;
	if (e->vq < 0)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_OWN,
			 called(name, "elem", record->arg[1]),
			 "a request in an element that was never popped");
	e->request = true;
}

static void
request_complete(struct queue_account *q, const struct record *record)
{
	struct element *e = element_of(q, record->arg[1]);
	char name[32];

	q->f.requests_complete++;
	/* Flushes and other requests have no line of their own when they begin. */
	if (e->vq < 0)
		disagree(q->d, VERDICT_SPEC_VIOLATION, ORACLE_OWN,
			 called(name, "elem", record->arg[1]),
			 "a request is complete whose element was never popped");
	e->request = false;
}

/* --- all ----------------------------------------------------------------------------------------
 */

void
queue_account_take(struct queue_account *q, const struct record *record)
{
	switch (record->kind) {
	case RECORD_STATUS_WRITE:
		status_write(q, record->arg[0], (uint8_t)record->arg[1]);
		break;
	case RECORD_KICK:
		kick(q, record);
		break;
	case RECORD_POP:
		pop(q, record);
		break;
	case RECORD_FILL:
		fill(q, record);
		break;
	case RECORD_FLUSH:
		flush(q, record);
		break;
	case RECORD_INTERRUPT:
	case RECORD_INTERRUPT_IRQFD:
		interrupt(q, record);
		break;
	case RECORD_BLK_READ:
	case RECORD_BLK_WRITE:
		request(q, record);
		break;
	case RECORD_BLK_COMPLETE:
		request_complete(q, record);
		break;
	default:
		break;
	}
}

void
queue_account_end(struct queue_account *q)
{
	char name[32];

	for (uint64_t i = 0; i < q->queues; i++) {
		struct queue *x = &q->queue[i];

		judge_completions(q, (int64_t)i);
		if (x->flushes && x->unflushed)
			disagree(q->d, VERDICT_SPEC_VIOLATION, "recording-used",
				 called(name, "vq", (int64_t)i),
				 "%" PRIu64 " elements were filled in and never published",
				 x->unflushed);
	}
}

const struct queue_account_figures *
queue_account_figures(const struct queue_account *q)
{
	return &q->f;
}
