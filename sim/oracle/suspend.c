/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspending a device by its status (3.4).
 *
 *	driver   SUSPEND written ───────────────── fence ─────────────────── resume read back
 *	             │  1 and 0 read: confirmed       DRIVER_OK written │
 *	device       └──▶ SUSPEND presented ── nothing touched, nothing sent ──▶ taken back
 *
 * The driver's fence begins with what it writes, not with the answer.  The device is suspended from
 * where SUSPEND reads 1, and in the words of 3.4 DRIVER_OK reads 0 then.  What has no time bound is
 * looked at when nothing runs any more.
 */
#include <inttypes.h>
#include <string.h>

#include "oracle/shadow.h"
#include "virtio/device.h"
#include "virtio/spec.h"

#define SUSPEND VIRTIO_CONFIG_S_SUSPEND
#define DRIVER_OK VIRTIO_CONFIG_S_DRIVER_OK

struct shadow_suspend {
	/* the driver */
	bool fence; /* SUSPEND written, resume not read back */
	bool confirmed; /* SUSPEND 1 and DRIVER_OK 0 read since */
	bool leaving; /* and asked to resume */
	/* the device */
	bool asked; /* in a state in which it has to */
	bool presented; /* SUSPEND reads 1 */
	bool kept_driver_ok; /* and DRIVER_OK, too */
	bool changed; /* its configuration, or it is to, while suspended */
	bool untold; /* resumed since, and no notification yet */
	bool written; /* its configuration by the driver, while suspended */
	uint8_t config[VIRTIO_CONFIG_MAX]; /* as it was then */
	uint64_t owed[VIRTIO_QUEUES_MAX / 64]; /* notifications that the ring asked for */
};

static struct shadow_suspend *
suspend_of(struct world *w, struct shadow_device *d)
{
	if (!d->suspend)
		d->suspend = world_alloc(w, sizeof(*d->suspend));
	return d->suspend;
}

static bool
negotiated(const struct shadow_device *d)
{
	return virtio_has(d->accepted, VIRTIO_F_SUSPEND);
}

/* --- the driver ----------------------------------------------------------------------------- */

static void
driver_suspends(struct world *w, struct shadow_device *d, struct shadow_suspend *s)
{
	bool may = negotiated(d) && (d->status & DRIVER_OK);

	if (!may)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_1_R1, "SUSPEND written %s",
			      negotiated(d) ? "before DRIVER_OK" : "without VIRTIO_F_SUSPEND");
	s->asked = s->fence = may;
	s->confirmed = s->leaving = false;
}

static void
driver_resumes(struct world *w, struct shadow_device *d, struct shadow_suspend *s)
{
	if (!s->confirmed)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_1_R2,
			      "the driver resumes a device that it never saw suspended "
			      "(SUSPEND 1 and DRIVER_OK 0)");
	s->leaving = true;
}

static void
on_common_write(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d;
	struct shadow_suspend *s;
	bool suspend = e->arg[3] & SUSPEND;

	if (shadow_field_of(w, e->arg[1]) != FIELD_DEVICE_STATUS || !e->arg[3])
		return;
	d = shadow_of(w, e->arg[0]);
	s = d->suspend;
	if (!suspend && (!s || !s->fence))
		return;
	s = suspend_of(w, d);
	if (!s->fence)
		driver_suspends(w, d, s);
	else if (!s->leaving && !(e->arg[3] & VIRTIO_CONFIG_S_FAILED) &&
		 (e->arg[3] & DRIVER_OK || !suspend))
		driver_resumes(w, d, s);
}

static void
on_common_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_suspend *s = d->suspend;

	if (!s || !s->fence || shadow_field_of(w, e->arg[1]) != FIELD_DEVICE_STATUS)
		return;
	if ((e->arg[3] & (SUSPEND | DRIVER_OK)) == SUSPEND)
		s->confirmed = true;
	if (s->leaving && (e->arg[3] & (SUSPEND | DRIVER_OK)) == DRIVER_OK)
		s->fence = s->leaving = s->confirmed = false;
}

/* The driver does @what, which it must not between SUSPEND and the end of the resume. */
static void
driver_acts(struct world *w, struct shadow_device *d, int64_t queue, enum oracle fenced,
	    const char *what)
{
	const struct shadow_suspend *s = d ? d->suspend : NULL;

	if (!s || !s->fence)
		return;
	if (s->leaving)
		shadow_report(w, d, queue, ORACLE_VIRTIO_3_4_1_R6,
			      "%s before SUSPEND read 0 and DRIVER_OK 1", what);
	else
		shadow_report(w, d, queue, fenced, "%s after SUSPEND was written", what);
}

static void
on_add(struct world *w, const struct event *e, void *context)
{
	const struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);

	if (g)
		driver_acts(w, g->device, g->queue, ORACLE_VIRTIO_3_4_1_R3,
			    "a buffer is made available");
}

static void
on_kick(struct world *w, const struct event *e, void *context)
{
	const struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);

	if (g)
		driver_acts(w, g->device, g->queue, ORACLE_VIRTIO_3_4_1_R4,
			    "the doorbell is written");
}

static void
on_config_write(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_suspend *s = d->suspend;

	driver_acts(w, d, -1, ORACLE_VIRTIO_3_4_1_R5, "device configuration is written");
	if (!s || !s->presented || s->written || !d->vdev)
		return;
	s->written = true;
	memcpy(s->config, d->vdev->config, sizeof(s->config));
}

/* --- the device ----------------------------------------------------------------------------- */

static bool
owes(const struct shadow_suspend *s)
{
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX / 64; i++)
		if (s->owed[i])
			return true;
	return false;
}

static void
presents(struct world *w, struct shadow_device *d, struct shadow_suspend *s, uint8_t status)
{
	if (!s->asked)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D1,
			      "status 0x%x has SUSPEND, and initialisation was not complete",
			      status);
	if (d->processing)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D9,
			      "suspended with %" PRIu32 " buffers being processed", d->processing);
	else if (owes(s))
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D9,
			      "suspended, and a used buffer notification was not sent");
	s->presented = true;
	s->kept_driver_ok = status & DRIVER_OK;
	s->changed = s->written = false;
}

static void
resumed(struct world *w, struct shadow_device *d, struct shadow_suspend *s)
{
	if (s->written && !s->changed && d->vdev &&
	    memcmp(s->config, d->vdev->config, sizeof(s->config)) != 0)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D2,
			      "what the driver wrote into device configuration was taken");
	s->untold |= s->changed;
	s->presented = s->asked = s->changed = s->written = false;
}

static void
on_set_status(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_suspend *s = d->suspend;
	uint8_t status = (uint8_t)e->arg[1];

	if (!s || !d->accepted)
		return;
	if (status & SUSPEND && !s->presented)
		presents(w, d, s, status);
	else if (!(status & SUSPEND) && s->presented && status)
		resumed(w, d, s);
}

/* Notifications that the ring asks for, and that are sent; before the check below. */
static void
account(struct world *w, struct shadow_device *d, const struct event *e)
{
	uint64_t bit = UINT64_C(1) << (e->arg[1] % 64);
	uint64_t *owed = &suspend_of(w, d)->owed[e->arg[1] / 64 % (VIRTIO_QUEUES_MAX / 64)];

	if (e->kind == EV_VIRTQUEUE_SHOULD_NOTIFY)
		*owed |= e->arg[2] ? bit : 0;
	else if (e->kind == EV_VIRTIO_NOTIFY)
		*owed &= ~bit;
}

static void
on_queue(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (!negotiated(d) || e->arg[1] < 0)
		return;
	if (d->suspend && d->suspend->presented)
		shadow_report(w, d, e->arg[1],
			      e->kind == EV_VIRTIO_NOTIFY ? ORACLE_VIRTIO_3_4_2_D3
							  : ORACLE_VIRTIO_3_4_2_D4,
			      "%s while suspended", event_info[e->kind].name);
	account(w, d, e);
}

/* The device moves data of a request. */
static void
on_data(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (d->suspend && d->suspend->presented && (e->kind != EV_VIRTIO_NET_RX || e->arg[3] != 0))
		shadow_report(w, d, e->arg[1] * (e->kind == EV_VIRTIO_NET_RX ? 2 : 1),
			      ORACLE_VIRTIO_3_4_X4, "%s after SUSPEND read 1",
			      event_info[e->kind].name);
}

static void
on_config_step(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (!d->suspend || !d->suspend->presented)
		return;
	d->suspend->changed = true;
	shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D5,
		      "byte %" PRId64 " of the configuration changes while suspended", e->arg[1]);
}

static void
on_kept_change(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (d->suspend && d->suspend->presented)
		d->suspend->changed = true;
}

static void
on_notify_config(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_suspend *s = d->suspend;

	if (!s)
		return;
	s->untold = false;
	if (s->presented)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D6,
			      "a configuration change notification while suspended");
}

static void
on_forget(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (d->suspend)
		*d->suspend = (struct shadow_suspend){ 0 };
}

/* --- when nothing runs any more ------------------------------------------------------------- */

void
suspend_judge(struct world *w, struct shadow_device *d)
{
	const struct shadow_suspend *s = d->suspend;

	if (!s || d->needs_reset || d->resetting)
		return;
	if (s->asked && !s->presented)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D7,
			      "SUSPEND was written, and status reads 0x%x: neither suspended nor "
			      "DEVICE_NEEDS_RESET",
			      d->status);
	else if (s->kept_driver_ok)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D7,
			      "SUSPEND read 1 and DRIVER_OK never 0");
	if (s->presented && s->leaving)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D8,
			      "DRIVER_OK was written, and status reads 0x%x: neither resumed nor "
			      "DEVICE_NEEDS_RESET",
			      d->status);
	if (s->untold)
		shadow_report(w, d, -1, ORACLE_VIRTIO_3_4_2_D6,
			      "the configuration changed while suspended, and nobody was told "
			      "since it resumed");
}

void
suspend_attach(struct world *w)
{
	static const enum event_kind queue[] = { EV_VIRTQUEUE_POP,	     EV_VIRTQUEUE_UNPOP,
						 EV_VIRTQUEUE_FILL,	     EV_VIRTQUEUE_FLUSH,
						 EV_VIRTQUEUE_SHOULD_NOTIFY, EV_VIRTIO_NOTIFY };

	world_observe(w, EV_VIRTIO_COMMON_WRITE, on_common_write, NULL);
	world_observe(w, EV_VIRTIO_COMMON_READ, on_common_read, NULL);
	world_observe(w, EV_VIRTIO_CONFIG_WRITE, on_config_write, NULL);
	world_observe(w, EV_VQ_ADD, on_add, NULL);
	world_observe(w, EV_VQ_NOTIFY, on_kick, NULL);
	world_observe(w, EV_VIRTIO_SET_STATUS, on_set_status, NULL);
	for (unsigned i = 0; i < sizeof(queue) / sizeof(queue[0]); i++)
		world_observe(w, queue[i], on_queue, NULL);
	world_observe(w, EV_VIRTIO_BLK_COMPLETE, on_data, NULL);
	world_observe(w, EV_VIRTIO_NET_RX, on_data, NULL);
	world_observe(w, EV_VIRTIO_CONFIG_STEP, on_config_step, NULL);
	world_observe(w, EV_VIRTIO_SUSPEND_CONFIG, on_kept_change, NULL);
	world_observe(w, EV_VIRTIO_NOTIFY_CONFIG, on_notify_config, NULL);
	world_observe(w, EV_VIRTIO_RESET_DONE, on_forget, NULL);
	world_observe(w, EV_PCI_PRESENT, on_forget, NULL);
}
