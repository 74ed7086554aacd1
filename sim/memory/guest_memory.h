/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory and the accesses that actors make to it.
 *
 * One contiguous range of bytes in the world's arena stands for a guest's RAM: gpa 0 is its first
 * byte. (Where RAM sits in the guest's address space, with holes and slots, is kvm/'s and vmm/'s
 * matter.) Untouched pages take no memory.
 *
 * Regions give ranges names for people: "vq0.avail.idx" instead of gpa 0x1042.  A region's
 * describe() turns an offset into the name of a field.
 *
 * An access by instrumented ring code (sim/memory/access.c) to a *shared* address is a choice point
 * and part of the digest.  Accesses of the models themselves go through gm_read() and gm_write():
 * they are not choice points unless the model says so with actor_point().
 */
#ifndef RINGSIDE_MEMORY_GUEST_MEMORY_H
#define RINGSIDE_MEMORY_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

/* Write the name of byte @offset of a region into @text: "avail.idx". */
typedef void (*gm_describe_fn)(const void *context, uint64_t offset, char *text, size_t size);

/* Make @bytes of guest RAM for the world; one a world (a second call is an error of the caller). */
void
gm_create(struct world *w, uint64_t bytes);

uint64_t
gm_size(const struct world *w); /* bytes; 0 if there is none */

/* Host pointer to [gpa, gpa + len), or null if not all of it is guest RAM. */
void *
gm_map(const struct world *w, uint64_t gpa, uint64_t len);

/* Copy in or out; false (and nothing done) if out of range. */
bool
gm_read(const struct world *w, uint64_t gpa, void *to, uint64_t len);
bool
gm_write(struct world *w, uint64_t gpa, const void *from, uint64_t len);

/* Allocate @bytes of guest RAM aligned to @align (a power of two), never freed but by restoring;
 * the guest's page allocator for rings and buffers. Ends the run with an error if RAM is full. */
uint64_t
gm_alloc(struct world *w, uint64_t bytes, uint64_t align);

/*
 * Which number events give to the page at @gpa: the migrated RAM may begin elsewhere than at gpa 0,
 * and a page has one number, be it that the guest frees it or that the migration sends it.  Page 0
 * is at the @gpa of gm_set_first_page(), 0 unless it is called; what lies below counts backwards.
 */
void
gm_set_first_page(struct world *w, uint64_t gpa);
int64_t
gm_page(const struct world *w, uint64_t gpa);

/* Name a range. @name is copied ("vq0"); @describe may be null. A later region hides an earlier
 * one. */
void
gm_region(struct world *w, uint64_t gpa, uint64_t len, const char *name, gm_describe_fn describe,
	  const void *context);

/*
 * What bytes are to the race detector (race.h), where what they are for says more than the code
 * that accesses them.  Linux makes plain accesses to indices and flags; other code marks each
 * access to a descriptor, and must order them all the same.
 */
enum gm_role {
	GM_BYTES, /* as the code says */
	GM_WORD, /* two sides synchronise through it: an aligned access of up to 8 bytes is marked
		  */
	GM_CONTENT /* to be ordered by something else: every access is plain */
};
typedef enum gm_role (*gm_role_fn)(const void *context, uint64_t offset);

/* Of the region that was named last; @role gets its context. Without, it is GM_BYTES. */
void
gm_region_roles(struct world *w, gm_role_fn role);

/* "vq0.avail.idx", "vq0.avail.ring[3]", or "gpa 0x1042" where no region has it. */
void
gm_name(const struct world *w, uint64_t gpa, char *text, size_t size);

/*
 * The named ranges, newest first: begin with *@pos null.  False after the last.  @name lives as
 * long as the world.
 */
bool
gm_next_region(const struct world *w, const void **pos, uint64_t *gpa, uint64_t *len,
	       const char **name);

/*
 * A device (or another writer that is not a vCPU) wrote [gpa, gpa + len): observers of dirty
 * logging learn of it here. @writer is a world_name() number.
 */
typedef void (*gm_write_hook)(struct world *w, uint64_t gpa, uint64_t len, void *context);
/*
 * Called for each gm_write() and each store of ring code when others can see it; for KVM's dirty
 * log.  At most 8, gm_on_store() included.
 */
void
gm_on_write(struct world *w, gm_write_hook hook, void *context);
/* Same, but when the writer makes it, buffered or not, in the writer's context: for oracles. */
void
gm_on_store(struct world *w, gm_write_hook hook, void *context);

#endif
