/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shadow virtqueue that shows the device copies, as posted in "Net Control VQ support with asid
 * in vDPA SVQ" (qemu-devel, May 2022, RFC v8 09/21).
 *
 *	add     readable part linearised into pages of the VMM's, mapped read-only;
 *	        pages for the writable part, mapped for writing       two descriptors at most
 *	done    unmapped; what the device wrote copied to the guest; pages freed
 *
 * So a mapping comes and goes with each chain, and a device never reaches the guest's memory.  What
 * was said of it in review is in the faults qemu.svq.copy_…; what was merged instead are two
 * buffers that stay mapped (vhost/vdpa_net.h).
 *
 * A chain that cannot be copied goes back to the guest with nothing written.
 */
#ifndef RINGSIDE_VHOST_SVQ_COPY_H
#define RINGSIDE_VHOST_SVQ_COPY_H

#include <stdint.h>

struct svq;
struct svq_elem;

#define SVQ_COPY_MAX 4096u /* bytes of a part: the longest control command fits */

/* Copy, map, make available: 0, -ENOSPC or another negative errno with nothing left mapped. */
int
svq_copy_add(struct svq *s, struct svq_elem *e);
/* The device used it and wrote @len bytes. Not for the guest's ring. */
void
svq_copy_done(struct svq *s, struct svq_elem *e, uint32_t len);
/* It will not be used: unmap, free. */
void
svq_copy_undo(struct svq *s, struct svq_elem *e);

#endif
