/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"
#include "kvm/note_watch.h"
#include "migration/precopy.h"
#include "migration/vm_layout.h"
#include "migration/vm_stop.h"
#include "vmm/memory_listener.h"

/* ORDER RAM_WRITER */
const char *const ram_writer_word[WRITERS] = { "vcpu", "kvm", "qemu", "vhost", "vfio", "its" };

static void
take_costs(struct world *w)
{
	if (world_mode_of(w) != WORLD_TIMED)
		return;
	for (int c = COST_MIG_PAGE; c < COST_COUNT; c++)
		if (!cost_of(w, (enum cost)c))
			cost_set(w, (enum cost)c, cost_info[c].default_ns);
}

/* What QEMU asks KVM for at its start. Null, or what is wrong. */
static const char *
enable_log(struct migration_vm *vm, const struct migration_vm_config *config)
{
	uint64_t manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (config->version && !memory_listener_set_version(vm->listener, config->version))
		return "version: there is no such";
	if (config->ring_pages || config->version) {
		uint64_t bytes = config->ring_pages * sizeof(struct kvm_dirty_gfn);

		if (memory_listener_enable(vm->listener, bytes))
			return "dirty_ring_size: this host has no ring of that size";
		if (bytes && !kvm_dirty_ring_enabled(vm->kvm))
			return "dirty_ring_size: QEMU has it since 6.1";
		return NULL;
	}
	if (config->initially_set)
		manual |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (config->manual_protect && kvm_enable_manual_dirty_log_protect2(vm->kvm, manual))
		return "manual_protect: this host has none";
	return NULL;
}

/* A slot is gone, or a note went astray: what has no other cover is lost. */
static void
on_stray(void *arg)
{
	struct migration_vm *vm = arg;

	/* In timed mode millions of pages differ: the last sync tells of what was lost. */
	if (vm->migration && vm->steps)
		precopy_check_all(vm->migration, UNCOVERED_LOG_DESTROYED);
}

struct migration_vm *
vm_try_create(struct world *w, const struct migration_vm_config *config, const char **wrong)
{
	struct migration_vm *vm = world_alloc(w, sizeof(*vm));
	uint64_t bytes;

	vm->w = w;
	vm->ram = ram_create(w, config->blocks, config->block_count);
	bytes = ram_pages(vm->ram) << KVM_PAGE_SHIFT;
	vm->kvm = kvm_create(w, config->rules ? config->rules : &kvm_rules_today);
	vm->listener = memory_listener_create(w, vm->kvm, bytes);
	*wrong = enable_log(vm, config);
	if (*wrong)
		return NULL;
	vm->ring_pages = config->ring_pages;
	if (vm->ring_pages || (config->rules && config->rules->pml))
		kvm_watch_notes(vm->kvm, MEMORY_LISTENER_HVA, ram_pages(vm->ram));
	vm->layout = vm_layout_create(w, vm->listener, vm->ram, config->regions,
				      config->region_count, wrong);
	if (!vm->layout)
		return NULL;
	memory_listener_on_stray(vm->listener, on_stray, vm);
	vm->writers_end = &vm->writers;
	vm->running = true;
	vm->steps = world_mode_of(w) != WORLD_TIMED;
	waitq_init(&vm->stopped, w, "vm_stop");
	waitq_init(&vm->started, w, "vm_start");
	waitq_init(&vm->log_message, w, "vhost-user message");
	if (vm->steps)
		vm_watch(vm, 0, ram_pages(vm->ram));
	if (vm->ring_pages)
		vm_start_reaper(vm);
	take_costs(w);
	return vm;
}

struct migration_vm *
vm_create(struct world *w, const struct migration_vm_config *config)
{
	const char *wrong;
	struct migration_vm *vm = vm_try_create(w, config, &wrong);

	must(vm);
	return vm;
}

/* Few machines need its queue: names that nobody uses would number others anew. */
void
vm_bql_lock(struct migration_vm *vm)
{
	if (vm->bql && !vm->bql_wait.name)
		waitq_init(&vm->bql_wait, vm->w, "BQL");
	while (vm->bql)
		waitq_wait(vm->w, &vm->bql_wait);
	vm->bql = true;
}

void
vm_bql_unlock(struct migration_vm *vm)
{
	must(vm->bql);
	vm->bql = false;
	if (vm->bql_wait.name)
		waitq_wake_one(vm->w, &vm->bql_wait);
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

/* --- the memory map --------------------------------------------------------------------------- */

int
vm_change_layout(struct ram_writer *v, void (*change)(struct migration_vm *vm, void *arg),
		 void *arg)
{
	struct migration_vm *vm = v->vm;
	int r;

	must(v->kind == WRITER_VCPU);
	vm_enter(v);
	kvm_vcpu_exit(v->vcpu);
	vm_bql_lock(vm);
	change(vm, arg);
	r = vm_layout_update(vm->layout);
	vm_bql_unlock(vm);
	vm_leave(v);
	return r;
}

void
vm_set_smm(struct ram_writer *v, bool smm)
{
	must(v->kind == WRITER_VCPU);
	vm_enter(v);
	kvm_vcpu_set_smm(v->vcpu, smm);
	vm_leave(v);
}
