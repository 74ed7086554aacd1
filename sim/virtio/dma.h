/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that reach memory through an IOMMU: the addresses in their rings and descriptors are IO
 * virtual addresses (VIRTIO_F_ACCESS_PLATFORM; a vDPA device's IOTLB).
 *
 * A chain that such a device pops keeps its addresses, marked with the domain they belong to: bit
 * 63, the domain's number from bit 56 on, and below the IOVA.  They are translated at each access,
 * so that what is unmapped while a request is in flight faults when the device gets to it, as DMA
 * does.  A ring's own addresses are translated when the ring is set up, since ring code keeps
 * pointers, and looked at again before each operation of the device's.
 *
 * Memory: the world's; a domain lives as long as the world.  Cost: a translation is the domain's.
 */
#ifndef RINGSIDE_VIRTIO_DMA_H
#define RINGSIDE_VIRTIO_DMA_H

#include <stdbool.h>
#include <stdint.h>

struct world;

#define DMA_DOMAINS_MAX 126u /* of a world */
#define DMA_IOVA_BITS 56u /* an IOVA is below 2^56 */

struct dma_domain {
	/*
	 * Where [iova, iova + *len) is in guest memory; *len is cut to what is there in one piece.
	 * False: the access faults, which the domain has told of, unless this is but a look
	 * (@quiet).
	 */
	bool (*translate)(void *ctx, uint64_t iova, uint64_t *len, bool write, bool quiet,
			  uint64_t *gpa);
	void *ctx;
	unsigned number; /* given by dma_domain_add() */
	bool noted_later; /* who lent the device its rings notes what it wrote: dma_note() */
};

/* At set-up. Ends the run with an error if there are too many. */
void
dma_domain_add(struct world *w, struct dma_domain *d);

/*
 * What a dirty log asks in a gm_write_hook (memory/guest_memory.h): whose write it is told of.  A
 * device behind an IOMMU writes without a page fault of a vCPU's and without telling the VMM.
 */
enum dma_writer {
	DMA_NOBODY, /* not a device behind an IOMMU */
	DMA_UNNOTED, /* one, and no log hears of it */
	DMA_NOTED_LATER /* one, and dma_note() will say so */
};
enum dma_writer
dma_writer(const struct world *w);

/* @fn is told of dma_note()s; one a world. */
typedef void (*dma_note_fn)(struct world *w, uint64_t gpa, uint64_t len, void *ctx);
void
dma_on_note(struct world *w, dma_note_fn fn, void *ctx);
/* The VMM learns that a device wrote [gpa, gpa + len) of the guest's memory, and notes it. */
void
dma_note(struct world *w, uint64_t gpa, uint64_t len);

/* An address of @d's as it stands in a popped chain. */
uint64_t
dma_mark(const struct dma_domain *d, uint64_t iova);

/* Copy between @to or @from and guest memory at @addr, marked or not: bytes copied. */
uint64_t
dma_copy(struct world *w, uint64_t addr, void *to, const void *from, uint64_t size);

/* An access to one byte at @iova: false if it faults. */
bool
dma_touch(const struct dma_domain *d, uint64_t iova, bool write);
/* Pointer to [iova, iova + len) if it is mapped in one piece, or null, of which nobody is told. */
void *
dma_map(struct world *w, const struct dma_domain *d, uint64_t iova, uint64_t len);

#endif
