/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guest memory is made of; for the files of sim/memory/ only. */
#ifndef RINGSIDE_MEMORY_GM_IMPL_H
#define RINGSIDE_MEMORY_GM_IMPL_H

#include "engine/world_impl.h"
#include "memory/guest_memory.h"
#include "memory/model.h"

#define GM_HOOKS 8

struct gm_region {
	uint64_t gpa, len;
	const char *name;
	gm_describe_fn describe;
	gm_role_fn role;
	const void *context;
	struct gm_region *next;
};

#define BARRIERS_SKIPPED_MAX 8

/* Barriers that a user takes out or puts in (model.h). */
struct barrier_edit {
	int64_t ignored, added;
	int added_kind;
	unsigned skipped;
	struct {
		const char *function;
		int kind;
		uint64_t hash; /* of both */
	} skip[BARRIERS_SKIPPED_MAX];
};

struct gm {
	char *base;
	uint64_t size;
	uint64_t next; /* first gpa that gm_alloc() has not given out */
	uint64_t first_page; /* gm_set_first_page() */
	struct gm_region *regions; /* the newest first */
	enum memory_model model;
	struct barrier_edit edit;
	struct weak *weak; /* weak.c's; null under other models */
	struct races *races; /* race.c's; null while races are not looked for */
	unsigned hooks;
	struct {
		gm_write_hook fn;
		void *context;
		bool made; /* gm_on_store() */
	} hook[GM_HOOKS];
};

/*
 * An access of the running actor, after its point, in a run, under the model whose name is in the
 * function's.  The compiled code makes it when this returns.  Returns flags for its event.
 */
uint32_t
tso_access(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site);
uint32_t
weak_access(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site);
/* A barrier of the running actor; @kind: ORDER FENCE. */
void
tso_fence(struct world *w, int kind);
void
weak_fence(struct world *w, int kind);
/* gm_write() by the running actor or, without one, by a callback: before it, and after it. */
void
tso_model_write(struct world *w);
void
weak_model_write(struct world *w, uint64_t gpa, uint64_t len);

extern const struct memory_ops tso_ops, weak_ops;

void
weak_create(struct world *w, struct gm *gm);

/* Emit the pending store, if it is to be emitted: for settle(). */
void
access_emit_pending(struct world *w, struct actor *a);

/* A store of @a at @offset became visible: hooks of guest memory, the digest, the recording. */
void
access_flushed(struct world *w, struct actor *a, uint64_t offset, uint32_t size, const void *site);

/* Tell the world's watch, if it has one, of an access; @more: bits of enum watch_how. */
void
access_tell(struct world *w, uint64_t offset, uint32_t size, uint32_t how, unsigned more);

static inline void
access_tell_watch(struct world *w, uint64_t offset, uint32_t size, uint32_t how, unsigned more)
{
	if (__builtin_expect(w->host->watch != NULL, 0))
		access_tell(w, offset, size, how, more);
}

/* Whether the barrier of @kind (ORDER FENCE) that compiled code has at @site is not to be heeded.
 */
bool
barrier_edited_out(const struct barrier_edit *edit, const void *site, int kind);

static inline bool
access_ignored(const struct gm *gm, const void *site, int kind)
{
	return __builtin_expect(gm->edit.ignored | gm->edit.skipped, 0) &&
	       barrier_edited_out(&gm->edit, site, kind);
}
/* Number the names that recording shows now: a run may not differ by whether somebody records it.
 */
void
access_init(struct world *w);

/* What the byte is to the race detector. */
enum gm_role
gm_role_of(const struct world *w, uint64_t gpa);

/* Tell the hooks of a write to guest RAM: that others can see it, that it is made, or both. */
#define GM_VISIBLE 1u
#define GM_MADE 2u
void
gm_wrote(struct world *w, uint64_t gpa, uint64_t len, unsigned what);

#endif
