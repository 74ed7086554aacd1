/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle/shadow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "virtio/pci_transport.h"
#include "vmm/machine.h"

static const char *const field_name[SHADOW_FIELDS] = {
	/* ORDER SHADOW_FIELD */
	"",
	"device_feature_select",
	"device_feature",
	"driver_feature_select",
	"driver_feature",
	"config_msix_vector",
	"num_queues",
	"device_status",
	"config_generation",
	"queue_size",
	"queue_msix_vector",
	"queue_enable",
	"queue_notify_off",
	"queue_desc",
	"queue_driver",
	"queue_device",
	"queue_reset",
};

struct shadow *
shadow_state(const struct world *w)
{
	return oracles_of(w)->shadow;
}

enum shadow_field
shadow_field_of(const struct world *w, int64_t name)
{
	const struct shadow *s = shadow_state(w);

	for (int i = 1; i < SHADOW_FIELDS; i++)
		if (s->field[i] == name)
			return (enum shadow_field)i;
	return FIELD_OTHER;
}

/* --- devices and queues --------------------------------------------------------------------- */

static struct shadow_device *
device_make(struct world *w, int64_t name)
{
	struct shadow_device *d = world_alloc(w, sizeof(*d));

	d->name = name;
	d->text = world_name_text(w, name);
	d->generation = -1;
	d->config_vector.now = d->config_vector.before = VIRTIO_MSI_NO_VECTOR;
	d->next = shadow_state(w)->devices;
	shadow_state(w)->devices = d;
	return d;
}

struct shadow_device *
shadow_of(struct world *w, int64_t name)
{
	struct shadow *s = shadow_state(w);
	struct shadow_device *d = s->last && s->last->name == name ? s->last : s->devices;

	while (d && d->name != name)
		d = d->next;
	if (!d)
		d = device_make(w, name);
	if (!d->vdev && machine_of(w)) {
		struct machine_device *m = machine_find_device(machine_of(w), d->text);

		d->vdev = m ? &m->vdev : NULL;
	}
	s->last = d;
	return d;
}

void
oracle_watch_device(struct world *w, const struct virtio_device *vdev)
{
	shadow_of(w, vdev->name)->vdev = vdev;
}

static void
queues_grow(struct world *w, struct shadow_device *d, uint32_t count)
{
	struct shadow_queue *queue = world_alloc(w, count * sizeof(*queue));

	if (d->queue)
		memcpy(queue, d->queue, d->queue_count * sizeof(*queue));
	for (uint32_t i = d->queue_count; i < count; i++)
		queue[i].vector.now = queue[i].vector.before = VIRTIO_MSI_NO_VECTOR;
	world_free(w, d->queue, d->queue_count * sizeof(*queue));
	d->queue = queue;
	d->queue_count = count;
}

struct shadow_queue *
shadow_queue_of(struct world *w, struct shadow_device *d, int64_t index)
{
	if (index < 0 || index >= VIRTIO_QUEUES_MAX)
		return NULL;
	if (index >= d->queue_count) {
		uint32_t count = d->queue_count ? d->queue_count : 4;

		while (count <= index)
			count *= 2;
		queues_grow(w, d, count);
	}
	return &d->queue[index];
}

const struct virtio_pci *
shadow_pci(const struct shadow_device *d)
{
	return d->vdev && d->vdev->transport == &virtio_pci_ops ? virtio_pci_of(d->vdev) : NULL;
}

/* --- the guest's names for rings ------------------------------------------------------------ */

struct guest_ring *
shadow_guest_ring(const struct world *w, int64_t name)
{
	struct guest_ring *g = shadow_state(w)->guest_rings;

	while (g && g->name != name)
		g = g->next;
	return g;
}

struct shadow_queue *
shadow_guest_queue(struct world *w, int64_t name)
{
	const struct guest_ring *g = shadow_guest_ring(w, name);

	return g && g->device ? shadow_queue_of(w, g->device, g->queue) : NULL;
}

struct ring *
shadow_guest_live(struct world *w, int64_t name)
{
	const struct shadow_queue *q = shadow_guest_queue(w, name);

	return q ? q->ring : NULL;
}

/* --- who acts ------------------------------------------------------------------------------- */

void
shadow_role(struct world *w, uint32_t actor, uint8_t role)
{
	struct shadow *s = shadow_state(w);

	if (actor >= s->roles) {
		uint32_t count = (actor + 1) * 2;
		uint8_t *roles = world_alloc(w, count);

		if (s->role)
			memcpy(roles, s->role, s->roles);
		world_free(w, s->role, s->roles);
		s->role = roles;
		s->roles = count;
	}
	s->role[actor] |= role;
}

uint8_t
shadow_role_of(const struct world *w)
{
	const struct shadow *s = shadow_state(w);
	const struct actor *self = actor_current(w);

	return self && actor_id(self) < s->roles ? s->role[actor_id(self)] : ROLE_NONE;
}

bool
shadow_maybe_gone(const struct world *w, const struct shadow_device *d)
{
	return shadow_state(w)->unassigned_step > d->register_step;
}

/* --- reporting ------------------------------------------------------------------------------ */

void
shadow_report(struct world *w, const struct shadow_device *d, int64_t queue, enum oracle o,
	      const char *fmt, ...)
{
	char subject[64], message[320];
	va_list ap;

	if (d->behind_svq)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (queue < 0)
		snprintf(subject, sizeof(subject), "dev=%s", d->text);
	else
		snprintf(subject, sizeof(subject), "dev=%s vq=%" PRId64, d->text, queue);
	oracle_report(w, o, subject, "%s", message);
}

/* --- attaching ------------------------------------------------------------------------------ */

static void
on_unassigned_read(struct world *w, const struct event *e, void *context)
{
	/* Steps count choices; two reads may share one: the later one counts. */
	shadow_state(w)->unassigned_step = e->step + 1;
}

/* Nobody drives it through registers, and its rings are at IO addresses: not for us. */
static void
on_vdpa_hw(struct world *w, const struct event *e, void *context)
{
	shadow_of(w, e->arg[0])->behind_svq = true;
}

void
shadow_attach(struct world *w)
{
	struct shadow *s = world_alloc(w, sizeof(*s));

	oracles_of(w)->shadow = s;
	for (int i = 1; i < SHADOW_FIELDS; i++)
		s->field[i] = world_name(w, field_name[i]);
	world_observe(w, EV_IO_UNASSIGNED_READ, on_unassigned_read, NULL);
	world_observe(w, EV_VDPA_HW, on_vdpa_hw, NULL);
	negotiation_attach(w); /* before status.c, which looks at what was accepted */
	registers_attach(w);
	ring_attach(w);
	suppression_attach(w);
	suspend_attach(w);
	admin_attach(w);
	pci_attach(w);
	interrupt_attach(w);
	balloon_attach(w);
	status_attach(w); /* last: its end of a reset is the others' */
}

void
shadow_judge(struct world *w)
{
	for (struct shadow_device *d = shadow_state(w)->devices; d; d = d->next) {
		status_judge(w, d);
		suspend_judge(w, d);
		interrupt_judge(w, d);
	}
	balloon_judge(w);
}
