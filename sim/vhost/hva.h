/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VMM process's virtual addresses, as far as a vDPA device is told of them.
 *
 *	HVA_RAM  blocks of guest memory, a gap behind each: what is one piece to the guest need not
 *	         be one to the VMM
 *	HVA_OWN  pages of the VMM's own (mmap(), qemu_memalign()): shadow rings, bounce buffers
 *
 * Own pages are taken from the end of the guest's RAM, which the guest is then without: so accesses
 * of shadow ring code to them are points, and subject to memory models, as those to guest memory.
 *
 * Memory: the world's.
 */
#ifndef RINGSIDE_VHOST_HVA_H
#define RINGSIDE_VHOST_HVA_H

#include <stdbool.h>
#include <stdint.h>

struct world;

#define HVA_PAGE 4096u
#define HVA_OWN UINT64_C(0x7e0000000000)
#define HVA_RAM UINT64_C(0x7f0000000000)
#define HVA_GAP (UINT64_C(1) << 30) /* behind each block */

struct hva_space {
	struct world *w;
	uint64_t own_gpa; /* of the VMM's own pages */
	unsigned own_pages, own_used;
	bool *taken;
	unsigned ram_blocks;
	uint64_t block_bytes;
};

/* RAM in @ram_blocks blocks of one size, and @own_pages of the VMM's. At set-up, after gm_create().
 */
struct hva_space *
hva_space_create(struct world *w, unsigned ram_blocks, unsigned own_pages);

/* Zeroed pages for @bytes, in one piece; 0: there are none. */
uint64_t
hva_alloc(struct hva_space *s, uint64_t bytes);
void
hva_free(struct hva_space *s, uint64_t hva, uint64_t bytes);

/* The VMM's own accesses; all of [hva, hva + bytes) is its own, and in use. */
void
hva_clear(struct hva_space *s, uint64_t hva, uint64_t bytes);
void
hva_read(const struct hva_space *s, uint64_t hva, void *to, uint64_t bytes);
void
hva_write(struct hva_space *s, uint64_t hva, const void *from, uint64_t bytes);

/* Whether it is the VMM's own memory. */
static inline bool
hva_is_own(uint64_t hva)
{
	return hva < HVA_RAM;
}

/*
 * Where [hva, hva + *len) is in the bytes that stand for memory, *len cut to what is in one piece.
 * False: nothing is there.
 */
bool
hva_to_gpa(const struct hva_space *s, uint64_t hva, uint64_t *len, uint64_t *gpa);

/* The block that guest memory at @gpa is in: its number, or ram_blocks. */
unsigned
hva_block(const struct hva_space *s, uint64_t gpa);
/* Where block @n begins. */
uint64_t
hva_of_block(const struct hva_space *s, unsigned n);

#endif
