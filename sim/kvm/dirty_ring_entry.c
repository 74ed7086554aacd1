/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared accesses of the dirty ring, compiled as ring code is: the compiler reports each one,
 * and the memory model decides what it sees.  Nothing else belongs here.
 */
#include "kvm/dirty_ring.h"

/* The vCPU. Linux has a write barrier and a plain store: the same. */
void
dirty_gfn_publish(struct kvm_dirty_gfn *e, uint32_t slot, uint64_t offset)
{
	e->slot = slot;
	e->offset = offset;
	__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_DIRTY, __ATOMIC_RELEASE);
}

uint32_t
dirty_gfn_flags(const struct kvm_dirty_gfn *e, bool acquire)
{
	return acquire ? __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE)
		       : __atomic_load_n(&e->flags, __ATOMIC_RELAXED);
}

void
dirty_gfn_content(const struct kvm_dirty_gfn *e, uint32_t *slot, uint64_t *offset)
{
	*slot = __atomic_load_n(&e->slot, __ATOMIC_RELAXED);
	*offset = __atomic_load_n(&e->offset, __ATOMIC_RELAXED);
}

/* To the next in the circle. */
void
dirty_gfn_pass_on(struct kvm_dirty_gfn *e, uint32_t flags, bool release)
{
	if (release)
		__atomic_store_n(&e->flags, flags, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&e->flags, flags, __ATOMIC_RELAXED);
}
