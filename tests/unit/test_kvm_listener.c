/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's side of memory slots: what reaches the migration's bitmap under each order of removal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"
#include "vmm/memory_listener.h"

#define PAGE KVM_PAGE_SIZE
#define RAM_PAGES 256u

static struct memory_listener *listener;
static struct kvm *kvm;
static struct page_bitmap *bitmap; /* the migration's; all three live in the world */

static int
add(uint8_t as_id, uint64_t gfn, uint64_t npages, uint64_t ram_page, int id)
{
	return memory_listener_region_add(listener,
					  &(struct memory_section){ .guest_phys_addr = gfn * PAGE,
								    .size = npages * PAGE,
								    .ram_addr = ram_page * PAGE,
								    .as_id = as_id },
					  id);
}

static void
make(struct world *w)
{
	kvm = kvm_create(w, &kvm_rules_today);
	listener = memory_listener_create(w, kvm, RAM_PAGES * PAGE);
	bitmap = world_alloc(w, sizeof(*bitmap));
	page_bitmap_init(bitmap, w, RAM_PAGES);
}

static void
in_world(void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

static void
sections_body(struct world *w, void *arg)
{
	make(w);
	/* Lowest free id; an id of one's own; per address space. */
	assert_int_equal(add(0, 0, 8, 0, MEMORY_LISTENER_ANY_ID), 0);
	assert_int_equal(add(0, 8, 8, 8, MEMORY_LISTENER_ANY_ID), 1);
	assert_int_equal(add(0, 16, 8, 16, 3), 3);
	assert_int_equal(add(0, 24, 8, 24, MEMORY_LISTENER_ANY_ID), 2);
	assert_int_equal(add(0, 32, 8, 32, MEMORY_LISTENER_ANY_ID), 4);
	assert_int_equal(add(1, 0, 8, 40, MEMORY_LISTENER_ANY_ID), 0);
	assert_int_equal(memory_listener_region_del(listener, 0, 1), 0);
	assert_int_equal(add(0, 8, 4, 8, MEMORY_LISTENER_ANY_ID), 1);
	assert_int_equal(kvm_id_to_memslot(kvm, 3)->userspace_addr,
			 MEMORY_LISTENER_HVA + 16 * PAGE);
	/* What is refused leaves nothing behind. */
	assert_int_equal(add(0, 100, 8, 8, 3), -EEXIST);
	assert_int_equal(add(0, 20, 8, 8, 9), -EEXIST);
	assert_int_equal(add(0, 100, 8, RAM_PAGES - 7, 9), -EINVAL);
	assert_int_equal(add(0, 100, 0, 0, 9), -EINVAL);
	assert_int_equal(add(2, 100, 8, 0, 9), -EINVAL);
	assert_int_equal(add(0, 100, 8, 0, 32764), -EINVAL);
	assert_int_equal(add(0, 100, 8, 0, -5), -EINVAL);
	assert_int_equal(memory_listener_region_del(listener, 0, 9), -ENOENT);
	assert_int_equal(memory_listener_log_start(listener, 0, 9), -ENOENT);
	assert_int_equal(kvm_memslots(kvm, 0), 5);
	assert_int_equal(kvm_memslots(kvm, 1), 1);
}

static void
sections(void **state)
{
	in_world(sections_body);
}

static void
sync_body(struct world *w, void *arg)
{
	make(w);
	assert_int_equal(add(0, 0xc0, 16, 32, 2), 2);
	assert_int_equal(add(1, 0, 16, 64, 5), 5);
	assert_int_equal(kvm_write_guest_page(kvm, 0, 0xc1), KVM_WRITE_RAM);
	assert_int_equal(memory_listener_migration_sync(listener, bitmap, false), 0);

	/* The global log covers slots there are, slots to come, and both address spaces. */
	memory_listener_log_global_start(listener);
	assert_int_equal(add(0, 0, 16, 0, 0), 0);
	kvm_write_guest_page(kvm, 0, 0xc1);
	kvm_write_guest_page(kvm, 1, 3);
	kvm_write_guest_page(kvm, 0, 7);
	/* QEMU's own writes, across a page's end. */
	memory_listener_set_dirty(listener, 200 * PAGE - 1, 2);
	memory_listener_set_dirty(listener, 100 * PAGE, 0);
	assert_int_equal(memory_listener_dirty(listener)->set, 2);
	assert_int_equal(memory_listener_migration_sync(listener, bitmap, false), 5);
	assert_true(page_bitmap_test(bitmap, 33) && page_bitmap_test(bitmap, 67));
	assert_true(page_bitmap_test(bitmap, 7));
	assert_true(page_bitmap_test(bitmap, 199) && page_bitmap_test(bitmap, 200));
	assert_int_equal(memory_listener_dirty(listener)->set, 0);
	/* Dirty again and not sent yet: no new page. */
	kvm_write_guest_page(kvm, 0, 7);
	assert_int_equal(memory_listener_migration_sync(listener, bitmap, false), 0);

	/* Without the global log only a section that asked is logged. */
	assert_int_equal(memory_listener_log_start(listener, 0, 2), 0);
	memory_listener_log_global_stop(listener);
	kvm_write_guest_page(kvm, 0, 8);
	kvm_write_guest_page(kvm, 0, 0xc2);
	assert_int_equal(memory_listener_migration_sync(listener, bitmap, false), 1);
	assert_true(page_bitmap_test(bitmap, 34));
	assert_int_equal(memory_listener_log_stop(listener, 0, 2), 0);
	assert_false(kvm_memslot_logs(kvm_id_to_memslot(kvm, 2)));
}

static void
sync(void **state)
{
	in_world(sync_body);
}

/* Two dirty slots go, one of which asked to be logged: which bits arrive? */
static uint64_t
arrived(enum fault fault, bool global)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	uint64_t bits;

	if (fault)
		fault_set(w, fault, true);
	make(w);
	assert_int_equal(add(0, 0, 16, 0, 0), 0);
	assert_int_equal(add(0, 16, 16, 16, 1), 1);
	assert_int_equal(memory_listener_log_start(listener, 0, 1), 0);
	if (global)
		memory_listener_log_global_start(listener);
	kvm_write_guest_page(kvm, 0, 3);
	kvm_write_guest_page(kvm, 0, 16 + 4);
	assert_int_equal(memory_listener_region_del(listener, 0, 0), 0);
	assert_int_equal(memory_listener_region_del(listener, 0, 1), 0);
	memory_listener_migration_sync(listener, bitmap, false);
	bits = (uint64_t)page_bitmap_test(bitmap, 3) << 3 | (uint64_t)page_bitmap_test(bitmap, 20)
								    << 20;
	assert_int_equal(bitmap->set, __builtin_popcountll(bits));
	world_destroy(w);
	return bits;
}

static void
removal_orders(void **state)
{
	uint64_t migration = 1u << 3, display = 1u << 20;

	assert_int_equal(arrived(FAULT_NONE, true), migration | display);
	assert_int_equal(arrived(FAULT_NONE, false), display);
	assert_int_equal(arrived(FAULT_SLOT_REMOVAL_SLOT_LOG_ONLY, true), display);
	assert_int_equal(arrived(FAULT_SLOT_REMOVAL_SLOT_LOG_ONLY, false), display);
	assert_int_equal(arrived(FAULT_SLOT_REMOVAL_NO_SYNC, true), 0);
	assert_int_equal(arrived(FAULT_SLOT_REMOVAL_DELETE_FIRST, true), 0);
}

/* --- a vCPU that writes while the slot is re-created -------------------------------------------
 */

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose_random(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

static enum kvm_write outcome;

static void
race_qemu(struct actor *self, void *arg)
{
	assert_int_equal(memory_listener_region_del(listener, 0, 2), 0);
	assert_int_equal(add(0, 0xc0, 8, 32, 2), 2);
	actor_sleep(actor_world(self), 1000);
	memory_listener_migration_sync(listener, bitmap, false);
}

static void
race_vcpu(struct actor *self, void *arg)
{
	actor_point(actor_world(self));
	outcome = kvm_write_guest_page(kvm, 0, 0xc1);
}

static void
race_setup(struct world *w, void *arg)
{
	make(w);
	memory_listener_log_global_start(listener);
	assert_int_equal(add(0, 0xc0, 16, 32, 2), 2);
	actor_create(w, "qemu", race_qemu, NULL, 0);
	actor_create(w, "vcpu", race_vcpu, NULL, 0);
}

/* The hole between fetching and deleting: without any fault a write can still be lost. */
static void
residual_hole(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	struct random_chooser r = { { choose_random }, { { 0 } } };
	int lost = 0, arrives = 0, mmio = 0;

	assert_int_equal(world_setup(w, race_setup, NULL, &err), 0);
	world_snapshot(w);
	world_set_chooser(w, &r.base);
	prng_seed(&r.prng, 1);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(world_run(w), STOP_QUIESCENT);

		bool in_bitmap = page_bitmap_test(bitmap, 33);

		mmio += outcome == KVM_WRITE_MMIO;
		arrives += outcome == KVM_WRITE_RAM && in_bitmap;
		lost += outcome == KVM_WRITE_RAM && !in_bitmap;
		world_restore(w);
	}
	assert_true(lost > 10);
	assert_true(arrives > 10);
	assert_true(mmio > 10);
	world_destroy(w);
}

/* --- versions of QEMU --------------------------------------------------------------------------
 */

static const char *version;

static void
be(const char *qemu, uint64_t ring_bytes, const struct kvm_rules *rules, struct world *w)
{
	kvm = kvm_create(w, rules);
	listener = memory_listener_create(w, kvm, RAM_PAGES * PAGE);
	bitmap = world_alloc(w, sizeof(*bitmap));
	page_bitmap_init(bitmap, w, RAM_PAGES);
	assert_true(memory_listener_set_version(listener, qemu));
	assert_int_equal(memory_listener_enable(listener, ring_bytes), 0);
}

/* What is written and then removed arrives from 2.3 on, for a migration. */
static void
removal_body(struct world *w, void *arg)
{
	bool arrives = strcmp(version, "2.3") >= 0;
	struct kvm_vcpu *vcpu;

	be(version, 0, &kvm_rules_today, w);
	vcpu = kvm_create_vcpu(kvm);
	assert_int_equal(add(0, 0, 64, 0, MEMORY_LISTENER_ANY_ID), 0);
	memory_listener_log_global_start(listener);
	memory_listener_migration_sync(listener, bitmap, false);
	page_bitmap_clear_all(bitmap, w);
	memory_listener_log_clear(listener, 0, RAM_PAGES);
	kvm_vcpu_write(vcpu, 5);
	memory_listener_begin(listener);
	assert_int_equal(memory_listener_region_del(listener, 0, 0), 0);
	/* The id is free again from then on, when it is done. */
	assert_int_equal(add(0, 0, 32, 0, MEMORY_LISTENER_ANY_ID), 0);
	assert_int_equal(kvm_id_to_memslot(kvm, 0)->npages, strcmp(version, "8.0") >= 0 ? 64 : 32);
	assert_int_equal(memory_listener_commit(listener), 0);
	assert_int_equal(kvm_id_to_memslot(kvm, 0)->npages, 32);
	memory_listener_migration_sync(listener, bitmap, false);
	assert_int_equal(page_bitmap_test(bitmap, 5),
			 arrives || kvm_manual_dirty_log_protect(kvm) > 1);
}

static void
removal_by_version(void **state)
{
	for (unsigned i = 0; memory_listener_versions[i]; i++) {
		version = memory_listener_versions[i];
		in_world(removal_body);
	}
}

/* KVM is told of 64 pages, and of the bits of those that were asked for only. */
static void
clear_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu;
	struct page_bitmap log;

	assert_null(listener);
	be("6.1", 0, &kvm_rules_today, w);
	vcpu = kvm_create_vcpu(kvm);
	assert_int_equal(add(0, 0, 100, 20, MEMORY_LISTENER_ANY_ID), 0);
	memory_listener_log_global_start(listener);
	memory_listener_migration_sync(listener, bitmap, false);
	assert_int_equal(bitmap->set, 100);
	assert_int_equal(memory_listener_log_clear(listener, 0, RAM_PAGES), 0);
	page_bitmap_init(&log, w, 100);
	assert_int_equal(kvm_get_dirty_log(kvm, 0, &log, 0), 0);
	assert_int_equal(log.set, 0);
	for (uint64_t gfn = 60; gfn < 70; gfn++)
		kvm_vcpu_write(vcpu, gfn);
	memory_listener_log_sync(listener, false);
	kvm_vcpu_write(vcpu, 99); /* after the fetch: not to be cleared */
	assert_int_equal(memory_listener_log_clear(listener, 20 + 62, 5), 0);
	assert_int_equal(memory_listener_log_clear(listener, 20 + 90, 10), 0);
	assert_int_equal(kvm_get_dirty_log(kvm, 0, &log, 0), 0);
	assert_int_equal(log.set, 6);
	assert_false(page_bitmap_test(&log, 62));
	assert_true(page_bitmap_test(&log, 61));
	assert_true(page_bitmap_test(&log, 67));
	assert_true(page_bitmap_test(&log, 99));
}

/* A slot that appears while logging is on: QEMU 4.1 has no bitmap for it, and asserts. */
static void
new_slot_body(struct world *w, void *arg)
{
	be(version, 0, &kvm_rules_today, w);
	assert_int_equal(add(0, 0, 64, 0, MEMORY_LISTENER_ANY_ID), 0);
	memory_listener_log_global_start(listener);
	assert_int_equal(memory_listener_log_clear(listener, 0, 64), 0);
	assert_int_equal(add(0, 64, 64, 64, MEMORY_LISTENER_ANY_ID), 1);
	assert_int_equal(memory_listener_log_clear(listener, 64, 64),
			 strcmp(version, "5.0") < 0 ? -ENXIO : 0);
}

static void
clearing(void **state)
{
	listener = NULL;
	in_world(clear_body);
	version = "4.1";
	in_world(new_slot_body);
	version = "5.0";
	in_world(new_slot_body);
}

/* Rings are reaped on removal; the bitmap beside them in the end, since 8.1. */
static void
ring_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu;
	bool backup = !strcmp(version, "8.1");

	be(version, 4096, &kvm_rules_arm64, w);
	assert_int_equal(kvm_dirty_ring_has_bitmap(kvm), backup);
	assert_int_equal(kvm_manual_dirty_log_protect(kvm), 0);
	vcpu = kvm_create_vcpu(kvm);
	assert_int_equal(add(0, 0, 64, 0, MEMORY_LISTENER_ANY_ID), 0);
	assert_int_equal(add(0, 64, 64, 64, MEMORY_LISTENER_ANY_ID), 1);
	memory_listener_log_global_start(listener);
	kvm_vcpu_write(vcpu, 5);
	kvm_vcpu_write(vcpu, 70);
	kvm_mark_page_dirty(kvm, 0, 80);
	assert_int_equal(memory_listener_region_del(listener, 0, 0), 0);
	memory_listener_migration_sync(listener, bitmap, false);
	assert_int_equal(bitmap->set, 2);
	memory_listener_migration_sync(listener, bitmap, true);
	assert_int_equal(page_bitmap_test(bitmap, 80), backup);
	assert_int_equal(memory_listener_reap(listener, NULL), 0);
}

static void
rings(void **state)
{
	version = "8.0";
	in_world(ring_body);
	version = "8.1";
	in_world(ring_body);
}

/* Pieces come and go together, and the pages of each are where they were. */
static void
split_body(struct world *w, void *arg)
{
	bool splits = strcmp(version, "4.2") >= 0;
	struct kvm_vcpu *vcpu;

	be(version, 0, &kvm_rules_today, w);
	vcpu = kvm_create_vcpu(kvm);
	memory_listener_set_slot_size_max(listener, 30 * PAGE);
	assert_int_equal(add(0, 200, 1, 0, 1), 1);
	assert_int_equal(add(0, 0, 100, 50, MEMORY_LISTENER_ANY_ID), 0);
	assert_int_equal(kvm_memslots(kvm, 0), splits ? 5 : 2);
	assert_int_equal(memory_listener_log_start(listener, 0, 0), 0);
	if (splits) {
		assert_int_equal(kvm_memslot(kvm, 0, 3)->npages, 10);
		assert_int_equal(kvm_memslot(kvm, 0, 3)->id, 4);
		assert_int_equal(kvm_memslot(kvm, 0, 3)->flags, KVM_MEM_LOG_DIRTY_PAGES);
	}
	memory_listener_log_clear(listener, 0, RAM_PAGES);
	kvm_vcpu_write(vcpu, 95);
	memory_listener_migration_sync(listener, bitmap, false);
	assert_true(page_bitmap_test(bitmap, 145));
	assert_int_equal(memory_listener_region_del(listener, 0, 0), 0);
	assert_int_equal(kvm_memslots(kvm, 0), 1);
	assert_int_equal(memory_listener_region_del(listener, 0, 0), -ENOENT);
}

static void
splitting(void **state)
{
	version = "4.1";
	in_world(split_body);
	version = "4.2";
	in_world(split_body);
	version = "8.1";
	in_world(split_body);
}

static void
versions_body(struct world *w, void *arg)
{
	make(w);
	assert_false(memory_listener_set_version(listener, "7.0"));
	assert_false(memory_listener_set_version(listener, ""));
	/* A kernel without any of it: QEMU goes on without. */
	be("8.1", 0, &kvm_rules_3_19, w);
	assert_int_equal(kvm_manual_dirty_log_protect(kvm), 0);
	be("8.1", 0, &kvm_rules_today, w);
	assert_int_equal(memory_listener_enable(listener, 4095), -EINVAL);
	/* What KVM refuses is known at commit. */
	memory_listener_begin(listener);
	assert_true(memory_listener_in_transaction(listener));
	assert_int_equal(add(0, 0, 8, 0, MEMORY_LISTENER_ANY_ID), 0);
	assert_int_equal(add(0, 4, 8, 0, MEMORY_LISTENER_ANY_ID), 1);
	assert_int_equal(memory_listener_commit(listener), -EEXIST);
	assert_int_equal(kvm_memslots(kvm, 0), 1);
	assert_false(
		device_log_write(memory_listener_device_log(listener, true), RAM_PAGES * PAGE, 1));
}

static void
versions(void **state)
{
	in_world(versions_body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),
		cmocka_unit_test(sync),
		cmocka_unit_test(removal_orders),
		cmocka_unit_test(residual_hole),
		cmocka_unit_test(removal_by_version),
		cmocka_unit_test(clearing),
		cmocka_unit_test(rings),
		cmocka_unit_test(splitting),
		cmocka_unit_test(versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
