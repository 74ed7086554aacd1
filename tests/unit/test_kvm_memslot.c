/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM_SET_USER_MEMORY_REGION and KVM_GET_DIRTY_LOG: each rule, each error, a deletion's window. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "kvm/memslot.h"

#define PAGE KVM_PAGE_SIZE
#define LOG KVM_MEM_LOG_DIRTY_PAGES

static struct kvm *kvm; /* in the arena of the test's world */
static struct world *world;

static struct {
	int destroyed, invalid;
	int64_t slot, base_gfn, npages, dirty;
} seen;

static void
on_event(struct world *w, const struct event *e, void *context)
{
	if (e->kind == EV_KVM_MEMSLOT_INVALID)
		seen.invalid++;
	if (e->kind != EV_KVM_DIRTY_BITMAP_DESTROYED)
		return;
	seen.destroyed++;
	seen.slot = e->arg[0];
	seen.base_gfn = e->arg[1];
	seen.npages = e->arg[2];
	seen.dirty = e->arg[3];
}

static int
set(uint32_t slot, uint32_t flags, uint64_t gfn, uint64_t npages, uint64_t ua_page)
{
	return kvm_set_user_memory_region(
		kvm, &(struct kvm_userspace_memory_region){ slot, flags, gfn * PAGE, npages * PAGE,
							    ua_page * PAGE });
}

static int
set_bytes(uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t ua)
{
	return kvm_set_user_memory_region(
		kvm, &(struct kvm_userspace_memory_region){ slot, flags, gpa, size, ua });
}

static void
with(const struct kvm_rules *rules, void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	world = w;
	memset(&seen, 0, sizeof(seen));
	world_observe(w, EV_KVM_DIRTY_BITMAP_DESTROYED, on_event, NULL);
	world_observe(w, EV_KVM_MEMSLOT_INVALID, on_event, NULL);
	kvm = kvm_create(w, rules);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

/* The pages of a slot's dirty log, as a word: bit i is page i. */
static uint64_t
log_of(uint32_t slot, int want)
{
	struct page_bitmap b;
	uint64_t word = 0;

	page_bitmap_init(&b, world, 64);
	assert_int_equal(kvm_get_dirty_log(kvm, slot, &b, 0), want);
	for (uint64_t i = 0; i < 64; i++)
		word |= (uint64_t)page_bitmap_test(&b, i) << i;
	page_bitmap_free(&b, world);
	return word;
}

static void
arguments_body(struct world *w, void *arg)
{
	assert_int_equal(set_bytes(0, 0, PAGE, PAGE + 1, PAGE), -EINVAL);
	assert_int_equal(set_bytes(0, 0, PAGE + 512, PAGE, PAGE), -EINVAL);
	assert_int_equal(set_bytes(0, 0, PAGE, PAGE, PAGE + 1), -EINVAL);
	assert_int_equal(set_bytes(0, 4, PAGE, PAGE, PAGE), -EINVAL);
	assert_int_equal(set_bytes(0, KVM_MEMSLOT_INVALID, PAGE, PAGE, PAGE), -EINVAL);
	/* The guest's addresses wrap; so they do, for KVM, if they end with the last page there is.
	 */
	assert_int_equal(set_bytes(0, 0, -2 * PAGE, 4 * PAGE, PAGE), -EINVAL);
	assert_int_equal(set_bytes(0, 0, -PAGE, PAGE, PAGE), -EINVAL);
	/* Userspace ends. */
	assert_int_equal(set_bytes(0, 0, 0, 2 * PAGE, (UINT64_C(1) << 47) - 2 * PAGE), -EINVAL);
	assert_int_equal(set_bytes(0, 0, 0, PAGE, -PAGE), -EINVAL);
	assert_int_equal(set_bytes(0, 0, 0, PAGE, (UINT64_C(1) << 47) - 2 * PAGE), 0);
	assert_int_equal(set(0, 0, 0, 0, 0), 0);
	/* 2^31 pages are one too many. */
	assert_int_equal(set(0, 0, 0, UINT64_C(1) << 31, 1), -EINVAL);
	assert_int_equal(set(0, 0, 0, KVM_MEM_MAX_NR_PAGES, 1), 0);
	assert_int_equal(set(0, 0, 0, 0, 0), 0);
	/* Nothing to delete. */
	assert_int_equal(set(3, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(kvm_memslots(kvm, 0), 0);
}

static void
arguments(void **state)
{
	with(&kvm_rules_3_19, arguments_body);
	with(&kvm_rules_today, arguments_body);
}

static void
ids_2015_body(struct world *w, void *arg)
{
	assert_int_equal(set(508, 0, 0, 1, 0), 0);
	assert_int_equal(set(509, 0, 1, 1, 0), -EINVAL);
	assert_int_equal(set(KVM_SLOT(1, 0), 0, 1, 1, 0), -EINVAL);
	assert_int_equal(set(0, 0, UINT64_C(1) << 40, 1, 0), 0);
	log_of(509, -EINVAL);
}

static void
ids_today_body(struct world *w, void *arg)
{
	assert_int_equal(set(32763, 0, 0, 1, 0), 0);
	assert_int_equal(set(32764, 0, 1, 1, 0), -EINVAL);
	assert_int_equal(set(KVM_SLOT(2, 0), 0, 1, 1, 0), -EINVAL);
	/* The host's 46 physical address bits. */
	assert_int_equal(set(0, 0, (UINT64_C(1) << 34) - 1, 1, 0), 0);
	assert_int_equal(set(1, 0, (UINT64_C(1) << 34) - 2, 2, 0), -EEXIST);
	assert_int_equal(set(1, 0, UINT64_C(1) << 34, 1, 0), -EINVAL);
	log_of(KVM_SLOT(2, 0), -EINVAL);
	log_of(32764, -EINVAL);
}

static void
ids(void **state)
{
	with(&kvm_rules_3_19, ids_2015_body);
	with(&kvm_rules_today, ids_today_body);
}

static void
changes_body(struct world *w, void *arg)
{
	assert_int_equal(set(1, 0, 16, 16, 100), 0);
	assert_int_equal(set(2, KVM_MEM_READONLY, 48, 16, 200), 0);
	/* The same again: nothing to do. */
	assert_int_equal(set(1, 0, 16, 16, 100), 0);
	assert_int_equal(seen.invalid, 0);
	/* What cannot change. */
	assert_int_equal(set(1, 0, 16, 8, 100), -EINVAL);
	assert_int_equal(set(1, 0, 16, 32, 100), -EINVAL);
	assert_int_equal(set(1, 0, 16, 16, 101), -EINVAL);
	assert_int_equal(set(1, KVM_MEM_READONLY, 16, 16, 100), -EINVAL);
	assert_int_equal(set(2, 0, 48, 16, 200), -EINVAL);
	/* Overlaps: one page at either end, within, around; touching is none. */
	assert_int_equal(set(3, 0, 1, 16, 0), -EEXIST);
	assert_int_equal(set(3, 0, 31, 2, 0), -EEXIST);
	assert_int_equal(set(3, 0, 20, 2, 0), -EEXIST);
	assert_int_equal(set(3, 0, 0, 64, 0), -EEXIST);
	assert_int_equal(set(3, 0, 32, 16, 0), 0);
	assert_int_equal(set(4, 0, 0, 16, 0), 0);
	assert_int_equal(kvm_memslots(kvm, 0), 4);
	assert_int_equal(kvm_memslot(kvm, 0, 0)->id, 4);
	assert_int_equal(kvm_memslot(kvm, 0, 3)->id, 2);
	/* Moving onto another is refused and changes nothing; onto itself, shifted, is fine. */
	assert_int_equal(set(1, 0, 40, 16, 100), -EEXIST);
	assert_int_equal(kvm_gfn_to_memslot(kvm, 0, 16)->id, 1);
	assert_int_equal(set(2, KVM_MEM_READONLY, 50, 16, 200), 0);
	assert_null(kvm_gfn_to_memslot(kvm, 0, 49));
	assert_int_equal(kvm_gfn_to_memslot(kvm, 0, 65)->id, 2);
	assert_int_equal(seen.invalid, 1);
	/* Two address spaces do not see each other. */
	assert_int_equal(set(KVM_SLOT(1, 1), 0, 10, 40, 0), 0);
	assert_int_equal(kvm_gfn_to_memslot(kvm, 1, 20)->as_id, 1);
	assert_int_equal(kvm_gfn_to_memslot(kvm, 0, 20)->npages, 16);
	assert_int_equal(kvm_id_to_memslot(kvm, KVM_SLOT(1, 1))->npages, 40);
}

static void
changes(void **state)
{
	with(&kvm_rules_today, changes_body);
}

static void
dirty_log_body(struct world *w, void *arg)
{
	assert_int_equal(set(2, 0, 0xc0, 16, 0), 0);
	assert_false(kvm_mark_page_dirty(kvm, 0, 0xca));
	log_of(2, -ENOENT);
	log_of(3, -ENOENT);
	assert_int_equal(set(2, LOG, 0xc0, 16, 0), 0);
	assert_int_equal(log_of(2, 0), 0);
	assert_true(kvm_mark_page_dirty(kvm, 0, 0xca));
	assert_true(kvm_mark_page_dirty(kvm, 0, 0xca));
	assert_true(kvm_mark_page_dirty(kvm, 0, 0xcf));
	assert_false(kvm_mark_page_dirty(kvm, 0, 0xd0));
	assert_false(kvm_mark_page_dirty(kvm, 1, 0xca));
	/* Copy and clear. */
	assert_int_equal(log_of(2, 0), 1u << 10 | 1u << 15);
	assert_int_equal(log_of(2, 0), 0);
	/* A move takes the bits along, and the bitmap does not die. */
	assert_int_equal(kvm_write_guest_page(kvm, 0, 0xc1), KVM_WRITE_RAM);
	assert_int_equal(set(2, LOG, 0x200, 16, 0), 0);
	assert_int_equal(kvm_write_guest_page(kvm, 0, 0xc1), KVM_WRITE_MMIO);
	assert_int_equal(kvm_write_guest_page(kvm, 0, 0x202), KVM_WRITE_RAM);
	assert_int_equal(seen.destroyed, 0);
	assert_int_equal(log_of(2, 0), 1u << 1 | 1u << 2);
	/* Switching logging off frees it with its bits; on again, it is empty. */
	assert_true(kvm_mark_page_dirty(kvm, 0, 0x203));
	assert_int_equal(set(2, 0, 0x200, 16, 0), 0);
	assert_int_equal(seen.destroyed, 1);
	assert_int_equal(seen.dirty, 1);
	assert_int_equal(set(2, LOG, 0x200, 16, 0), 0);
	assert_int_equal(log_of(2, 0), 0);
	/* So does deleting, and moving with logging off in one call. */
	assert_int_equal(set(KVM_SLOT(1, 7), LOG, 0, 8, 0), 0);
	assert_true(kvm_mark_page_dirty(kvm, 1, 3));
	assert_true(kvm_mark_page_dirty(kvm, 1, 4));
	assert_int_equal(set(KVM_SLOT(1, 7), 0, 8, 8, 0), 0);
	assert_int_equal(seen.destroyed, 2);
	assert_int_equal(seen.base_gfn, 0);
	assert_int_equal(seen.dirty, 2);
	assert_int_equal(set(2, 0, 0, 0, 0), 0);
	assert_int_equal(seen.destroyed, 3);
	assert_int_equal(seen.slot, 2);
	assert_int_equal(seen.base_gfn, 0x200);
	assert_int_equal(seen.npages, 16);
	assert_int_equal(seen.dirty, 0);
	/* Without a bitmap nothing is destroyed. */
	assert_int_equal(set(KVM_SLOT(1, 7), 0, 8, 0, 0), 0);
	assert_int_equal(seen.destroyed, 3);
}

static void
dirty_log(void **state)
{
	with(&kvm_rules_today, dirty_log_body);
}

static void
readonly_body(struct world *w, void *arg)
{
	assert_int_equal(set(0, LOG | KVM_MEM_READONLY, 0, 4, 0), 0);
	assert_int_equal(kvm_write_guest_page(kvm, 0, 1), KVM_WRITE_READONLY);
	assert_int_equal(kvm_write_guest_page(kvm, 0, 9), KVM_WRITE_MMIO);
	assert_int_equal(log_of(0, 0), 0);
}

static void
readonly(void **state)
{
	with(&kvm_rules_today, readonly_body);
}

/* --- the window --------------------------------------------------------------------------------
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

static struct {
	int wrote[3]; /* by enum kvm_write */
	int marked_invalid;
	int second;
} race;

static void
race_delete(struct actor *self, void *arg)
{
	assert_int_equal(set(5, 0, 0, 0, 0), 0);
}

/* A second ioctl waits until the first has left its window. */
static void
race_other_ioctl(struct actor *self, void *arg)
{
	actor_point(actor_world(self));
	race.second += set(6, 0, 4, 4, 0) == -EEXIST;
}

static void
race_vcpu(struct actor *self, void *arg)
{
	const struct kvm_memory_slot *slot;

	actor_point(actor_world(self));
	slot = kvm_gfn_to_memslot(kvm, 0, 7);
	if (slot && slot->id == 5 && slot->flags & KVM_MEMSLOT_INVALID) {
		/* A writer that looked before: its mark goes into the bitmap that dies. */
		assert_true(kvm_mark_page_dirty(kvm, 0, 7));
		race.marked_invalid++;
		assert_int_equal(kvm_write_guest_page(kvm, 0, 7), KVM_WRITE_MMIO);
	}
	race.wrote[kvm_write_guest_page(kvm, 0, 7)]++;
}

static void
race_setup(struct world *w, void *arg)
{
	world_observe(w, EV_KVM_DIRTY_BITMAP_DESTROYED, on_event, NULL);
	kvm = kvm_create(w, &kvm_rules_today);
	assert_int_equal(set(5, LOG, 0, 16, 0), 0);
	actor_create(w, "qemu", race_delete, NULL, 0);
	actor_create(w, "ioctl", race_other_ioctl, NULL, 0);
	actor_create(w, "vcpu", race_vcpu, NULL, 0);
}

static void
window(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	struct random_chooser r = { { choose_random }, { { 0 } } };
	int destroyed_dirty = 0;

	assert_int_equal(world_setup(w, race_setup, NULL, &err), 0);
	world_snapshot(w);
	world_set_chooser(w, &r.base);
	prng_seed(&r.prng, 1);
	memset(&race, 0, sizeof(race));
	for (int i = 0; i < 400; i++) {
		seen.dirty = -1;
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		assert_true(seen.dirty == 0 || seen.dirty == 1);
		destroyed_dirty += (int)seen.dirty;
		world_restore(w);
	}
	/* Before: the mark dies.  In the window: MMIO.  After: MMIO, or slot 6, which does not log.
	 */
	assert_true(race.wrote[KVM_WRITE_RAM] > 20);
	assert_true(race.wrote[KVM_WRITE_MMIO] > 20);
	assert_true(race.marked_invalid > 20);
	assert_true(destroyed_dirty > race.marked_invalid);
	assert_true(race.second > 20 && race.second < 380);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments), cmocka_unit_test(ids),	 cmocka_unit_test(changes),
		cmocka_unit_test(dirty_log), cmocka_unit_test(readonly), cmocka_unit_test(window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
