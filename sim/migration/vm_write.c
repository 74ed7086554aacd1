/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A source's writers: where a store goes, and what notes it. */
#include "base/must.h"
#include "engine/fault.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "kvm/note_watch.h"
#include "memory/guest_memory.h"
#include "migration/bg_snapshot.h"
#include "migration/precopy.h"
#include "migration/vm.h"
#include "migration/vm_layout.h"
#include "virtio/dma.h"
#include "vmm/memory_listener.h"

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

bool
vm_enter(struct ram_writer *v)
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

/* Who wrote for the machine's guest; a device behind an IOMMU when it first did. */
static struct ram_writer *
machine_device(struct migration_vm *vm, enum ram_writer_kind kind)
{
	struct ram_writer **v = &vm->machine_dma[kind == WRITER_QEMU];

	if (!*v)
		*v = vm_add_writer(vm, kind, kind == WRITER_QEMU ? "svq" : "vdpa");
	return *v;
}

static void
machine_write(struct migration_vm *vm, struct ram_writer *v, uint64_t gpa, uint64_t len)
{
	uint64_t page = (gpa - vm->machine_gpa) >> KVM_PAGE_SHIFT;
	uint64_t last = (gpa + len - 1 - vm->machine_gpa) >> KVM_PAGE_SHIFT;

	for (; gpa >= vm->machine_gpa && page <= last && page < ram_pages(vm->ram); page++)
		vm_write_now(v, page);
}

/* What a shadow virtqueue pushes the VMM notes: to a migration, that is when it was written. */
static void
machine_noted(struct world *w, uint64_t gpa, uint64_t len, void *context)
{
	struct migration_vm *vm = context;

	machine_write(vm, machine_device(vm, WRITER_QEMU), gpa, len);
}

static void
machine_wrote(struct world *w, uint64_t gpa, uint64_t len, void *context)
{
	struct migration_vm *vm = context;
	struct ram_writer *v = vm->machine_writer;

	switch (dma_writer(w)) {
	case DMA_NOTED_LATER:
		return;
	case DMA_UNNOTED:
		if (gpa < vm->machine_gpa || gpa - vm->machine_gpa >= ram_pages(vm->ram)
									      << KVM_PAGE_SHIFT)
			return;
		v = machine_device(vm, WRITER_VFIO);
		break;
	default:
		break;
	}
	machine_write(vm, v, gpa, len);
}

void
vm_link_machine(struct migration_vm *vm, struct machine *m, uint64_t gpa)
{
	must(!vm->machine && !(gpa & (KVM_PAGE_SIZE - 1)) && vm_layout_is_flat(vm->layout));
	vm->machine = m;
	vm->machine_gpa = gpa;
	gm_set_first_page(vm->w, gpa);
	vm->machine_writer = vm_add_writer(vm, WRITER_VCPU, "guest");
	gm_on_write(vm->w, machine_wrote, vm);
	dma_on_note(vm->w, machine_noted, vm);
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

	if (!vm_enter(v))
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
