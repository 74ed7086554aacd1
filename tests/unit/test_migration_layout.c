/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source's memory map: flat views of regions, QEMU's `pc`, where writes go and are noted, and
 * which pages' notes are under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/fault.h"
#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/note_watch.h"
#include "migration/vm.h"
#include "migration/vm_layout.h"
#include "vmm/memory_listener.h"

#define RAM_PAGES 0x140u
#define VRAM_PAGES 16u
#define GIB_PAGES UINT64_C(0x40000)

static struct ram_block pc_block[4];
static struct vm_region region[VM_REGIONS_MAX];
static struct migration_vm_config config;
static struct migration_vm *vm;

static void
on_overflow(struct world *w, const struct event *e, void *context)
{
	fail();
}

static void
in_world(void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	world_observe(w, EV_KVM_DIRTY_RING_OVERFLOW, on_overflow, NULL);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

/* A pc of so many pages of pc.ram. */
static void
make_pc(struct world *w, uint64_t pages)
{
	static const uint64_t rest[] = { VRAM_PAGES, VM_PC_BIOS_PAGES, VM_PC_ROM_PAGES };
	static const char *const name[] = { "pc.ram", "vga.vram", "pc.bios", "pc.rom" };

	for (unsigned i = 0; i < 4; i++)
		pc_block[i] = (struct ram_block){
			.name = name[i],
			.pages = i ? rest[i - 1] : pages,
			.first = i ? pc_block[i - 1].first + pc_block[i - 1].pages : 0,
		};
	config.blocks = pc_block;
	config.block_count = 4;
	config.regions = region;
	config.region_count = vm_layout_pc(pc_block, region);
	vm = vm_create(w, &config);
}

/* Slot @index of an address space, as "gfn+pages@page", r for read-only, l for logged. */
static void
check_slot(unsigned as_id, unsigned index, uint64_t gfn, uint64_t pages, uint64_t page,
	   bool readonly, bool log)
{
	const struct kvm_memory_slot *s = kvm_memslot(vm->kvm, as_id, index);

	assert_int_equal(s->base_gfn, gfn);
	assert_int_equal(s->npages, pages);
	assert_int_equal((s->userspace_addr - MEMORY_LISTENER_HVA) >> KVM_PAGE_SHIFT, page);
	assert_int_equal(!!(s->flags & KVM_MEM_READONLY), readonly);
	assert_int_equal(!!(s->flags & KVM_MEM_LOG_DIRTY_PAGES), log);
}

static void
pam(unsigned number, enum vm_pam mode)
{
	assert_null(vm_layout_pc_pam(vm->layout, vm->ram, number, mode));
	assert_int_equal(vm_layout_update(vm->layout), 0);
}

static void
reset_body(struct world *w, void *arg)
{
	uint64_t rom = RAM_PAGES + VRAM_PAGES + VM_PC_BIOS_PAGES, bios = RAM_PAGES + VRAM_PAGES;

	make_pc(w, RAM_PAGES);
	assert_int_equal(kvm_memslots(vm->kvm, 0), 6);
	check_slot(0, 0, 0, 0xa0, 0, false, false);
	check_slot(0, 1, 0xc0, 0x20, rom, true, false);
	check_slot(0, 2, 0xe0, 0x20, bios + 0x20, true, false);
	check_slot(0, 3, 0x100, 0x40, 0x100, false, false);
	check_slot(0, 4, 0xfd000, VRAM_PAGES, RAM_PAGES, false, true);
	check_slot(0, 5, 0xfffc0, VM_PC_BIOS_PAGES, bios, true, false);
	/* System management mode: the same, and RAM in the VGA window. */
	assert_int_equal(kvm_memslots(vm->kvm, 1), 6);
	check_slot(1, 0, 0, 0xc0, 0, false, false);
	assert_int_equal(vm_layout_page(vm->layout, 0, 0xa8, false), VM_NO_RAM);
	assert_int_equal(vm_layout_page(vm->layout, 1, 0xa8, true), 0xa8);
	assert_int_equal(vm_layout_page(vm->layout, 0, 0xc8, false), rom + 8);
	assert_int_equal(vm_layout_page(vm->layout, 0, 0xc8, true), VM_NO_RAM);
	assert_int_equal(vm_layout_gfn(vm->layout, 0xc8), VM_NO_RAM);
	assert_int_equal(vm_layout_gfn(vm->layout, bios), 0xfffc0);
	assert_int_equal(vm_layout_frames(vm->layout), 0x100000);
}

/* Shadow RAM: opened it is one slot with all RAM behind it, locked it is split off again. */
static void
pam_body(struct world *w, void *arg)
{
	make_pc(w, RAM_PAGES);
	for (unsigned i = 0; i < VM_PC_PAMS; i++)
		pam(i, i % 2 ? VM_PAM_RAM : VM_PAM_WRITE);
	assert_int_equal(kvm_memslots(vm->kvm, 0), 4);
	check_slot(0, 1, 0xc0, RAM_PAGES - 0xc0, 0xc0, false, false);
	pam(3, VM_PAM_READ);
	assert_int_equal(kvm_memslots(vm->kvm, 0), 6);
	check_slot(0, 1, 0xc0, 8, 0xc0, false, false);
	check_slot(0, 2, 0xc8, 4, 0xc8, true, false);
	check_slot(0, 3, 0xcc, RAM_PAGES - 0xcc, 0xcc, false, false);
	assert_int_equal(vm_layout_page(vm->layout, 0, 0xc8, false), 0xc8);
	assert_int_equal(vm_layout_page(vm->layout, 0, 0xc8, true), VM_NO_RAM);
	assert_int_equal(vm_layout_gfn(vm->layout, 0xc8), 0xc8);
	pam(0, VM_PAM_OFF);
	check_slot(0, 4, 0xf0, 0x10, RAM_PAGES + VRAM_PAGES + VM_PC_BIOS_PAGES - 0x10, true, false);
	pam(0, VM_PAM_RAM);
	pam(3, VM_PAM_RAM);
	assert_int_equal(kvm_memslots(vm->kvm, 0), 4);
}

/* 8 GiB: the hole from 3 GiB to 4 GiB. Frames above it are other pages than their number. */
static void
hole_body(struct world *w, void *arg)
{
	struct ram_writer *vcpu;

	make_pc(w, 8 * GIB_PAGES);
	vcpu = vm_add_writer(vm, WRITER_VCPU, "vcpu0");
	assert_int_equal(vm_layout_page(vm->layout, 0, 3 * GIB_PAGES - 1, true), 3 * GIB_PAGES - 1);
	assert_int_equal(vm_layout_page(vm->layout, 0, 3 * GIB_PAGES, true), VM_NO_RAM);
	assert_int_equal(vm_layout_page(vm->layout, 0, 4 * GIB_PAGES, true), 3 * GIB_PAGES);
	assert_int_equal(vm_layout_gfn(vm->layout, 3 * GIB_PAGES), 4 * GIB_PAGES);
	vm_log_start(vm);
	vm_write_now(vcpu, 4 * GIB_PAGES + 5);
	vm_write_now(vcpu, 3 * GIB_PAGES + 5); /* nobody's */
	assert_true(ram_read(vm->ram, 3 * GIB_PAGES + 5) != RAM_ZERO);
	assert_true(vm_log_has(vm, 3 * GIB_PAGES + 5));
	assert_false(vm_log_has(vm, 4 * GIB_PAGES + 5));
	assert_true(ram_read(vm->ram, 4 * GIB_PAGES + 5) == RAM_ZERO);
}

/* A page that two address spaces see is noted where it was written, and found in both. */
static void
smm_body(struct world *w, void *arg)
{
	struct ram_writer *vcpu;
	struct page_bitmap bits;

	make_pc(w, RAM_PAGES);
	vcpu = vm_add_writer(vm, WRITER_VCPU, "vcpu0");
	page_bitmap_init(&bits, w, ram_pages(vm->ram));
	vm_log_start(vm);
	vm_write_now(vcpu, 0xa8); /* the VGA window */
	assert_true(ram_read(vm->ram, 0xa8) == RAM_ZERO);
	kvm_vcpu_set_smm(vcpu->vcpu, true);
	vm_write_now(vcpu, 0xa8);
	vm_write_now(vcpu, 0x110);
	assert_true(ram_read(vm->ram, 0xa8) != RAM_ZERO);
	assert_true(vm_log_has(vm, 0xa8) && vm_log_has(vm, 0x110));
	assert_int_equal(vm_log_sync(vm, &bits, false), 2);
	assert_true(page_bitmap_test(&bits, 0xa8) && page_bitmap_test(&bits, 0x110));
	assert_true(vm_log_clear(vm, 0, ram_pages(vm->ram)));
	assert_false(vm_log_has(vm, 0xa8));
}

static void
wrong_body(struct world *w, void *arg)
{
	struct ram_block block = { .name = "pc.ram", .pages = 16 };
	struct vm_region r[2] = { { .name = "a", .pages = 17 }, { .name = "a", .pages = 16 } };
	struct migration_vm_config c = {
		.blocks = &block, .block_count = 1, .regions = r, .region_count = 1
	};
	const char *wrong = NULL;

	assert_null(vm_try_create(w, &c, &wrong));
	assert_non_null(strstr(wrong, "within its block"));
	r[0].pages = 16;
	c.region_count = 2;
	assert_null(vm_try_create(w, &c, &wrong));
	assert_non_null(strstr(wrong, "one name"));
	c.region_count = 1;
	c.version = "0.9";
	assert_null(vm_try_create(w, &c, &wrong));
	assert_non_null(strstr(wrong, "version"));
	c.version = "5.0";
	c.ring_pages = 4096;
	assert_null(vm_try_create(w, &c, &wrong));
	assert_non_null(strstr(wrong, "since 6.1"));
	c.version = "8.0";
	c.ring_pages = 100;
	assert_null(vm_try_create(w, &c, &wrong));
	assert_non_null(strstr(wrong, "no ring of that size"));
	c.ring_pages = 256;
	assert_non_null(vm_try_create(w, &c, &wrong));
}

/* --- notes under way -------------------------------------------------------------------------- */

/* From the processor's buffer to the ring to userspace: always in one of them. */
static void
notes_body(struct world *w, void *arg)
{
	struct ram_block block = { .name = "pc.ram", .pages = 64 };
	struct migration_vm_config c = { .blocks = &block,
					 .block_count = 1,
					 .rules = &kvm_rules_today_pml,
					 .ring_pages = 1024 };
	struct ram_writer *vcpu[2];
	struct page_bitmap bits;

	vm = vm_create(w, &c);
	for (unsigned i = 0; i < 2; i++)
		vcpu[i] = vm_add_writer(vm, WRITER_VCPU, "vcpu");
	page_bitmap_init(&bits, w, 64);
	vm_log_start(vm);
	vm_write_now(vcpu[0], 5);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu[0]->vcpu), 1);
	assert_true(kvm_note_waits(vm->kvm, 5) && vm_log_has(vm, 5) && !vm_log_has(vm, 6));
	kvm_vcpu_exit(vcpu[0]->vcpu);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu[0]->vcpu), 0);
	assert_true(kvm_note_waits(vm->kvm, 5));
	/* KVM's own writes are noted each time: another entry of the same page. */
	assert_true(kvm_vcpu_mark_page_dirty(vcpu[1]->vcpu, 5));
	assert_int_equal(memory_listener_reap(vm->listener, vcpu[0]->vcpu), 1);
	assert_true(kvm_note_waits(vm->kvm, 5));
	assert_int_equal(memory_listener_reap(vm->listener, NULL), 1);
	assert_false(kvm_note_waits(vm->kvm, 5));
	assert_true(vm_log_has(vm, 5)); /* QEMU's dirty memory */
	assert_int_equal(vm_log_sync(vm, &bits, false), 1);
	assert_false(vm_log_has(vm, 5));
	/* It was reset: protected, and noted once more. */
	vm_write_now(vcpu[1], 5);
	assert_true(kvm_note_waits(vm->kvm, 5));
}

/* With PML a full buffer is an exit, and a ring without room lets nobody in: it never overflows. */
static void
full_body(struct world *w, void *arg)
{
	struct ram_block block = { .name = "pc.ram", .pages = 8192 };
	struct migration_vm_config c = { .blocks = &block,
					 .block_count = 1,
					 .rules = &kvm_rules_today_pml,
					 .ring_pages = 1024 };
	struct ram_writer *vcpu;

	vm = vm_create(w, &c);
	vcpu = vm_add_writer(vm, WRITER_VCPU, "vcpu0");
	vm_log_start(vm);
	for (uint64_t page = 0; page < 8192; page++) {
		vm_write_now(vcpu, page);
		assert_true(vm_log_has(vm, page));
	}
	assert_true(vcpu->ring_fulls >= 4 && vcpu->ring_fulls <= 16);
	assert_true(kvm_dirty_ring_used(vcpu->vcpu) <= 1024);
}

/* An entry whose slot is gone is dropped, and who watches hears of it. */
static unsigned strays;

static void
on_stray(void *arg)
{
	strays++;
}

static void
stray_body(struct world *w, void *arg)
{
	struct ram_block block = { .name = "pc.ram", .pages = 64 };
	struct vm_region two[2] = { { .name = "low", .pages = 32 },
				    { .name = "high", .gfn = 32, .pages = 32, .ram_page = 32 } };
	struct migration_vm_config c = { .blocks = &block,
					 .block_count = 1,
					 .regions = two,
					 .region_count = 2,
					 .ring_pages = 256 };
	struct ram_writer *vcpu;

	two[1].gfn = 64; /* apart, so that they are two slots */
	vm = vm_create(w, &c);
	vcpu = vm_add_writer(vm, WRITER_VCPU, "vcpu0");
	vm_log_start(vm);
	memory_listener_on_stray(vm->listener, on_stray, NULL);
	strays = 0;
	vm_write_now(vcpu, 64);
	assert_int_equal(memory_listener_reap(vm->listener, NULL), 1);
	assert_int_equal(strays, 0);
	vm_write_now(vcpu, 65);
	fault_set(w, FAULT_SLOT_REMOVAL_NO_SYNC, true);
	vm_layout_region(vm->layout, "high")->disabled = true;
	assert_int_equal(vm_layout_update(vm->layout), 0);
	assert_int_equal(strays, 2); /* a deletion in each address space */
	assert_true(vm_log_has(vm, 33)); /* in the ring */
	assert_int_equal(memory_listener_reap(vm->listener, NULL), 1);
	assert_int_equal(strays, 3);
	assert_false(vm_log_has(vm, 33));
}

static void
test_reset(void **state)
{
	in_world(reset_body);
}

static void
test_pam(void **state)
{
	in_world(pam_body);
}

static void
test_hole(void **state)
{
	in_world(hole_body);
}

static void
test_smm(void **state)
{
	in_world(smm_body);
}

static void
test_wrong(void **state)
{
	in_world(wrong_body);
}

static void
test_notes(void **state)
{
	in_world(notes_body);
}

static void
test_full(void **state)
{
	in_world(full_body);
}

static void
test_stray(void **state)
{
	in_world(stray_body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset), cmocka_unit_test(test_pam),
		cmocka_unit_test(test_hole),  cmocka_unit_test(test_smm),
		cmocka_unit_test(test_wrong), cmocka_unit_test(test_notes),
		cmocka_unit_test(test_full),  cmocka_unit_test(test_stray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
