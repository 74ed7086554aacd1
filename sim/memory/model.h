/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory models: when a store becomes visible to others, and which value a load sees.
 *
 *	sc    accesses take effect at once.
 *	tso   as x86: each actor has a FIFO store buffer; its loads see its own buffered stores; a
 *	      full barrier or locked operation waits until it is empty; when its oldest store
 *	      becomes visible is a choice (buffer.c).
 *	weak  stores to different places become visible in any order unless a write barrier or a
 *	      release lies between, and a load may see an older value that nothing has ordered its
 *	      actor past (weak.c).  Loads do not come after later stores (no load buffering), and
 *	      dependencies are invisible to the hooks: what breaking one would allow is allowed.
 *
 * Under every model, what the models of notify/, vhost/ and vmm/ do at their points (a doorbell, a
 * lock, an eventfd) is a full barrier, as it is in the systems they stand for.
 */
#ifndef RINGSIDE_MEMORY_MODEL_H
#define RINGSIDE_MEMORY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct world;

/* ORDER MEMORY_MODEL */
enum memory_model { MEMORY_SC, MEMORY_TSO, MEMORY_WEAK, MEMORY_MODELS };

extern const char *const memory_model_name[MEMORY_MODELS];

/* By name; -1 and @err, which lists the names, if there is none. */
int
memory_model_find(const char *name, struct error *err);

/*
 * From now on.  Before the world's snapshot; the order of this and gm_create() does not matter.
 */
void
memory_set_model(struct world *w, enum memory_model model);
enum memory_model
memory_model_of(const struct world *w);

/*
 * weak: every load is an acquire, as if each depended on all before it.  A failure that goes away
 * by this needs loads that were reordered, which a dependency in the code may forbid.
 */
void
memory_order_loads(struct world *w, bool on);

/*
 * Edit the linked code, in effect: leave out the barrier at @site (access_site(): of a fence, or
 * the order of an atomic), or put one of @kind (enum fence_kind) before the access at @site.  One
 * of each at a time; site 0 is none.
 */
void
memory_ignore_barrier(struct world *w, int64_t site);
void
memory_add_barrier(struct world *w, int64_t site, int kind);

/*
 * Leave out every barrier of this kind in functions whose names begin with @function, inlined ones
 * and those they were inlined into included: the same in every build, and on any datapath.  @kind:
 * enum fence_kind; FENCE_MB, _ACQUIRE and _RELEASE stand for orders of atomics, too.  Up to eight;
 * false: there are more.
 */
bool
memory_skip_barrier(struct world *w, const char *function, int kind);
/* "mb", "rmb", "wmb", "acquire", "release": enum fence_kind; -1 for other words. */
int
memory_fence_kind(const char *word);

#endif
