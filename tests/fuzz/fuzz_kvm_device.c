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
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The model's names for what linux/kvm.h defines, too. */
#define kvm_userspace_memory_region model_region
#undef KVM_MEM_LOG_DIRTY_PAGES
#undef KVM_MEM_READONLY
#undef KVM_MEMSLOT_INVALID
#undef KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE
#undef KVM_DIRTY_LOG_INITIALLY_SET
#define kvm_dirty_gfn model_dirty_gfn
#undef KVM_DIRTY_GFN_F_DIRTY
#undef KVM_DIRTY_GFN_F_RESET
#include "base/must.h"
#include "engine/world.h"
#include "fuzz.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"
#undef kvm_userspace_memory_region
#undef kvm_dirty_gfn

#define PAGE KVM_PAGE_SIZE
#define RAM_PAGES 512u
#define GFN_LOW 16u /* slots are from here on; page 1 is the code */
#define GFN_COUNT 320u
#define IDS 5u /* 1 … IDS are tried; 0 holds the code */
#define VCPUS 2u
#define LOG_WORDS 16u
#define OPERATIONS 80u

/* In real mode, and in long mode at privilege level 3. */
enum flavour { REAL_MODE, LONG_MODE, FLAVOURS };
static const uint8_t code[FLAVOURS][4] = {
	[REAL_MODE] = { 0x88, 0x07, 0xf4 }, /* mov [bx], al; hlt */
	[LONG_MODE] = { 0x88, 0x03, 0xe6, 0x10 }, /* mov [rbx], al; out 0x10, al */
};
static const uint32_t code_exit[FLAVOURS] = { KVM_EXIT_HLT, KVM_EXIT_IO };
#define CODE_GPA 0x1000u
#define PML4_GPA 0x2000u
#define PDPT_GPA 0x3000u
#define PD_GPA 0x4000u

/* What this kernel and processor are like. */
static struct {
	int fd;
	struct kvm_rules rules;
	bool emulated[FLAVOURS]; /* by KVM's instruction emulator: each write is noted */
	uint64_t ring_bytes;
} host;

enum mode { MODE_BITMAP, MODE_MANUAL, MODE_MANUAL_SET, MODE_RING, MODES };

struct both {
	struct fuzz *f;
	struct world *w;
	enum mode mode;
	enum flavour flavour;
	int vm, vcpu[VCPUS];
	struct kvm_run *run[VCPUS];
	size_t run_bytes;
	struct kvm_dirty_gfn *ring[VCPUS];
	uint32_t fetch[VCPUS];
	uint8_t *ram;
	struct kvm *kvm;
	struct kvm_vcpu *model[VCPUS];
};

static uint64_t operations;

/* 0 or more, or a negative errno: as the model says it. */
static long
call(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? -errno : r;
}

static int
enable_cap(int vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { arg } };

	return (int)call(vm, KVM_ENABLE_CAP, &c);
}

/* --- the real one ------------------------------------------------------------------------------
 */

static void *
map_or_die(size_t bytes, int flags, int fd, off_t offset)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);

	must(p != MAP_FAILED);
	return p;
}

static bool
real_create(struct both *b)
{
	b->vm = (int)call(host.fd, KVM_CREATE_VM, NULL);
	if (b->vm < 0)
		return false;
	/* Where real mode needs help from KVM (old Intel processors); refused elsewhere. */
	call(b->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)0xfffbd000);
	b->ram = map_or_die(RAM_PAGES * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* Bits are by 4 KiB; with huge pages INITIALLY_SET and a ring would differ in what was
	 * mapped before. */
	madvise(b->ram, RAM_PAGES * PAGE, MADV_NOHUGEPAGE);
	memcpy(b->ram + CODE_GPA, code[b->flavour], sizeof(code[0]));
	return true;
}

/* The first 16 MiB are mapped as they are, for level 3 to write, by entries of 2 MiB. */
static void
enter_long_mode(const struct both *b, struct kvm_sregs *s)
{
	uint64_t *pd = (uint64_t *)(b->ram + PD_GPA);
	struct kvm_segment cs = { .limit = UINT32_MAX,
				  .selector = 0x0b,
				  .type = 11,
				  .present = 1,
				  .s = 1,
				  .g = 1,
				  .l = 1,
				  .dpl = 3 };
	struct kvm_segment ds = cs;

	ds.l = 0;
	ds.type = 3;
	ds.selector = 0x13;
	s->cs = cs;
	s->ds = s->es = s->ss = s->fs = s->gs = ds;
	*(uint64_t *)(b->ram + PML4_GPA) = PDPT_GPA | 0x27;
	*(uint64_t *)(b->ram + PDPT_GPA) = PD_GPA | 0x27;
	for (uint64_t i = 0; i < 8; i++)
		pd[i] = i << 21 | 0xe7; /* dirty, accessed: nobody writes the tables */
	s->cr3 = PML4_GPA;
	s->cr4 = 1u << 5; /* PAE */
	s->cr0 = 0x80010011; /* PG, WP, ET, PE */
	s->efer = 0x500; /* LMA, LME */
}

/* Without it KVM knows no long mode. */
static void
set_cpuid(int vcpu)
{
	const uint32_t most = 256;
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + most * sizeof(c->entries[0]));

	must(c);
	c->nent = most;
	must(!call(host.fd, KVM_GET_SUPPORTED_CPUID, c));
	must(!call(vcpu, KVM_SET_CPUID2, c));
	free(c);
}

static void
real_create_vcpus(struct both *b)
{
	b->run_bytes = (size_t)call(host.fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
	for (uint32_t i = 0; i < VCPUS; i++) {
		struct kvm_sregs s;

		b->vcpu[i] = (int)call(b->vm, KVM_CREATE_VCPU, (void *)(uintptr_t)i);
		must(b->vcpu[i] >= 0);
		b->run[i] = map_or_die(b->run_bytes, MAP_SHARED, b->vcpu[i], 0);
		must(!call(b->vcpu[i], KVM_GET_SREGS, &s));
		if (b->flavour == LONG_MODE) {
			set_cpuid(b->vcpu[i]);
			enter_long_mode(b, &s);
		} else {
			s.cs.base = 0;
			s.cs.selector = 0;
		}
		must(!call(b->vcpu[i], KVM_SET_SREGS, &s));
		if (b->mode == MODE_RING)
			b->ring[i] = map_or_die(host.ring_bytes, MAP_SHARED, b->vcpu[i],
						KVM_DIRTY_LOG_PAGE_OFFSET * (off_t)PAGE);
	}
}

static void
real_destroy(struct both *b)
{
	for (uint32_t i = 0; i < VCPUS; i++) {
		if (b->run[i])
			munmap(b->run[i], b->run_bytes);
		if (b->ring[i])
			munmap(b->ring[i], host.ring_bytes);
		if (b->vcpu[i] > 0)
			close(b->vcpu[i]);
	}
	munmap(b->ram, RAM_PAGES * PAGE);
	close(b->vm);
}

/* Run the store to @gfn. Why it came back. */
static uint32_t
real_write(struct both *b, uint32_t vcpu, uint64_t gfn)
{
	struct kvm_run *run = b->run[vcpu];
	struct kvm_regs r = { .rip = CODE_GPA, .rflags = 2, .rax = 7 };

	if (b->flavour == LONG_MODE) {
		r.rflags |= 3u << 12; /* level 3 may use ports */
		r.rbx = gfn * PAGE;
	} else {
		struct kvm_sregs s;

		must(!call(b->vcpu[vcpu], KVM_GET_SREGS, &s));
		s.ds.base = gfn * PAGE;
		s.ds.selector = (uint16_t)(gfn * PAGE >> 4);
		must(!call(b->vcpu[vcpu], KVM_SET_SREGS, &s));
	}
	must(!call(b->vcpu[vcpu], KVM_SET_REGS, &r));
	must(!call(b->vcpu[vcpu], KVM_RUN, NULL));

	uint32_t why = run->exit_reason;

	if (why == KVM_EXIT_MMIO) {
		fuzz_check(b->f, run->mmio.phys_addr == gfn * PAGE && run->mmio.is_write);
		run->immediate_exit = 1; /* finish the instruction and no more */
		must(call(b->vcpu[vcpu], KVM_RUN, NULL) == -EINTR);
		run->immediate_exit = 0;
	}
	return why;
}

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
	long r = call(b->vm, KVM_SET_USER_MEMORY_REGION, &real);

	fuzz_check(b->f, r == kvm_set_user_memory_region(b->kvm, &model));
	return r;
}

static void
guest_write(struct both *b, uint32_t vcpu, uint64_t gfn)
{
	uint32_t why = real_write(b, vcpu, gfn);

	if (!kvm_vcpu_enter(b->model[vcpu])) {
		fuzz_check(b->f, why == KVM_EXIT_DIRTY_RING_FULL);
		return;
	}

	enum kvm_write how = host.emulated[b->flavour]
				     ? kvm_vcpu_emulated_write(b->model[vcpu], gfn)
				     : kvm_vcpu_write(b->model[vcpu], gfn);

	kvm_vcpu_exit(b->model[vcpu]);

	const uint32_t expected[] = {
		[KVM_WRITE_RAM] = code_exit[b->flavour],
		[KVM_WRITE_MMIO] = KVM_EXIT_MMIO,
		[KVM_WRITE_READONLY] = KVM_EXIT_MMIO,
		[KVM_WRITE_RING_FULL] = KVM_EXIT_DIRTY_RING_FULL,
	};

	/* An interrupt of the host between the emulated store and what is behind it: KVM looks at
	 * the ring before it goes on. */
	if (why == KVM_EXIT_DIRTY_RING_FULL && how == KVM_WRITE_RAM)
		fuzz_check(b->f, host.emulated[b->flavour] && !kvm_vcpu_enter(b->model[vcpu]));
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

	long r = call(b->vm, KVM_GET_DIRTY_LOG, &log);

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

	long r = call(b->vm, KVM_CLEAR_DIRTY_LOG, &log);

	fuzz_check(b->f, r == kvm_clear_dirty_log(b->kvm, slot, first, n, &model, 0));
	page_bitmap_free(&model, b->w);
}

static void
manual_protect(struct both *b, uint64_t arg)
{
	fuzz_check(b->f, enable_cap(b->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, arg) ==
				 kvm_enable_manual_dirty_log_protect2(b->kvm, arg));
}

static void
compare_ring(struct both *b, uint32_t vcpu)
{
	for (uint32_t i = 0; i < host.ring_bytes / sizeof(*b->ring[0]); i++) {
		struct model_dirty_gfn e = kvm_dirty_ring_entry(b->model[vcpu], i);

		fuzz_check(b->f, b->ring[vcpu][i].flags == e.flags);
		fuzz_check(b->f, b->ring[vcpu][i].slot == e.slot);
		fuzz_check(b->f, b->ring[vcpu][i].offset == e.offset);
	}
}

static void
harvest(struct both *b, uint32_t vcpu, uint32_t most)
{
	uint32_t size = (uint32_t)(host.ring_bytes / sizeof(*b->ring[0]));
	uint32_t slot;
	uint64_t offset;

	for (; most; most--) {
		struct kvm_dirty_gfn *e = &b->ring[vcpu][b->fetch[vcpu] % size];
		bool dirty = __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) == KVM_DIRTY_GFN_F_DIRTY;

		fuzz_check(b->f, dirty == kvm_dirty_ring_harvest(b->model[vcpu], &slot, &offset));
		if (!dirty)
			return;
		fuzz_check(b->f, e->slot == slot && e->offset == offset);
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		b->fetch[vcpu]++;
	}
}

static void
reset_rings(struct both *b)
{
	fuzz_check(b->f, call(b->vm, KVM_RESET_DIRTY_RINGS, NULL) == kvm_reset_dirty_rings(b->kvm));
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
	uint64_t ua = (uintptr_t)b->ram + (GFN_LOW + fuzz_below(f, 64)) * PAGE;

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
	if (ua - (uintptr_t)b->ram >= RAM_PAGES * PAGE)
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
			manual_protect(b, fuzz_below(f, b->mode == MODE_RING ? 3 : 5));
		break;
	case 14:
		if (b->mode == MODE_RING)
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
	for (uint32_t i = 0; b->mode == MODE_RING && i < VCPUS; i++)
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

	must(real_create(b));
	b->kvm = kvm_create(b->w, &host.rules);
	if (manual[b->mode])
		manual_protect(b, manual[b->mode]);
	if (b->mode == MODE_RING) {
		static const uint64_t sizes[] = {
			0, 100, 1024, 12288, UINT64_C(1) << 21, (UINT64_C(1) << 32) + 512
		};

		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			fuzz_check(b->f, enable_cap(b->vm, KVM_CAP_DIRTY_LOG_RING, sizes[i]) ==
						 kvm_enable_dirty_log_ring(b->kvm, sizes[i]));
		for (int i = 0; i < 2; i++) /* and a second time */
			fuzz_check(b->f,
				   enable_cap(b->vm, KVM_CAP_DIRTY_LOG_RING, host.ring_bytes) ==
					   kvm_enable_dirty_log_ring(b->kvm, host.ring_bytes));
	}
	must(!set_region(b, 0, 0, 0, GFN_LOW * PAGE, (uintptr_t)b->ram));
	real_create_vcpus(b);
	for (uint32_t i = 0; i < VCPUS; i++)
		b->model[i] = kvm_create_vcpu(b->kvm);
	if (b->mode != MODE_RING) /* too late for a ring now */
		fuzz_check(b->f, enable_cap(b->vm, KVM_CAP_DIRTY_LOG_RING, host.ring_bytes) ==
					 kvm_enable_dirty_log_ring(b->kvm, host.ring_bytes));
}

/* A ring that runs full: the guest stays out until enough was reset. */
static void
fill_ring(struct both *b)
{
	uint64_t ua = (uintptr_t)b->ram + GFN_LOW * PAGE; /* not the code */

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
			  .mode = (enum mode)fuzz_below(f, MODES),
			  .flavour = (enum flavour)fuzz_below(f, FLAVOURS) };

	create(&b);
	if (b.mode == MODE_RING && !fuzz_below(f, 4))
		fill_ring(&b);
	for (f->operation = 0; f->operation < OPERATIONS; f->operation++) {
		random_operation(&b);
		if (f->operation % 8 == 7)
			compare(&b);
	}
	compare(&b);
	real_destroy(&b);
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

/* --- what this kernel is like ------------------------------------------------------------------
 */

/* The lowest bit of a guest address that is one too many, by trying. */
static unsigned
probe_gpa_bits(struct both *b)
{
	unsigned bits = 36;
	struct {
		uint32_t slot, flags;
		uint64_t gpa, bytes, ua;
	} region = { 1, 0, 0, PAGE, (uintptr_t)b->ram };

	for (; bits < 63; bits++) {
		region.gpa = UINT64_C(1) << bits;
		region.bytes = PAGE;
		if (call(b->vm, KVM_SET_USER_MEMORY_REGION, &region))
			break;
		region.bytes = 0;
		must(!call(b->vm, KVM_SET_USER_MEMORY_REGION, &region));
	}
	return bits;
}

/* Userspace ends at 2^47 less a page, or at 2^56 less a page where page tables have five levels. */
static uint64_t
probe_task_size(struct both *b)
{
	struct {
		uint32_t slot, flags;
		uint64_t gpa, bytes, ua;
	} region = { 1, 0, GFN_LOW * PAGE, PAGE, UINT64_C(1) << 50 };
	unsigned bits = call(b->vm, KVM_SET_USER_MEMORY_REGION, &region) ? 47 : 56;

	return (UINT64_C(1) << bits) - PAGE;
}

/* Whether a second write to the same page is noted again. */
static bool
probe_emulated(enum flavour flavour)
{
	struct fuzz f = { .name = "kvm_device" };
	struct both b = { .f = &f, .mode = MODE_RING, .flavour = flavour };
	struct {
		uint32_t slot, flags;
		uint64_t gpa, bytes, ua;
	} code_slot = { 0, 0, 0, GFN_LOW * PAGE, 0 },
	  data_slot = { 1, KVM_MEM_LOG_DIRTY_PAGES, GFN_LOW * PAGE, PAGE, 0 };
	bool emulated;

	must(real_create(&b));
	must(!enable_cap(b.vm, KVM_CAP_DIRTY_LOG_RING, host.ring_bytes));
	code_slot.ua = (uintptr_t)b.ram;
	data_slot.ua = code_slot.ua + GFN_LOW * PAGE;
	must(!call(b.vm, KVM_SET_USER_MEMORY_REGION, &code_slot));
	must(!call(b.vm, KVM_SET_USER_MEMORY_REGION, &data_slot));
	real_create_vcpus(&b);
	for (int i = 0; i < 2; i++)
		must(real_write(&b, 0, GFN_LOW) == code_exit[flavour]);
	emulated = b.ring[0][1].flags;
	real_destroy(&b);
	return emulated;
}

/* Null, or why nothing can be compared here. */
static const char *
probe(void)
{
	struct both b = { 0 };
	long spaces;

	host.fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (host.fd < 0)
		return "/dev/kvm cannot be opened";
	if (call(host.fd, KVM_GET_API_VERSION, NULL) != KVM_API_VERSION)
		return "/dev/kvm has another API version";
	if (!real_create(&b))
		return "KVM_CREATE_VM fails";
	host.rules = kvm_rules_today;
	host.rules.user_mem_slots =
		(uint32_t)call(b.vm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_NR_MEMSLOTS);
	spaces = call(b.vm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_MULTI_ADDRESS_SPACE);
	host.rules.address_spaces = spaces > 1 ? 2 : 1;
	if (call(b.vm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) != 3 ||
	    call(b.vm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_DIRTY_LOG_RING) <= 0)
		return "this kernel lacks INITIALLY_SET or the dirty ring";
	host.rules.pml = enable_cap(b.vm, KVM_CAP_DIRTY_LOG_RING, 4096) != 0;
	host.ring_bytes = host.rules.pml ? 16384 : 4096;
	host.rules.gpa_bits = probe_gpa_bits(&b);
	host.rules.task_size = probe_task_size(&b);
	real_destroy(&b);
	for (unsigned i = 0; i < FLAVOURS; i++)
		host.emulated[i] = probe_emulated((enum flavour)i);
	return NULL;
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
