/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"
#include "kvm/note_watch.h"
#include "memory/guest_memory.h"
#include "migration/bg_snapshot.h"
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

	if (vm->migration)
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

/* --- writes --------------------------------------------------------------------------------- */

/* What is written: bytes, or zeros, or what no one asks for. */
struct store {
	bool zero;
	unsigned offset, size;
	const void *bytes;
	bool behind; /* not the first page of a longer write */
};

/* Where it went, and whether something has noted it: what was noted before counts. */
struct stored {
	uint64_t page; /* of RAM; VM_NO_RAM: nowhere */
	ram_content content;
	bool logged;
};

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

static uint64_t
page_in_slot(const struct kvm_memory_slot *slot, uint64_t gfn)
{
	return ((slot->userspace_addr - MEMORY_LISTENER_HVA) >> KVM_PAGE_SHIFT) + gfn -
	       slot->base_gfn;
}

/* Which page of RAM @gfn is in QEMU's view; what a vCPU's store will reach is KVM's to say. */
static uint64_t
page_ahead(const struct ram_writer *v, uint64_t gfn)
{
	unsigned as_id = v->vcpu && kvm_vcpu_in_smm(v->vcpu);

	return vm_layout_page(v->vm->layout, as_id, gfn, true);
}

/* KVM has noted it: in the slot's bitmap, or on its way there or to userspace. */
static bool
slot_notes(const struct migration_vm *vm, const struct kvm_memory_slot *slot, uint64_t gfn,
	   uint64_t page)
{
	if (kvm_memslot_logs(slot) && page_bitmap_test(&slot->dirty, gfn - slot->base_gfn))
		return true;
	return kvm_note_waits(vm->kvm, page);
}

/* accel_cpu_ioctl_begin(): not while slots are replaced. A store is one step, so that nobody has
 * to wait for it. */
static void
wait_inhibited(struct migration_vm *vm)
{
	if (!memory_listener_cpu_kicked(vm->listener))
		return;
	memory_listener_cpu_enter(vm->listener);
	memory_listener_cpu_leave(vm->listener);
}

/*
 * The processor's store.  The fault marks the page before the store is done again: one step, since
 * who write-protects flushes the TLB and thereby waits for the store.  False: it found no slot to
 * write to and exits as MMIO.
 */
static bool
cpu_store(struct ram_writer *v, uint64_t gfn, const struct store *s, struct stored *to)
{
	struct migration_vm *vm = v->vm;
	const struct kvm_memory_slot *slot;
	enum kvm_write how = KVM_WRITE_RING_FULL;

	for (;;) {
		wait_inhibited(vm);
		if (!vm->ring_pages || kvm_vcpu_running(v->vcpu) || kvm_vcpu_enter(v->vcpu))
			how = kvm_vcpu_store(v->vcpu, gfn, &slot);
		if (how != KVM_WRITE_RING_FULL)
			break;
		vm_ring_full(v);
	}
	if (how != KVM_WRITE_RAM)
		return false;
	to->page = page_in_slot(slot, gfn);
	to->content = put(v, to->page, s);
	to->logged = slot_notes(vm, slot, gfn, to->page);
	if (vm->reaper_idle && to->logged)
		vm_ring_noted(vm);
	return true;
}

/* KVM itself: kvm_write_guest_page(). Where there is no slot nothing is written. */
static void
kvm_store(struct ram_writer *v, uint64_t gfn, const struct store *s, struct stored *to)
{
	const struct kvm_memory_slot *slot = kvm_vcpu_memslot(v->vcpu, gfn);

	if (!slot || slot->flags & (KVM_MEMSLOT_INVALID | KVM_MEM_READONLY))
		return;
	to->page = page_in_slot(slot, gfn);
	to->logged = kvm_vcpu_mark_page_dirty(v->vcpu, gfn);
	to->content = put(v, to->page, s);
	if (v->vm->reaper_idle && to->logged)
		vm_ring_noted(v->vm);
}

/* vgic_write_guest_lock(), on nobody's behalf. */
static void
its_store(struct ram_writer *v, uint64_t gfn, const struct store *s, struct stored *to)
{
	const struct kvm_memory_slot *slot = kvm_gfn_to_memslot(v->vm->kvm, 0, gfn);

	if (!slot || slot->flags & (KVM_MEMSLOT_INVALID | KVM_MEM_READONLY))
		return;
	to->page = page_in_slot(slot, gfn);
	to->content = put(v, to->page, s);
	to->logged = kvm_mark_page_dirty(v->vm->kvm, 0, gfn);
}

static bool
note_qemu(struct migration_vm *vm, uint64_t page)
{
	if (vm->log_global)
		memory_listener_set_dirty(vm->listener, page << KVM_PAGE_SHIFT, 1);
	return vm->log_global;
}

/* What noting it does, but for the faults of writes of several pages. */
static bool
note_device(struct ram_writer *v, uint64_t page, const struct store *s)
{
	struct world *w = v->vm->w;

	switch (v->kind) {
	case WRITER_QEMU:
		if (s->behind && fault_on(w, FAULT_MIG_DMA_FIRST_PAGE))
			return false;
		return note_qemu(v->vm, page);
	case WRITER_VHOST:
		if (!v->logging || (s->behind && fault_on(w, FAULT_MIG_VHOST_BATCH_UNLOGGED)))
			return false;
		page_bitmap_test_and_set(&v->log, w, page);
		return true;
	default:
		return ram_writer_is_vcpu(v) && note_qemu(v->vm, page);
	}
}

/*
 * A device's store, or one of a vCPU that QEMU carries out: data first, then the note.  A note that
 * came first could be fetched and sent with old data.  @step: others may go in between.
 */
static void
device_store(struct ram_writer *v, uint64_t gfn, const struct store *s, bool step,
	     struct stored *to)
{
	struct migration_vm *vm = v->vm;

	to->page = page_ahead(v, gfn);
	if (to->page == VM_NO_RAM)
		return;
	if (v->kind == WRITER_VHOST && fault_on(vm->w, FAULT_MIG_VHOST_LOG_BEFORE_WRITE)) {
		to->logged = note_device(v, to->page, s);
		if (step)
			actor_point(vm->w);
		to->content = put(v, to->page, s);
		return;
	}
	v->writing = v->kind == WRITER_VFIO ? RAM_NOT_WRITING : to->page;
	to->content = put(v, to->page, s);
	if (step)
		actor_point(vm->w);
	to->logged = note_device(v, to->page, s);
	v->writing = RAM_NOT_WRITING;
}

static void
store_page(struct ram_writer *v, uint64_t gfn, const struct store *s, bool step, struct stored *to)
{
	*to = (struct stored){ .page = VM_NO_RAM };
	if (v->kind == WRITER_KVM)
		kvm_store(v, gfn, s, to);
	else if (v->kind == WRITER_ITS)
		its_store(v, gfn, s, to);
	else if (v->kind != WRITER_VCPU || !cpu_store(v, gfn, s, to))
		device_store(v, gfn, s, step, to);
}

static void
wrote(struct ram_writer *v, const struct stored *to)
{
	struct migration_vm *vm = v->vm;

	if (vm_watches(vm, to->page)) {
		emit(vm->w, EV_MIG_PAGE_WRITE, (int64_t)to->page, v->name,
		     (int64_t)ram_version(to->content), to->logged);
		vm_record(vm, to->page, to->content, "written", v->name);
	}
	if (vm->migration)
		precopy_check_page(vm->migration, to->page, UNCOVERED_WRITE);
}

void
vm_write_now(struct ram_writer *v, uint64_t gfn)
{
	struct migration_vm *vm = v->vm;
	struct stored to;

	if (vm->snapshot && page_ahead(v, gfn) != VM_NO_RAM)
		bg_snapshot_write_now(vm->snapshot, page_ahead(v, gfn));
	store_page(v, gfn, &(struct store){ 0 }, false, &to);

	/* What was noted while logs are asked still is covered: the common case, by the million. */
	if (to.page != VM_NO_RAM &&
	    (!to.logged || !vm->running || vm->dropping || vm_watches(vm, to.page)))
		wrote(v, &to);
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
	must(!vm->machine && !(gpa & (KVM_PAGE_SIZE - 1)) && vm_layout_is_flat(vm->layout));
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

static bool
write_page(struct ram_writer *v, uint64_t gfn, const struct store *s)
{
	struct migration_vm *vm = v->vm;
	struct stored to;

	if (!enter(v))
		return false;
	if (vm->snapshot && page_ahead(v, gfn) != VM_NO_RAM)
		bg_snapshot_write(vm->snapshot, page_ahead(v, gfn));
	store_page(v, gfn, s, vm->steps, &to);
	if (to.page != VM_NO_RAM)
		wrote(v, &to);
	vm_leave(v);
	return to.page != VM_NO_RAM;
}

bool
vm_write(struct ram_writer *v, uint64_t gfn, bool zero)
{
	return write_page(v, gfn, &(struct store){ .zero = zero });
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
vm_store(struct ram_writer *v, uint64_t gfn, unsigned offset, const void *bytes, unsigned size)
{
	return write_page(v, gfn,
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

/* --- the memory map --------------------------------------------------------------------------- */

int
vm_change_layout(struct ram_writer *v, void (*change)(struct migration_vm *vm, void *arg),
		 void *arg)
{
	struct migration_vm *vm = v->vm;
	int r;

	must(v->kind == WRITER_VCPU);
	enter(v);
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
	enter(v);
	kvm_vcpu_set_smm(v->vcpu, smm);
	vm_leave(v);
}
