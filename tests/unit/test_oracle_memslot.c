/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C-O10 by the slots of a memory listener: when an exit as MMIO breaks it, and when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "oracle/oracle.h"
#include "vmm/memory_listener.h"

#define RAM_PAGES 64u

struct fixture {
	struct world *w;
	struct kvm *kvm;
	struct memory_listener *l;
	struct kvm_vcpu *vcpu;
	const char *version;
	void (*body)(struct fixture *f);
};

static int
add(struct fixture *f, uint64_t gfn, uint64_t pages, bool readonly)
{
	const struct memory_section section = { .guest_phys_addr = gfn << KVM_PAGE_SHIFT,
						.size = pages << KVM_PAGE_SHIFT,
						.readonly = readonly };

	return memory_listener_region_add(f->l, &section, MEMORY_LISTENER_ANY_ID);
}

static void
del(struct fixture *f, int id)
{
	assert_int_equal(memory_listener_region_del(f->l, 0, id), 0);
}

static void
touch(struct fixture *f)
{
	assert_int_equal(kvm_vcpu_write(f->vcpu, 5), KVM_WRITE_MMIO);
	assert_false(kvm_vcpu_read(f->vcpu, 5));
}

static void
main_actor(struct actor *self, void *arg)
{
	struct fixture *f = arg;

	f->body(f);
}

static void
set_up(struct world *w, void *arg)
{
	struct fixture *f = arg;

	f->w = w;
	oracle_attach(w);
	f->kvm = kvm_create(w, &kvm_rules_today);
	f->l = memory_listener_create(w, f->kvm, RAM_PAGES << KVM_PAGE_SHIFT);
	assert_true(memory_listener_set_version(f->l, f->version));
	f->vcpu = kvm_create_vcpu(f->kvm);
	actor_create(w, "main", main_actor, f, 0);
}

/* What a run of @body says, and how many violations there are. */
static struct finding
run(void (*body)(struct fixture *f), const char *version, uint64_t *count)
{
	static struct fixture f;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, NULL);
	struct finding finding;

	f = (struct fixture){ .body = body, .version = version };
	assert_int_equal(world_setup(w, set_up, &f, NULL), 0);
	oracle_judge(w, world_run(w), &finding);
	oracle_violations(w, count);
	world_destroy(w);
	return finding;
}

static void
resized(struct fixture *f)
{
	int id = add(f, 0, 16, false);

	memory_listener_begin(f->l);
	del(f, id);
	touch(f);
	add(f, 0, 8, false);
	memory_listener_commit(f->l);
}

static void
fires(void **state)
{
	uint64_t count;
	struct finding f = run(resized, "6.1", &count);

	assert_int_equal(f.verdict, VERDICT_SPEC_VIOLATION);
	assert_string_equal(f.oracle, "C-O10");
	assert_string_equal(f.subject, "gfn=0x5");
	assert_non_null(strstr(f.message, "a write of page 0x5"));
	assert_int_equal(count, 1);
}

/* A page that was lost in the same run decides, though it was lost later. */
static void
lost_too(struct fixture *f)
{
	resized(f);
	emit(f->w, EV_DIRTY_PAGE_LOST, 5, 0, 1, 0);
}

static void
lost_page_first(void **state)
{
	uint64_t count;
	struct finding f = run(lost_too, "6.1", &count);

	assert_int_equal(f.verdict, VERDICT_DIRTY_PAGE_LOST);
	assert_int_equal(count, 1);
}

static void
disabled(struct fixture *f)
{
	oracle_enable(f->w, ORACLE_C_O10, false);
	resized(f);
}

/* No transaction: deleted, and made again by another decision. */
static void
no_transaction(struct fixture *f)
{
	del(f, add(f, 0, 16, false));
	touch(f);
	add(f, 0, 16, false);
}

static void
gone(struct fixture *f)
{
	int id = add(f, 0, 16, false);

	memory_listener_begin(f->l);
	del(f, id);
	touch(f);
	add(f, 8, 8, false);
	memory_listener_commit(f->l);
}

static void
came(struct fixture *f)
{
	memory_listener_begin(f->l);
	touch(f);
	add(f, 0, 16, false);
	memory_listener_commit(f->l);
}

/* A write to ROM exits, whether its slot is there or not; before the flip or after it. */
static void
to_rom(struct fixture *f)
{
	int id = add(f, 0, 16, false);

	memory_listener_begin(f->l);
	del(f, id);
	assert_int_equal(kvm_vcpu_write(f->vcpu, 5), KVM_WRITE_MMIO);
	add(f, 0, 16, true);
	assert_int_equal(kvm_vcpu_write(f->vcpu, 5), KVM_WRITE_READONLY);
	memory_listener_commit(f->l);
}

static void
from_rom(struct fixture *f)
{
	int id = add(f, 0, 16, true);

	memory_listener_begin(f->l);
	del(f, id);
	assert_int_equal(kvm_vcpu_write(f->vcpu, 5), KVM_WRITE_MMIO);
	add(f, 0, 16, false);
	memory_listener_commit(f->l);
}

/* The gap was the transaction before. */
static void
two(struct fixture *f)
{
	int id = add(f, 0, 16, false);

	memory_listener_begin(f->l);
	del(f, id);
	touch(f);
	memory_listener_commit(f->l);
	touch(f);
	memory_listener_begin(f->l);
	touch(f);
	add(f, 0, 16, false);
	memory_listener_commit(f->l);
}

static void
other_space(struct fixture *f)
{
	const struct memory_section smm = { .size = 16 << KVM_PAGE_SHIFT, .as_id = 1 };
	int id = memory_listener_region_add(f->l, &smm, MEMORY_LISTENER_ANY_ID);

	memory_listener_begin(f->l);
	assert_int_equal(memory_listener_region_del(f->l, 1, id), 0);
	touch(f); /* in the first space, where there is nothing */
	memory_listener_region_add(f->l, &smm, MEMORY_LISTENER_ANY_ID);
	memory_listener_commit(f->l);
}

static void
silent(void **state)
{
	void (*const bodies[])(struct fixture * f) = {
		disabled, no_transaction, gone, came, to_rom, from_rom, two, other_space
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		uint64_t count;
		struct finding f = run(bodies[i], "6.1", &count);

		assert_int_equal(f.verdict, VERDICT_OK);
		assert_int_equal(count, 0);
	}
}

/* A fetch from ROM that is flipped finds nothing: this is one. */
static void
fetch_body(struct fixture *f)
{
	int id = add(f, 0, 16, true);

	memory_listener_begin(f->l);
	del(f, id);
	assert_false(kvm_vcpu_read(f->vcpu, 5));
	add(f, 0, 16, false);
	memory_listener_commit(f->l);
}

static void
fetch(void **state)
{
	uint64_t count;
	struct finding f = run(fetch_body, "6.1", &count);

	assert_string_equal(f.oracle, "C-O10");
	assert_non_null(strstr(f.message, "a read of page 0x5"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires),
		cmocka_unit_test(lost_page_first),
		cmocka_unit_test(silent),
		cmocka_unit_test(fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
