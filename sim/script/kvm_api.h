/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the API files of KVM share: api_kvm.c and api_kvm_vcpu.c. */
#ifndef RINGSIDE_SCRIPT_KVM_API_H
#define RINGSIDE_SCRIPT_KVM_API_H

#include "kvm/memslot.h"
#include "kvm/page_bitmap.h"
#include "script/machine_api.h"
#include "vmm/memory_listener.h"

#define PAGES_MAX (INT64_C(1) << 30)

struct script_kvm {
	struct kvm *kvm;
	struct memory_listener *listener; /* null: slots are set by hand */
	struct page_bitmap migration; /* the migration's bitmap, with a listener */
	uint64_t ram_pages;
};

/* The object at index 1, in set-up or a run. */
struct script_kvm *
api_kvm_check(lua_State *L);
/* Same, with a listener. */
struct script_kvm *
api_kvm_check_listener(lua_State *L, const char *what);

/* A list of the pages that are set, from 0. */
void
api_kvm_push_bits(lua_State *L, const struct page_bitmap *b);

/* "ram", "mmio", … */
void
api_kvm_push_write(lua_State *L, enum kvm_write how);

#endif
