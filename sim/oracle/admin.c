/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Administration commands about a member: its mode and parts (2.12.1.4).  A member is stopped from
 * the completion of the command that stops it to the completion of the one that resumes it; a reset
 * of the member in between changes nothing about that.
 */
#include <inttypes.h>

#include "oracle/shadow.h"
#include "virtio/admin.h"

struct shadow_admin {
	bool stopped;
	bool leaving; /* the command that resumes it was given */
};

static struct shadow_admin *
admin_of(struct world *w, struct shadow_device *d)
{
	if (!d->admin)
		d->admin = world_alloc(w, sizeof(*d->admin));
	return d->admin;
}

static void
on_command(struct world *w, const struct event *e, void *context)
{
	struct shadow_admin *s = admin_of(w, shadow_of(w, e->arg[0]));

	if (e->arg[1] == VIRTIO_ADMIN_CMD_DEV_MODE_SET)
		s->leaving = s->stopped && !e->arg[2];
}

static void
mode_done(struct world *w, struct shadow_device *d, struct shadow_admin *s, bool stop,
	  int64_t status)
{
	if (status) {
		if (stop == s->stopped)
			shadow_report(w, d, -1, ORACLE_VIRTIO_2_12_1_4_4_1_D12,
				      "DEV_MODE_SET fails with %" PRId64 ", and the member is %s",
				      status, stop ? "stopped" : "running");
		s->leaving = false;
		return;
	}
	if (stop && d->processing)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_12_1_4_4_1_D8,
			      "the member is stopped, and %" PRIu32
			      " buffers that it had observed are not used",
			      d->processing);
	s->stopped = stop;
	s->leaving = false;
}

static void
on_done(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_admin *s = admin_of(w, d);
	bool mode = e->arg[1] == VIRTIO_ADMIN_CMD_DEV_MODE_SET;
	bool set = e->arg[1] == VIRTIO_ADMIN_CMD_DEV_PARTS_SET;

	if ((mode || set) && d->resetting)
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_12_1_4_4_1_D11,
			      "command 0x%" PRIx64 " is completed while the member is being reset",
			      e->arg[1]);
	if (set && !s->stopped) {
		shadow_report(w, d, -1, ORACLE_VIRTIO_2_12_1_4_4_2_R1,
			      "DEV_PARTS_SET for a member that is not stopped");
		if (!e->arg[3])
			shadow_report(w, d, -1, ORACLE_VIRTIO_2_12_1_4_4_1_D4,
				      "DEV_PARTS_SET succeeds and the member is not stopped");
	}
	if (mode)
		mode_done(w, d, s, e->arg[2] & 1u << VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED,
			  e->arg[3]);
}

static void
on_queue(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	const struct shadow_admin *s = d->admin;

	if (s && s->stopped && !s->leaving)
		shadow_report(w, d, e->kind == EV_VIRTIO_NOTIFY_CONFIG ? -1 : e->arg[1],
			      ORACLE_VIRTIO_2_12_1_4_4_1_D10, "%s while the member is stopped",
			      event_info[e->kind].name);
}

static void
on_pop(struct world *w, const struct event *e, void *context)
{
	shadow_of(w, e->arg[0])->processing++;
}

static void
on_used(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	d->processing -= d->processing != 0;
}

static void
on_data(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	if (d->admin && d->admin->stopped && !d->admin->leaving &&
	    (e->kind != EV_VIRTIO_NET_RX || e->arg[3] != 0))
		shadow_report(w, d, e->arg[1] * (e->kind == EV_VIRTIO_NET_RX ? 2 : 1),
			      ORACLE_VIRTIO_2_12_1_4_4_1_D7,
			      "%s after the command that stopped the member",
			      event_info[e->kind].name);
}

static void
on_forget(struct world *w, const struct event *e, void *context)
{
	shadow_of(w, e->arg[0])->processing = 0;
}

void
admin_attach(struct world *w)
{
	static const enum event_kind queue[] = { EV_VIRTQUEUE_POP,  EV_VIRTQUEUE_UNPOP,
						 EV_VIRTQUEUE_FILL, EV_VIRTQUEUE_FLUSH,
						 EV_VIRTIO_NOTIFY,  EV_VIRTIO_NOTIFY_CONFIG };
	static const enum event_kind used[] = { EV_VIRTQUEUE_UNPOP, EV_VIRTQUEUE_FILL,
						EV_VIRTQUEUE_FORGET };

	world_observe(w, EV_VIRTIO_ADMIN_CMD, on_command, NULL);
	world_observe(w, EV_VIRTIO_ADMIN_DONE, on_done, NULL);
	for (unsigned i = 0; i < sizeof(queue) / sizeof(queue[0]); i++)
		world_observe(w, queue[i], on_queue, NULL);
	world_observe(w, EV_VIRTQUEUE_POP, on_pop, NULL);
	for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		world_observe(w, used[i], on_used, NULL);
	world_observe(w, EV_VIRTIO_BLK_COMPLETE, on_data, NULL);
	world_observe(w, EV_VIRTIO_NET_RX, on_data, NULL);
	world_observe(w, EV_VIRTIO_RESET_DONE, on_forget, NULL);
	world_observe(w, EV_PCI_PRESENT, on_forget, NULL);
}
