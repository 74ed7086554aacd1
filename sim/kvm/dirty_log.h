/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a guest's writes become dirty bits, and how userspace takes them.
 *
 * A page of a slot that logs is protected or not.  A vCPU's first write to a protected page is
 * noted and takes the protection off; until it is protected again further writes to it leave no
 * trace.  So what matters is when a page is protected again, and what has been read of it by then:
 *
 *	                      GET_DIRTY_LOG            protects again      bitmap of a new log
 *	default               copies and clears        in GET              zeros, all protected
 *	MANUAL_PROTECT2       copies                   in CLEAR            zeros, all protected
 *	 + INITIALLY_SET      copies                   in CLEAR            ones, nothing protected
 *	dirty ring            ENXIO                    in RESET            none (dirty_ring.h)
 *
 * "Protected" is the write bit of the last-level entry, or with hardware PML its dirty bit: then
 * the processor itself notes the address in a buffer of its vCPU (512 entries), and the notes reach
 * the bitmap when the vCPU leaves the guest, or the buffer is full:
 *
 *	vCPU write ──> PML buffer ──VM exit──> slot's bitmap ──GET──> userspace
 *
 * GET and CLEAR kick the vCPUs so that they leave the guest, and do not wait for it.  Deleting a
 * slot does wait, and what comes out of the buffers then goes into the bitmap that is about to die:
 * QEMU has fetched it before.
 *
 * Writers that are not the processor: KVM's instruction emulator and KVM itself (steal time,
 * kvmclock, virtual APIC page) note each write, protected or not.  A device that is emulated in
 * userspace, vhost and vfio are not seen here at all; they have logs of their own.
 *
 * After virt/kvm/kvm_main.c and arch/x86/kvm/mmu of Linux 6.x (L:2a31b9db1535, L:3c9bd4006bfc,
 * L:fb04a1eddb1a); tests/fuzz/fuzz_kvm_device.c compares with /dev/kvm.  Return values are 0 or a
 * negative errno.
 */
#ifndef RINGSIDE_KVM_DIRTY_LOG_H
#define RINGSIDE_KVM_DIRTY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/memslot.h"

struct kvm_vcpu;

/* Arguments of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2. */
#define KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE (UINT64_C(1) << 0)
#define KVM_DIRTY_LOG_INITIALLY_SET (UINT64_C(1) << 1)

/* Entries of a vCPU's PML buffer. */
#define KVM_PML_ENTRIES 512u

/*
 * KVM_ENABLE_CAP(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2).  EINVAL for INITIALLY_SET alone, for other
 * bits, and where the kernel has none.  May be called at any time and again; bitmaps that exist
 * stay as they are.
 */
int
kvm_enable_manual_dirty_log_protect2(struct kvm *kvm, uint64_t args0);

/* What was enabled last: KVM_DIRTY_LOG_… */
uint64_t
kvm_manual_dirty_log_protect(const struct kvm *kvm);

/*
 * KVM_CLEAR_DIRTY_LOG: pages [first_page, first_page + num_pages) of the slot whose bit is set in
 * @bits, from its page @offset on, lose their dirty bit and are protected.  In order: ENXIO with a
 * dirty ring and no bitmap; EINVAL for an id that cannot be or a first_page that is no multiple of
 * 64; ENOENT for a slot without bitmap; EINVAL for a range that is not within the slot, or whose
 * length is no multiple of 64 without ending where the slot ends (L:76d58e0f07ec).
 * Works without MANUAL_PROTECT2, too. @bits must hold the range.
 */
int
kvm_clear_dirty_log(struct kvm *kvm, uint32_t slot, uint64_t first_page, uint64_t num_pages,
		    const struct page_bitmap *bits, uint64_t offset);

/* --- vCPUs, as far as dirty logging goes --------------------------------------------------------
 */

/*
 * KVM_CREATE_VCPU.  Ids count from 0.  With a dirty ring the vCPU gets one of the size that was
 * chosen.  The ring is in guest memory if the world has any, so that its accesses are subject to
 * the memory model.
 */
struct kvm_vcpu *
kvm_create_vcpu(struct kvm *kvm);
/* Null: no such vCPU. */
struct kvm_vcpu *
kvm_get_vcpu(const struct kvm *kvm, uint32_t id);

/* Entering system management mode or leaving it: the address space of what follows. */
void
kvm_vcpu_set_smm(struct kvm_vcpu *vcpu, bool smm);

/*
 * The beginning of KVM_RUN: what is checked before the guest is entered.  False: the dirty ring is
 * full (KVM_EXIT_DIRTY_RING_FULL), the vCPU does not run until enough of it was reset.
 */
bool
kvm_vcpu_enter(struct kvm_vcpu *vcpu);

/* It is in the guest, and nobody told it to leave. */
bool
kvm_vcpu_running(const struct kvm_vcpu *vcpu);
bool
kvm_vcpu_in_smm(const struct kvm_vcpu *vcpu);
/* The slot that has @gfn where this vCPU is, on its way out or not; null: none. */
const struct kvm_memory_slot *
kvm_vcpu_memslot(const struct kvm_vcpu *vcpu, gfn_t gfn);

/* It leaves the guest: the PML buffer is emptied.  Nothing happens if it is not in the guest. */
void
kvm_vcpu_exit(struct kvm_vcpu *vcpu);

/*
 * The processor writes a page on behalf of a guest that runs; kvm_vcpu_enter() came before, or is
 * not of interest.  A vCPU that was kicked leaves the guest first and comes back.  Where the
 * processor has PML, KVM_WRITE_RING_FULL comes only when its buffer was full, too, and the page is
 * not noted then.
 */
enum kvm_write
kvm_vcpu_write(struct kvm_vcpu *vcpu, gfn_t gfn);

/* The same, and which slot it went to, if KVM_WRITE_RAM; good until slots change. */
enum kvm_write
kvm_vcpu_store(struct kvm_vcpu *vcpu, gfn_t gfn, const struct kvm_memory_slot **slot);

/* KVM's instruction emulator does: each write is noted. */
enum kvm_write
kvm_vcpu_emulated_write(struct kvm_vcpu *vcpu, gfn_t gfn);

/* The emulator does by a CMPXCHG on userspace's mapping: noted, too, even if the compare fails. */
enum kvm_write
kvm_vcpu_emulated_cmpxchg(struct kvm_vcpu *vcpu, gfn_t gfn);

/* KVM itself does while this vCPU runs (steal time, kvmclock): noted. False: no slot that logs. */
bool
kvm_vcpu_mark_page_dirty(struct kvm_vcpu *vcpu, gfn_t gfn);

/* Userspace had each vCPU run something of its own: all have left the guest. */
void
kvm_vcpus_out_of_guest(struct kvm *kvm);

/* A vCPU reads or fetches: false if it finds no slot, or one on its way out, and exits as MMIO. */
bool
kvm_vcpu_read(struct kvm_vcpu *vcpu, gfn_t gfn);

/* Pages that are noted in the PML buffer and nowhere else. */
uint32_t
kvm_vcpu_pml_pending(const struct kvm_vcpu *vcpu);

#endif
