/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/machine.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "datapath/native.h"
#include "datapath/registry.h"
#include "memory/guest_memory.h"
#include "vhost/vhost_blk.h"
#include "vhost/vhost_net.h"
#include "virtio/host_notifier.h"
#include "vmm/precopy_notify.h"

#define ROOT_SPACE_BYTES (UINT64_C(256) << 20) /* for BARs, of either kind */
#define BRIDGE_SPACE_BYTES (UINT64_C(16) << 20) /* on the root bus; an eighth a level below */
#define BRIDGE_SPACE_MIN (UINT64_C(1) << 20) /* the grain of windows */
#define INTX_GSI(slot) (16 + (slot) % 4)

const char *const machine_type_name[MACHINE_TYPES] = { /* ORDER MACHINE_TYPE */
						       "virtio-blk", "virtio-net", "virtio-balloon"
};

const char *const machine_backend_name[MACHINE_BACKENDS] = { /* ORDER MACHINE_BACKEND */
							     "main-loop", "iothread", "vhost",
							     "vhost-user", "vdpa"
};

static void
lock(void *arg)
{
	bql_lock(arg);
}

static void
unlock(void *arg)
{
	bql_unlock(arg);
}

struct machine *
machine_create(struct world *w, const struct machine_config *config)
{
	struct machine *m = world_alloc(w, sizeof(*m));

	if (machine_of(w))
		world_fail(w, "a world has one machine");
	m->w = w;
	if (config)
		m->config = *config;
	if (m->config.datapath)
		datapath_select_default(w, m->config.datapath);
	if (!m->config.ram_bytes)
		m->config.ram_bytes = MACHINE_RAM_BYTES;
	if (!m->config.vcpus)
		m->config.vcpus = 1;
	if (m->config.ram_bytes > MACHINE_RAM_MAX)
		world_fail(w, "a machine has at most %llu bytes of RAM",
			   (unsigned long long)MACHINE_RAM_MAX);
	if (m->config.vcpus > MACHINE_VCPUS_MAX)
		world_fail(w, "a machine has at most %u vCPUs", MACHINE_VCPUS_MAX);
	for (int c = 0; c < COST_COUNT; c++)
		if (m->config.cost_ns[c])
			cost_set(w, (enum cost)c, m->config.cost_ns[c]);
	gm_create(w, m->config.ram_bytes);
	m->bus = iobus_create(w);
	m->view = memview_create(w, m->bus);
	m->pci = pci_bus_create(w, m->view);
	m->chip = irqchip_create(w);
	m->notifiers = notifiers_create(w, m->bus, m->chip);
	m->vcpu_count = m->config.vcpus;
	m->vcpus = world_alloc(w, m->vcpu_count * sizeof(*m->vcpus));
	for (unsigned i = 0; i < m->vcpu_count; i++) {
		m->vcpus[i] = vcpu_create(w, i);
		irqchip_add_vcpu(m->chip, m->vcpus[i]);
	}
	m->loop = main_loop_create(w);
	memview_set_lock(m->view, lock, unlock, m->loop);
	m->last_device = &m->devices;
	m->root = (struct machine_space){ NULL,
					  MACHINE_RAM_MAX,
					  MACHINE_RAM_MAX + ROOT_SPACE_BYTES,
					  MACHINE_MMIO64_BASE,
					  MACHINE_MMIO64_BASE + ROOT_SPACE_BYTES,
					  NULL };
	m->running = true;
	world_set_room(w, ROOM_MACHINE, m);
	return m;
}

struct machine *
machine_of(const struct world *w)
{
	return world_room(w, ROOM_MACHINE);
}

/* --- addresses ------------------------------------------------------------------------------ */

static struct machine_space *
space_of(struct machine *m, const struct pci_function *bridge)
{
	struct machine_space *s = &m->root;

	while (s && s->bridge != bridge)
		s = s->next;
	if (!s)
		world_fail(m->w, "the bridge is not one of this machine's");
	return s;
}

/* @bytes from [*next, end), aligned to their size. */
static uint64_t
take_address(struct machine *m, uint64_t *next, uint64_t end, uint64_t bytes)
{
	uint64_t at = (*next + bytes - 1) & ~(bytes - 1);

	if (bytes > end - *next || at > end - bytes)
		world_fail(m->w, "no address space left for %llu bytes of a device",
			   (unsigned long long)bytes);
	*next = at + bytes;
	return at;
}

struct pci_function *
machine_add_bridge(struct machine *m, struct pci_function *parent, const char *name)
{
	struct machine_space *above = space_of(m, parent);
	struct machine_space *s = world_alloc(m->w, sizeof(*s));
	uint64_t bytes = BRIDGE_SPACE_BYTES;

	for (const struct pci_function *p = parent; p; p = p->parent)
		bytes /= 8;
	if (bytes < BRIDGE_SPACE_MIN)
		world_fail(m->w, "bridge %s: at most two bridges stand one behind the other", name);
	s->bridge = pci_bridge_create(m->pci, parent, name);
	s->mmio_next = take_address(m, &above->mmio_next, above->mmio_end, bytes);
	s->mmio_end = s->mmio_next + bytes;
	s->mmio64_next = take_address(m, &above->mmio64_next, above->mmio64_end, bytes);
	s->mmio64_end = s->mmio64_next + bytes;
	s->next = m->root.next;
	m->root.next = s;
	pci_set_window(s->bridge, NULL, s->mmio_next, s->mmio_end - 1);
	pci_set_pref_window(s->bridge, NULL, s->mmio64_next, s->mmio64_end - 1);
	pci_set_command(s->bridge, NULL, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	return s->bridge;
}

static void
place(struct machine_device *d)
{
	struct machine *m = d->machine;
	struct machine_space *s = space_of(m, d->config.bridge);

	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &d->pci->function->bar[i];

		if (bar->size_bytes)
			d->bar_address[i] = bar->prefetch
						    ? take_address(m, &s->mmio64_next,
								   s->mmio64_end, bar->size_bytes)
						    : take_address(m, &s->mmio_next, s->mmio_end,
								   bar->size_bytes);
	}
}

void
machine_program(struct machine_device *d, struct vcpu *v)
{
	struct pci_function *f = d->pci->function;

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (f->bar[i].size_bytes)
			pci_set_bar(f, v, i, d->bar_address[i]);
	pci_set_command(f, v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
}

/* --- backends ------------------------------------------------------------------------------- */

static void
vhost_calls(void *arg, bool assign)
{
	if (assign)
		call_relay_start(arg);
	else
		call_relay_stop(arg);
}

static void *
vhost_create(struct machine_device *d)
{
	const struct vhost_ops *ops = d->net ? &vhost_net_ops : &vhost_blk_ops;
	struct world *w = d->machine->w;
	struct vhost_dev *dev;
	char name[64];

	snprintf(name, sizeof(name), "vhost-%s", d->vdev.name_text);
	dev = vhost_dev_create(&d->vdev, vhost_worker_create(w, name, true), ops);
	dev->set.guest_notifiers = vhost_calls;
	dev->set.guest_notifiers_arg = &d->relay;
	return dev;
}

static void *
vhost_user_backend(struct machine_device *d)
{
	const struct vhost_ops *ops = d->net ? &vhost_net_ops : &vhost_blk_ops;
	struct vhost_user *u;
	char name[64];

	snprintf(name, sizeof(name), "vhost-user-%s", d->vdev.name_text);
	u = vhost_user_create(&d->vdev, name, ops, &d->config.vhost_user);
	u->set.guest_notifiers = vhost_calls;
	u->set.guest_notifiers_arg = &d->relay;
	return u;
}

/* --- shadow virtqueues' eventfds are read by the main loop ---------------------------------- */

static void
on_vdpa_event(struct aio_handler *h)
{
	struct vdpa_handler *handler = h->arg;

	handler->fn(handler);
}

static void
vdpa_loop_watch(void *arg, struct vdpa_handler *handler)
{
	struct machine *m = arg;
	struct aio_handler *h = handler->loop;

	if (!h)
		h = handler->loop = world_alloc(m->w, sizeof(*h));
	h->fd = handler->fd;
	h->fn = on_vdpa_event;
	h->arg = handler;
	aio_attach(&m->loop->ctx, h);
}

static void
vdpa_loop_unwatch(void *arg, struct vdpa_handler *handler)
{
	aio_detach(handler->loop);
}

/*
 * A device that notes nothing is shadowed before the first page is sent, and has its queues back
 * when the migration is over (vdpa_net_migration_state_notifier()).
 */
static void
on_migration(struct precopy_notifier *n, enum precopy_reason reason)
{
	struct machine_device *d = n->arg;
	struct vdpa *v = machine_vdpa(d);
	bool late = fault_on(d->machine->w, FAULT_VDPA_SHADOW_LATE), now;

	/* The first sync comes before the first page is sent, the second after. */
	if (reason == PRECOPY_NOTIFY_SETUP)
		v->syncs = 0;
	else if (reason == PRECOPY_NOTIFY_AFTER_BITMAP_SYNC)
		v->syncs++;
	now = late ? reason == PRECOPY_NOTIFY_AFTER_BITMAP_SYNC && v->syncs == 2
		   : reason == PRECOPY_NOTIFY_SETUP;
	if (v->config.migrate_without_svq || d->vdev.backend_data != v)
		return;
	bql_lock(d->machine->loop);
	if (now)
		vdpa_set_shadow(v, true);
	else if (reason == PRECOPY_NOTIFY_CLEANUP)
		vdpa_set_shadow(v, v->config.svq);
	bql_unlock(d->machine->loop);
}

static void *
vdpa_backend(struct machine_device *d)
{
	const struct vhost_ops *ops = d->net ? &vhost_net_ops : &vhost_blk_ops;
	struct vdpa_loop loop = { d->machine, vdpa_loop_watch, vdpa_loop_unwatch };
	struct vdpa_config config = d->config.vdpa;
	struct world *w = d->machine->w;
	struct precopy_notifier *n;
	struct vdpa *v;
	char name[64];

	config.control =
		d->net && d->config.net.ctrl ? (uint16_t)(2 * d->net->pairs) : VDPA_NO_CONTROL;
	snprintf(name, sizeof(name), "vdpa-%s", d->vdev.name_text);
	v = vdpa_create(&d->vdev, vhost_worker_create(w, name, false), ops, &loop, &config);
	v->set.guest_notifiers = vhost_calls;
	v->set.guest_notifiers_arg = &d->relay;
	n = world_alloc(w, sizeof(*n));
	*n = (struct precopy_notifier){ .fn = on_migration, .arg = d };
	precopy_add_notifier(w, n);
	return v;
}

static void *
dataplane_backend(struct machine_device *d, bool iothread)
{
	struct main_loop *loop = d->machine->loop;
	struct aio_context *ctx = &loop->ctx;
	struct iothread *t = d->config.iothread;
	char name[64];

	if (iothread) {
		snprintf(name, sizeof(name), "iothread-%s", d->vdev.name_text);
		if (!t)
			t = iothread_create(d->machine->w, name, d->config.poll ? 1 : 0);
		ctx = &t->ctx;
	}
	return dataplane_create(&d->vdev, loop, ctx, &d->relay, !d->config.no_ioeventfd,
				d->config.activate_async);
}

static void *
backend_create(struct machine_device *d, enum machine_backend backend)
{
	switch (backend) {
	case MACHINE_VHOST:
		return vhost_create(d);
	case MACHINE_VHOST_USER:
		return vhost_user_backend(d);
	case MACHINE_VDPA:
		return vdpa_backend(d);
	default:
		return dataplane_backend(d, backend == MACHINE_IOTHREAD);
	}
}

static const struct virtio_backend_ops *const backend_ops[MACHINE_BACKENDS] = {
	/* ORDER MACHINE_BACKEND */
	&dataplane_main_loop_ops, &dataplane_iothread_ops, &vhost_backend_ops,
	&vhost_user_backend_ops,  &vdpa_backend_ops,
};

void
machine_set_backend(struct machine_device *d, enum machine_backend backend)
{
	if (backend == MACHINE_IOTHREAD && d->config.no_ioeventfd)
		world_fail(d->machine->w, "%s: an iothread needs ioeventfds", d->vdev.name_text);
	if (!d->backend[backend])
		d->backend[backend] = backend_create(d, backend);
	bql_lock(d->machine->loop);
	virtio_set_backend(&d->vdev, backend_ops[backend], d->backend[backend]);
	bql_unlock(d->machine->loop);
}

enum machine_backend
machine_backend_of(const struct machine_device *d)
{
	unsigned i = 0;

	while (i < MACHINE_BACKENDS - 1 &&
	       (!d->backend[i] || d->backend[i] != d->vdev.backend_data))
		i++;
	return (enum machine_backend)i;
}

struct dataplane *
machine_dataplane(const struct machine_device *d)
{
	enum machine_backend backend = machine_backend_of(d);

	return backend == MACHINE_MAIN_LOOP || backend == MACHINE_IOTHREAD ? d->vdev.backend_data
									   : NULL;
}

/* --- devices -------------------------------------------------------------------------------- */

static void
check_config(struct machine *m, const struct machine_device_config *c)
{
	unsigned queues = c->queues * (c->type == MACHINE_NET ? 2 : 1);
	uint32_t mult = c->notify_multiplier;

	if (!c->name || !*c->name)
		world_fail(m->w, "a device needs a name");
	if (machine_find_device(m, c->name))
		world_fail(m->w, "%s: there is a device of that name", c->name);
	if (c->type >= MACHINE_TYPES || c->backend >= MACHINE_BACKENDS)
		world_fail(m->w, "%s: unknown type or backend", c->name);
	if (queues > VIRTIO_QUEUES_MAX)
		world_fail(m->w, "%s: a device has at most %u queues", c->name, VIRTIO_QUEUES_MAX);
	if (c->queue_size & (c->queue_size - 1) || c->queue_size > DP_SG_MAX)
		world_fail(m->w, "%s: queue size %u is not a power of two up to %u", c->name,
			   c->queue_size, DP_SG_MAX);
	if (mult & (mult - 1) || mult == 1 || mult > VIRTIO_PCI_PART_BYTES)
		world_fail(m->w, "%s: notify multiplier %u is not a power of two from 2 to %u",
			   c->name, mult, VIRTIO_PCI_PART_BYTES);
	if (c->type == MACHINE_BALLOON && c->backend != MACHINE_MAIN_LOOP)
		world_fail(m->w, "%s: a balloon is served by the main loop", c->name);
	if (c->type == MACHINE_BALLOON && c->balloon.host_page_bytes &&
	    (c->balloon.host_page_bytes & (c->balloon.host_page_bytes - 1) ||
	     c->balloon.host_page_bytes < 4096 || c->balloon.host_page_bytes > 65536))
		world_fail(m->w, "%s: host_page_bytes %u is not a power of two from 4096 to 65536",
			   c->name, c->balloon.host_page_bytes);
	if (c->vdpa.dev.page_bytes & (c->vdpa.dev.page_bytes - 1))
		world_fail(m->w, "%s: page_bytes %u is not a power of two", c->name,
			   c->vdpa.dev.page_bytes);
	if (c->activate_async && c->no_ioeventfd)
		world_fail(m->w, "%s: activate_async needs ioeventfds", c->name);
	if (c->net.rx_ahead && c->backend != MACHINE_MAIN_LOOP)
		world_fail(m->w, "%s: rx_ahead needs the main loop", c->name);
	if (c->vectors > MSIX_VECTORS_MAX)
		world_fail(m->w, "%s: a device has at most %u vectors", c->name, MSIX_VECTORS_MAX);
}

static const uint64_t features_default[MACHINE_TYPES] = { /* ORDER MACHINE_TYPE */
							  VIRTIO_BLK_FEATURES, VIRTIO_NET_FEATURES,
							  VIRTIO_BALLOON_FEATURES
};

static void
create_balloon(struct machine_device *d, uint64_t features)
{
	const struct machine_device_config *c = &d->config;

	d->balloon = virtio_balloon_create(&d->vdev, d->machine->w, c->name, c->datapath, features,
					   c->queue_size, &c->balloon);
	if (!virtio_has(features, VIRTIO_BALLOON_F_FREE_PAGE_HINT))
		return;
	if (c->hints_discard && c->hints_as_posted)
		world_fail(d->machine->w,
			   "%s: hints_discard and hints_as_posted exclude each other", c->name);
	else if (c->hints_discard)
		balloon_discard_create(d->balloon, d->machine->loop);
	else
		balloon_hint_create(d->balloon, d->machine->loop, c->hints_as_posted);
}

static void
in_main_loop(void *arg, struct virtio_work *work)
{
	struct main_loop *loop = arg;

	aio_bh_schedule(&loop->ctx, work);
}

static void
create_type(struct machine_device *d)
{
	struct machine_device_config *c = &d->config;
	struct world *w = d->machine->w;
	uint64_t features = c->features;

	if (!features)
		features = features_default[c->type];
	features = datapath_features_of_queue(w, features);
	if (c->backend == MACHINE_VDPA && (c->vdpa.svq || c->net.ctrl))
		features = vdpa_svq_features(features);
	if (c->type == MACHINE_BLK)
		d->blk = virtio_blk_create(&d->vdev, w, c->name, c->datapath, features, c->queues,
					   c->queue_size, &c->blk);
	else if (c->type == MACHINE_BALLOON)
		create_balloon(d, features);
	else
		d->net = virtio_net_create(&d->vdev, w, c->name, c->datapath, features, c->queues,
					   c->queue_size, &c->net);
	c->name = d->vdev.name_text;
	d->vdev.quirks = c->quirks;
	d->vdev.fault_quirks = c->datapath->quirks ? native_quirks : NULL;
	d->vdev.start_idx = c->start_idx;
	d->vdev.reset_ns = c->reset_ns;
	d->vdev.enable_ns = c->enable_ns;
	virtio_suspend_init(&d->vdev, &c->suspend, in_main_loop, d->machine->loop);
	for (uint16_t i = 0; i < d->vdev.queue_count; i++)
		d->vdev.vqs[i].position = c->start_idx;
}

static void
register_notifiers(struct machine_device *d)
{
	struct notifiers *r = d->machine->notifiers;

	for (uint16_t i = 0; i < d->vdev.queue_count; i++)
		notifier_add(r, d->vdev.name_text, i, virtio_host_notifier(&d->vdev.vqs[i]), NULL);
	notifier_add_guest(r, d->vdev.name_text, d->pci->notifiers);
}

struct machine_device *
machine_add_device(struct machine *m, const struct machine_device_config *config)
{
	struct machine_device *d = world_alloc(m->w, sizeof(*d));
	struct virtio_pci_config pci;

	check_config(m, config);
	d->machine = m;
	d->config = *config;
	d->config.queues = config->queues ? config->queues : 1;
	d->config.queue_size = config->queue_size ? config->queue_size : MACHINE_QUEUE_SIZE;
	if (!d->config.datapath)
		d->config.datapath = datapath_device(m->w)->device;
	if (!config->notify_multiplier && !config->same_doorbell)
		d->config.notify_multiplier = 4;
	create_type(d);
	pci = (struct virtio_pci_config){
		.vectors = config->vectors,
		.notify_multiplier = config->same_doorbell ? 0 : d->config.notify_multiplier,
		.design = config->design,
		.intx_gsi = INTX_GSI(m->device_count),
		.ioeventfd = !config->no_ioeventfd,
		.irqfd = !config->no_irqfd,
	};
	d->pci = virtio_pci_create(&d->vdev, m->pci, config->bridge, m->chip, &pci);
	virtio_pci_add_power(d->pci);
	call_relay_init(&d->relay, d->pci, m->loop);
	register_notifiers(d);
	machine_set_backend(d, config->backend);
	place(d);
	if (config->unplugged)
		pci_set_present(d->pci->function, false);
	else
		machine_program(d, NULL);
	*m->last_device = d;
	m->last_device = &d->next;
	m->device_count++;
	return d;
}

struct machine_device *
machine_find_device(const struct machine *m, const char *name)
{
	struct machine_device *d = m->devices;

	while (d && strcmp(d->vdev.name_text, name))
		d = d->next;
	return d;
}

void
machine_plug(struct machine_device *d)
{
	bql_lock(d->machine->loop);
	pci_set_present(d->pci->function, true);
	bql_unlock(d->machine->loop);
}

void
machine_unplug(struct machine_device *d)
{
	bql_lock(d->machine->loop);
	virtio_set_status(&d->vdev, 0);
	pci_set_present(d->pci->function, false);
	bql_unlock(d->machine->loop);
}

void
machine_admin(struct machine_device *d, struct virtio_admin_cmd *c)
{
	bool wait = !fault_on(d->machine->w, FAULT_ADMIN_NO_WAIT);

	cost_spend(d->machine->w, COST_ADMIN_COMMAND);
	if (wait)
		bql_lock(d->machine->loop);
	virtio_admin_command(&d->vdev, c);
	if (wait)
		bql_unlock(d->machine->loop);
}

/* --- stopping the machine ------------------------------------------------------------------- */

static void
set_running(struct machine *m, bool running)
{
	bql_lock(m->loop);
	m->running = running;
	emit(m->w, EV_VM_STATE, running);
	for (struct machine_device *d = m->devices; d; d = d->next)
		virtio_vm_state(&d->vdev, running);
	bql_unlock(m->loop);
}

void
machine_stop(struct machine *m)
{
	if (!m->running)
		return;
	/* Without the lock: a vCPU in an exit needs it to come out. */
	for (unsigned i = 0; i < m->vcpu_count; i++)
		vcpu_pause(m->vcpus[i]);
	set_running(m, false);
}

void
machine_start(struct machine *m)
{
	if (m->running)
		return;
	set_running(m, true);
	for (unsigned i = 0; i < m->vcpu_count; i++)
		vcpu_resume(m->vcpus[i]);
}
