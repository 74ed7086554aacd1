/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm_device.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/vm.h"
#include "migration/vm_request.h"
#include "migration/vm_stop.h"

/* ORDER VM_DEVICE_TYPE */
const char *const vm_device_type_word[VM_DEVICE_TYPES] = { "net", "blk", "other" };

/* ORDER VM_BACKEND */
const char *const vm_backend_word[VM_BACKENDS] = { "main-loop", "iothread", "vhost", "vhost-user",
						   "vdpa" };

/* ORDER VM_PHASE */
const char *const vm_phase_word[VM_PHASES] = {
	"vcpus",	"virtio",	    "vhost",	       "notifiers", "blk", "ram",
	"device_state", "start_ioeventfds", "start_doorbells", "start"
};

/* What there is on a side: a commit looks at all of its kind. */
enum entry { ENTRY_IOEVENTFD, ENTRY_DOORBELL, ENTRIES };

struct vm_devices {
	struct vm_device *first;
	uint64_t entries[VM_SIDES][ENTRIES];
	bool inactive; /* images of the source */
};

struct vm_device *
vm_add_device(struct migration_vm *vm, const struct vm_device_config *config)
{
	/* vDPA migrates with a shadow virtqueue: what its device writes QEMU notes. */
	static const enum ram_writer_kind kind[VM_BACKENDS] = {
		[VM_BACKEND_MAIN_LOOP] = WRITER_QEMU, [VM_BACKEND_IOTHREAD] = WRITER_QEMU,
		[VM_BACKEND_VHOST] = WRITER_VHOST,    [VM_BACKEND_VHOST_USER] = WRITER_VHOST,
		[VM_BACKEND_VDPA] = WRITER_QEMU,
	};
	struct vm_device *d = world_alloc(vm->w, sizeof(*d)), **link;

	must(config->queues);
	if (!vm->devices)
		vm->devices = world_alloc(vm->w, sizeof(*vm->devices));
	d->vm = vm;
	d->config = *config;
	if (!config->group)
		d->config.group = config->type == VM_DEVICE_NET ? 2 : config->queues;
	d->name = world_name(vm->w, config->name);
	d->writer = vm_add_writer(vm, kind[config->backend], config->name);
	d->writer->of_device = true;
	d->started[VM_SOURCE] = true;
	vm->devices->entries[VM_SOURCE][ENTRY_IOEVENTFD] += config->queues;
	if (config->doorbells)
		vm->devices->entries[VM_SOURCE][ENTRY_DOORBELL] += config->queues;
	for (link = &vm->devices->first; *link && (*link)->config.depth <= config->depth;)
		link = &(*link)->next;
	d->next = *link;
	*link = d;
	if (vm->steps)
		vm_requests_create(d);
	return d;
}

/* --- time ----------------------------------------------------------------------------------- */

static void
spend(struct migration_vm *vm, enum cost c, uint64_t times)
{
	if (vm->steps)
		actor_point(vm->w);
	else if (times && cost_of(vm->w, c))
		actor_work(vm->w, cost_of(vm->w, c) * (int64_t)times);
}

void
vm_phase_end(struct migration_vm *vm)
{
	int64_t now = world_now(vm->w);

	if (vm->in_phase)
		vm->phase_ns[vm->phase] += now - vm->phase_began_ns;
	vm->in_phase = false;
}

void
vm_phase_begin(struct migration_vm *vm, enum vm_phase phase)
{
	vm_phase_end(vm);
	vm->in_phase = true;
	vm->phase = phase;
	vm->phase_began_ns = world_now(vm->w);
}

static uint64_t
ram_gib(const struct migration_vm *vm)
{
	return (ram_pages(vm->ram) >> 18) + !!(ram_pages(vm->ram) & ((1u << 18) - 1));
}

/* --- notifiers ------------------------------------------------------------------------------ */

/* A memory transaction is committed: @n entries of a kind came or went, of those there are. */
static void
commit(struct migration_vm *vm, enum vm_side side, enum entry e, unsigned n, bool on)
{
	uint64_t *there = &vm->devices->entries[side][e], most = *there + (on ? n : 0);

	must(on || *there >= n);
	*there = on ? most : *there - n;
	spend(vm, COST_MR_COMMIT_ENTRY, most);
	spend(vm, e == ENTRY_IOEVENTFD ? COST_IOEVENTFD_ASSIGN : COST_NOTIFIER_MR, n);
}

static void
notifiers(struct vm_device *d, enum vm_side side, enum entry e, bool on)
{
	unsigned group = d->config.single_commits ? 1 : d->config.group, n;

	for (unsigned done = 0; done < d->config.queues; done += n) {
		n = d->config.queues - done < group ? d->config.queues - done : group;
		commit(d->vm, side, e, n, on);
	}
}

static void
irqfds(struct vm_device *d)
{
	if (d->config.backend != VM_BACKEND_MAIN_LOOP)
		spend(d->vm, COST_IRQFD_ASSIGN, d->config.queues);
}

/* --- stopping ------------------------------------------------------------------------------- */

static bool
has_image(const struct vm_device *d)
{
	return d->config.type == VM_DEVICE_BLK && d->config.backend < VM_BACKEND_VHOST;
}

/* vhost_dev_stop() */
static void
vhost_stop(struct vm_device *d)
{
	struct migration_vm *vm = d->vm;
	bool vdpa = d->config.backend == VM_BACKEND_VDPA;

	vm_phase_begin(vm, VM_PHASE_VHOST);
	if (vdpa)
		spend(vm, COST_VDPA_SUSPEND, d->config.queues);
	if (d->requests)
		vm_requests_stop(d);
	for (unsigned q = 0; q < d->config.queues && !vm->steps; q++)
		spend(vm, COST_VHOST_GET_BASE, 1);
	vm_stop_writer(d->writer);
	if (!vdpa)
		spend(vm, COST_VHOST_LOG_SYNC_GIB, ram_gib(vm));
}

static void
qemu_stop(struct vm_device *d)
{
	vm_phase_begin(d->vm, VM_PHASE_VIRTIO);
	if (d->config.backend == VM_BACKEND_IOTHREAD)
		spend(d->vm, COST_IOTHREAD_STOP, 1);
	if (d->requests)
		vm_requests_stop(d);
	/* What an image was asked for still comes, until it is drained. */
	if (!has_image(d))
		vm_stop_writer(d->writer);
}

static void
stop_one(struct vm_device *d)
{
	struct migration_vm *vm = d->vm;
	int64_t began = world_now(vm->w);

	if (d->config.backend >= VM_BACKEND_VHOST)
		vhost_stop(d);
	else
		qemu_stop(d);
	vm_phase_begin(vm, VM_PHASE_NOTIFIERS);
	if (d->config.doorbells)
		notifiers(d, VM_SOURCE, ENTRY_DOORBELL, false);
	notifiers(d, VM_SOURCE, ENTRY_IOEVENTFD, false);
	irqfds(d);
	if (d->requests)
		vm_requests_unwire(d);
	d->started[VM_SOURCE] = false;
	emit(vm->w, EV_MIG_DEVICE_STOP, d->name, d->config.queues, world_now(vm->w) - began);
}

/* The list is that of starting: the last one that runs is next. */
static struct vm_device *
last_started(const struct migration_vm *vm)
{
	struct vm_device *found = NULL;

	for (struct vm_device *d = vm->devices->first; d; d = d->next)
		if (d->started[VM_SOURCE])
			found = d;
	return found;
}

void
vm_devices_stop(struct migration_vm *vm)
{
	struct vm_device *d;

	while (vm->devices && (d = last_started(vm)))
		stop_one(d);
}

static unsigned
images(const struct migration_vm *vm)
{
	unsigned n = 0;

	for (const struct vm_device *d = vm->devices->first; d; d = d->next)
		n += has_image(d);
	return n;
}

void
vm_devices_drain(struct migration_vm *vm)
{
	bool busy = false;

	if (!vm->devices || !images(vm))
		return;
	vm_phase_begin(vm, VM_PHASE_BLK);
	for (struct vm_device *d = vm->devices->first; d; d = d->next) {
		if (!has_image(d) || fault_on(vm->w, FAULT_MIG_BLK_NOT_DRAINED))
			continue;
		busy |= d->config.in_flight;
		if (d->requests)
			vm_requests_drain(d);
		vm_stop_writer(d->writer);
	}
	/* All are waited for at once, and flushed one after the other. */
	spend(vm, COST_BLK_REQUEST, busy);
	spend(vm, COST_BLK_FLUSH, images(vm));
}

void
vm_devices_inactivate(struct migration_vm *vm)
{
	if (!vm->devices || !images(vm) || vm->devices->inactive)
		return;
	vm_phase_begin(vm, VM_PHASE_BLK);
	spend(vm, COST_BLK_INACTIVATE, images(vm));
	vm->devices->inactive = true;
}

/* --- starting ------------------------------------------------------------------------------- */

/* One message a queue, or one for all of them; a queue that receives changes what RSS spreads to.
 */
static void
vhost_user_start(struct vm_device *d)
{
	unsigned receive = d->config.type == VM_DEVICE_NET ? (d->config.queues + 1) / 2 : 0;

	spend(d->vm, COST_VHOST_USER_QUEUE, d->config.queues);
	if (!d->config.status)
		spend(d->vm, COST_VHOST_USER_ENABLE, d->config.queues);
	spend(d->vm, COST_VHOST_USER_RSS, d->config.status ? receive > 0 : receive);
}

static void
start_one(struct vm_device *d, enum vm_side side)
{
	struct migration_vm *vm = d->vm;
	int64_t began = world_now(vm->w);

	vm_phase_begin(vm, VM_PHASE_START);
	irqfds(d);
	vm_phase_begin(vm, VM_PHASE_START_IOEVENTFDS);
	notifiers(d, side, ENTRY_IOEVENTFD, true);
	vm_phase_begin(vm, VM_PHASE_START);
	switch (d->config.backend) {
	case VM_BACKEND_VHOST:
		spend(vm, COST_VHOST_QUEUE_START, d->config.queues);
		break;
	case VM_BACKEND_VHOST_USER:
		vhost_user_start(d);
		break;
	case VM_BACKEND_VDPA:
		if (!d->config.map_at_setup)
			spend(vm, COST_VDPA_MAP_GIB, ram_gib(vm));
		spend(vm, COST_VDPA_RESUME, d->config.queues);
		break;
	default:
		break;
	}
	if (d->config.doorbells) {
		vm_phase_begin(vm, VM_PHASE_START_DOORBELLS);
		notifiers(d, side, ENTRY_DOORBELL, true);
	}
	d->started[side] = true;
	if (side == VM_SOURCE)
		d->writer->stopped = false;
	if (d->requests)
		vm_requests_start(d);
	emit(vm->w, EV_MIG_DEVICE_START, d->name, side, d->config.queues, world_now(vm->w) - began);
}

void
vm_devices_start(struct migration_vm *vm, enum vm_side side)
{
	if (!vm->devices)
		return;
	if (images(vm) && (side == VM_DESTINATION || vm->devices->inactive)) {
		vm_phase_begin(vm, VM_PHASE_START);
		spend(vm, COST_BLK_INACTIVATE, images(vm));
	}
	if (side == VM_SOURCE)
		vm->devices->inactive = false;
	for (struct vm_device *d = vm->devices->first; d; d = d->next)
		if (!d->started[side])
			start_one(d, side);
}

bool
vm_devices_guest_announce(const struct migration_vm *vm)
{
	for (const struct vm_device *d = vm->devices ? vm->devices->first : NULL; d; d = d->next)
		if (d->config.type == VM_DEVICE_NET && d->config.guest_announce)
			return true;
	return false;
}

bool
vm_devices_found(const struct migration_vm *vm, bool *asks_guest)
{
	*asks_guest = false;
	for (const struct vm_device *d = vm->devices ? vm->devices->first : NULL; d; d = d->next) {
		if (d->config.type != VM_DEVICE_NET || d->config.backend < VM_BACKEND_VHOST_USER ||
		    d->config.rarp)
			continue;
		if (!d->config.guest_announce)
			return false;
		*asks_guest = true;
	}
	return true;
}
