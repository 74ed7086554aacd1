/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm.h"

#include <errno.h>

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "kvm/page_words.h"
#include "memory/guest_memory.h"
#include "migration/bg_snapshot.h"
#include "migration/precopy.h"
#include "migration/vm_stop.h"
#include "vmm/memory_listener.h"

/* ORDER RAM_WRITER */
const char *const ram_writer_word[WRITERS] = { "vcpu", "kvm", "qemu", "vhost", "vfio" };

static void
take_costs(struct world *w)
{
	if (world_mode_of(w) != WORLD_TIMED)
		return;
	for (int c = COST_MIG_PAGE; c < COST_COUNT; c++)
		if (!cost_of(w, (enum cost)c))
			cost_set(w, (enum cost)c, cost_info[c].default_ns);
}

struct migration_vm *
vm_create(struct world *w, const struct migration_vm_config *config)
{
	struct migration_vm *vm = world_alloc(w, sizeof(*vm));
	uint64_t bytes;

	vm->w = w;
	vm->ram = ram_create(w, config->blocks, config->block_count);
	bytes = ram_pages(vm->ram) << KVM_PAGE_SHIFT;
	vm->kvm = kvm_create(w, &kvm_rules_today);
	if (config->manual_protect) {
		uint64_t set = config->initially_set ? KVM_DIRTY_LOG_INITIALLY_SET : 0;

		must(!kvm_enable_manual_dirty_log_protect2(
			vm->kvm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | set));
	}
	vm->listener = memory_listener_create(w, vm->kvm, bytes);
	vm->slot = memory_listener_region_add(
		vm->listener, &(struct memory_section){ .size = bytes }, MEMORY_LISTENER_ANY_ID);
	must(vm->slot >= 0);
	vm->manual_protect = config->manual_protect;
	page_bitmap_init(&vm->handed_out, w, ram_pages(vm->ram));
	vm->writers_end = &vm->writers;
	vm->running = true;
	vm->steps = world_mode_of(w) != WORLD_TIMED;
	waitq_init(&vm->stopped, w, "vm_stop");
	waitq_init(&vm->started, w, "vm_start");
	waitq_init(&vm->log_message, w, "vhost-user message");
	if (vm->steps)
		vm_watch(vm, 0, ram_pages(vm->ram));
	take_costs(w);
	return vm;
}

void
vm_watch(struct migration_vm *vm, uint64_t first, uint64_t count)
{
	if (!vm->record)
		vm->record = world_alloc(vm->w, PAGE_RECORDS_MAX * sizeof(*vm->record));
	vm->watch_first = first;
	vm->watch_count = count;
}

void
vm_record(struct migration_vm *vm, uint64_t page, ram_content content, const char *what,
	  int64_t who)
{
	if (vm->records < PAGE_RECORDS_MAX)
		vm->record[vm->records++] =
			(struct page_record){ world_now_shown(vm->w), page, content, what, who };
}

/* --- vhost-user: the message that enables logging ------------------------------------------- */

static void
vhost_control(struct actor *self, void *arg)
{
	struct ram_writer *v = arg;
	struct migration_vm *vm = v->vm;

	for (;;) {
		while (v->log_asked == v->logging)
			waitq_wait(vm->w, &vm->log_message);
		actor_point(vm->w);
		v->logging = v->log_asked;
		waitq_wake_all(vm->w, &vm->log_message);
	}
}

struct ram_writer *
vm_add_writer(struct migration_vm *vm, enum ram_writer_kind kind, const char *name)
{
	struct ram_writer *v = world_alloc(vm->w, sizeof(*v));

	v->vm = vm;
	v->kind = kind;
	v->number = ++vm->writer_count;
	v->name = world_name(vm->w, name);
	v->writing = RAM_NOT_WRITING;
	waitq_init(&v->halt_cond, vm->w, "halt_cond");
	*vm->writers_end = v;
	vm->writers_end = &v->next;
	if (kind == WRITER_VCPU || kind == WRITER_KVM)
		v->vcpu = kvm_create_vcpu(vm->kvm);
	if (kind == WRITER_VHOST) {
		page_bitmap_init(&v->log, vm->w, ram_pages(vm->ram));
		actor_set_daemon(actor_create(vm->w, "vhost-user", vhost_control, v, 0), true);
	}
	return v;
}

struct ram_writer *
vm_writer(const struct migration_vm *vm, unsigned number)
{
	struct ram_writer *v = vm->writers;

	while (v && v->number != number)
		v = v->next;
	return v;
}

/* --- writes --------------------------------------------------------------------------------- */

static bool
slot_has(const struct migration_vm *vm, uint64_t page)
{
	const struct kvm_memory_slot *slot = kvm_gfn_to_memslot(vm->kvm, 0, page);

	return slot && kvm_memslot_logs(slot) &&
	       page_bitmap_test(&slot->dirty, page - slot->base_gfn);
}

/* Note the write where this writer notes it; false if it is noted nowhere afterwards. */
static bool
log_write(struct ram_writer *v, uint64_t page)
{
	struct migration_vm *vm = v->vm;

	switch (v->kind) {
	case WRITER_VCPU:
		/* No slot while it is replaced: an exit as MMIO, and here the guest tries again. */
		while (kvm_vcpu_write(v->vcpu, page) != KVM_WRITE_RAM)
			actor_yield(vm->w);
		return slot_has(vm, page);
	case WRITER_KVM:
		return kvm_vcpu_mark_page_dirty(v->vcpu, page);
	case WRITER_QEMU:
		if (vm->log_global)
			memory_listener_set_dirty(vm->listener, page << KVM_PAGE_SHIFT, 1);
		return vm->log_global;
	case WRITER_VHOST:
		if (v->logging)
			page_bitmap_test_and_set(&v->log, vm->w, page);
		return v->logging;
	default:
		return false;
	}
}

static void
wrote(struct ram_writer *v, uint64_t page, ram_content content, bool logged)
{
	struct migration_vm *vm = v->vm;

	if (vm_watches(vm, page)) {
		emit(vm->w, EV_MIG_PAGE_WRITE, (int64_t)page, v->name,
		     (int64_t)ram_version(content), logged);
		vm_record(vm, page, content, "written", v->name);
	}
	if (vm->migration)
		precopy_check_page(vm->migration, page, UNCOVERED_WRITE);
}

void
vm_write_now(struct ram_writer *v, uint64_t page)
{
	struct migration_vm *vm = v->vm;
	ram_content content;
	bool logged;

	if (vm->snapshot)
		bg_snapshot_write_now(vm->snapshot, page);
	logged = log_write(v, page);
	content = ram_write(vm->ram, page, v->number);

	/* What was noted while logs are asked still is covered: the common case, by the million. */
	if (!logged || !vm->running || vm->dropping || vm_watches(vm, page))
		wrote(v, page, content, logged);
}

/* A vCPU enters the guest, a device starts: false if it may no more. */
static bool
enter(struct ram_writer *v)
{
	struct migration_vm *vm = v->vm;

	if (vm->steps)
		actor_point(vm->w);
	if (ram_writer_is_vcpu(v))
		while (vm->stop_asked || !vm->running)
			waitq_wait(vm->w, &vm->started);
	if (v->stopped)
		return false;
	v->inside = true;
	return true;
}

static void
machine_wrote(struct world *w, uint64_t gpa, uint64_t len, void *context)
{
	struct migration_vm *vm = context;
	uint64_t page = (gpa - vm->machine_gpa) >> KVM_PAGE_SHIFT;
	uint64_t last = (gpa + len - 1 - vm->machine_gpa) >> KVM_PAGE_SHIFT;

	for (; gpa >= vm->machine_gpa && page <= last && page < ram_pages(vm->ram); page++)
		vm_write_now(vm->machine_writer, page);
}

void
vm_link_machine(struct migration_vm *vm, struct machine *m, uint64_t gpa)
{
	must(!vm->machine && !(gpa & (KVM_PAGE_SIZE - 1)));
	vm->machine = m;
	vm->machine_gpa = gpa;
	vm->machine_writer = vm_add_writer(vm, WRITER_VCPU, "guest");
	gm_on_write(vm->w, machine_wrote, vm);
}

void
vm_leave(struct ram_writer *v)
{
	v->inside = false;
	waitq_wake_all(v->vm->w, &v->vm->stopped);
}

/* What is written: bytes, or zeros, or what no one asks for. */
struct store {
	bool zero;
	unsigned offset, size;
	const void *bytes;
	bool behind; /* not the first page of a longer write */
};

/* What noting it does, but for the faults of writes of several pages. */
static bool
note_page(struct ram_writer *v, uint64_t page, const struct store *s)
{
	const struct world *w = v->vm->w;

	if (s->behind && v->kind == WRITER_QEMU && fault_on(w, FAULT_MIG_DMA_FIRST_PAGE))
		return false;
	if (s->behind && v->kind == WRITER_VHOST && fault_on(w, FAULT_MIG_VHOST_BATCH_UNLOGGED))
		return false;
	return log_write(v, page);
}

static ram_content
put(struct ram_writer *v, uint64_t page, const struct store *s)
{
	if (s->bytes)
		return ram_store_bytes(v->vm->ram, page, s->offset, s->bytes, s->size, v->number);
	if (!s->zero)
		return ram_write(v->vm->ram, page, v->number);
	ram_store(v->vm->ram, page, RAM_ZERO);
	return RAM_ZERO;
}

static bool
write_page(struct ram_writer *v, uint64_t page, const struct store *s)
{
	struct migration_vm *vm = v->vm;
	ram_content content;
	bool logged;

	must(page < ram_pages(vm->ram));
	if (!enter(v))
		return false;
	if (vm->snapshot)
		bg_snapshot_write(vm->snapshot, page);
	if (ram_writer_is_vcpu(v)) {
		/* The fault marks the page before the guest's store is done again: one step, since
		 * who write-protects flushes the TLB and thereby waits for the store. */
		logged = log_write(v, page);
		content = put(v, page, s);
	} else if (fault_on(vm->w, FAULT_MIG_VHOST_LOG_BEFORE_WRITE) && v->kind == WRITER_VHOST) {
		logged = note_page(v, page, s);
		if (vm->steps)
			actor_point(vm->w);
		content = put(v, page, s);
	} else {
		/* Data first, then the note: a note that came first could be fetched and sent with
		 * old data. */
		v->writing = v->kind == WRITER_VFIO ? RAM_NOT_WRITING : page;
		content = put(v, page, s);
		if (vm->steps)
			actor_point(vm->w);
		logged = note_page(v, page, s);
		v->writing = RAM_NOT_WRITING;
	}
	wrote(v, page, content, logged);
	vm_leave(v);
	return true;
}

bool
vm_write(struct ram_writer *v, uint64_t page, bool zero)
{
	return write_page(v, page, &(struct store){ .zero = zero });
}

bool
vm_write_range(struct ram_writer *v, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (!write_page(v, first + i, &(struct store){ .behind = i > 0 }))
			return false;
	return true;
}

bool
vm_store(struct ram_writer *v, uint64_t page, unsigned offset, const void *bytes, unsigned size)
{
	return write_page(v, page,
			  &(struct store){ .offset = offset, .size = size, .bytes = bytes });
}

int64_t
vm_run(struct ram_writer *v, int64_t ns)
{
	int64_t began;

	vm_wait_running(v->vm);
	began = world_now(v->vm->w);
	v->inside = true;
	waitq_wait_for(v->vm->w, &v->halt_cond, ns, false);
	return world_now(v->vm->w) - began;
}

void
vm_throttle_sleep(struct ram_writer *v, int64_t ran_ns)
{
	struct migration_vm *vm = v->vm;
	int64_t p = vm->throttle_percent, sleep_ns;

	if (!p || vm->stop_asked)
		return;
	sleep_ns = ran_ns * p / (100 - p);
	v->inside = true;
	if (fault_on(vm->w, FAULT_MIG_THROTTLE_UNINTERRUPTIBLE)) {
		actor_sleep(vm->w, sleep_ns);
	} else {
		/* vm_stop() wakes it. */
		waitq_wait_for(vm->w, &v->halt_cond, sleep_ns, false);
	}
	vm_leave(v);
}

/* --- slots ---------------------------------------------------------------------------------- */

void
vm_replace_slot(struct migration_vm *vm)
{
	uint64_t bytes = ram_pages(vm->ram) << KVM_PAGE_SHIFT;
	int ret;

	while (vm->stop_asked || !vm->running)
		waitq_wait(vm->w, &vm->started);
	ret = memory_listener_region_del(vm->listener, 0, vm->slot);
	must(!ret);
	vm->slot = memory_listener_region_add(
		vm->listener, &(struct memory_section){ .size = bytes }, MEMORY_LISTENER_ANY_ID);
	must(vm->slot >= 0);
	page_bitmap_clear_all(&vm->handed_out, vm->w); /* QEMU's went with its KVMSlot */
	if (vm->migration)
		precopy_check_all(vm->migration, UNCOVERED_LOG_DESTROYED);
}

/* --- logs ----------------------------------------------------------------------------------- */

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
	memory_listener_log_global_start(vm->listener);
	vm->log_global = true;
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
	memory_listener_log_global_stop(vm->listener);
	vm->log_global = false;
	/* What is left is of no use to anybody: the next migration begins with all pages. */
	page_bitmap_init(&rest, vm->w, ram_pages(vm->ram));
	memory_listener_migration_sync(vm->listener, &rest);
	page_bitmap_free(&rest, vm->w);
	page_bitmap_clear_all(&vm->handed_out, vm->w);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST)
			page_bitmap_clear_all(&v->log, vm->w);
}

uint64_t
vm_log_sync(struct migration_vm *vm, struct page_bitmap *bitmap)
{
	uint64_t added = 0;

	if (vm->manual_protect) {
		/* KVM_GET_DIRTY_LOG copies.  What QEMU dirtied itself is among it here: clearing
		 * that in KVM, too, is of no harm, since such pages are to be sent. */
		memory_listener_log_sync(vm->listener);
		page_bitmap_or(memory_listener_dirty(vm->listener), &vm->handed_out, 0, vm->w);
	}
	added += memory_listener_migration_sync(vm->listener, bitmap);
	for (struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST && v->log.set)
			added += page_bitmap_move(&v->log, bitmap, 0, vm->w);
	return added;
}

void
vm_log_clear(struct migration_vm *vm, uint64_t first, uint64_t count)
{
	int ret;

	if (!vm->manual_protect || !vm->handed_out.set)
		return;
	/* There may be no slot just now: it is being replaced, and its log is gone. */
	ret = kvm_clear_dirty_log(vm->kvm, (uint32_t)vm->slot, first, count, &vm->handed_out,
				  first);
	must(!ret || ret == -ENOENT);
	page_words_clear_range(&vm->handed_out, vm->w, first, count);
	if (vm->steps)
		emit(vm->w, EV_MIG_PAGE_CLEAR, (int64_t)first, (int64_t)count);
}

bool
vm_log_has(const struct migration_vm *vm, uint64_t page)
{
	if (slot_has(vm, page) || page_bitmap_test(memory_listener_dirty(vm->listener), page))
		return true;
	for (const struct ram_writer *v = vm->writers; v; v = v->next) {
		if (v->writing == page)
			return true;
		if (v->kind == WRITER_VHOST && v->log.set && page_bitmap_test(&v->log, page))
			return true;
	}
	return false;
}
