/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/memslot_plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/must.h"
#include "kvm/memslot.h"

/* A slot that exists at this place of the plan. */
struct live {
	uint64_t base_gfn, npages;
	uint32_t id;
};

struct planner {
	struct memslot_plan *plan;
	const struct recording *r;
	const struct record *record;
	int64_t time_ns;
	struct live *live;
	size_t lives, capacity;
};

static struct memslot_op *
plan_add(struct planner *p, enum memslot_op_kind kind)
{
	struct memslot_plan *plan = p->plan;

	if (plan->count == plan->capacity) {
		plan->capacity = plan->capacity ? 2 * plan->capacity : 64;
		plan->op = realloc(plan->op, plan->capacity * sizeof(*plan->op));
		must(plan->op);
	}

	struct memslot_op *op = &plan->op[plan->count++];

	*op = (struct memslot_op){ .time_ns = p->time_ns,
				   .line = p->record->line,
				   .estimated = p->record->estimated,
				   .kind = (uint8_t)kind };
	return op;
}

static void
plan_slot(struct planner *p, enum memslot_op_kind kind, const struct live *slot, bool assumed)
{
	struct memslot_op *op = plan_add(p, kind);

	op->id = slot->id;
	op->gfn = slot->base_gfn;
	op->npages = slot->npages;
	op->assumed = assumed;
	if (kind == MEMSLOT_OP_ADD)
		p->plan->adds_assumed++;
	else
		p->plan->dels_assumed += assumed;
}

static void
live_remove(struct planner *p, size_t i, bool assumed)
{
	plan_slot(p, MEMSLOT_OP_DEL, &p->live[i], assumed);
	p->live[i] = p->live[--p->lives];
}

/* The slot of this geometry exists; what contradicts that is gone. Returns its place in live[]. */
static size_t
live_ensure(struct planner *p, const struct live *slot)
{
	for (size_t i = 0; i < p->lives; i++) {
		const struct live *l = &p->live[i];

		if (l->id == slot->id && l->base_gfn == slot->base_gfn && l->npages == slot->npages)
			return i;
	}
	for (size_t i = 0; i < p->lives;) {
		const struct live *l = &p->live[i];

		if (l->id == slot->id || (l->base_gfn < slot->base_gfn + slot->npages &&
					  slot->base_gfn < l->base_gfn + l->npages))
			live_remove(p, i, true);
		else
			i++;
	}
	if (p->lives == p->capacity) {
		p->capacity = p->capacity ? 2 * p->capacity : 16;
		p->live = realloc(p->live, p->capacity * sizeof(*p->live));
		must(p->live);
	}
	plan_slot(p, MEMSLOT_OP_ADD, slot, true);
	if (slot->base_gfn + slot->npages > p->plan->gfn_end)
		p->plan->gfn_end = slot->base_gfn + slot->npages;
	if (slot->id >= p->plan->id_end)
		p->plan->id_end = slot->id + 1;
	p->live[p->lives] = *slot;
	return p->lives++;
}

/* A slot as three arguments of a record say. */
static int
slot_of(const struct planner *p, const int64_t *arg, struct live *slot, struct error *err)
{
	const struct kvm_rules *rules = &kvm_rules_today;
	uint64_t gfn_max = (UINT64_C(1) << (rules->gpa_bits - KVM_PAGE_SHIFT)) - 1;
	long line = (long)p->record->line;
	uint64_t id = (uint64_t)arg[0], base_gfn = (uint64_t)arg[1], npages = (uint64_t)arg[2];

	if (id >= rules->user_mem_slots)
		return error_at(err, p->r->name, line, 0,
				"slot id %" PRIu64 ": KVM has the ids 0 to %u", id,
				rules->user_mem_slots - 1);
	if (!npages || npages > KVM_MEM_MAX_NR_PAGES)
		return error_at(err, p->r->name, line, 0,
				"slot of %" PRIu64 " pages: KVM allows 1 to %" PRIu64, npages,
				KVM_MEM_MAX_NR_PAGES);
	if (base_gfn > gfn_max || npages > gfn_max - base_gfn + 1)
		return error_at(err, p->r->name, line, 0,
				"slot at base_gfn 0x%" PRIx64 " of %" PRIu64
				" pages: no guest has pages past gfn 0x%" PRIx64,
				base_gfn, npages, gfn_max);
	*slot = (struct live){ base_gfn, npages, (uint32_t)id };
	return 0;
}

static int
plan_page_dirty(struct planner *p, struct error *err)
{
	uint64_t gfn = (uint64_t)p->record->arg[0];
	struct live slot;

	if (slot_of(p, &p->record->arg[1], &slot, err))
		return -1;
	if (gfn < slot.base_gfn || gfn - slot.base_gfn >= slot.npages)
		return error_at(err, p->r->name, (long)p->record->line, 0,
				"gfn 0x%" PRIx64 " is not in its slot %u: base_gfn 0x%" PRIx64
				", %" PRIu64 " pages",
				gfn, slot.id, slot.base_gfn, slot.npages);
	live_ensure(p, &slot);

	struct memslot_op *op = plan_add(p, MEMSLOT_OP_DIRTY);

	op->gfn = gfn;
	op->id = slot.id;
	return 0;
}

static int
plan_record(struct planner *p, struct error *err)
{
	struct memslot_op *op;
	struct live slot;

	switch (p->record->kind) {
	case RECORD_PAGE_DIRTY:
		return plan_page_dirty(p, err);
	case RECORD_BITMAP_DESTROYED:
		if (slot_of(p, p->record->arg, &slot, err))
			return -1;
		live_remove(p, live_ensure(p, &slot), false);
		return 0;
	case RECORD_MIGRATION_SYNC:
		plan_add(p, MEMSLOT_OP_SYNC);
		return 0;
	case RECORD_BIT_SEEN:
		op = plan_add(p, MEMSLOT_OP_SEEN);
		op->gfn = (uint64_t)p->record->arg[0];
		op->set = p->record->arg[1];
		return 0;
	default:
		break;
	}
	return 0;
}

static int
compare_gfn(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The list of dirtied pages. */
static void
plan_pages(struct memslot_plan *plan)
{
	size_t found = 0;

	plan->page = malloc((plan->count + 1) * sizeof(*plan->page));
	must(plan->page);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->op[i].kind == MEMSLOT_OP_DIRTY)
			plan->page[found++] = plan->op[i].gfn;
	qsort(plan->page, found, sizeof(*plan->page), compare_gfn);
	for (size_t i = 0; i < found; i++)
		if (!plan->pages || plan->page[plan->pages - 1] != plan->page[i])
			plan->page[plan->pages++] = plan->page[i];
}

int
memslot_plan_make(struct memslot_plan *plan, const struct recording *r, struct error *err)
{
	struct planner p = { .plan = plan, .r = r };
	int result = 0;

	for (size_t i = 0; i < r->count && !result; i++) {
		p.record = &r->record[i];
		if (p.record->time_ns > p.time_ns)
			p.time_ns = p.record->time_ns;
		result = plan_record(&p, err);
	}
	free(p.live);
	if (!result && !plan->gfn_end)
		result = error_at(err, r->name, 0, 0,
				  "nothing to replay: no line tells of a memory slot");
	if (!result && !recording_count(r, RECORD_MIGRATION_SYNC))
		result = error_at(err, r->name, 0, 0,
				  "nothing to decide: no line tells of a migration_bitmap_sync");
	if (result)
		memslot_plan_free(plan);
	else
		plan_pages(plan);
	return result;
}

void
memslot_plan_free(struct memslot_plan *plan)
{
	free(plan->op);
	free(plan->page);
	*plan = (struct memslot_plan){ 0 };
}
