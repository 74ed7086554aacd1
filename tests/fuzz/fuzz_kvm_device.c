/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of KVM against the kernel's: the same random sequence of slot updates, guest writes,
 * GET, CLEAR, harvests and resets is run through /dev/kvm and through sim/kvm, and each return
 * value, errno, bitmap and ring entry must agree.  Exits with 77 where there is no usable /dev/kvm.
 *
 * The guest is one store, in two ways: in real mode, with a HLT behind it, which this processor or
 * KVM's instruction emulator runs; and as a program in long mode, with an OUT behind it, which runs
 * natively everywhere, even where KVM has no virtualization extensions below it.  A store that is
 * emulated is noted each time, a native one only if the page was protected.
 * What kernels may differ in is asked for or tried out first (struct kvm_rules); see the table in
 * sim/kvm/README.md.
 */
#include "fuzz.h"

#ifdef __x86_64__
#include "kvm_device.h"

#define IDS 5u /* 1 … IDS are tried; 0 holds the code */
#define LOG_WORDS 16u
#define OPERATIONS 80u

struct both {
	struct fuzz *f;
	struct world *w;
	struct real real;
	struct kvm *kvm;
	struct kvm_vcpu *model[VCPUS];
};

static uint64_t operations;

/* --- operations, each on both ------------------------------------------------------------------
 */

static long
set_region(struct both *b, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t bytes, uint64_t ua)
{
	struct {
		uint32_t slot, flags;
		uint64_t guest_phys_addr, memory_size, userspace_addr;
	} real = { slot, flags, gpa, bytes, ua };
	struct model_region model = { slot, flags, gpa, bytes, ua };
	long r = call(b->real.vm, KVM_SET_USER_MEMORY_REGION, &real);

	fuzz_check(b->f, r == kvm_set_user_memory_region(b->kvm, &model));
	return r;
}

static void
guest_write(struct both *b, uint32_t vcpu, uint64_t gfn)
{
	uint32_t why = real_write(&b->real, vcpu, gfn);

	if (!kvm_vcpu_enter(b->model[vcpu])) {
		fuzz_check(b->f, why == KVM_EXIT_DIRTY_RING_FULL);
		return;
	}

	enum kvm_write how = host.emulated[b->real.flavour]
				     ? kvm_vcpu_emulated_write(b->model[vcpu], gfn)
				     : kvm_vcpu_write(b->model[vcpu], gfn);

	kvm_vcpu_exit(b->model[vcpu]);

	const uint32_t expected[] = {
		[KVM_WRITE_RAM] = code_exit[b->real.flavour],
		[KVM_WRITE_MMIO] = KVM_EXIT_MMIO,
		[KVM_WRITE_READONLY] = KVM_EXIT_MMIO,
		[KVM_WRITE_RING_FULL] = KVM_EXIT_DIRTY_RING_FULL,
	};

	/* An interrupt of the host between the emulated store and what is behind it: KVM looks at
	 * the ring before it goes on. */
	if (why == KVM_EXIT_DIRTY_RING_FULL && how == KVM_WRITE_RAM)
		fuzz_check(b->f, host.emulated[b->real.flavour] && !kvm_vcpu_enter(b->model[vcpu]));
	else
		fuzz_check(b->f, why == expected[how]);
}

static void
get_log(struct both *b, uint32_t slot)
{
	uint64_t words[LOG_WORDS];
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = words };
	const struct kvm_memory_slot *s = kvm_id_to_memslot(b->kvm, slot);
	uint64_t npages = s ? s->npages : 0;
	struct page_bitmap model;

	if (npages > LOG_WORDS * 64)
		return; /* as big as the address space, and nobody wrote it */
	memset(words, 0, sizeof(words));
	page_bitmap_init(&model, b->w, LOG_WORDS * 64);

	long r = call(b->real.vm, KVM_GET_DIRTY_LOG, &log);

	fuzz_check(b->f, r == kvm_get_dirty_log(b->kvm, slot, &model, 0));
	for (uint64_t page = 0; page < LOG_WORDS * 64; page++)
		fuzz_check(b->f,
			   (words[page / 64] >> page % 64 & 1) == page_bitmap_test(&model, page));
	page_bitmap_free(&model, b->w);
}

static void
clear_log(struct both *b, uint32_t slot, uint64_t first, uint32_t n, const uint64_t *words)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot, .num_pages = n, .first_page = first, .dirty_bitmap = (void *)words
	};
	struct page_bitmap model;

	page_bitmap_init(&model, b->w, LOG_WORDS * 64);
	for (uint64_t page = 0; page < LOG_WORDS * 64 && page < n; page++)
		if (words[page / 64] >> page % 64 & 1)
			page_bitmap_test_and_set(&model, b->w, page);

	long r = call(b->real.vm, KVM_CLEAR_DIRTY_LOG, &log);

	fuzz_check(b->f, r == kvm_clear_dirty_log(b->kvm, slot, first, n, &model, 0));
	page_bitmap_free(&model, b->w);
}

static void
manual_protect(struct both *b, uint64_t arg)
{
	fuzz_check(b->f, enable_cap(b->real.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, arg) ==
				 kvm_enable_manual_dirty_log_protect2(b->kvm, arg));
}

static void
compare_ring(struct both *b, uint32_t vcpu)
{
	for (uint32_t i = 0; i < host.ring_bytes / sizeof(*b->real.ring[0]); i++) {
		struct model_dirty_gfn e = kvm_dirty_ring_entry(b->model[vcpu], i);

		fuzz_check(b->f, b->real.ring[vcpu][i].flags == e.flags);
		fuzz_check(b->f, b->real.ring[vcpu][i].slot == e.slot);
		fuzz_check(b->f, b->real.ring[vcpu][i].offset == e.offset);
	}
}

static void
harvest(struct both *b, uint32_t vcpu, uint32_t most)
{
	uint32_t size = (uint32_t)(host.ring_bytes / sizeof(*b->real.ring[0]));
	uint32_t slot;
	uint64_t offset;

	for (; most; most--) {
		struct kvm_dirty_gfn *e = &b->real.ring[vcpu][b->real.fetch[vcpu] % size];
		bool dirty = __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) == KVM_DIRTY_GFN_F_DIRTY;

		fuzz_check(b->f, dirty == kvm_dirty_ring_harvest(b->model[vcpu], &slot, &offset));
		if (!dirty)
			return;
		fuzz_check(b->f, e->slot == slot && e->offset == offset);
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		b->real.fetch[vcpu]++;
	}
}

static void
reset_rings(struct both *b)
{
	fuzz_check(b->f,
		   call(b->real.vm, KVM_RESET_DIRTY_RINGS, NULL) == kvm_reset_dirty_rings(b->kvm));
}

/* --- random ones -------------------------------------------------------------------------------
 */

static uint32_t
random_slot(struct fuzz *f)
{
	switch (fuzz_below(f, 40)) {
	case 0:
		return KVM_SLOT(1, 1 + fuzz_below(f, IDS));
	case 1:
		return KVM_SLOT(2, 1);
	case 2:
		return host.rules.user_mem_slots + fuzz_below(f, 2);
	default:
		return 1 + fuzz_below(f, IDS);
	}
}

static void
random_region(struct both *b)
{
	struct fuzz *f = b->f;
	uint32_t slot = random_slot(f);
	const struct kvm_memory_slot *old = kvm_id_to_memslot(b->kvm, slot);
	uint32_t flags = fuzz_below(f, 3) ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	uint64_t npages = 1 + fuzz_below(f, fuzz_below(f, 2) ? 20 : 140);
	uint64_t gfn = GFN_LOW + fuzz_below(f, GFN_COUNT - 140);
	uint64_t ua = (uintptr_t)b->real.ram + (GFN_LOW + fuzz_below(f, 64)) * PAGE;

	if (!fuzz_below(f, 8))
		flags |= KVM_MEM_READONLY;
	if (old && fuzz_below(f, 4)) { /* one that has a chance to be accepted */
		npages = old->npages;
		ua = old->userspace_addr;
		flags = (flags & ~KVM_MEM_READONLY) | (old->flags & KVM_MEM_READONLY);
		if (fuzz_below(f, 3))
			gfn = old->base_gfn;
	}
	if (!fuzz_below(f, old ? 6 : 20))
		npages = 0;

	uint64_t gpa = gfn * PAGE, bytes = npages * PAGE;

	switch (fuzz_below(f, 60)) {
	case 0:
		gpa += 1 + fuzz_below(f, PAGE - 1);
		break;
	case 1:
		bytes += 512;
		break;
	case 2:
		ua += 8;
		break;
	case 3:
		flags |= 1u << (2 + fuzz_below(f, 30));
		break;
	case 4: /* ends of the guest's address space */
		gpa = (UINT64_C(1) << host.rules.gpa_bits) - fuzz_below(f, 3) * PAGE;
		break;
	case 5:
		gpa = -(1 + fuzz_below(f, 200)) * PAGE;
		break;
	case 6: /* ends of userspace */
		ua = host.rules.task_size - fuzz_below(f, 3) * PAGE - bytes + PAGE;
		break;
	case 7:
		/* One page less would be accepted, and cost the kernel 16 GiB. */
		bytes = (KVM_MEM_MAX_NR_PAGES + 1) * PAGE;
		break;
	}
	/* Nothing is mapped there, so the guest must not write it. */
	if (ua - (uintptr_t)b->real.ram >= RAM_PAGES * PAGE)
		gpa |= 0x1000 * PAGE;
	set_region(b, slot, flags, gpa, bytes, ua);
}

static void
random_clear(struct both *b)
{
	struct fuzz *f = b->f;
	uint32_t slot = random_slot(f);
	const struct kvm_memory_slot *s = kvm_id_to_memslot(b->kvm, slot);
	uint64_t words[LOG_WORDS];
	uint64_t first = 64 * fuzz_below(f, 3), n = 64 * fuzz_below(f, 3);

	for (unsigned i = 0; i < LOG_WORDS; i++)
		words[i] = prng_next(&f->prng) | (fuzz_below(f, 2) ? UINT64_MAX : 0);
	if (s && s->npages <= LOG_WORDS * 64 && fuzz_below(f, 3)) {
		first = 64 * fuzz_below(f, (uint32_t)(s->npages / 64 + 1));
		n = s->npages - first;
	}
	switch (fuzz_below(f, 30)) {
	case 0:
		first += 1 + fuzz_below(f, 63);
		break;
	case 1:
		n += 1 + fuzz_below(f, 63);
		break;
	case 2:
		first = -(uint64_t)64;
		break;
	}
	clear_log(b, slot, first, (uint32_t)n, words);
}

/* Often one of a few pages of a slot: what happens to a page again and again matters most. */
static uint64_t
random_gfn(struct both *b)
{
	struct fuzz *f = b->f;
	const struct kvm_memory_slot *s = kvm_id_to_memslot(b->kvm, 1 + fuzz_below(f, IDS));

	if (s && s->base_gfn < GFN_LOW + GFN_COUNT && fuzz_below(f, 4))
		return s->base_gfn + fuzz_below(f, s->npages < 4 ? (uint32_t)s->npages : 4);
	return GFN_LOW + fuzz_below(f, GFN_COUNT);
}

static void
random_operation(struct both *b)
{
	struct fuzz *f = b->f;
	uint32_t vcpu = fuzz_below(f, VCPUS);

	operations++;
	switch (fuzz_below(f, 16)) {
	case 0 ... 3:
		random_region(b);
		break;
	case 4 ... 9:
		guest_write(b, vcpu, random_gfn(b));
		break;
	case 10 ... 11:
		get_log(b, random_slot(f));
		break;
	case 12:
		random_clear(b);
		break;
	case 13:
		/* Not INITIALLY_SET with a ring: see the table in sim/kvm/README.md. */
		if (!fuzz_below(f, 8))
			manual_protect(b, fuzz_below(f, b->real.mode == MODE_RING ? 3 : 5));
		break;
	case 14:
		if (b->real.mode == MODE_RING)
			harvest(b, vcpu, fuzz_below(f, 6));
		break;
	default:
		reset_rings(b);
	}
}

/* All slots are there and are the same: each id's log answers alike. */
static void
compare(struct both *b)
{
	for (uint32_t id = 1; id <= IDS; id++)
		get_log(b, id);
	for (uint32_t i = 0; b->real.mode == MODE_RING && i < VCPUS; i++)
		compare_ring(b, i);
}

static void
create(struct both *b)
{
	static const uint64_t manual[MODES] = {
		[MODE_MANUAL] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
		[MODE_MANUAL_SET] =
			KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET,
	};

	must(real_create(&b->real));
	b->kvm = kvm_create(b->w, &host.rules);
	if (manual[b->real.mode])
		manual_protect(b, manual[b->real.mode]);
	if (b->real.mode == MODE_RING) {
		static const uint64_t sizes[] = {
			0, 100, 1024, 12288, UINT64_C(1) << 21, (UINT64_C(1) << 32) + 512
		};

		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			fuzz_check(b->f, enable_cap(b->real.vm, KVM_CAP_DIRTY_LOG_RING, sizes[i]) ==
						 kvm_enable_dirty_log_ring(b->kvm, sizes[i]));
		for (int i = 0; i < 2; i++) /* and a second time */
			fuzz_check(
				b->f,
				enable_cap(b->real.vm, KVM_CAP_DIRTY_LOG_RING, host.ring_bytes) ==
					kvm_enable_dirty_log_ring(b->kvm, host.ring_bytes));
	}
	must(!set_region(b, 0, 0, 0, GFN_LOW * PAGE, (uintptr_t)b->real.ram));
	real_create_vcpus(&b->real);
	for (uint32_t i = 0; i < VCPUS; i++)
		b->model[i] = kvm_create_vcpu(b->kvm);
	if (b->real.mode != MODE_RING) /* too late for a ring now */
		fuzz_check(b->f, enable_cap(b->real.vm, KVM_CAP_DIRTY_LOG_RING, host.ring_bytes) ==
					 kvm_enable_dirty_log_ring(b->kvm, host.ring_bytes));
}

/* A ring that runs full: the guest stays out until enough was reset. */
static void
fill_ring(struct both *b)
{
	uint64_t ua = (uintptr_t)b->real.ram + GFN_LOW * PAGE; /* not the code */

	set_region(b, 1, KVM_MEM_LOG_DIRTY_PAGES, GFN_LOW * PAGE, GFN_COUNT * PAGE, ua);
	for (uint64_t i = 0; i < 200; i++)
		guest_write(b, 0, GFN_LOW + i);
	harvest(b, 0, 3);
	guest_write(b, 0, GFN_LOW);
	reset_rings(b);
	for (uint64_t i = 0; i < 8; i++)
		guest_write(b, 0, GFN_LOW + i);
	compare_ring(b, 0);
	set_region(b, 1, 0, 0, 0, 0);
	harvest(b, 0, 400);
	reset_rings(b);
	operations += 215;
}

static void
fuzz_in_world(struct world *w, void *arg)
{
	struct fuzz *f = arg;
	struct both b = { .f = f,
			  .w = w,
			  .real.mode = (enum mode)fuzz_below(f, MODES),
			  .real.flavour = (enum flavour)fuzz_below(f, FLAVOURS) };

	create(&b);
	if (b.real.mode == MODE_RING && !fuzz_below(f, 4))
		fill_ring(&b);
	for (f->operation = 0; f->operation < OPERATIONS; f->operation++) {
		random_operation(&b);
		if (f->operation % 8 == 7)
			compare(&b);
	}
	compare(&b);
	real_destroy(&b.real);
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
	const char *why = probe();

	if (why) {
		printf("skipped: %s\n", why);
		return 77;
	}
	printf("slots %u, address spaces %u, gpa bits %u, PML %s, real mode %s, long mode %s\n",
	       host.rules.user_mem_slots, host.rules.address_spaces, host.rules.gpa_bits,
	       host.rules.pml ? "yes" : "no", host.emulated[REAL_MODE] ? "emulated" : "native",
	       host.emulated[LONG_MODE] ? "emulated" : "native");

	int r = fuzz_main(argc, argv, "kvm_device", 120, fuzz_round);

	printf("%llu operations\n", (unsigned long long)operations);
	return r;
}
#else
int
main(void)
{
	printf("skipped: the guest is a program for x86\n");
	return 77;
}
#endif
