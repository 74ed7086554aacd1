/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty rings of a source's vCPUs, as QEMU handles them since 6.1 (dirty-ring-size;
 * b4420f198d): who takes entries out besides a sync.
 */
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "migration/vm.h"
#include "migration/vm_stop.h"
#include "vmm/memory_listener.h"

#define REAP_NS INT64_C(1000000000) /* kvm_dirty_ring_reaper_thread(): sleep(1) */

static void
reap(struct migration_vm *vm, struct kvm_vcpu *vcpu)
{
	vm_bql_lock(vm);
	memory_listener_reap(vm->listener, vcpu);
	vm_bql_unlock(vm);
}

static bool
rings_empty(const struct migration_vm *vm)
{
	for (const struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->vcpu && kvm_dirty_ring_used(v->vcpu))
			return false;
	return true;
}

/*
 * Once a second; in relaxed mode whenever there is something.  A dirty limit needs rings that fill,
 * so it stays away then (since 7.1).
 */
static void
reaper(struct actor *self, void *arg)
{
	struct migration_vm *vm = arg;

	for (;;) {
		while (rings_empty(vm)) {
			vm->reaper_idle = true;
			waitq_wait(vm->w, &vm->ring_work);
		}
		if (vm->steps)
			actor_point(vm->w);
		else
			actor_sleep(vm->w, REAP_NS);
		if (!vm->dirty_limit)
			reap(vm, NULL);
		else if (!vm->running)
			vm_wait_running(vm);
	}
}

void
vm_ring_noted(struct migration_vm *vm)
{
	vm->reaper_idle = false;
	waitq_wake_all(vm->w, &vm->ring_work);
}

void
vm_start_reaper(struct migration_vm *vm)
{
	waitq_init(&vm->ring_work, vm->w, "dirty ring");
	actor_set_daemon(actor_create(vm->w, "kvm-reaper", reaper, vm, 0), true);
}

void
vm_ring_full(struct ram_writer *v)
{
	struct migration_vm *vm = v->vm;

	v->ring_fulls++;
	reap(vm, vm->dirty_limit ? v->vcpu : NULL);
}
