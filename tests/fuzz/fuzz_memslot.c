/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's memory slots against a list of intervals with an array of flags each: every return value,
 * every look-up, every dirty bit.
 */
#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "engine/world.h"
#include "fuzz.h"
#include "kvm/memslot.h"

#define GFNS 96u
#define IDS 12u
#define SPACES 2u

/* The obvious model: one entry an id, nothing sorted, nothing shared with the code under test. */
struct entry {
	bool used, log;
	uint32_t flags;
	uint64_t base, npages, ua;
	bool dirty[GFNS];
};

struct model {
	struct entry entry[SPACES][IDS];
	uint64_t destroyed; /* ones that died */
};

/* What the events say, to be compared with the model. */
static uint64_t destroyed;

static void
on_destroyed(struct world *w, const struct event *e, void *context)
{
	destroyed += (uint64_t)e->arg[3];
}

static void
model_log(struct model *m, struct entry *e, bool log)
{
	if (e->log != log) {
		for (uint64_t i = 0; i < GFNS; i++)
			m->destroyed += !log && e->dirty[i];
		memset(e->dirty, 0, sizeof(e->dirty));
	}
	e->log = log;
}

static bool
model_overlaps(const struct model *m, uint32_t as_id, uint32_t id, uint64_t base, uint64_t npages)
{
	for (uint32_t i = 0; i < IDS; i++) {
		const struct entry *e = &m->entry[as_id][i];

		if (i == id || !e->used)
			continue;
		for (uint64_t gfn = base; gfn < base + npages; gfn++)
			if (gfn >= e->base && gfn < e->base + e->npages)
				return true;
	}
	return false;
}

static int
model_set(struct model *m, const struct kvm_userspace_memory_region *mem)
{
	uint32_t as_id = mem->slot >> 16, id = mem->slot & 0xffff;
	uint64_t base = mem->guest_phys_addr / 4096, npages = mem->memory_size / 4096;

	if (mem->flags > 3 || mem->memory_size % 4096 || mem->guest_phys_addr % 4096 ||
	    mem->userspace_addr % 4096)
		return -EINVAL;
	/* The fuzzer's addresses are small, or so large that one of these refuses them. */
	if (as_id >= SPACES || id >= IDS || mem->userspace_addr >> 47 || mem->memory_size >> 40 ||
	    mem->guest_phys_addr + mem->memory_size < mem->guest_phys_addr)
		return -EINVAL;

	struct entry *e = &m->entry[as_id][id];

	if (!npages && !e->used)
		return -EINVAL;
	if (!npages) {
		model_log(m, e, false);
		e->used = false;
		return 0;
	}
	if (e->used && (e->npages != npages || e->ua != mem->userspace_addr ||
			(e->flags ^ mem->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	if (model_overlaps(m, as_id, id, base, npages))
		return -EEXIST;
	if (base >> 34)
		return -EINVAL;
	if (!e->used)
		*e = (struct entry){ .used = true };
	model_log(m, e, mem->flags & KVM_MEM_LOG_DIRTY_PAGES);
	e->flags = mem->flags;
	e->base = base;
	e->npages = npages;
	e->ua = mem->userspace_addr;
	return 0;
}

static struct entry *
model_at(struct model *m, uint32_t as_id, uint64_t gfn)
{
	for (uint32_t id = 0; id < IDS; id++) {
		struct entry *e = &m->entry[as_id][id];

		if (e->used && gfn >= e->base && gfn < e->base + e->npages)
			return e;
	}
	return NULL;
}

/* A call that is often sensible: an existing slot with one thing changed, or a new one. */
static struct kvm_userspace_memory_region
some_region(struct fuzz *f, const struct model *m)
{
	uint32_t as_id = fuzz_below(f, SPACES), id = fuzz_below(f, IDS);
	const struct entry *e = &m->entry[as_id][id];
	uint64_t base = fuzz_below(f, GFNS - 16), npages = 1 + fuzz_below(f, 16);
	struct kvm_userspace_memory_region mem = {
		.slot = KVM_SLOT(as_id, id),
		.flags = fuzz_below(f, 4),
		.guest_phys_addr = base * 4096,
		.memory_size = npages * 4096,
		.userspace_addr = fuzz_below(f, 64) * 4096,
	};

	if (e->used) {
		mem.flags = e->flags;
		mem.guest_phys_addr = e->base * 4096;
		mem.memory_size = e->npages * 4096;
		mem.userspace_addr = e->ua;
		switch (fuzz_below(f, 8)) {
		case 0: /* another size: refused, or nothing if it is the same */
			mem.memory_size = npages * 4096;
			break;
		case 1:
			mem.userspace_addr ^= 4096;
			break;
		case 2:
			mem.flags ^= KVM_MEM_READONLY;
			break;
		case 3:
		case 4:
			mem.flags ^= KVM_MEM_LOG_DIRTY_PAGES;
			break;
		default: /* move */
			mem.guest_phys_addr = base * 4096;
		}
	}
	return mem;
}

static void
spoil(struct fuzz *f, struct kvm_userspace_memory_region *mem)
{
	switch (fuzz_below(f, 9)) {
	case 0:
		mem->flags |= 1u << (2 + fuzz_below(f, 30));
		break;
	case 1:
		mem->guest_phys_addr += 1 + fuzz_below(f, 4095);
		break;
	case 2:
		mem->memory_size += 1 + fuzz_below(f, 4095);
		break;
	case 3:
		mem->userspace_addr += 1 + fuzz_below(f, 4095);
		break;
	case 4:
		mem->slot += IDS;
		break;
	case 5:
		mem->slot += SPACES << 16;
		break;
	case 6:
		mem->guest_phys_addr = -(uint64_t)4096 * (1 + fuzz_below(f, 16));
		break;
	case 7:
		mem->userspace_addr = (UINT64_C(1) << 47) + 4096 * fuzz_below(f, 16);
		break;
	default:
		mem->memory_size = (UINT64_C(1) << 43) + 4096 * fuzz_below(f, 16);
	}
}

static void
set(struct fuzz *f, struct kvm *kvm, struct model *m)
{
	struct kvm_userspace_memory_region mem = some_region(f, m);

	if (!fuzz_below(f, 5))
		mem.memory_size = 0;
	if (!fuzz_below(f, 8))
		spoil(f, &mem);
	fuzz_check(f, kvm_set_user_memory_region(kvm, &mem) == model_set(m, &mem));
}

static void
dirty(struct fuzz *f, struct kvm *kvm, struct model *m)
{
	uint32_t as_id = fuzz_below(f, SPACES);
	uint64_t gfn = fuzz_below(f, GFNS);
	struct entry *e = model_at(m, as_id, gfn);

	if (fuzz_below(f, 2)) {
		fuzz_check(f, kvm_mark_page_dirty(kvm, as_id, gfn) == (e && e->log));
	} else {
		enum kvm_write want = !e			    ? KVM_WRITE_MMIO
				      : e->flags & KVM_MEM_READONLY ? KVM_WRITE_READONLY
								    : KVM_WRITE_RAM;

		fuzz_check(f, kvm_write_guest_page(kvm, as_id, gfn) == want);
		if (want != KVM_WRITE_RAM)
			return;
	}
	if (e && e->log)
		e->dirty[gfn - e->base] = true;
}

static void
get_log(struct fuzz *f, struct world *w, struct kvm *kvm, struct model *m)
{
	uint32_t as_id = fuzz_below(f, SPACES + 1), id = fuzz_below(f, IDS + 1);
	uint64_t offset = fuzz_below(f, 50), ones = 0;
	struct page_bitmap log;
	int want = as_id >= SPACES || id >= IDS ? -EINVAL : -ENOENT;
	struct entry *e = want == -EINVAL ? NULL : &m->entry[as_id][id];

	if (e && e->used && e->log)
		want = 0;
	page_bitmap_init(&log, w, GFNS + 50);
	fuzz_check(f, kvm_get_dirty_log(kvm, KVM_SLOT(as_id, id), &log, offset) == want);
	for (uint64_t i = 0; i < GFNS + 50; i++) {
		bool one = !want && i >= offset && i - offset < e->npages && e->dirty[i - offset];

		fuzz_check(f, page_bitmap_test(&log, i) == one);
		ones += one;
	}
	fuzz_check(f, log.set == ones);
	if (!want)
		memset(e->dirty, 0, sizeof(e->dirty));
	page_bitmap_free(&log, w);
}

static void
compare(struct fuzz *f, const struct kvm *kvm, struct model *m)
{
	for (uint32_t as_id = 0; as_id < SPACES; as_id++) {
		uint32_t used = 0;

		for (uint32_t id = 0; id < IDS; id++) {
			const struct kvm_memory_slot *s =
				kvm_id_to_memslot(kvm, KVM_SLOT(as_id, id));
			const struct entry *e = &m->entry[as_id][id];

			used += e->used;
			fuzz_check(f, !s == !e->used);
			if (!s)
				continue;
			fuzz_check(f, s->base_gfn == e->base && s->npages == e->npages);
			fuzz_check(f, s->flags == e->flags && s->userspace_addr == e->ua);
			fuzz_check(f, kvm_memslot_logs(s) == e->log);
			for (uint64_t i = 0; e->log && i < e->npages; i++)
				fuzz_check(f, page_bitmap_test(&s->dirty, i) == e->dirty[i]);
		}
		fuzz_check(f, kvm_memslots(kvm, as_id) == used);
		for (uint32_t i = 1; i < used; i++)
			fuzz_check(f, kvm_memslot(kvm, as_id, i - 1)->base_gfn <
					      kvm_memslot(kvm, as_id, i)->base_gfn);
		for (uint64_t gfn = 0; gfn < GFNS + 20; gfn++) {
			const struct kvm_memory_slot *s = kvm_gfn_to_memslot(kvm, as_id, gfn);
			const struct entry *e = model_at(m, as_id, gfn);

			fuzz_check(f, s ? e == &m->entry[as_id][s->id] : !e);
		}
	}
	fuzz_check(f, destroyed == m->destroyed);
}

static void
fuzz_in_world(struct world *w, void *arg)
{
	struct fuzz *f = arg;
	struct kvm_rules rules = kvm_rules_today;
	struct model m = { 0 };

	rules.user_mem_slots = IDS;
	destroyed = 0;
	world_observe(w, EV_KVM_DIRTY_BITMAP_DESTROYED, on_destroyed, NULL);

	struct kvm *kvm = kvm_create(w, &rules);

	for (f->operation = 0; f->operation < 400; f->operation++) {
		switch (fuzz_below(f, 4)) {
		case 0:
		case 1:
			set(f, kvm, &m);
			break;
		case 2:
			dirty(f, kvm, &m);
			break;
		default:
			get_log(f, w, kvm, &m);
		}
		compare(f, kvm, &m);
	}
}

static void
fuzz_round(struct fuzz *f)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	must(w);
	must(!world_setup(w, fuzz_in_world, f, &err));
	world_destroy(w);
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "memslot", 800, fuzz_round);
}
