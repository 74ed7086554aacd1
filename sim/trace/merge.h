/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several recordings of one run become one: their clocks are aligned by events that both must have
 * seen.
 *
 * A write of the guest that leaves it is in the host kernel's recording (kvm_mmio, kvm_pio,
 * kvm_fast_mmio), and what QEMU does for it in QEMU's: a status write of that value, the
 * notification of that queue.  Each pair that could be the same event says by how much the clocks
 * differ.  Pairs of rare values weigh more; the difference around which most weight lies within
 * ALIGN_NS is taken, and of that neighbourhood the one that lets no QEMU act before the kernel.
 * Two recordings of the same clock (two QEMUs of one host) that overlap in time need no alignment.
 *
 * In what comes out threads are called FORMAT/THREAD, lines are those of their own file, and names
 * of pointers are told apart by file, as two processes' addresses mean nothing to each other.
 */
#ifndef RINGSIDE_TRACE_MERGE_H
#define RINGSIDE_TRACE_MERGE_H

#include <stdint.h>

#include "trace/recording.h"

struct error;

#define ALIGN_NS 1000000
#define ALIGN_EVENTS_MIN 3u /* fewer are chance */

struct alignment {
	int64_t offset_ns; /* added to the times of the second */
	uint64_t events; /* that were seen by both */
	int64_t spread_ns; /* how much they disagree */
};

/*
 * Merge @b into a zeroed @into with @a, whose clock counts.  0, or -1 and @err: one is timeless,
 * or too few events are in both.  @a and @b stay as they are.
 */
int
recording_merge(struct recording *into, const struct recording *a, const struct recording *b,
		struct alignment *alignment, struct error *err);

#endif
