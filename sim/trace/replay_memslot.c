/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/replay_memslot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "engine/world.h"
#include "kvm/memslot.h"
#include "trace/memslot_plan.h"
#include "trace/page_fate.h"
#include "vmm/memory_listener.h"

#define NS_PER_S 1000000000
/* Steps an operation may take: to be woken, to sleep, the points of a deletion. */
#define STEPS_PER_OP 16u

const struct slot_removal_info slot_removal_info[SLOT_REMOVALS] = {
	[SLOT_REMOVAL_SLOT_LOG_ONLY] = { "slot_log_only", FAULT_SLOT_REMOVAL_SLOT_LOG_ONLY,
					 "QEMU 1.1 to 2.2: fetch if the section itself logs" },
	[SLOT_REMOVAL_NO_SYNC] = { "no_sync", FAULT_SLOT_REMOVAL_NO_SYNC,
				   "QEMU before 1.1: never fetch" },
	[SLOT_REMOVAL_SYNC_FIRST] = { "sync_first", FAULT_NONE,
				      "QEMU since 2.3: fetch, then delete" },
	[SLOT_REMOVAL_DELETE_FIRST] = { "delete_first", FAULT_SLOT_REMOVAL_DELETE_FIRST,
					"delete, then fetch" },
};

const char *const lost_seen_name[] = { "not-observed", "agrees", "disagrees" };

enum slot_removal
slot_removal_find(const char *name)
{
	int i = 0;

	while (i < SLOT_REMOVALS && strcmp(slot_removal_info[i].name, name))
		i++;
	return (enum slot_removal)i;
}

/* --- inside the world --------------------------------------------------------------------------
 */

/* All of it in the arena, but for the plan, which nobody changes. */
struct state {
	const struct memslot_plan *plan;
	size_t next; /* operation whose turn it is */
	struct waitq turn;
	struct memory_listener *listener;
	struct page_bitmap migration; /* the bitmap of the migration thread */
	struct page_fates *fates;
	struct memslot_replay_result result;
	struct lost_page *lost;
	uint64_t lost_capacity, lost_before; /* entries of earlier syncs */
	/* Around the recording: */
	const int64_t *due_ns; /* of each operation, rising; null: in recorded order */
	uint32_t *told; /* when each began (2n) and was done (2n + 1), in the order of the run */
	size_t told_count;
};

struct memslot_replay {
	struct world *world;
	struct memslot_plan plan;
	struct memslot_replay_config config;
	char *name;
	struct memslot_replay_result imported; /* the figures known before a run */
	int64_t *due_ns;
	struct state *state;
};

static struct lost_page *
lost_add(struct state *s, struct world *w)
{
	if (s->result.lost == s->lost_capacity) {
		uint64_t capacity = s->lost_capacity ? 2 * s->lost_capacity : 16;
		struct lost_page *grown = world_alloc(w, capacity * sizeof(*grown));

		if (s->lost)
			memcpy(grown, s->lost, s->result.lost * sizeof(*grown));
		world_free(w, s->lost, s->lost_capacity * sizeof(*grown));
		s->lost = grown;
		s->lost_capacity = capacity;
		s->result.lost_page = grown;
	}
	return &s->lost[s->result.lost++];
}

static void
page_lost(struct state *s, struct world *w, const struct memslot_op *op,
	  const struct page_fate *page)
{
	must(page->died); /* a bit that waits in a slot was fetched just now */
	*lost_add(s, w) = (struct lost_page){
		.gfn = page->gfn,
		.dirtied = page->dirtied,
		.dirtied_ns = page->dirtied_ns,
		.slot = page->slot,
		.base_gfn = page->base_gfn,
		.npages = page->npages,
		.died_ns = page->died_ns,
		.died_line = page->died_line,
		.died_assumed = page->died_assumed,
		.sync_ns = world_now(w),
		.sync_line = op->line,
		.sync_estimated = op->estimated,
	};
	emit(w, EV_DIRTY_PAGE_LOST, (int64_t)page->gfn, page->slot, (int64_t)page->dirtied,
	     page->died_ns);
}

static void
replay_sync(struct state *s, struct world *w, const struct memslot_op *op)
{
	struct page_fates *f = s->fates;

	/* What the last sync found has been sent since. */
	page_bitmap_clear_all(&s->migration, w);
	s->result.pages_synced += memory_listener_migration_sync(s->listener, &s->migration, false);
	s->result.syncs++;
	s->lost_before = s->result.lost;
	for (uint64_t i = 0; (i = page_bitmap_next(&f->round, i)) < f->round.npages; i++)
		if (!page_bitmap_test(&s->migration, f->page[i].gfn))
			page_lost(s, w, op, &f->page[i]);
	page_fates_next_round(f, w);
}

/* The recording looked at a bit of the migration's bitmap: so do we, and compare. */
static void
replay_seen(struct state *s, struct world *w, const struct memslot_op *op)
{
	bool set = op->gfn < s->migration.npages && page_bitmap_test(&s->migration, op->gfn);

	if (!s->result.syncs)
		return; /* a sync before the recording began made that bitmap */
	emit(w, EV_BIT_SEEN, (int64_t)op->gfn, op->set, set);
	if (set == op->set)
		s->result.seen_agree++;
	else
		s->result.seen_disagree++;
	for (uint64_t i = s->lost_before; i < s->result.lost; i++)
		if (s->lost[i].gfn == op->gfn && s->lost[i].seen == LOST_NOT_OBSERVED)
			s->lost[i].seen = op->set ? LOST_DISAGREES : LOST_AGREES;
}

static void
replay_op(struct state *s, struct world *w, const struct memslot_op *op)
{
	struct memory_section section = {
		.guest_phys_addr = op->gfn << KVM_PAGE_SHIFT,
		.size = op->npages << KVM_PAGE_SHIFT,
		.ram_addr = op->gfn << KVM_PAGE_SHIFT,
	};
	enum kvm_write write;
	int r;

	if (op->kind != MEMSLOT_OP_DIRTY) { /* a vCPU's write ends no bit's life */
		s->fates->line = op->line;
		s->fates->assumed = op->assumed;
	}
	switch ((enum memslot_op_kind)op->kind) {
	case MEMSLOT_OP_ADD:
		r = memory_listener_region_add(s->listener, &section, (int)op->id);
		must(r == (int)op->id); /* the plan keeps KVM's rules */
		break;
	case MEMSLOT_OP_DEL:
		r = memory_listener_region_del(s->listener, 0, (int)op->id);
		must(!r);
		break;
	case MEMSLOT_OP_DIRTY:
		do
			write = kvm_write_guest_page(memory_listener_kvm(s->listener), 0, op->gfn);
		while (s->due_ns && write == KVM_WRITE_MMIO && (waitq_wait(w, &s->turn), true));
		must(write == KVM_WRITE_RAM);
		break;
	case MEMSLOT_OP_SYNC:
		replay_sync(s, w, op);
		break;
	case MEMSLOT_OP_SEEN:
		replay_seen(s, w, op);
		break;
	}
}

/* Take all operations of one kind of thread, each when its turn and its time have come. */
static void
replay_actor(struct state *s, struct world *w, bool vcpu)
{
	const struct memslot_plan *plan = s->plan;

	while (s->next < plan->count) {
		const struct memslot_op *op = &plan->op[s->next];

		if ((op->kind == MEMSLOT_OP_DIRTY) != vcpu) {
			waitq_wait(w, &s->turn);
			continue;
		}
		if (op->time_ns > world_now(w))
			actor_sleep(w, op->time_ns - world_now(w));
		replay_op(s, w, op);
		s->next++;
		waitq_wake_all(w, &s->turn);
	}
}

/* The same, each when the one before is done; who comes first is open. */
static void
replay_around(struct state *s, struct world *w, bool vcpu)
{
	const struct memslot_plan *plan = s->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct memslot_op *op = &plan->op[i];

		if ((op->kind == MEMSLOT_OP_DIRTY) != vcpu)
			continue;
		actor_sleep(w, s->due_ns[i] - world_now(w));
		s->told[s->told_count++] = 2 * (uint32_t)i;
		replay_op(s, w, op);
		s->told[s->told_count++] = 2 * (uint32_t)i + 1;
		waitq_wake_all(w, &s->turn);
	}
}

static void
vcpu_main(struct actor *self, void *arg)
{
	struct state *s = arg;

	(s->due_ns ? replay_around : replay_actor)(s, actor_world(self), true);
}

static void
qemu_main(struct actor *self, void *arg)
{
	struct state *s = arg;

	(s->due_ns ? replay_around : replay_actor)(s, actor_world(self), false);
}

static void
on_set_memslot(struct world *w, const struct event *e, void *context)
{
	struct state *s = context;

	s->result.memslot_updates++;
}

static void
set_up(struct world *w, void *arg)
{
	struct memslot_replay *p = arg;
	struct state *s = world_alloc(w, sizeof(*s));
	enum fault fault = slot_removal_info[p->config.removal].fault;
	uint64_t pages = p->plan.gfn_end;

	p->state = s;
	s->plan = &p->plan;
	s->due_ns = p->due_ns;
	s->told = world_alloc(w, 2 * (p->plan.count + 1) * sizeof(*s->told));
	s->result = p->imported;
	if (fault)
		fault_set(w, fault, true);
	s->listener =
		memory_listener_create(w, kvm_create(w, &kvm_rules_today), pages << KVM_PAGE_SHIFT);
	memory_listener_log_global_start(s->listener);
	page_bitmap_init(&s->migration, w, pages);
	s->fates = page_fates_create(w, p->plan.page, p->plan.pages, p->plan.id_end);
	world_observe(w, EV_KVM_SET_MEMSLOT, on_set_memslot, s);
	waitq_init(&s->turn, w, "turn");
	actor_create(w, "vcpu", vcpu_main, s, 0);
	actor_create(w, "qemu", qemu_main, s, 0);
}

/* Each operation later than the one before: of one stamp the order is the lines'. */
static int64_t *
due_times(const struct memslot_plan *plan)
{
	int64_t *due_ns = calloc(plan->count + 1, sizeof(*due_ns));

	must(due_ns);
	for (size_t i = 0; i < plan->count; i++) {
		due_ns[i] = plan->op[i].time_ns;
		if (i && due_ns[i] <= due_ns[i - 1])
			due_ns[i] = due_ns[i - 1] + 1;
	}
	return due_ns;
}

/* --- outside -----------------------------------------------------------------------------------
 */

struct memslot_replay *
memslot_replay_create(const struct recording *r, const struct memslot_replay_config *config,
		      struct error *err)
{
	struct memslot_replay *p = calloc(1, sizeof(*p));

	must(p && config->removal < SLOT_REMOVALS);
	p->config = *config;
	if (memslot_plan_make(&p->plan, r, err))
		goto failed;
	p->name = strdup(r->name);
	must(p->name);
	p->due_ns = config->around ? due_times(&p->plan) : NULL;
	p->imported = (struct memslot_replay_result){
		.lines_read = r->lines,
		.lines_skipped = r->lines_skipped,
		.records = r->count,
		.slots_assumed = p->plan.adds_assumed,
		.deletions_assumed = p->plan.dels_assumed,
	};
	p->world = world_create(
		&(struct world_config){
			.mode = config->around ? WORLD_AROUND : WORLD_TIMED,
			.steps_max = STEPS_PER_OP * p->plan.count + 1000,
		},
		err);
	if (!p->world || world_setup(p->world, set_up, p, err))
		goto failed;
	world_snapshot(p->world);
	return p;
failed:
	memslot_replay_destroy(p);
	return NULL;
}

void
memslot_replay_destroy(struct memslot_replay *p)
{
	if (!p)
		return;
	if (p->world)
		world_destroy(p->world);
	memslot_plan_free(&p->plan);
	free(p->due_ns);
	free(p->name);
	free(p);
}

struct world *
memslot_replay_world(const struct memslot_replay *p)
{
	return p->world;
}

int
memslot_replay_run(struct memslot_replay *p, struct error *err)
{
	enum stop stop = world_run(p->world);
	struct state *s = p->state;

	if (stop == STOP_ERROR) {
		*err = *world_error(p->world);
		return -1;
	}
	if (stop != STOP_QUIESCENT || (!s->due_ns && s->next < p->plan.count))
		return error_at(err, p->name,
				s->next < p->plan.count ? (long)p->plan.op[s->next].line : 0, 0,
				"the replay was stopped here");
	return 0;
}

const struct memslot_replay_result *
memslot_replay_result(const struct memslot_replay *p)
{
	struct memslot_replay_result *r = &p->state->result;
	const struct page_fates *f = p->state->fates;

	r->dirty_marks = f->marks;
	r->bitmaps_destroyed = f->bitmaps_destroyed;
	r->bits_destroyed = f->bits_destroyed;
	r->dirty_logs_read = f->logs_read;
	r->undecided = f->round.set;
	return r;
}

/* --- the report --------------------------------------------------------------------------------
 */

/* Seconds, as fine as a kernel's stamp: "15908.988470". */
static void
print_time(FILE *to, const char *name, int64_t ns)
{
	fprintf(to, " %s=%" PRId64 ".%06" PRId64, name, ns / NS_PER_S, ns % NS_PER_S / 1000);
}

static void
print_lost(FILE *to, const struct lost_page *l)
{
	fprintf(to,
		"lost gfn=0x%" PRIx64 " dirtied=%" PRIu64 " slot=%u base_gfn=0x%" PRIx64
		" npages=%" PRIu64,
		l->gfn, l->dirtied, l->slot, l->base_gfn, l->npages);
	print_time(to, "died", l->died_ns);
	fprintf(to, "%s died_line=%" PRIu64, l->died_assumed ? "~" : "", l->died_line);
	print_time(to, "sync", l->sync_ns);
	fprintf(to, "%s recording=%s\n", l->sync_estimated ? "~" : "", lost_seen_name[l->seen]);
}

/* "line 24: vcpu writes gfn 0xca" */
static void
print_op(FILE *to, const struct memslot_op *op)
{
	static const char *const what[] = { [MEMSLOT_OP_ADD] = "qemu adds slot",
					    [MEMSLOT_OP_DEL] = "qemu deletes slot",
					    [MEMSLOT_OP_DIRTY] = "vcpu writes",
					    [MEMSLOT_OP_SYNC] = "qemu syncs",
					    [MEMSLOT_OP_SEEN] = "qemu looks at" };

	fprintf(to, "line %" PRIu64 ": %s", op->line, what[op->kind]);
	if (op->kind == MEMSLOT_OP_ADD || op->kind == MEMSLOT_OP_DEL)
		fprintf(to, " %u", op->id);
	else if (op->kind != MEMSLOT_OP_SYNC)
		fprintf(to, " gfn 0x%" PRIx64, op->gfn);
}

/* The operation of QEMU's thread that the recording has before operation @i, or -1. */
static int64_t
recorded_before(const struct memslot_plan *plan, int64_t i)
{
	while (--i >= 0 && plan->op[i].kind == MEMSLOT_OP_DIRTY)
		;
	return i;
}

void
memslot_replay_report_order(const struct memslot_replay *p, FILE *to, unsigned lines)
{
	const struct state *s = p->state;
	int64_t before = -1, within = -1; /* operations of QEMU's thread */

	for (size_t k = 0; k < s->told_count && lines; k++) {
		uint32_t i = s->told[k] / 2;
		bool done = s->told[k] % 2;

		if (p->plan.op[i].kind != MEMSLOT_OP_DIRTY) {
			before = done ? (int64_t)i : before;
			within = done ? -1 : (int64_t)i;
			continue;
		}
		if (!done || (within < 0 && before == recorded_before(&p->plan, i)))
			continue;
		fprintf(to, "moved: ");
		print_op(to, &p->plan.op[i]);
		if (within >= 0 || before >= 0) {
			fprintf(to, within >= 0 ? ", within " : ", after ");
			print_op(to, &p->plan.op[within >= 0 ? within : before]);
		} else {
			fprintf(to, ", to the front");
		}
		fprintf(to, "\n");
		lines--;
	}
}

void
memslot_replay_report(const struct memslot_replay *p, FILE *to)
{
	const struct memslot_replay_result *r = memslot_replay_result(p);
	const struct slot_removal_info *removal = &slot_removal_info[p->config.removal];

	fprintf(to,
		"replay %s: %" PRIu64 " lines, %" PRIu64 " of them skipped, %" PRIu64 " records\n",
		p->name, r->lines_read, r->lines_skipped, r->records);
	fprintf(to, "slot removal: %s (%s)\n", removal->name, removal->what);
	fprintf(to,
		"assumed: %" PRIu64 " slots created just before their first mention, %" PRIu64
		" deletions not shown, what a sync finds is sent before the next\n",
		r->slots_assumed, r->deletions_assumed);
	fprintf(to,
		"memslot updates %" PRIu64 ", dirty marks %" PRIu64 ", dirty logs read %" PRIu64
		", bitmaps destroyed %" PRIu64 " with %" PRIu64 " bits, syncs %" PRIu64
		" with %" PRIu64 " pages\n",
		r->memslot_updates, r->dirty_marks, r->dirty_logs_read, r->bitmaps_destroyed,
		r->bits_destroyed, r->syncs, r->pages_synced);
	for (uint64_t i = 0; i < r->lost; i++)
		print_lost(to, &r->lost_page[i]);
	fprintf(to,
		"bits that the recording looked at: %" PRIu64 " as in the model, %" PRIu64 " not\n",
		r->seen_agree, r->seen_disagree);
	if (r->undecided)
		fprintf(to, "undecided: %" PRIu64 " pages dirtied after the last sync\n",
			r->undecided);
	fprintf(to, "verdict: %s, %" PRIu64 " pages lost\n", r->lost ? "dirty-page-lost" : "ok",
		r->lost);
}
