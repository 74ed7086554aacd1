/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/replay_precopy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "trace/precopy_plan.h"

#define STEPS_PER_OP 64u
#define MANUAL KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE

const struct qemu_era_info qemu_era_info[QEMU_ERAS] = {
	[QEMU_1_0] = { "1.0", false, 0, false, "nothing is fetched before a slot is deleted" },
	[QEMU_1_1] = { "1.1", false, 0, false, "fetched for slots that ask for it: none here" },
	[QEMU_2_3] = { "2.3", true, 0, false, "fetched, then deleted" },
	[QEMU_4_1] = { "4.1", true, MANUAL, false, "fetched, then deleted; manual protection" },
	[QEMU_5_1] = { "5.1", true, MANUAL | KVM_DIRTY_LOG_INITIALLY_SET, false,
		       "and the bitmap of a new slot is all ones" },
	[QEMU_8_0] = { "8.0", true, MANUAL | KVM_DIRTY_LOG_INITIALLY_SET, true,
		       "and vCPUs are kept out while a slot is replaced" },
};

enum qemu_era
qemu_era_find(const char *name)
{
	int i = 0;

	while (i < QEMU_ERAS && strcmp(qemu_era_info[i].name, name))
		i++;
	return (enum qemu_era)i;
}

struct page {
	uint64_t writes, sent;
	bool dirty; /* in QEMU's dirty memory */
	bool pending; /* in the migration's bitmap */
};

struct state {
	const struct precopy_plan *plan;
	const struct qemu_era_info *era;
	struct kvm *kvm;
	struct page *page;
	struct page_bitmap log; /* what GET fills; by gfn */
	struct page_bitmap fetched; /* QEMU's own bitmap of what it got and has not cleared */
	struct waitq turn;
	bool changing; /* a slot's change is under way */
	bool open; /* a transaction is: its thread has the BQL until its last change */
	bool inhibited; /* vCPUs are kept out of KVM */
	bool stopped;
	struct precopy_result result;
	struct precopy_lost *lost;
	uint32_t *told; /* operations as they were begun (2n) and done (2n + 1) */
	size_t told_count;
};

struct precopy_replay {
	struct world *world;
	struct precopy_plan plan;
	enum qemu_era era;
	struct state *state;
	uint64_t writes;
};

struct actor_arg {
	struct state *s;
	enum precopy_actor actor;
	size_t from, to; /* operations */
};

/* --- QEMU ---------------------------------------------------------------------------------------
 */

/* KVM_GET_DIRTY_LOG of a slot, into the dirty memory and the bitmap of what CLEAR is asked with. */
static void
fetch(struct state *s, struct world *w, const struct kvm_memory_slot *slot)
{
	uint64_t base = slot->base_gfn, end = slot->base_gfn + slot->npages;

	if (!kvm_memslot_logs(slot) ||
	    kvm_get_dirty_log(s->kvm, KVM_SLOT(slot->as_id, slot->id), &s->log, base))
		return;
	for (size_t i = 0; i < s->plan->pages; i++) {
		uint64_t gfn = s->plan->place[i];

		if (gfn < base || gfn >= end || !page_bitmap_test(&s->log, gfn))
			continue;
		s->page[i].dirty = true;
		page_bitmap_test_and_set(&s->fetched, w, gfn);
	}
	page_bitmap_clear_all(&s->log, w);
}

/* What dies with a slot, of the tracked pages. */
static void
count_dying(struct state *s, struct world *w, const struct kvm_memory_slot *slot)
{
	for (size_t i = 0; i < s->plan->pages; i++) {
		uint64_t gfn = s->plan->place[i];

		if (gfn < slot->base_gfn || gfn >= slot->base_gfn + slot->npages)
			continue;
		page_bitmap_test_and_clear(&s->fetched, w, gfn);
		if (kvm_memslot_logs(slot) &&
		    page_bitmap_test(&slot->dirty, gfn - slot->base_gfn) && !s->page[i].dirty)
			s->result.bits_died++;
	}
}

static void
change_slot(struct state *s, struct world *w, const struct precopy_op *op)
{
	const struct kvm_memory_slot *slot = kvm_id_to_memslot(s->kvm, op->mem.slot);

	s->changing = true;
	if (op->transaction)
		s->open = true;
	if (s->era->inhibit && op->overlaps)
		s->inhibited = true;
	if (!op->mem.memory_size && slot) {
		if (s->era->fetch)
			fetch(s, w, slot);
		/* What a vCPU writes here is in the bitmap that is about to die. */
		actor_point(w);
		/* Others may have replaced the array of slots, if not this one. */
		slot = kvm_id_to_memslot(s->kvm, op->mem.slot);
		if (slot)
			count_dying(s, w, slot);
	}
	kvm_set_user_memory_region(s->kvm, &op->mem);
	s->result.memslot_updates++;
	s->changing = false;
	if (op->last)
		s->open = s->inhibited = false;
	waitq_wake_all(w, &s->turn);
}

/* --- the migration ------------------------------------------------------------------------------
 */

static void
sync_bitmap(struct state *s, struct world *w)
{
	for (uint32_t i = 0; i < kvm_memslots(s->kvm, 0); i++)
		fetch(s, w, kvm_memslot(s->kvm, 0, i));
	for (size_t i = 0; i < s->plan->pages; i++) {
		s->page[i].pending |= s->page[i].dirty;
		s->page[i].dirty = false;
	}
	s->result.syncs++;
}

/* KVM_CLEAR_DIRTY_LOG of what was fetched, in all slots. */
static void
clear_log(struct state *s, struct world *w)
{
	if (!s->era->manual)
		return;
	for (uint32_t i = 0; i < kvm_memslots(s->kvm, 0); i++) {
		const struct kvm_memory_slot *slot = kvm_memslot(s->kvm, 0, i);

		if (kvm_memslot_logs(slot))
			kvm_clear_dirty_log(s->kvm, slot->id, 0, slot->npages, &s->fetched,
					    slot->base_gfn);
	}
	page_bitmap_clear_all(&s->fetched, w);
}

static void
send_page(struct state *s, uint32_t i)
{
	if (!s->page[i].pending)
		return;
	s->page[i].pending = false;
	s->page[i].sent = s->page[i].writes;
	s->result.sends++;
}

/* --- the vCPUs ----------------------------------------------------------------------------------
 */

/* False: the guest was stopped before it could. */
static bool
write_page(struct state *s, struct world *w, uint32_t i)
{
	enum kvm_write write;

	for (;;) {
		while (s->inhibited && !s->stopped)
			waitq_wait(w, &s->turn);
		if (s->stopped)
			return false;
		write = kvm_write_guest_page(s->kvm, 0, s->plan->place[i]);
		if (write == KVM_WRITE_RAM)
			break;
		waitq_wait(w, &s->turn);
	}
	s->page[i].writes++;
	s->result.writes++;
	return true;
}

/* --- actors -------------------------------------------------------------------------------------
 */

static bool
take(struct state *s, struct world *w, const struct precopy_op *op)
{
	bool bql = op->kind == PRECOPY_OP_SYNC || op->kind == PRECOPY_OP_STOP;

	while (op->actor == PRECOPY_MIGRATION && (s->changing || (bql && s->open)))
		waitq_wait(w, &s->turn);
	switch ((enum precopy_op_kind)op->kind) {
	case PRECOPY_OP_SLOT:
		if (s->stopped && op->actor == PRECOPY_QEMU)
			return false;
		change_slot(s, w, op);
		break;
	case PRECOPY_OP_WRITE:
		return write_page(s, w, op->page);
	case PRECOPY_OP_SYNC:
		sync_bitmap(s, w);
		break;
	case PRECOPY_OP_CLEAR:
		clear_log(s, w);
		break;
	case PRECOPY_OP_SEND:
		send_page(s, op->page);
		break;
	case PRECOPY_OP_STOP:
		s->stopped = true;
		waitq_wake_all(w, &s->turn);
		break;
	}
	return true;
}

static void
actor_main(struct actor *self, void *arg)
{
	const struct actor_arg *a = arg;
	struct state *s = a->s;
	struct world *w = actor_world(self);

	for (size_t i = a->from; i < a->to; i++) {
		const struct precopy_op *op = &s->plan->op[i];

		if (op->actor != a->actor)
			continue;
		actor_sleep(w, op->time_ns > world_now(w) ? op->time_ns - world_now(w) : 0);
		s->told[s->told_count++] = 2 * (uint32_t)i;
		if (!take(s, w, op))
			break;
		s->told[s->told_count++] = 2 * (uint32_t)i + 1;
	}
}

static void
add_actor(struct state *s, struct world *w, enum precopy_actor actor, size_t from, size_t to)
{
	static const char *const name[PRECOPY_ACTORS] = { "vcpu", "qemu", "migration" };
	struct actor_arg *a = world_alloc(w, sizeof(*a));

	*a = (struct actor_arg){ s, actor, from, to };
	actor_create(w, name[actor], actor_main, a, 0);
}

static void
set_up(struct world *w, void *arg)
{
	struct precopy_replay *p = arg;
	struct state *s = world_alloc(w, sizeof(*s));

	p->state = s;
	s->plan = &p->plan;
	s->era = &qemu_era_info[p->era];
	s->kvm = kvm_create(w, &kvm_rules_today);
	if (s->era->manual)
		must(!kvm_enable_manual_dirty_log_protect2(s->kvm, s->era->manual));
	s->page = world_alloc(w, p->plan.pages * sizeof(*s->page));
	s->lost = world_alloc(w, p->plan.pages * sizeof(*s->lost));
	for (size_t i = 0; i < p->plan.pages; i++)
		s->page[i].pending = true; /* the first pass sends everything */
	s->told = world_alloc(w, 2 * p->plan.count * sizeof(*s->told));
	page_bitmap_init(&s->log, w, p->plan.gfn_end);
	page_bitmap_init(&s->fetched, w, p->plan.gfn_end);
	waitq_init(&s->turn, w, "turn");
	/* The order of writes to different pages is not known: each is an actor. */
	for (size_t i = 0; i < p->plan.count; i++)
		if (p->plan.op[i].actor == PRECOPY_VCPU)
			add_actor(s, w, PRECOPY_VCPU, i, i + 1);
	add_actor(s, w, PRECOPY_QEMU, 0, p->plan.count);
	add_actor(s, w, PRECOPY_MIGRATION, 0, p->plan.count);
}

/* --- outside ------------------------------------------------------------------------------------
 */

struct precopy_replay *
precopy_replay_create(const struct recording *r, enum qemu_era era, struct error *err)
{
	struct precopy_replay *p = calloc(1, sizeof(*p));

	must(p && era < QEMU_ERAS);
	p->era = era;
	if (precopy_plan_make(&p->plan, r, err))
		goto failed;
	for (size_t i = 0; i < p->plan.count; i++)
		p->writes += p->plan.op[i].kind == PRECOPY_OP_WRITE;
	p->world = world_create(
		&(struct world_config){ .mode = WORLD_AROUND,
					.steps_max = STEPS_PER_OP * p->plan.count + 1000 },
		err);
	if (!p->world || world_setup(p->world, set_up, p, err))
		goto failed;
	world_snapshot(p->world);
	return p;
failed:
	precopy_replay_destroy(p);
	return NULL;
}

void
precopy_replay_destroy(struct precopy_replay *p)
{
	if (!p)
		return;
	if (p->world)
		world_destroy(p->world);
	precopy_plan_free(&p->plan);
	free(p);
}

struct world *
precopy_replay_world(const struct precopy_replay *p)
{
	return p->world;
}

const struct precopy_result *
precopy_replay_result(const struct precopy_replay *p)
{
	struct state *s = p->state;
	struct precopy_result *r = &s->result;

	r->lost = 0;
	r->lost_page = s->lost;
	r->writes_unmade = p->writes - r->writes;
	for (size_t i = 0; i < p->plan.pages; i++)
		if (s->page[i].sent < s->page[i].writes)
			s->lost[r->lost++] =
				(struct precopy_lost){ p->plan.page[i], p->plan.page_line[i],
						       s->page[i].writes, s->page[i].sent };
	return r;
}

void
precopy_replay_tracked(const struct precopy_replay *p, uint64_t *writes, uint64_t *pages)
{
	*writes = p->writes;
	*pages = p->plan.pages;
}

/* --- the report ---------------------------------------------------------------------------------
 */

static void
print_op(FILE *to, const struct precopy_op *op)
{
	static const char *const what[] = { [PRECOPY_OP_SYNC] = "a sync of the bitmap",
					    [PRECOPY_OP_CLEAR] = "a clear of the log",
					    [PRECOPY_OP_STOP] = "the guest is stopped" };

	fprintf(to, "line %" PRIu64 ": ", op->line);
	if (op->kind == PRECOPY_OP_SLOT)
		fprintf(to, "qemu %s slot %u", op->mem.memory_size ? "sets" : "deletes",
			op->mem.slot);
	else
		fprintf(to, "%s", what[op->kind]);
}

/* The last operation before @i, in recorded order, that is neither a write nor a page; -1. */
static int64_t
recorded_before(const struct precopy_plan *plan, int64_t i)
{
	while (--i >= 0 &&
	       (plan->op[i].kind == PRECOPY_OP_WRITE || plan->op[i].kind == PRECOPY_OP_SEND))
		;
	return i;
}

/* A write, or a change of a slot, behind the operation that it came after or fell into. */
static void
print_moved(FILE *to, const struct precopy_plan *plan, uint32_t i, int64_t behind, bool within)
{
	const struct precopy_op *op = &plan->op[i];

	fprintf(to, "moved: ");
	if (op->kind == PRECOPY_OP_WRITE)
		fprintf(to, "a write to gfn 0x%" PRIx64 " (sent again in line %" PRIu64 ")",
			plan->page[op->page], op->line);
	else
		print_op(to, op);
	if (behind >= 0) {
		fprintf(to, within ? ", within " : ", after ");
		print_op(to, &plan->op[behind]);
	} else {
		fprintf(to, ", to the front");
	}
	fprintf(to, "\n");
}

unsigned
precopy_replay_report_order(const struct precopy_replay *p, FILE *to, unsigned lines)
{
	const struct state *s = p->state;
	const struct precopy_plan *plan = &p->plan;
	int64_t before = -1, within = -1, migration = -1; /* operations; migration: the latest */
	unsigned moved = 0;

	for (size_t k = 0; k < s->told_count; k++) {
		uint32_t i = s->told[k] / 2;
		const struct precopy_op *op = &plan->op[i];
		bool done = s->told[k] % 2, is_moved, qemu = op->actor == PRECOPY_QEMU;
		int64_t behind = within >= 0 ? within : before;

		if (op->kind == PRECOPY_OP_SEND)
			continue;
		if (op->kind == PRECOPY_OP_WRITE) {
			is_moved = done && (within >= 0 || before != recorded_before(plan, i));
		} else {
			is_moved = qemu && !done && migration > (int64_t)i;
			before = done ? (int64_t)i : before;
			within = qemu ? done ? -1 : (int64_t)i : within;
			if (op->actor == PRECOPY_MIGRATION && done)
				migration = i;
		}
		if (is_moved && moved++ < lines && to)
			print_moved(to, plan, i, behind,
				    op->kind == PRECOPY_OP_WRITE && behind == within);
	}
	return moved;
}
