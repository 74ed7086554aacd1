/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For who watches: pages whose note is under way, in a processor's PML buffer or in an entry of a
 * dirty ring that userspace has not harvested.
 *
 *	vCPU write ──> PML buffer ──VM exit──> ring entry ──harvest──> userspace
 *	               kvm->pml_notes          kvm->ring_notes
 *
 * Nothing of the model depends on it.  Pages are those of userspace's memory, not of a slot: a ring
 * entry names a slot and a page in it, and by the time it is harvested the slot may be gone or be
 * another one, so that the note goes nowhere or to another page.  Who harvests compares
 * (kvm_dirty_ring_noted()).  A PML entry cannot stray: deleting a slot empties the buffers first.
 *
 * O(1) a note, unless a page has several: then the others are looked for.
 */
#ifndef RINGSIDE_KVM_NOTE_WATCH_H
#define RINGSIDE_KVM_NOTE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/page_bitmap.h"

struct kvm;
struct kvm_memory_slot;

struct note_watch {
	uint64_t first; /* page of userspace that bit 0 stands for */
	struct page_bitmap waits;
	uint64_t more; /* notes beyond a page's first */
};

/* Watch the notes of @npages of userspace from @userspace_addr on. Before the first vCPU; once. */
void
kvm_watch_notes(struct kvm *kvm, uint64_t userspace_addr, uint64_t npages);

/* Whether page @page of what is watched has a note under way. */
bool
kvm_note_waits(const struct kvm *kvm, uint64_t page);

/* --- for this room ----------------------------------------------------------------------------
 */

#define NOTE_NO_PAGE UINT64_MAX

/* The page of userspace that @gfn of @slot is, counted from the first watched; NOTE_NO_PAGE. */
uint64_t
note_page(const struct kvm *kvm, const struct kvm_memory_slot *slot, uint64_t gfn);
void
note_pml(struct kvm *kvm, uint64_t page);
void
note_pml_done(struct kvm *kvm, uint64_t page);
void
note_ring(struct kvm *kvm, uint64_t page);
void
note_ring_done(struct kvm *kvm, uint64_t page);

#endif
