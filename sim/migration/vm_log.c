/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs of a source's writers: on and off, fetched, cleared, looked at. */
#include "engine/fault.h"
#include "kvm/memslot.h"
#include "kvm/note_watch.h"
#include "migration/vm.h"
#include "vmm/memory_listener.h"

static void
vhost_ask(struct ram_writer *v, bool on, bool wait)
{
	struct migration_vm *vm = v->vm;

	if (v->log_asked == on)
		return;
	v->log_asked = on;
	waitq_wake_all(vm->w, &vm->log_message);
	while (wait && v->logging != on)
		waitq_wait(vm->w, &vm->log_message);
}

void
vm_log_start(struct migration_vm *vm)
{
	vm_bql_lock(vm);
	memory_listener_log_global_start(vm->listener);
	vm->log_global = true;
	vm_bql_unlock(vm);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST)
			vhost_ask(v, true, !fault_on(vm->w, FAULT_MIG_VHOST_LOG_ASYNC));
}

void
vm_log_stop(struct migration_vm *vm)
{
	struct page_bitmap rest;

	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST)
			vhost_ask(v, false, true);
	vm_bql_lock(vm);
	memory_listener_log_global_stop(vm->listener);
	vm->log_global = false;
	/* What is left is of no use to anybody: the next migration begins with all pages. */
	page_bitmap_init(&rest, vm->w, ram_pages(vm->ram));
	memory_listener_migration_sync(vm->listener, &rest, true);
	page_bitmap_free(&rest, vm->w);
	vm_bql_unlock(vm);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST)
			page_bitmap_clear_all(&v->log, vm->w);
}

uint64_t
vm_log_sync(struct migration_vm *vm, struct page_bitmap *bitmap, bool last)
{
	uint64_t added;

	vm_bql_lock(vm);
	added = memory_listener_migration_sync(vm->listener, bitmap, last);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST && v->log.set)
			added += page_bitmap_move(&v->log, bitmap, 0, vm->w);
	vm_bql_unlock(vm);
	return added;
}

bool
vm_log_clear(struct migration_vm *vm, uint64_t first, uint64_t count)
{
	if (memory_listener_log_clear(vm->listener, first, count)) {
		vm->clear_asserted = true;
		return false;
	}
	if (vm->steps && memory_listener_clears(vm->listener))
		emit(vm->w, EV_MIG_PAGE_CLEAR, (int64_t)first, (int64_t)count);
	return true;
}

/* A slot that has the page, of whatever address space, has noted it. */
static bool
slots_have(const struct migration_vm *vm, uint64_t page)
{
	for (uint32_t as_id = 0; as_id < kvm_address_spaces(vm->kvm); as_id++) {
		for (uint32_t i = 0; i < kvm_memslots(vm->kvm, as_id); i++) {
			const struct kvm_memory_slot *s = kvm_memslot(vm->kvm, as_id, i);
			uint64_t at = page -
				      ((s->userspace_addr - MEMORY_LISTENER_HVA) >> KVM_PAGE_SHIFT);

			if (at < s->npages && kvm_memslot_logs(s) &&
			    page_bitmap_test(&s->dirty, at))
				return true;
		}
	}
	return false;
}

bool
vm_log_has(const struct migration_vm *vm, uint64_t page)
{
	if (slots_have(vm, page) || kvm_note_waits(vm->kvm, page) ||
	    page_bitmap_test(memory_listener_dirty(vm->listener), page))
		return true;
	for (const struct ram_writer *v = vm->writers; v; v = v->next) {
		if (v->writing == page)
			return true;
		if (v->kind == WRITER_VHOST && v->log.set && page_bitmap_test(&v->log, page))
			return true;
	}
	return false;
}
