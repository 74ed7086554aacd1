/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small guest on the real /dev/kvm, for fuzz_kvm_device.c: one program, so all of it is here.
 *
 * The guest is one store, in two ways (enum flavour).  What kernels and processors may differ in is
 * asked for or tried out by probe().
 */
#ifndef RINGSIDE_TESTS_KVM_DEVICE_H
#define RINGSIDE_TESTS_KVM_DEVICE_H

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
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"
#undef kvm_userspace_memory_region
#undef kvm_dirty_gfn

#define PAGE KVM_PAGE_SIZE
#define RAM_PAGES 512u
#define GFN_LOW 16u /* slots are from here on; page 1 is the code */
#define GFN_COUNT 320u
#define VCPUS 2u

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

/* A virtual machine of the kernel. */
struct real {
	enum mode mode;
	enum flavour flavour;
	int vm, vcpu[VCPUS];
	struct kvm_run *run[VCPUS];
	size_t run_bytes;
	struct kvm_dirty_gfn *ring[VCPUS];
	uint32_t fetch[VCPUS];
	uint8_t *ram;
};

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

static void *
map_or_die(size_t bytes, int flags, int fd, off_t offset)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);

	must(p != MAP_FAILED);
	return p;
}

static bool
real_create(struct real *k)
{
	k->vm = (int)call(host.fd, KVM_CREATE_VM, NULL);
	if (k->vm < 0)
		return false;
	/* Where real mode needs help from KVM (old Intel processors); refused elsewhere. */
	call(k->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)0xfffbd000);
	k->ram = map_or_die(RAM_PAGES * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* Bits are by 4 KiB; with huge pages INITIALLY_SET and a ring would differ in what was
	 * mapped before. */
	madvise(k->ram, RAM_PAGES * PAGE, MADV_NOHUGEPAGE);
	memcpy(k->ram + CODE_GPA, code[k->flavour], sizeof(code[0]));
	return true;
}

/* The first 16 MiB are mapped as they are, for level 3 to write, by entries of 2 MiB. */
static void
enter_long_mode(const struct real *k, struct kvm_sregs *s)
{
	uint64_t *pd = (uint64_t *)(k->ram + PD_GPA);
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
	*(uint64_t *)(k->ram + PML4_GPA) = PDPT_GPA | 0x27;
	*(uint64_t *)(k->ram + PDPT_GPA) = PD_GPA | 0x27;
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
real_create_vcpus(struct real *k)
{
	k->run_bytes = (size_t)call(host.fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
	for (uint32_t i = 0; i < VCPUS; i++) {
		struct kvm_sregs s;

		k->vcpu[i] = (int)call(k->vm, KVM_CREATE_VCPU, (void *)(uintptr_t)i);
		must(k->vcpu[i] >= 0);
		k->run[i] = map_or_die(k->run_bytes, MAP_SHARED, k->vcpu[i], 0);
		must(!call(k->vcpu[i], KVM_GET_SREGS, &s));
		if (k->flavour == LONG_MODE) {
			set_cpuid(k->vcpu[i]);
			enter_long_mode(k, &s);
		} else {
			s.cs.base = 0;
			s.cs.selector = 0;
		}
		must(!call(k->vcpu[i], KVM_SET_SREGS, &s));
		if (k->mode == MODE_RING)
			k->ring[i] = map_or_die(host.ring_bytes, MAP_SHARED, k->vcpu[i],
						KVM_DIRTY_LOG_PAGE_OFFSET * (off_t)PAGE);
	}
}

static void
real_destroy(struct real *k)
{
	for (uint32_t i = 0; i < VCPUS; i++) {
		if (k->run[i])
			munmap(k->run[i], k->run_bytes);
		if (k->ring[i])
			munmap(k->ring[i], host.ring_bytes);
		if (k->vcpu[i] > 0)
			close(k->vcpu[i]);
	}
	munmap(k->ram, RAM_PAGES * PAGE);
	close(k->vm);
}

/* Run the store to @gfn. Why it came back. */
static uint32_t
real_write(struct real *k, uint32_t vcpu, uint64_t gfn)
{
	struct kvm_run *run = k->run[vcpu];
	struct kvm_regs r = { .rip = CODE_GPA, .rflags = 2, .rax = 7 };

	if (k->flavour == LONG_MODE) {
		r.rflags |= 3u << 12; /* level 3 may use ports */
		r.rbx = gfn * PAGE;
	} else {
		struct kvm_sregs s;

		must(!call(k->vcpu[vcpu], KVM_GET_SREGS, &s));
		s.ds.base = gfn * PAGE;
		s.ds.selector = (uint16_t)(gfn * PAGE >> 4);
		must(!call(k->vcpu[vcpu], KVM_SET_SREGS, &s));
	}
	must(!call(k->vcpu[vcpu], KVM_SET_REGS, &r));
	must(!call(k->vcpu[vcpu], KVM_RUN, NULL));

	uint32_t why = run->exit_reason;

	if (why == KVM_EXIT_MMIO) {
		must(run->mmio.phys_addr == gfn * PAGE && run->mmio.is_write);
		run->immediate_exit = 1; /* finish the instruction and no more */
		must(call(k->vcpu[vcpu], KVM_RUN, NULL) == -EINTR);
		run->immediate_exit = 0;
	}
	return why;
}

/* --- what this kernel is like ------------------------------------------------------------------
 */

/* The lowest bit of a guest address that is one too many, by trying. */
static unsigned
probe_gpa_bits(struct real *k)
{
	unsigned bits = 36;
	struct {
		uint32_t slot, flags;
		uint64_t gpa, bytes, ua;
	} region = { 1, 0, 0, PAGE, (uintptr_t)k->ram };

	for (; bits < 63; bits++) {
		region.gpa = UINT64_C(1) << bits;
		region.bytes = PAGE;
		if (call(k->vm, KVM_SET_USER_MEMORY_REGION, &region))
			break;
		region.bytes = 0;
		must(!call(k->vm, KVM_SET_USER_MEMORY_REGION, &region));
	}
	return bits;
}

/* Userspace ends at 2^47 less a page, or at 2^56 less a page where page tables have five levels. */
static uint64_t
probe_task_size(struct real *k)
{
	struct {
		uint32_t slot, flags;
		uint64_t gpa, bytes, ua;
	} region = { 1, 0, GFN_LOW * PAGE, PAGE, UINT64_C(1) << 50 };
	unsigned bits = call(k->vm, KVM_SET_USER_MEMORY_REGION, &region) ? 47 : 56;

	return (UINT64_C(1) << bits) - PAGE;
}

/* Whether a second write to the same page is noted again. */
static bool
probe_emulated(enum flavour flavour)
{
	struct real b = { .mode = MODE_RING, .flavour = flavour };
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
	struct real b = { 0 };
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

#endif
