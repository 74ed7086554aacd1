/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm_stop.h"

#include <string.h>

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "kvm/page_words.h"
#include "migration/precopy.h"
#include "migration/vm.h"
#include "vmm/machine.h"
#include "vmm/memory_listener.h"

static void
wait_until_out(struct ram_writer *v)
{
	while (v->inside)
		waitq_wait(v->vm->w, &v->vm->stopped);
}

/* vhost_dev_stop(): the last of its log goes into QEMU's dirty memory, then the log is given back.
 */
static void
vhost_put_log(struct ram_writer *v)
{
	struct migration_vm *vm = v->vm;
	bool first = fault_on(vm->w, FAULT_MIG_VHOST_LOG_PUT_FIRST);

	if (!v->logging)
		return;
	for (uint64_t page = 0; !first && (page = page_bitmap_next(&v->log, page)) < v->log.npages;
	     page++)
		memory_listener_set_dirty(vm->listener, page << KVM_PAGE_SHIFT, 1);
	page_words_clear_range(&v->log, vm->w, 0, v->log.npages);
	v->logging = v->log_asked = false;
	if (vm->migration)
		precopy_check_all(vm->migration, UNCOVERED_LOG_DESTROYED);
}

void
vm_stop_writer(struct ram_writer *v)
{
	if (v->stopped)
		return;
	v->stopped = true;
	wait_until_out(v);
	/* KVM_DEV_ARM_ITS_SAVE_TABLES of vm_change_state_handler(): vCPUs have stopped. */
	for (uint64_t i = 0; v->kind == WRITER_ITS && i < v->tables; i++)
		vm_write_now(v, v->first_table + i);
	if (v->kind == WRITER_VHOST)
		vhost_put_log(v);
}

void
vm_stop_devices(struct migration_vm *vm)
{
	vm_devices_stop(vm);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (!ram_writer_is_vcpu(v) && !v->of_device)
			vm_stop_writer(v);
}

/* pause_all_vcpus() */
static void
pause_vcpus(struct migration_vm *vm)
{
	if (vm->machine)
		machine_stop(vm->machine);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (ram_writer_is_vcpu(v))
			waitq_wake_all(vm->w, &v->halt_cond);
	if (vm->vcpus && !vm->steps)
		actor_work(vm->w, cost_of(vm->w, COST_STOP_VCPU) * vm->vcpus);
	for (struct ram_writer *v = vm->writers; v; v = v->next) {
		if (!ram_writer_is_vcpu(v))
			continue;
		wait_until_out(v);
		kvm_vcpu_exit(v->vcpu);
	}
}

int64_t
vm_stop(struct migration_vm *vm)
{
	int64_t took;

	must(vm->running && !vm->stop_asked);
	if (fault_on(vm->w, FAULT_MIG_DEVICES_FIRST)) {
		vm_stop_devices(vm);
		actor_point(vm->w);
	}
	vm->stop_asked = true;
	vm->stop_asked_ns = world_now(vm->w);
	memset(vm->phase_ns, 0, sizeof(vm->phase_ns));
	vm_phase_begin(vm, VM_PHASE_VCPUS);
	if (vm->steps)
		actor_point(vm->w);
	pause_vcpus(vm);
	took = world_now(vm->w) - vm->stop_asked_ns;
	emit(vm->w, EV_MIG_STOP, vm->stop_asked_ns, took);
	if (!fault_on(vm->w, FAULT_MIG_DEVICES_AFTER_SYNC))
		vm_stop_devices(vm);
	vm_devices_drain(vm);
	vm_phase_end(vm);
	vm->running = false;
	return took;
}

void
vm_start(struct migration_vm *vm)
{
	vm_devices_start(vm, VM_SOURCE);
	vm_phase_end(vm);
	vm->running = true;
	vm->stop_asked = false;
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		v->stopped = false;
	waitq_wake_all(vm->w, &vm->started);
	if (vm->machine)
		machine_start(vm->machine);
}

void
vm_wait_running(struct migration_vm *vm)
{
	while (!vm->running || vm->stop_asked)
		waitq_wait(vm->w, &vm->started);
}
