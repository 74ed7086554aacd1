/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shim: allocation, guest-physical and DMA addresses, copies to and from "user space".
 *
 * An allocation carries the queue for which it is: the callers of kernel code pass a struct
 * linux_ring where the kernel passes flags, whose lowest bits it leaves free.  GFP_KERNEL is the
 * queue that is being made, or nobody: then there is no memory, which the kernel's code can bear.
 *
 * A DMA address is a gpa.  struct page is a frame number and is never looked into.
 */
#ifndef RINGSIDE_DATAPATH_LINUX_KERNEL_MEMORY_H
#define RINGSIDE_DATAPATH_LINUX_KERNEL_MEMORY_H

#include <sys/uio.h>

#include "datapath/linux/kernel_core.h"

/* --- allocation ----------------------------------------------------------------------------- */

#define __GFP_ZERO ((gfp_t)1)
#define __GFP_NOWARN ((gfp_t)2)
#define __GFP_HIGHMEM ((gfp_t)4)
#define GFP_KERNEL linux_making()
#define GFP_ATOMIC linux_making()

#define kmalloc(size, gfp) linux_alloc(size, gfp)
#define kzalloc(size, gfp) linux_alloc(size, gfp)
#define kmalloc_array(n, size, gfp) linux_alloc((size_t)(n) * (size), gfp)
#define kcalloc(n, size, gfp) linux_alloc((size_t)(n) * (size), gfp)
/* (struct x, GFP_KERNEL), or (struct x) alone for that */
#define SHIM_GFP(zero, gfp, ...) gfp
#define kmalloc_obj(type, ...) \
	((__typeof__(type) *)linux_alloc(sizeof(type), SHIM_GFP(0, ##__VA_ARGS__, GFP_KERNEL, 0)))
#define kmalloc_objs(type, n, ...) \
	((__typeof__(type) *)linux_alloc(sizeof(type) * (n), \
					 SHIM_GFP(0, ##__VA_ARGS__, GFP_KERNEL, 0)))
#define kfree(p) linux_free(p)
/* vringh grows the arrays it is given; those it gets from us are never its own. */
#define krealloc_array(p, n, size, gfp) ((void)(p), (void)(gfp), NULL)

/* --- pages and DMA -------------------------------------------------------------------------- */

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ul << PAGE_SHIFT)
#define PAGE_ALIGN(size) (((size) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))

struct page;

/* The areas of a ring, which stand in guest memory already, in the order in which they are asked
 * for. */
#define alloc_pages_exact(size, gfp) linux_alloc_area(size, gfp, NULL)
#define free_pages_exact(p, size) ((void)(p))
#define dma_alloc_coherent(dev, size, handle, gfp) linux_alloc_area(size, gfp, handle)
#define dma_free_coherent(dev, size, p, handle) ((void)(p))
#define virt_to_phys(p) ((phys_addr_t)linux_gpa(p))

#define virt_to_page(p) ((struct page *)(uintptr_t)(linux_gpa(p) >> PAGE_SHIFT))
#define offset_in_page(p) ((unsigned long)linux_gpa(p) & (PAGE_SIZE - 1))
#define is_vmalloc_addr(p) ((void)(p), false)

enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };

#define DMA_MAPPING_ERROR (~(dma_addr_t)0)
#define DMA_ATTR_DEBUGGING_IGNORE_CACHELINES 0

#define dma_map_page(dev, page, offset, size, direction) \
	((void)(dev), (dma_addr_t)((uintptr_t)(page) << PAGE_SHIFT) + (offset))
#define dma_map_page_attrs(dev, page, offset, size, direction, attrs) \
	dma_map_page(dev, page, offset, size, direction)
#define dma_map_single(dev, p, size, direction) ((void)(dev), (dma_addr_t)linux_gpa(p))
#define dma_map_single_attrs(dev, p, size, direction, attrs) ((void)(dev), (dma_addr_t)linux_gpa(p))
#define dma_unmap_page(dev, addr, size, direction) ((void)(dev), (void)(addr))
#define dma_unmap_page_attrs(dev, addr, size, direction, attrs) ((void)(dev), (void)(addr))
#define dma_unmap_single(dev, addr, size, direction) ((void)(dev), (void)(addr))
#define dma_unmap_single_attrs(dev, addr, size, direction, attrs) ((void)(dev), (void)(addr))
#define dma_mapping_error(dev, addr) ((void)(dev), (void)(addr), 0)
#define dma_max_mapping_size(dev) ((void)(dev), SIZE_MAX)
#define dma_need_sync(dev, addr) ((void)(dev), false)
#define dma_sync_single_range_for_cpu(dev, addr, offset, size, direction) ((void)(dev))
#define dma_sync_single_range_for_device(dev, addr, offset, size, direction) ((void)(dev))
#define kmsan_handle_dma(...) ((void)0)

struct scatterlist {
	struct page *page;
	unsigned int offset, length;
	bool last;
};

static inline struct page *
sg_page(const struct scatterlist *sg)
{
	return sg->page;
}

static inline phys_addr_t
sg_phys(const struct scatterlist *sg)
{
	return ((phys_addr_t)(uintptr_t)sg->page << PAGE_SHIFT) + sg->offset;
}

/* What a caller that has mapped the list itself (premapped) would have put there. */
#define sg_dma_address(sg) sg_phys(sg)
#define sg_dma_len(sg) ((sg)->length)

static inline struct scatterlist *
sg_next(struct scatterlist *sg)
{
	return sg->last ? NULL : sg + 1;
}

/* --- user space ----------------------------------------------------------------------------- */

struct kvec {
	void *iov_base;
	size_t iov_len;
};

#define get_user(x, p) ((x) = READ_ONCE(*(p)), 0)
#define put_user(x, p) (WRITE_ONCE(*(p), (x)), 0)

/*
 * A copy is machine code in the kernel: no compiler changes it, whence volatile.  It goes in the
 * largest pieces that both ends are aligned to, up to a register's 8 bytes.
 */
#define SHIM_COPY(type) \
	for (; (align | n) % sizeof(type) == 0 && n; n -= sizeof(type)) { \
		*(volatile type __attribute__((may_alias)) *)to = \
			*(const volatile type __attribute__((may_alias)) *)from; \
		to = (char *)to + sizeof(type); \
		from = (const char *)from + sizeof(type); \
	}

static __always_inline unsigned long
shim_copy(void *to, const void *from, size_t n)
{
	uintptr_t align = (uintptr_t)to | (uintptr_t)from;

	SHIM_COPY(u64)
	SHIM_COPY(u32)
	SHIM_COPY(u16)
	SHIM_COPY(u8)
	return 0;
}

#define copy_from_user(to, from, n) shim_copy(to, from, n)
#define copy_to_user(to, from, n) shim_copy(to, from, n)

#endif
