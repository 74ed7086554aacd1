/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/precopy_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"

#define SLOTS_MAX 512u

/* A slot as the recording has it at some line. */
struct slot {
	struct kvm_userspace_memory_region mem;
	bool used;
};

/* A page that was sent, of a slot that can be written. */
struct sent {
	uint64_t gfn, line;
	int64_t time_ns;
	uint32_t pass;
};

/* A sync, and the first clear of the log after it. */
struct pass {
	size_t sync; /* record; 0 is no pass: numbers count from 1 */
	size_t clear; /* record; 0: none */
	bool slots_made; /* a slot with a log was made after this clear and before the next sync */
};

struct planner {
	struct precopy_plan *plan;
	const struct recording *r;
	struct slot slot[SLOTS_MAX];
	struct sent *sent;
	size_t sents, capacity;
	struct pass *pass; /* 1 … passes */
	uint32_t passes;
	bool *syncs; /* by thread */
	bool began; /* the migration has */
};

static int
compare_gfn(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct precopy_op *
add(struct precopy_plan *plan, enum precopy_op_kind kind, enum precopy_actor actor)
{
	if (plan->count == plan->capacity) {
		plan->capacity = plan->capacity ? 2 * plan->capacity : 64;
		plan->op = realloc(plan->op, plan->capacity * sizeof(*plan->op));
		must(plan->op);
	}
	plan->op[plan->count] =
		(struct precopy_op){ .kind = (uint8_t)kind, .actor = (uint8_t)actor };
	return &plan->op[plan->count++];
}

/* --- first look: passes, slots over time, pages that were sent ----------------------------------
 */

static struct kvm_userspace_memory_region
region_of(const struct record *record)
{
	return (struct kvm_userspace_memory_region){
		.slot = (uint32_t)record->arg[0],
		.flags = (uint32_t)record->arg[1],
		.guest_phys_addr = (uint64_t)record->arg[2],
		.memory_size = (uint64_t)record->arg[3],
		.userspace_addr = (uint64_t)record->arg[5],
	};
}

static int
look_at_slot(struct planner *p, const struct record *record, struct error *err)
{
	struct kvm_userspace_memory_region mem = region_of(record);
	uint64_t end = (mem.guest_phys_addr + mem.memory_size) >> KVM_PAGE_SHIFT;
	struct slot *slot;

	if (mem.slot >= SLOTS_MAX)
		return mem.slot >> 16 ? 0 /* system management mode's are not looked at */
				      : error_at(err, p->r->name, (long)record->line, 0,
						 "slot %u: at most %u slots can be replayed",
						 mem.slot, SLOTS_MAX);
	if (mem.guest_phys_addr + mem.memory_size < mem.guest_phys_addr ||
	    end > UINT64_C(1) << (kvm_rules_today.gpa_bits - KVM_PAGE_SHIFT))
		return error_at(err, p->r->name, (long)record->line, 0,
				"the slot ends past what a guest can address");
	if ((mem.guest_phys_addr | mem.memory_size | mem.userspace_addr) % KVM_PAGE_SIZE)
		return error_at(err, p->r->name, (long)record->line, 0,
				"the slot is not of whole pages, and the recorded kernel took it");
	slot = &p->slot[mem.slot];
	if (!slot->used && mem.memory_size && mem.flags & KVM_MEM_LOG_DIRTY_PAGES && p->passes)
		p->pass[p->passes].slots_made = true;
	*slot = (struct slot){ mem, mem.memory_size };
	if (end > p->plan->gfn_end)
		p->plan->gfn_end = end;
	return 0;
}

static void
look_at_sent(struct planner *p, const struct record *record)
{
	uint64_t host = (uint64_t)record->arg[2];

	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		const struct kvm_userspace_memory_region *m = &p->slot[i].mem;

		if (!p->slot[i].used || m->flags & KVM_MEM_READONLY || host < m->userspace_addr ||
		    host - m->userspace_addr >= m->memory_size)
			continue;
		if (p->sents == p->capacity) {
			p->capacity = p->capacity ? 2 * p->capacity : 64;
			p->sent = realloc(p->sent, p->capacity * sizeof(*p->sent));
			must(p->sent);
		}
		p->sent[p->sents++] =
			(struct sent){ (m->guest_phys_addr + host - m->userspace_addr) >>
					       KVM_PAGE_SHIFT,
				       record->line, record->time_ns, p->passes };
		return;
	}
	p->plan->pages_elsewhere++;
}

static int
look(struct planner *p, struct error *err)
{
	const struct recording *r = p->r;

	for (size_t i = 0; i < r->count; i++) {
		const struct record *record = &r->record[i];

		if (record->kind == RECORD_MEMSLOT_UPDATE && !record->arg[4]) {
			if (look_at_slot(p, record, err))
				return -1;
		} else if (record->kind == RECORD_BITMAP_SYNC_END) {
			p->pass[++p->passes] = (struct pass){ .sync = i };
			p->syncs[record->thread] = true;
		} else if (record->kind == RECORD_BITMAP_CLEAR && p->passes &&
			   !p->pass[p->passes].clear) {
			p->pass[p->passes].clear = i;
			p->pass[p->passes].slots_made = false;
		} else if (record->kind == RECORD_PAGE_SENT && p->passes) {
			look_at_sent(p, record);
		}
	}
	p->plan->passes = p->passes;
	if (!p->plan->gfn_end)
		return error_at(err, r->name, 0, 0,
				"nothing to explore: no line tells of a memory slot");
	if (p->passes < 2)
		return error_at(err, r->name, 0, 0,
				"nothing to explore: no line tells of a second sync of the bitmap");
	if (r->timeless)
		return error_at(err, r->name, 0, 0,
				"has no time stamps: when pages of zeros were sent cannot be told");
	return 0;
}

/* --- writes -------------------------------------------------------------------------------------
 */

/* The pass whose sync is the first that could see a write which had @sent sent; 0: none follows. */
static uint32_t
written_before(const struct planner *p, const struct sent *sent)
{
	uint32_t k = sent->pass - 1;

	/* The pass in which the log was cleared last, before the sync of this one. */
	while (k && !p->pass[k].clear)
		k--;
	for (uint32_t j = k; j < sent->pass; j++)
		if (p->pass[j].slots_made)
			return 0;
	return k ? k + 1 : 0;
}

/* The tracked pages, and the last line that sent each. */
static void
find_pages(struct planner *p)
{
	struct precopy_plan *plan = p->plan;

	plan->page = calloc(p->sents + 1, sizeof(*plan->page));
	plan->page_line = calloc(p->sents + 1, sizeof(*plan->page_line));
	must(plan->page && plan->page_line);
	for (size_t i = 0; i < p->sents; i++)
		if (p->sent[i].pass > 1 && written_before(p, &p->sent[i]))
			plan->page[plan->pages++] = p->sent[i].gfn;
	qsort(plan->page, plan->pages, sizeof(*plan->page), compare_gfn);

	size_t distinct = 0;

	for (size_t i = 0; i < plan->pages; i++)
		if (!distinct || plan->page[distinct - 1] != plan->page[i])
			plan->page[distinct++] = plan->page[i];
	plan->pages = distinct;
}

static void
plan_writes(struct planner *p, uint32_t pass, int64_t time_ns)
{
	struct precopy_plan *plan = p->plan;

	for (size_t i = 0; i < p->sents; i++) {
		const struct sent *sent = &p->sent[i];
		const uint64_t *page;
		struct precopy_op *op;

		if (sent->pass < 2 || written_before(p, sent) != pass)
			continue;
		page = bsearch(&sent->gfn, plan->page, plan->pages, sizeof(*page), compare_gfn);
		must(page);
		op = add(plan, PRECOPY_OP_WRITE, PRECOPY_VCPU);
		op->page = (uint32_t)(page - plan->page);
		op->line = plan->page_line[op->page] = sent->line;
		op->time_ns = time_ns;
		op->estimated = true;
	}
}

/* --- sends --------------------------------------------------------------------------------------
 */

/* When a pass sends @gfn: as recorded, or between the recorded pages around it. */
static int64_t
send_time(const struct planner *p, uint32_t pass, uint64_t gfn, int64_t from_ns, int64_t to_ns,
	  bool *estimated)
{
	uint64_t below = 0, above = p->plan->gfn_end;

	*estimated = true;
	for (size_t i = 0; i < p->sents; i++) {
		const struct sent *s = &p->sent[i];

		if (s->pass != pass || s->time_ns < from_ns || s->time_ns > to_ns)
			continue;
		if (s->gfn == gfn) {
			*estimated = false;
			return s->time_ns;
		}
		if (s->gfn < gfn && s->gfn >= below) {
			below = s->gfn;
			from_ns = s->time_ns;
		} else if (s->gfn > gfn && s->gfn <= above) {
			above = s->gfn;
			to_ns = s->time_ns;
		}
	}
	return from_ns + (int64_t)((double)(to_ns - from_ns) * (double)(gfn - below) /
				   (double)(above - below));
}

static void
plan_sends(struct planner *p, uint32_t pass)
{
	const struct recording *r = p->r;
	size_t sync = p->pass[pass].sync, clear = p->pass[pass].clear;
	int64_t from_ns = r->record[clear ? clear : sync].time_ns;
	int64_t to_ns = r->record[pass < p->passes ? p->pass[pass + 1].sync : r->count - 1].time_ns;

	/* A pass whose log was not cleared has sent nothing; the last sends what is left. */
	for (size_t i = 0; (clear || pass == p->passes) && i < p->plan->pages; i++) {
		bool estimated;
		int64_t ns = send_time(p, pass, p->plan->page[i], from_ns, to_ns, &estimated);
		struct precopy_op *op = add(p->plan, PRECOPY_OP_SEND, PRECOPY_MIGRATION);

		op->page = (uint32_t)i;
		op->line = r->record[sync].line;
		op->time_ns = ns;
		op->estimated = estimated;
	}
}

/* --- all ----------------------------------------------------------------------------------------
 */

static void
plan_record(struct planner *p, size_t i)
{
	const struct record *record = &p->r->record[i];
	struct precopy_op *op = NULL;

	if (record->kind == RECORD_MEMSLOT_UPDATE && !record->arg[4] &&
	    (uint32_t)record->arg[0] < SLOTS_MAX) {
		p->began |= p->syncs[record->thread];
		op = add(p->plan, PRECOPY_OP_SLOT,
			 p->syncs[record->thread] || !p->began ? PRECOPY_MIGRATION : PRECOPY_QEMU);
		op->mem = region_of(record);
	} else if (record->kind == RECORD_BITMAP_SYNC_END) {
		p->began = true;
		op = add(p->plan, PRECOPY_OP_SYNC, PRECOPY_MIGRATION);
	} else if (record->kind == RECORD_BITMAP_CLEAR) {
		op = add(p->plan, PRECOPY_OP_CLEAR, PRECOPY_MIGRATION);
	} else if (record->kind == RECORD_VM_STOP) {
		op = add(p->plan, PRECOPY_OP_STOP, PRECOPY_MIGRATION);
	}
	if (op) {
		op->line = record->line;
		op->time_ns = record->time_ns;
	}
}

static bool
overlap(const struct kvm_userspace_memory_region *a, const struct kvm_userspace_memory_region *b,
	uint64_t b_size)
{
	return a->guest_phys_addr < b->guest_phys_addr + b_size &&
	       b->guest_phys_addr < a->guest_phys_addr + a->memory_size;
}

/* Deletions and the additions behind them: is anything added where something was deleted? */
static void
find_transactions(struct precopy_plan *plan)
{
	struct kvm_userspace_memory_region slot[SLOTS_MAX] = { { 0 } }, deleted[SLOTS_MAX];
	struct precopy_op *last = NULL;
	size_t first = 0, count = 0;
	uint32_t number = 0;
	bool adding = true, overlaps = false;

	for (size_t i = 0; i <= plan->count; i++) {
		struct precopy_op *op = i < plan->count ? &plan->op[i] : NULL;
		bool is_slot = op && op->kind == PRECOPY_OP_SLOT && op->actor == PRECOPY_QEMU;
		bool deletes = is_slot && !op->mem.memory_size;

		if (op && !is_slot) {
			if (op->kind == PRECOPY_OP_SLOT)
				slot[op->mem.slot] = op->mem;
			continue;
		}
		if (last && (!op || (deletes && adding))) { /* the one before ends */
			for (size_t k = first; k < i; k++)
				if (plan->op[k].transaction == number)
					plan->op[k].overlaps = overlaps;
			last->last = true;
			last = NULL;
		}
		if (!op)
			break;
		if (deletes && !last) {
			first = i;
			number++;
			count = 0;
			overlaps = false;
		}
		adding = !deletes;
		if (deletes && count < SLOTS_MAX)
			deleted[count++] = slot[op->mem.slot];
		for (size_t k = 0; adding && k < count; k++)
			overlaps |= overlap(&op->mem, &deleted[k], deleted[k].memory_size);
		slot[op->mem.slot] = op->mem;
		if (deletes || last) {
			op->transaction = number;
			last = op;
		}
	}
}

static int
compare_time(const void *a, const void *b)
{
	const struct precopy_op *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns > y->time_ns ? 1 : -1;
	return x->transaction > y->transaction ? 1 : -1; /* till then its place in the list */
}

/* In the order of time, each later than the one before, from 0. */
static void
put_in_order(struct precopy_plan *plan)
{
	int64_t begin;

	for (size_t i = 0; i < plan->count; i++)
		plan->op[i].transaction = (uint32_t)i;
	qsort(plan->op, plan->count, sizeof(*plan->op), compare_time);
	begin = plan->op[0].time_ns;
	for (size_t i = 0; i < plan->count; i++) {
		struct precopy_op *op = &plan->op[i];

		op->transaction = 0;
		op->time_ns -= begin;
		if (i && op->time_ns <= op[-1].time_ns)
			op->time_ns = op[-1].time_ns + 1;
	}
}

/* --- a smaller guest ----------------------------------------------------------------------------
 */

struct points {
	uint64_t *gfn;
	size_t count;
};

/* The number of a point that there is. */
static uint64_t
place_of(const struct points *p, uint64_t gfn)
{
	const uint64_t *found = bsearch(&gfn, p->gfn, p->count, sizeof(gfn), compare_gfn);

	must(found);
	return (uint64_t)(found - p->gfn);
}

/* Where slots begin and end, and the tracked pages. */
static void
find_points(const struct precopy_plan *plan, struct points *p)
{
	size_t n = 0;

	p->gfn = calloc(2 * (plan->count + plan->pages) + 1, sizeof(*p->gfn));
	must(p->gfn);
	for (size_t i = 0; i < plan->count; i++) {
		const struct kvm_userspace_memory_region *m = &plan->op[i].mem;

		if (plan->op[i].kind != PRECOPY_OP_SLOT)
			continue;
		p->gfn[n++] = m->guest_phys_addr >> KVM_PAGE_SHIFT;
		p->gfn[n++] = (m->guest_phys_addr + m->memory_size) >> KVM_PAGE_SHIFT;
	}
	for (size_t i = 0; i < plan->pages; i++) {
		p->gfn[n++] = plan->page[i];
		p->gfn[n++] = plan->page[i] + 1;
	}
	qsort(p->gfn, n, sizeof(*p->gfn), compare_gfn);
	for (size_t i = 0; i < n; i++)
		if (!p->count || p->gfn[p->count - 1] != p->gfn[i])
			p->gfn[p->count++] = p->gfn[i];
}

static void
make_small(struct precopy_plan *plan)
{
	struct points p = { NULL, 0 };

	find_points(plan, &p);
	plan->place = calloc(plan->pages + 1, sizeof(*plan->place));
	must(plan->place);
	for (size_t i = 0; i < plan->pages; i++)
		plan->place[i] = place_of(&p, plan->page[i]);
	for (size_t i = 0; i < plan->count; i++) {
		struct kvm_userspace_memory_region *m = &plan->op[i].mem;
		uint64_t from, to;

		if (plan->op[i].kind != PRECOPY_OP_SLOT)
			continue;
		from = place_of(&p, m->guest_phys_addr >> KVM_PAGE_SHIFT);
		to = place_of(&p, (m->guest_phys_addr + m->memory_size) >> KVM_PAGE_SHIFT);
		m->guest_phys_addr = from << KVM_PAGE_SHIFT;
		m->memory_size = (to - from) << KVM_PAGE_SHIFT;
	}
	plan->gfn_end = p.count;
	free(p.gfn);
}

int
precopy_plan_make(struct precopy_plan *plan, const struct recording *r, struct error *err)
{
	struct planner *p = calloc(1, sizeof(*p));
	uint32_t pass = 0;
	int ret;

	must(p);
	p->plan = plan;
	p->r = r;
	p->pass = calloc(recording_count(r, RECORD_BITMAP_SYNC_END) + 2, sizeof(*p->pass));
	p->syncs = calloc(r->threads + 1, sizeof(*p->syncs));
	must(p->pass && p->syncs);
	ret = look(p, err);
	if (!ret)
		find_pages(p);
	if (!ret && !plan->pages)
		ret = error_at(err, r->name, 0, 0,
			       "nothing to explore: no page was sent again that must have been "
			       "written");
	for (size_t i = 0; !ret && i < r->count; i++) {
		if (pass < p->passes && i == p->pass[pass + 1].sync) {
			pass++;
			plan_writes(p, pass, r->record[i].time_ns - 1000);
		}
		plan_record(p, i);
		if (pass && i == (p->pass[pass].clear ? p->pass[pass].clear : p->pass[pass].sync))
			plan_sends(p, pass);
	}
	if (!ret) {
		put_in_order(plan);
		find_transactions(plan);
		make_small(plan);
	} else {
		precopy_plan_free(plan);
	}
	free(p->sent);
	free(p->pass);
	free(p->syncs);
	free(p);
	return ret;
}

void
precopy_plan_free(struct precopy_plan *plan)
{
	free(plan->op);
	free(plan->page);
	free(plan->page_line);
	free(plan->place);
	*plan = (struct precopy_plan){ 0 };
}
