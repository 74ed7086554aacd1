/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a VMM has put memory in a device's IO address space (QEMU util/iova-tree.c,
 * hw/virtio/vhost-iova-tree.c).
 *
 *	iova_tree         [iova, iova + size] -> translated address, no two overlapping in iova
 *	vhost_iova_tree   what a shadow virtqueue translates by, with allocation in a range
 *
 * As in QEMU a map's size is its last offset: a page has 4095, and [0, 2^64) can be said.
 *
 * A look-up by IOVA is a search in sorted order.  One by translated address goes through the maps
 * in the order of their IOVAs and takes the first that overlaps: two maps may have the same
 * translated address, and then the lower IOVA is found, whoever asks.  That is harmless for what
 * the VMM allocated, and wrong for guest memory, which may stand in a guest's address space twice
 * (QEMU 05063f5584).  So there are two versions of the tree for virtqueues:
 *
 *	one tree (8.2)      guest memory and the VMM's own, found by host virtual address
 *	split (10.0)        guest memory found by guest-physical address, the VMM's own by host
 *	                    virtual address, and a third tree in which IOVAs are allocated for both
 *
 * A sorted array stands for QEMU's balanced tree: find is O(log n), by translated address and for
 * allocation O(n) (as QEMU's), insertion and removal move what is behind.  Memory: the world's.
 */
#ifndef RINGSIDE_VHOST_IOVA_TREE_H
#define RINGSIDE_VHOST_IOVA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

enum iova_access { IOVA_NONE = 0, IOVA_RO = 1, IOVA_WO = 2, IOVA_RW = 3 };

struct dma_map {
	uint64_t iova;
	uint64_t translated_addr;
	uint64_t size; /* bytes less one */
	enum iova_access perm;
};

#define IOVA_OK 0
#define IOVA_ERR_INVALID (-1) /* it passes 2^64, or permits nothing */
#define IOVA_ERR_OVERLAP (-2) /* some of it is mapped */
#define IOVA_ERR_NOMEM (-3) /* no hole is large enough */

/* --- one tree ------------------------------------------------------------------------------- */

/* Zeroed memory with @w set is an empty one. */
struct iova_tree {
	struct world *w;
	struct dma_map *map; /* by iova */
	size_t count, room;
};

void
iova_tree_free(struct iova_tree *t);

int
iova_tree_insert(struct iova_tree *t, const struct dma_map *map);
/* The lowest that overlaps [iova, iova + size], or null. Good until the tree changes, as all. */
const struct dma_map *
iova_tree_find(const struct iova_tree *t, uint64_t iova, uint64_t size);
/* The first in the order of IOVAs that overlaps [addr, addr + size] in translated addresses. */
const struct dma_map *
iova_tree_find_iova(const struct iova_tree *t, uint64_t addr, uint64_t size);
/* Remove whatever overlaps [iova, iova + size], whole maps: how many. */
size_t
iova_tree_remove(struct iova_tree *t, uint64_t iova, uint64_t size);
/* Give @map the lowest IOVA in [first, last] where it fits, and insert it. */
int
iova_tree_alloc_map(struct iova_tree *t, struct dma_map *map, uint64_t first, uint64_t last);

/* --- for virtqueues ------------------------------------------------------------------------- */

#define IOVA_MIN_ADDR 4096u /* some devices do not like 0 */

struct vhost_iova_tree {
	uint64_t first, last;
	bool split; /* the version of QEMU 10.0 */
	struct iova_tree taddr; /* IOVA to HVA: of all memory, or, split, of the VMM's own */
	struct iova_tree iova; /* split: what is allocated */
	struct iova_tree gpa; /* split: IOVA to GPA, guest memory */
};

/* @first below IOVA_MIN_ADDR counts as that. */
struct vhost_iova_tree *
vhost_iova_tree_new(struct world *w, uint64_t first, uint64_t last, bool split);
void
vhost_iova_tree_delete(struct vhost_iova_tree *t);

/*
 * Allocate an IOVA for [map->translated_addr, + size] and set map->iova.  map_alloc() is for the
 * VMM's own memory; for guest memory, translated_addr is its HVA, and @gpa where the guest has it.
 */
int
vhost_iova_tree_map_alloc(struct vhost_iova_tree *t, struct dma_map *map);
int
vhost_iova_tree_map_alloc_gpa(struct vhost_iova_tree *t, struct dma_map *map, uint64_t gpa);

const struct dma_map *
vhost_iova_tree_find_iova(const struct vhost_iova_tree *t, uint64_t hva, uint64_t size);
/*
 * Guest memory: by @gpa where the tree is split, else by @hva.  *@offset is that of the address in
 * the map.  Null: it is not mapped.
 */
const struct dma_map *
vhost_iova_tree_find_guest(const struct vhost_iova_tree *t, uint64_t gpa, uint64_t hva,
			   uint64_t size, uint64_t *offset);

/* Remove what overlaps @map in IOVA; a copy, for @map may be what find gave. */
void
vhost_iova_tree_remove(struct vhost_iova_tree *t, struct dma_map map);
void
vhost_iova_tree_remove_guest(struct vhost_iova_tree *t, struct dma_map map);

/* Maps there are, guest memory and the VMM's own. */
size_t
vhost_iova_tree_count(const struct vhost_iova_tree *t);

#endif
