/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways of KVM to note a write: protection, manual protection, PML, the dirty ring. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"

#define PAGE KVM_PAGE_SIZE
#define LOG KVM_MEM_LOG_DIRTY_PAGES
#define MANUAL KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE
#define ALL_SET KVM_DIRTY_LOG_INITIALLY_SET

static struct kvm *kvm; /* in the arena of the test's world */
static struct world *world;
static int64_t destroyed_dirty;

static int
set(uint32_t slot, uint32_t flags, uint64_t gfn, uint64_t npages)
{
	return kvm_set_user_memory_region(
		kvm, &(struct kvm_userspace_memory_region){ slot, flags, gfn * PAGE, npages * PAGE,
							    (1u << 20) + gfn * PAGE });
}

static void
on_destroyed(struct world *w, const struct event *e, void *context)
{
	destroyed_dirty = e->arg[3];
}

static void
with(const struct kvm_rules *rules, void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	world = w;
	world_observe(w, EV_KVM_DIRTY_BITMAP_DESTROYED, on_destroyed, NULL);
	kvm = kvm_create(w, rules);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

static uint64_t
get(uint32_t slot)
{
	struct page_bitmap b;
	uint64_t word = 0;

	page_bitmap_init(&b, world, 200);
	assert_int_equal(kvm_get_dirty_log(kvm, slot, &b, 0), 0);
	for (uint64_t i = 0; i < 64; i++)
		word |= (uint64_t)page_bitmap_test(&b, i) << i;
	page_bitmap_free(&b, world);
	return word;
}

static int
clear(uint32_t slot, uint64_t first, uint64_t n, uint64_t word)
{
	struct page_bitmap b;
	int r;

	page_bitmap_init(&b, world, n + 64);
	for (uint64_t i = 0; i < 64; i++)
		if (word >> i & 1)
			page_bitmap_test_and_set(&b, world, i);
	r = kvm_clear_dirty_log(kvm, slot, first, n, &b, 0);
	page_bitmap_free(&b, world);
	return r;
}

/* --- clearing by hand --------------------------------------------------------------------------
 */

static void
capability_body(struct world *w, void *arg)
{
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, ALL_SET), -EINVAL);
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, 4 | MANUAL), -EINVAL);
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, MANUAL), 0);
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, 0), 0);
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, MANUAL | ALL_SET), 0);
}

static void
no_capability_body(struct world *w, void *arg)
{
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, MANUAL), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring_with_bitmap(kvm), -EINVAL);
}

static void
ranges_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu = kvm_create_vcpu(kvm);

	assert_int_equal(set(0, LOG, 0, 130), 0);
	assert_int_equal(set(1, 0, 200, 64), 0);
	assert_int_equal(clear(0, 1, 64, 0), -EINVAL);
	assert_int_equal(clear(0, 63, 64, 0), -EINVAL);
	assert_int_equal(clear(0, 0, 63, 0), -EINVAL);
	assert_int_equal(clear(0, 64, 65, 0), -EINVAL);
	assert_int_equal(clear(0, 128, 3, 0), -EINVAL);
	assert_int_equal(clear(0, 192, 0, 0), -EINVAL);
	assert_int_equal(clear(0, 128, 2, 0), 0); /* the tail of the slot */
	assert_int_equal(clear(0, 0, 130, 0), 0);
	assert_int_equal(clear(0, 0, 0, 0), 0);
	assert_int_equal(clear(1, 0, 64, 0), -ENOENT); /* does not log */
	assert_int_equal(clear(2, 0, 64, 0), -ENOENT);
	assert_int_equal(clear(2, 1, 64, 0), -EINVAL); /* looked at first */
	assert_int_equal(clear(KVM_SLOT(2, 0), 0, 64, 0), -EINVAL);
	/* Without MANUAL_PROTECT2 it clears all the same. */
	assert_int_equal(kvm_vcpu_write(vcpu, 5), KVM_WRITE_RAM);
	assert_int_equal(kvm_vcpu_write(vcpu, 129), KVM_WRITE_RAM);
	assert_int_equal(clear(0, 128, 2, 2), 0);
	assert_int_equal(get(0), 1u << 5);
}

static void
manual_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu = kvm_create_vcpu(kvm);

	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, MANUAL), 0);
	assert_int_equal(set(0, LOG, 0, 64), 0);
	kvm_vcpu_write(vcpu, 3);
	kvm_vcpu_write(vcpu, 4);
	/* A copy: the next GET has it again. */
	assert_int_equal(get(0), 1u << 3 | 1u << 4);
	assert_int_equal(get(0), 1u << 3 | 1u << 4);
	assert_int_equal(clear(0, 0, 64, 1u << 3 | 1u << 9), 0);
	assert_int_equal(get(0), 1u << 4);
	kvm_vcpu_write(vcpu, 3);
	kvm_vcpu_write(vcpu, 9);
	assert_int_equal(get(0), 1u << 3 | 1u << 4 | 1u << 9);
}

static void
initially_set_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu = kvm_create_vcpu(kvm);

	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, MANUAL | ALL_SET), 0);
	assert_int_equal(set(0, 0, 0, 64), 0);
	kvm_vcpu_write(vcpu, 3);
	assert_int_equal(set(0, LOG, 0, 64), 0);
	assert_int_equal(get(0), UINT64_MAX);
	assert_int_equal(clear(0, 0, 64, UINT64_MAX), 0);
	assert_int_equal(get(0), 0);
	kvm_vcpu_write(vcpu, 3);
	kvm_vcpu_exit(vcpu);
	assert_int_equal(get(0), 1u << 3);
	/* A slot that logs from the start, too; and once more after logging was off. */
	assert_int_equal(set(1, LOG, 100, 64), 0);
	assert_int_equal(get(1), UINT64_MAX);
	assert_int_equal(set(0, 0, 0, 64), 0);
	assert_int_equal(set(0, LOG, 0, 64), 0);
	assert_int_equal(get(0), UINT64_MAX);
}

static void
manual_protect(void **state)
{
	with(&kvm_rules_today, capability_body);
	with(&kvm_rules_3_19, no_capability_body);
	with(&kvm_rules_today, ranges_body);
	with(&kvm_rules_today, manual_body);
	with(&kvm_rules_today_pml, initially_set_body);
	with(&kvm_rules_today, initially_set_body);
}

/* --- PML ---------------------------------------------------------------------------------------
 */

static void
pml_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu = kvm_create_vcpu(kvm);

	assert_int_equal(set(0, LOG, 0, 64), 0);
	assert_true(kvm_vcpu_enter(vcpu));
	kvm_vcpu_write(vcpu, 3);
	kvm_vcpu_write(vcpu, 3);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu), 1);
	/* GET kicks and does not wait: the note comes with the vCPU's next step. */
	assert_int_equal(get(0), 0);
	kvm_vcpu_write(vcpu, 4);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu), 1);
	assert_int_equal(get(0), 1u << 3);
	kvm_vcpu_exit(vcpu);
	assert_int_equal(get(0), 1u << 4);
	/* Protected again by GET. */
	kvm_vcpu_write(vcpu, 4);
	kvm_vcpu_exit(vcpu);
	assert_int_equal(get(0), 1u << 4);
	/* Deleting empties the buffer into the bitmap that dies. */
	kvm_vcpu_write(vcpu, 6);
	assert_int_equal(get(0), 0);
	assert_int_equal(set(0, 0, 0, 0), 0);
	assert_int_equal(destroyed_dirty, 1);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu), 0);
}

static void
pml_full_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu = kvm_create_vcpu(kvm);
	struct page_bitmap b;

	assert_int_equal(set(0, LOG, 0, 1000), 0);
	for (uint64_t gfn = 0; gfn < KVM_PML_ENTRIES; gfn++)
		kvm_vcpu_write(vcpu, gfn);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu), KVM_PML_ENTRIES);
	kvm_vcpu_write(vcpu, 999);
	assert_int_equal(kvm_vcpu_pml_pending(vcpu), 1);
	page_bitmap_init(&b, w, 1000);
	assert_int_equal(kvm_get_dirty_log(kvm, 0, &b, 0), 0);
	assert_int_equal(b.set, KVM_PML_ENTRIES);
	assert_false(page_bitmap_test(&b, 999));
}

static void
pml(void **state)
{
	with(&kvm_rules_today_pml, pml_body);
	with(&kvm_rules_today_pml, pml_full_body);
}

/* --- the ring ----------------------------------------------------------------------------------
 */

static void
ring_sizes_body(struct world *w, void *arg)
{
	assert_int_equal(kvm_reset_dirty_rings(kvm), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring_with_bitmap(kvm), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 0), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 2048), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 12288), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 1u << 21), -E2BIG);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), 0);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), -EINVAL);
}

static void
ring_late_body(struct world *w, void *arg)
{
	kvm_create_vcpu(kvm);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 65536), -EINVAL);
}

static void
ring_pml_body(struct world *w, void *arg)
{
	assert_int_equal(kvm_dirty_ring_bytes_min(kvm), 16384);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 8192), -EINVAL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 16384), 0);
}

static void
ring_body(struct world *w, void *arg)
{
	struct page_bitmap b;
	struct kvm_vcpu *vcpu;
	uint32_t slot;
	uint64_t offset;

	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), 0);
	assert_int_equal(set(2, LOG, 16, 1000), 0);
	vcpu = kvm_create_vcpu(kvm);
	page_bitmap_init(&b, w, 1000);
	assert_int_equal(kvm_get_dirty_log(kvm, 2, &b, 0), -ENXIO);
	assert_int_equal(kvm_clear_dirty_log(kvm, 2, 0, 0, &b, 0), -ENXIO);
	kvm_vcpu_write(vcpu, 20);
	kvm_vcpu_write(vcpu, 20);
	kvm_vcpu_write(vcpu, 21);
	assert_int_equal(kvm_dirty_ring_used(vcpu), 2);
	assert_int_equal(kvm_dirty_ring_entry(vcpu, 0).flags, KVM_DIRTY_GFN_F_DIRTY);
	assert_int_equal(kvm_reset_dirty_rings(kvm), 0); /* not harvested yet */
	assert_true(kvm_dirty_ring_harvest(vcpu, &slot, &offset));
	assert_int_equal(slot, 2);
	assert_int_equal(offset, 4);
	kvm_vcpu_write(vcpu, 20); /* harvested, not reset: not protected yet */
	assert_int_equal(kvm_dirty_ring_used(vcpu), 2);
	assert_int_equal(kvm_reset_dirty_rings(kvm), 1);
	assert_int_equal(kvm_dirty_ring_entry(vcpu, 0).flags, 0);
	kvm_vcpu_write(vcpu, 20);
	assert_int_equal(kvm_dirty_ring_used(vcpu), 2);
	/* The emulator notes each write; KVM itself, too. */
	kvm_vcpu_emulated_write(vcpu, 20);
	assert_true(kvm_vcpu_mark_page_dirty(vcpu, 20));
	assert_int_equal(kvm_dirty_ring_used(vcpu), 4);
	/* Nobody's write is lost. */
	assert_false(kvm_mark_page_dirty(kvm, 0, 30));
	/* Full: 256 entries less 64. */
	for (uint64_t gfn = 100; gfn < 287; gfn++) {
		assert_true(kvm_vcpu_enter(vcpu));
		kvm_vcpu_write(vcpu, gfn);
	}
	assert_true(kvm_vcpu_enter(vcpu));
	kvm_vcpu_write(vcpu, 287);
	assert_int_equal(kvm_dirty_ring_used(vcpu), 192);
	assert_false(kvm_vcpu_enter(vcpu));
	assert_true(kvm_dirty_ring_harvest(vcpu, &slot, &offset));
	assert_int_equal(offset, 5);
	assert_false(kvm_vcpu_enter(vcpu));
	/* Resetting an entry of a slot that is gone changes nothing but the ring. */
	assert_int_equal(set(2, 0, 0, 0), 0);
	assert_int_equal(kvm_reset_dirty_rings(kvm), 1);
	assert_true(kvm_vcpu_enter(vcpu));
}

static int overflows;

static void
on_overflow(struct world *w, const struct event *e, void *context)
{
	overflows++;
}

/* KVM itself goes on past the soft limit: 64 entries are kept for it, and then it overwrites. */
static void
ring_hard_full_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu;

	overflows = 0;
	world_observe(w, EV_KVM_DIRTY_RING_OVERFLOW, on_overflow, NULL);
	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), 0);
	assert_int_equal(set(0, LOG, 0, 1000), 0);
	vcpu = kvm_create_vcpu(kvm);
	for (uint64_t gfn = 0; gfn < 256; gfn++)
		assert_true(kvm_vcpu_mark_page_dirty(vcpu, gfn));
	assert_int_equal(overflows, 0);
	assert_true(kvm_vcpu_mark_page_dirty(vcpu, 999));
	assert_int_equal(overflows, 1);
	assert_int_equal(kvm_dirty_ring_entry(vcpu, 0).offset, 999);
}

static void
ring_bitmap_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu;

	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), 0);
	assert_int_equal(set(0, LOG, 0, 64), 0);
	assert_int_equal(kvm_enable_dirty_log_ring_with_bitmap(kvm), -EINVAL);
	assert_int_equal(set(0, 0, 0, 0), 0);
	assert_int_equal(kvm_enable_dirty_log_ring_with_bitmap(kvm), 0);
	assert_int_equal(set(0, LOG, 0, 64), 0);
	vcpu = kvm_create_vcpu(kvm);
	kvm_vcpu_write(vcpu, 3);
	assert_true(kvm_mark_page_dirty(kvm, 0, 4));
	assert_int_equal(get(0), 1u << 4);
	assert_int_equal(kvm_dirty_ring_used(vcpu), 1);
}

/* What QEMU a81a592698 forbids: with INITIALLY_SET a page that is mapped already is not noted. */
static void
ring_initially_set_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu;

	assert_int_equal(kvm_enable_dirty_log_ring(kvm, 4096), 0);
	assert_int_equal(kvm_enable_manual_dirty_log_protect2(kvm, MANUAL | ALL_SET), 0);
	vcpu = kvm_create_vcpu(kvm);
	assert_int_equal(set(0, 0, 0, 64), 0);
	kvm_vcpu_write(vcpu, 3);
	assert_int_equal(set(0, LOG, 0, 64), 0);
	kvm_vcpu_write(vcpu, 3);
	kvm_vcpu_write(vcpu, 4);
	assert_int_equal(kvm_dirty_ring_used(vcpu), 1);
	assert_int_equal(kvm_dirty_ring_entry(vcpu, 0).offset, 4);
}

static void
ring(void **state)
{
	with(&kvm_rules_today, ring_sizes_body);
	with(&kvm_rules_today, ring_late_body);
	with(&kvm_rules_today_pml, ring_pml_body);
	with(&kvm_rules_today, ring_body);
	with(&kvm_rules_today, ring_hard_full_body);
	with(&kvm_rules_arm64, ring_bitmap_body);
	with(&kvm_rules_today, ring_initially_set_body);
}

/* --- system management mode --------------------------------------------------------------------
 */

static void
smm_body(struct world *w, void *arg)
{
	struct kvm_vcpu *vcpu = kvm_create_vcpu(kvm);

	assert_int_equal(set(0, LOG, 0, 64), 0);
	assert_int_equal(set(KVM_SLOT(1, 0), LOG, 0, 64), 0);
	assert_true(kvm_vcpu_enter(vcpu));
	kvm_vcpu_write(vcpu, 3);
	/* The buffer is emptied in the address space that it was filled in. */
	kvm_vcpu_set_smm(vcpu, true);
	kvm_vcpu_write(vcpu, 4);
	kvm_vcpu_set_smm(vcpu, false);
	assert_int_equal(get(0), 1u << 3);
	assert_int_equal(get(KVM_SLOT(1, 0)), 1u << 4);
}

static void
smm(void **state)
{
	with(&kvm_rules_today, smm_body);
	with(&kvm_rules_today_pml, smm_body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual_protect),
		cmocka_unit_test(pml),
		cmocka_unit_test(ring),
		cmocka_unit_test(smm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
