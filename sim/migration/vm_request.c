/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm_request.h"

#include "base/must.h"
#include "engine/fault.h"
#include "kvm/memslot.h"
#include "migration/vm.h"
#include "migration/vm_stop.h"
#include "vmm/memory_listener.h"

struct vm_requests {
	uint64_t page[VM_REQUESTS_MAX];
	uint8_t times[VM_REQUESTS_MAX]; /* it was done */
	unsigned avail; /* in the guest's memory */
	unsigned taken; /* the backend's position, last_avail_idx */
	unsigned base; /* that the source told */
	uint64_t in_flight; /* taken and not done */
	uint64_t again; /* of the in-flight region: to be done again */
	unsigned done; /* at least once */
	unsigned told; /* of those, the guest has had an interrupt after them */
	bool wired[VM_SIDES]; /* the guest notifier is an irqfd */
	bool called[VM_SIDES]; /* and was signalled */
	bool kicked[VM_SIDES]; /* the eventfd */
	bool taking[VM_SIDES];
	bool serving; /* the source's, in the middle of a request */
	struct waitq kick, call, finished;
};

/* The driver's handler finds all that is used by now. A pending interrupt moves with its vCPU. */
static void
interrupt(struct vm_device *d)
{
	d->requests->told = d->requests->done;
	waitq_wake_all(d->vm->w, &d->requests->finished);
}

static void
finish(struct vm_device *d, enum vm_side side, unsigned n)
{
	struct vm_requests *q = d->requests;

	q->in_flight &= ~(UINT64_C(1) << n);
	q->done += !q->times[n]++;
	emit(d->vm->w, EV_MIG_REQUEST, d->name, n, side, q->times[n]);
	waitq_wake_all(d->vm->w, &q->finished);
	if (!q->wired[side]) {
		interrupt(d); /* virtio_notify() by QEMU itself */
		return;
	}
	q->called[side] = true;
	waitq_wake_all(d->vm->w, &q->call);
}

static void
irqfd(struct actor *self, void *arg)
{
	struct vm_device *d = arg;
	struct vm_requests *q = d->requests;
	enum vm_side side;

	for (;;) {
		while (!q->called[VM_SOURCE] && !q->called[VM_DESTINATION])
			waitq_wait(d->vm->w, &q->call);
		actor_point(d->vm->w);
		side = q->called[VM_SOURCE] ? VM_SOURCE : VM_DESTINATION;
		if (!q->called[side])
			continue; /* it was taken out meanwhile */
		q->called[side] = false;
		interrupt(d);
	}
}

/* False: the device was stopped before it came to it. */
static bool
serve(struct vm_device *d, enum vm_side side, unsigned n)
{
	struct vm_requests *q = d->requests;
	bool wrote = true;

	q->in_flight |= UINT64_C(1) << n;
	q->serving = side == VM_SOURCE;
	actor_point(d->vm->w);
	if (side == VM_SOURCE)
		wrote = vm_write(d->writer, q->page[n], false);
	q->serving = false;
	if (wrote)
		finish(d, side, n);
	else
		waitq_wake_all(d->vm->w, &q->finished);
	return wrote;
}

static void
backend(struct vm_device *d, enum vm_side side)
{
	struct vm_requests *q = d->requests;

	for (;;) {
		while (!q->taking[side] || !q->kicked[side])
			waitq_wait(d->vm->w, &q->kick);
		q->kicked[side] = false;
		for (unsigned n = 0; q->again && n < VM_REQUESTS_MAX; n++) {
			if (!(q->again >> n & 1))
				continue;
			q->again &= ~(UINT64_C(1) << n);
			serve(d, side, n);
		}
		while (q->taking[side] && q->taken < q->avail)
			if (!serve(d, side, q->taken++))
				break;
	}
}

static void
source_backend(struct actor *self, void *arg)
{
	backend(arg, VM_SOURCE);
}

static void
destination_backend(struct actor *self, void *arg)
{
	backend(arg, VM_DESTINATION);
}

void
vm_requests_create(struct vm_device *d)
{
	struct world *w = d->vm->w;

	d->requests = world_alloc(w, sizeof(*d->requests));
	d->requests->taking[VM_SOURCE] = true;
	d->requests->wired[VM_SOURCE] = d->config.backend != VM_BACKEND_MAIN_LOOP;
	waitq_init(&d->requests->kick, w, "host notifier");
	waitq_init(&d->requests->call, w, "guest notifier");
	waitq_init(&d->requests->finished, w, "used");
	if (d->requests->wired[VM_SOURCE])
		actor_set_daemon(actor_create(w, "irqfd", irqfd, d, 0), true);
	actor_set_daemon(actor_create(w, d->config.name, source_backend, d, 0), true);
	actor_set_daemon(actor_create(w, "destination", destination_backend, d, 0), true);
}

/* --- the guest ------------------------------------------------------------------------------ */

/* It runs here, or there. */
static void
wait_running(struct migration_vm *vm)
{
	while (!vm->moved && (vm->stop_asked || !vm->running))
		waitq_wait(vm->w, &vm->started);
}

/* No eventfd is there: the doorbell exits, and its handler takes what there is. */
static void
handle_in_exit(struct vm_device *d)
{
	struct vm_requests *q = d->requests;

	while (q->taken < q->avail) {
		unsigned n = q->taken++;

		/* QEMU writes and notes it, whosever the queue was. */
		if (d->vm->log_global)
			memory_listener_set_dirty(d->vm->listener, q->page[n] << KVM_PAGE_SHIFT, 1);
		vm_write_now(d->writer, q->page[n]);
		finish(d, VM_SOURCE, n);
	}
}

bool
vm_request_submit(struct vm_device *d, struct ram_writer *vcpu, uint64_t page)
{
	struct vm_requests *q = d->requests;
	struct migration_vm *vm = d->vm;

	must(q && vcpu->vm == vm && ram_writer_is_vcpu(vcpu));
	actor_point(vm->w);
	wait_running(vm);
	if (q->avail == VM_REQUESTS_MAX)
		return false;
	q->page[q->avail++] = page;
	/* It may be stopped between the index and the doorbell, and ring that of the other side. */
	actor_point(vm->w);
	if (vm->running && !vm->stop_asked && !d->started[VM_SOURCE]) {
		handle_in_exit(d);
		return true;
	}
	wait_running(vm);
	q->kicked[vm->moved ? VM_DESTINATION : VM_SOURCE] = true;
	waitq_wake_all(vm->w, &q->kick);
	return true;
}

void
vm_requests_wait(struct vm_device *d)
{
	while (d->requests->told < d->requests->avail)
		waitq_wait(d->vm->w, &d->requests->finished);
}

/* --- stopping and starting ------------------------------------------------------------------ */

void
vm_requests_drain(struct vm_device *d)
{
	while (d->requests->in_flight)
		waitq_wait(d->vm->w, &d->requests->finished);
}

/* What was taken and not written yet is not written any more. */
static void
cancel(struct vm_device *d)
{
	vm_stop_writer(d->writer);
	while (d->requests->serving)
		waitq_wait(d->vm->w, &d->requests->finished);
}

static void
stop_vhost(struct vm_device *d)
{
	struct vm_requests *q = d->requests;
	const struct world *w = d->vm->w;

	if (fault_on(w, FAULT_MIG_BASE_BEFORE_SUSPEND)) {
		q->base = q->taken;
		actor_point(d->vm->w);
		q->taking[VM_SOURCE] = false;
		vm_requests_drain(d);
		return;
	}
	q->taking[VM_SOURCE] = false;
	if (d->config.inflight_migration || fault_on(w, FAULT_STOP_NO_DRAIN))
		cancel(d);
	else
		vm_requests_drain(d);
	q->base = fault_on(w, FAULT_MIG_RESET_BEFORE_BASE) ? 0 : q->taken;
	if (d->config.inflight_migration)
		q->again = q->in_flight;
	q->in_flight = 0;
}

void
vm_requests_stop(struct vm_device *d)
{
	struct vm_requests *q = d->requests;

	if (d->config.backend >= VM_BACKEND_VHOST) {
		stop_vhost(d);
		return;
	}
	q->taking[VM_SOURCE] = false;
	q->base = q->taken;
}

void
vm_requests_unwire(struct vm_device *d)
{
	struct vm_requests *q = d->requests;

	q->wired[VM_SOURCE] = false;
	if (q->called[VM_SOURCE] && !fault_on(d->vm->w, FAULT_MIG_CALL_NOT_READ))
		interrupt(d);
	q->called[VM_SOURCE] = false;
}

void
vm_requests_start(struct vm_device *d)
{
	struct vm_requests *q = d->requests;
	enum vm_side side = d->started[VM_DESTINATION] ? VM_DESTINATION : VM_SOURCE;

	q->taken = q->base;
	q->taking[side] = true;
	q->wired[side] = d->config.backend != VM_BACKEND_MAIN_LOOP;
	/* What was made available while nobody looked is looked for now. */
	if (!fault_on(d->vm->w, FAULT_MIG_START_NO_KICK) || q->again)
		q->kicked[side] = true;
	waitq_wake_all(d->vm->w, &q->kick);
}
