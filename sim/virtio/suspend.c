/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/suspend.h"

#include <string.h>

#include "base/must.h"
#include "engine/cost.h"
#include "notify/eventfd.h"

const char *const virtio_suspend_design_name[SUSPEND_DESIGNS] = {
	/* ORDER SUSPEND_DESIGN */
	"none",	  "v1.4",	  "zhu-2023",	"stevens-2024",
	"pci-pm", "pci-pm-reset", "admin-stop", "vdpa-suspend",
};

const char *const virtio_suspend_state_name[] = { /* ORDER SUSPEND_STATE */
						  "running", "suspending", "suspended"
};

const char *const virtio_suspend_fail_name[] = { "none", "suspend", "resume" };

/* ORDER SUSPEND_DESIGN: by, rings, used, config, drops_driver_ok, leave_by_clear, soft_reset */
#define BY(who, rings, used, config, drops, clears, resets) \
	{ \
		SUSPEND_BY_##who, SUSPEND_RINGS_##rings, SUSPEND_USED_##used, \
			SUSPEND_CONFIG_##config, drops, clears, resets \
	}
const struct virtio_suspend_policy virtio_suspend_policy[SUSPEND_DESIGNS] = {
	BY(NOBODY, RUN, KEEP, UNTOLD, false, false, false),
	BY(STATUS, DRAIN, KEEP, AT_RESUME, true, false, false),
	BY(STATUS, HOLD, KEEP, AT_RESUME, false, false, false),
	BY(STATUS, RUN, KEEP, TELL_AT_RESUME, false, true, false),
	BY(POWER, RUN, LOSE, UNTOLD, false, false, false),
	BY(POWER, RUN, LOSE, UNTOLD, false, false, true),
	BY(OWNER, DRAIN, LOSE, UNTOLD, false, false, false),
	BY(HOST, DRAIN, KEEP, TELL_AT_RESUME, false, false, false),
};
#undef BY

/* --- rings ---------------------------------------------------------------------------------- */

/* The holder of @vq looks at it, in its own thread: what came meanwhile rang for nobody. */
static void
look(struct virtio_work *work)
{
	struct virtio_queue *vq = work->arg;

	if (!vq->ring.notification)
		virtio_ring_enable_notify(&vq->ring);
	virtio_queue_handle(vq);
}

static void
look_at_all(struct virtio_suspend *s)
{
	struct virtio_device *vdev = s->vdev;

	if (!vdev->started || fault_on(vdev->w, FAULT_SUSPEND_NO_RESCAN))
		return;
	if (!s->look) {
		s->look = world_alloc(vdev->w, vdev->queue_count * sizeof(*s->look));
		for (uint16_t i = 0; i < vdev->queue_count; i++)
			s->look[i] = (struct virtio_work){ .fn = look, .arg = &vdev->vqs[i] };
	}
	for (uint16_t i = 0; i < vdev->queue_count; i++) {
		struct virtio_queue *vq = &vdev->vqs[i];

		if (!vq->enabled)
			continue;
		if (vq->owner == VIRTIO_OWNER_MAIN_LOOP || vq->owner == VIRTIO_OWNER_IOTHREAD)
			vdev->backend->run(vq, &s->look[i]);
		else if (vq->host_notifier)
			eventfd_set(vq->host_notifier); /* a worker looks when it is kicked */
	}
}

/* What it takes the device to stop its queues, or set them going (timed mode). */
static void
spend(struct virtio_suspend *s)
{
	int64_t n = 0;

	for (uint16_t i = 0; i < s->vdev->queue_count; i++)
		n += s->vdev->vqs[i].enabled;
	if (s->config.parallel && n)
		n = 1;
	if (n && s->config.queue_ns && s->policy->rings != SUSPEND_RINGS_RUN)
		actor_work(s->vdev->w, n * s->config.queue_ns);
}

/* The VMM asks for each queue's position once they stand: VHOST_GET_VRING_BASE. */
static void
get_bases(struct virtio_suspend *s)
{
	for (uint16_t i = 0; i < s->vdev->queue_count; i++)
		if (s->vdev->vqs[i].enabled)
			cost_spend(s->vdev->w, COST_VHOST_GET_BASE);
}

void
virtio_suspend_run(struct virtio_queue *vq, struct virtio_work *work)
{
	struct virtio_device *vdev = vq->vdev;
	struct virtio_suspend *s = vdev->suspend;

	if (!s || s->state == SUSPEND_RUNNING || vdev->resetting ||
	    s->policy->rings != SUSPEND_RINGS_HOLD) {
		vdev->backend->run(vq, work);
		return;
	}
	/* Its queue is found again by the ring that it was popped from: any will do to run it. */
	work->next = NULL;
	*s->held_last = work;
	s->held_last = &work->next;
	emit(vdev->w, EV_VIRTIO_SUSPEND_HOLD, vdev->name, vq->index);
}

static void
release_held(struct virtio_suspend *s)
{
	struct virtio_work *work = s->held, *next;

	s->held = NULL;
	s->held_last = &s->held;
	for (; work; work = next) {
		next = work->next;
		work->next = NULL;
		s->vdev->backend->run(&s->vdev->vqs[0], work);
	}
}

/* --- notifications -------------------------------------------------------------------------- */

bool
virtio_suspend_holds_used(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;
	struct virtio_suspend *s = vdev->suspend;
	bool owed_lost;

	if (s->state == SUSPEND_RUNNING)
		return false;
	/* Those that are owed for what is being finished go out before (3.4.2). */
	owed_lost = s->state == SUSPEND_SUSPENDING && fault_on(vdev->w, FAULT_SUSPEND_OWED_LOST);
	if (s->state == SUSPEND_SUSPENDING && !owed_lost)
		return false;
	if (s->policy->used == SUSPEND_USED_LOSE || owed_lost) {
		s->lost_total++;
		emit(vdev->w, EV_VIRTIO_SUSPEND_IRQ, vdev->name, vq->index, 0);
		return true;
	}
	for (uint16_t i = 0; i < s->kept_count; i++)
		if (s->kept[i] == vq->index)
			return true;
	s->kept[s->kept_count++] = vq->index;
	s->kept_total++;
	emit(vdev->w, EV_VIRTIO_SUSPEND_IRQ, vdev->name, vq->index, 1);
	return true;
}

static void
replay(struct virtio_suspend *s)
{
	uint16_t n = s->kept_count;

	s->kept_count = 0;
	for (uint16_t i = 0; i < n; i++)
		virtio_ring_signal_always(&s->vdev->vqs[s->kept[i]].ring);
}

/* --- configuration -------------------------------------------------------------------------- */

bool
virtio_suspend_holds_change(struct virtio_device *vdev, size_t offset, const void *from,
			    size_t size)
{
	struct virtio_suspend *s = vdev->suspend;

	if (s->state != SUSPEND_SUSPENDED || s->policy->config != SUSPEND_CONFIG_AT_RESUME ||
	    fault_on(vdev->w, FAULT_SUSPEND_CONFIG_MODIFIED))
		return false;
	memcpy(s->config_bytes + offset, from, size);
	memset(s->config_changed + offset, true, size);
	/* Quirk: the RFC asks for DRIVER_OK before it asks whether the device is suspended. */
	s->config_owed |= !fault_on(vdev->w, FAULT_SUSPEND_CONFIG_UNTOLD);
	emit(vdev->w, EV_VIRTIO_SUSPEND_CONFIG, vdev->name, (int64_t)offset, (int64_t)size,
	     s->config_owed);
	return true;
}

bool
virtio_suspend_holds_config(struct virtio_device *vdev)
{
	struct virtio_suspend *s = vdev->suspend;

	if (s->state != SUSPEND_SUSPENDED)
		return false;
	s->config_owed |= s->policy->config != SUSPEND_CONFIG_UNTOLD;
	return true;
}

bool
virtio_suspend_ignores_write(const struct virtio_device *vdev)
{
	return virtio_suspended(vdev) &&
	       vdev->suspend->policy->config == SUSPEND_CONFIG_AT_RESUME &&
	       !fault_on(vdev->w, FAULT_SUSPEND_CONFIG_WRITTEN);
}

/* Changes that were kept are made, each run of bytes by itself, and the driver is told once. */
static void
config_catch_up(struct virtio_suspend *s)
{
	struct virtio_device *vdev = s->vdev;
	bool owed = s->config_owed;

	s->config_owed = false;
	for (size_t at = 0, end; at < vdev->type->config_bytes; at = end) {
		for (end = at; end < vdev->type->config_bytes && s->config_changed[end]; end++)
			;
		if (end > at)
			virtio_config_apply(vdev, at, s->config_bytes + at, end - at);
		end += end == at;
	}
	memset(s->config_changed, 0, sizeof(s->config_changed));
	if (owed && vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		vdev->transport->config_interrupt(vdev);
}

/* --- in and out ----------------------------------------------------------------------------- */

static void
set_status(struct virtio_suspend *s, uint8_t status)
{
	struct virtio_device *vdev = s->vdev;
	uint8_t was = vdev->status;

	vdev->status = status;
	emit(vdev->w, EV_VIRTIO_SET_STATUS, vdev->name, status, was);
}

/* All is done that comes before: say so. */
static void
present(struct virtio_suspend *s)
{
	struct virtio_device *vdev = s->vdev;
	uint8_t status = vdev->status;

	s->state = SUSPEND_SUSPENDED;
	s->suspends++;
	emit(vdev->w, EV_VIRTIO_SUSPENDED, vdev->name, vdev->status);
	if (s->policy->by != SUSPEND_BY_STATUS)
		return;
	status |= VIRTIO_CONFIG_S_SUSPEND;
	if (s->policy->drops_driver_ok)
		status &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	if (fault_on(vdev->w, FAULT_SUSPEND_CLEARS_STATUS))
		status = 0; /* &= !DRIVER_OK: the not is a logical one */
	set_status(s, status);
}

static void
stop_rings(struct virtio_suspend *s)
{
	if (s->policy->rings == SUSPEND_RINGS_DRAIN && !s->vdev->runs_on)
		virtio_backend_stop(s->vdev);
}

/* The main loop may run us inside the wait of a queue reset: its buffers are processed, too. */
static bool
queue_resets(const struct virtio_device *vdev)
{
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].resetting && vdev->vqs[i].inflight)
			return true;
	return false;
}

static void
finish_suspend(struct virtio_suspend *s)
{
	struct virtio_device *vdev = s->vdev;

	if (s->state != SUSPEND_SUSPENDING)
		return; /* it was reset meanwhile */
	if (s->config.ns && queue_resets(vdev)) {
		timer_arm(vdev->w, &s->timer, s->config.ns, true);
		return;
	}
	stop_rings(s);
	spend(s);
	if (s->policy->by == SUSPEND_BY_HOST)
		get_bases(s);
	if (s->config.fail == SUSPEND_FAIL_SUSPEND) {
		s->state = SUSPEND_RUNNING;
		virtio_error(vdev, "the device cannot suspend");
		vdev->quiesced = false;
		return;
	}
	if (s->state == SUSPEND_SUSPENDING)
		present(s);
}

static void
on_work(struct virtio_work *work)
{
	finish_suspend(work->arg);
}

static void
on_timer(struct world *w, struct timer *t)
{
	struct virtio_suspend *s = t->arg;

	s->later(s->later_arg, &s->work);
}

static void
begin(struct virtio_suspend *s)
{
	struct virtio_device *vdev = s->vdev;

	s->state = SUSPEND_SUSPENDING;
	vdev->runs_on =
		s->policy->rings == SUSPEND_RINGS_RUN || fault_on(vdev->w, FAULT_SUSPEND_RINGS_RUN);
	vdev->quiesced = !vdev->runs_on;
	emit(vdev->w, EV_VIRTIO_SUSPEND, vdev->name,
	     world_name(vdev->w, virtio_suspend_design_name[s->config.design]), vdev->status);
	if (vdev->type->suspend)
		vdev->type->suspend(vdev);
	actor_point(vdev->w);
	/* Who is no driver waits for the answer. */
	if (s->config.ns && s->policy->by == SUSPEND_BY_STATUS)
		timer_arm(vdev->w, &s->timer, s->config.ns, false);
	else
		finish_suspend(s);
}

/* Admission is open again before anybody is told that it is. */
static void
end(struct virtio_suspend *s)
{
	struct virtio_device *vdev = s->vdev;
	bool hold = s->policy->rings == SUSPEND_RINGS_HOLD;

	s->state = SUSPEND_RUNNING;
	s->resumes++;
	vdev->quiesced = vdev->runs_on = false;
	spend(s);
	if (s->config.fail == SUSPEND_FAIL_RESUME) {
		virtio_error(vdev, "the device cannot resume");
		return;
	}
	if (s->policy->by == SUSPEND_BY_STATUS)
		set_status(s, (vdev->status | VIRTIO_CONFIG_S_DRIVER_OK) &
				      (uint8_t)~VIRTIO_CONFIG_S_SUSPEND);
	emit(vdev->w, EV_VIRTIO_RESUMED, vdev->name, vdev->status, s->kept_count, s->config_owed);
	if (vdev->type->set_status)
		vdev->type->set_status(vdev, vdev->status);
	actor_point(vdev->w);
	vdev->no_look = fault_on(vdev->w, FAULT_SUSPEND_NO_RESCAN);
	virtio_backend_start(vdev);
	vdev->no_look = false;
	config_catch_up(s);
	replay(s);
	release_held(s);
	if (hold)
		look_at_all(s);
}

bool
virtio_suspend_status(struct virtio_device *vdev, uint8_t *status)
{
	struct virtio_suspend *s = vdev->suspend;
	uint8_t was = vdev->status;
	bool asked = *status & VIRTIO_CONFIG_S_SUSPEND, leave;

	if (s->policy->by != SUSPEND_BY_STATUS)
		return false;
	/* Before initialisation is complete operations on SUSPEND are ignored (3.4.2). */
	if (!virtio_device_has(vdev, VIRTIO_F_SUSPEND) || !(was & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    (s->state == SUSPEND_RUNNING && !(was & VIRTIO_CONFIG_S_DRIVER_OK))) {
		if (!fault_on(vdev->w, FAULT_SUSPEND_EARLY))
			*status &= (uint8_t)~VIRTIO_CONFIG_S_SUSPEND;
		return false;
	}
	if (s->state == SUSPEND_RUNNING && !asked)
		return false;
	/* FAILED is taken at any time. */
	vdev->status |= *status & VIRTIO_CONFIG_S_FAILED;
	if (vdev->status != was)
		emit(vdev->w, EV_VIRTIO_SET_STATUS, vdev->name, vdev->status, was);
	leave = s->policy->leave_by_clear ? !asked : *status & VIRTIO_CONFIG_S_DRIVER_OK;
	if (asked && fault_on(vdev->w, FAULT_SUSPEND_RESUME_BY_CLEAR))
		leave = false;
	if (s->state == SUSPEND_RUNNING)
		begin(s);
	else if (s->state == SUSPEND_SUSPENDED && leave)
		end(s);
	return true;
}

void
virtio_suspend_enter(struct virtio_device *vdev)
{
	if (vdev->suspend->state == SUSPEND_RUNNING)
		begin(vdev->suspend);
}

void
virtio_suspend_leave(struct virtio_device *vdev)
{
	struct virtio_suspend *s = vdev->suspend;

	if (s->state != SUSPEND_SUSPENDED)
		return;
	if (s->policy->soft_reset)
		virtio_set_status(vdev, 0);
	else
		end(s);
}

void
virtio_suspend_reset(struct virtio_device *vdev)
{
	struct virtio_suspend *s = vdev->suspend;

	/* Quirk: crosvm clears its flag first, and what was kept goes out before the reset. */
	if (fault_on(vdev->w, FAULT_SUSPEND_RESET_REPLAYS)) {
		s->state = SUSPEND_RUNNING;
		replay(s);
	}
	timer_cancel(vdev->w, &s->timer);
	release_held(s);
}

void
virtio_suspend_forget(struct virtio_device *vdev)
{
	struct virtio_suspend *s = vdev->suspend;

	/* What the owner stopped stays so, whatever becomes of the member. */
	if (s->policy->by != SUSPEND_BY_OWNER || fault_on(vdev->w, FAULT_ADMIN_RESET_RESUMES)) {
		s->state = SUSPEND_RUNNING;
		vdev->quiesced = vdev->runs_on = false;
	}
	s->kept_count = 0;
	s->config_owed = false;
	memset(s->config_changed, 0, sizeof(s->config_changed));
}

void
virtio_suspend_forget_queue(struct virtio_queue *vq)
{
	struct virtio_suspend *s = vq->vdev->suspend;
	uint16_t n = 0;

	for (uint16_t i = 0; i < s->kept_count; i++)
		if (s->kept[i] != vq->index)
			s->kept[n++] = s->kept[i];
	s->kept_count = n;
}

void
virtio_suspend_init(struct virtio_device *vdev, const struct virtio_suspend_config_of *config,
		    void (*later)(void *arg, struct virtio_work *work), void *later_arg)
{
	struct virtio_suspend *s;

	if (config->design == SUSPEND_NONE)
		return;
	must(later || !config->ns);
	s = world_alloc(vdev->w, sizeof(*s));
	s->vdev = vdev;
	s->config = *config;
	s->policy = &virtio_suspend_policy[config->design];
	s->later = later;
	s->later_arg = later_arg;
	s->held_last = &s->held;
	s->kept = world_alloc(vdev->w, vdev->queue_count * sizeof(*s->kept));
	s->work = (struct virtio_work){ .fn = on_work, .arg = s };
	timer_init(&s->timer, on_timer, s);
	vdev->suspend = s;
	if (s->policy->by == SUSPEND_BY_STATUS)
		vdev->device_features |= VIRTIO_BIT(VIRTIO_F_SUSPEND);
}
