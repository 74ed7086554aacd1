/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/litmus_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/world.h"
#include "explore/explorer.h"
#include "memory/guest_memory.h"
#include "memory/race.h"

/* One schedule of a litmus test is some dozens of steps; there are no loops. */
#define LITMUS_STEPS_MAX 100000u
#define GUEST_RAM_BYTES (1u << 16)

/* --- the world ------------------------------------------------------------------------------ */

struct process {
	struct rig *rig;
	unsigned number;
	uint64_t began; /* the step at which it began to run */
	bool begins_with_access; /* the first that others could notice of it is an access */
	bool in_reader; /* of RCU */
	uint64_t readers_left; /* how many sections it has left */
	long reg[LITMUS_REGS_MAX]; /* at its end */
};

/* In the arena. */
struct rig {
	const struct litmus_test *t;
	const struct litmus_code *code;
	struct process *process;
	uint64_t gpa; /* of the first variable */
	char *base;
	bool unfit;
	struct waitq grace; /* grace periods that wait for readers */
};

/* What set-up is given and leaves. */
struct set_up {
	const struct litmus_test *t;
	const struct litmus_code *code;
	const struct litmus_config *config;
	struct rig *rig;
};

static struct process *
process_of(const struct world *w)
{
	const struct actor *a = actor_current(w);

	return a ? actor_data(a) : NULL;
}

bool
litmus_at_begin(const struct world *w)
{
	const struct process *p = process_of(w);

	return p && p->begins_with_access && world_step(w) == p->began + 1;
}

static void
run_process(struct actor *self, void *arg)
{
	struct process *p = arg;

	p->began = world_step(actor_world(self));
	p->rig->code->body[p->number](p->rig->base, p->reg);
}

/* What of an expression others notice: a barrier (they do under weak), an access, nothing. */
enum notice { NOTICE_NOTHING, NOTICE_ACCESS, NOTICE_BARRIER };

static enum notice
notice_of(const struct litmus_expr *e)
{
	enum notice most = NOTICE_NOTHING;

	if (!e)
		return most;
	if (e->kind == LITMUS_CALL_EXPR)
		most = e->call->op == LITMUS_OP_FENCE || e->call->order == LITMUS_FULL ||
				       e->call->op == LITMUS_OP_RCU_LOCK ||
				       e->call->op == LITMUS_OP_RCU_UNLOCK
			       ? NOTICE_BARRIER
			       : NOTICE_ACCESS;
	else if (e->kind == LITMUS_DEREF)
		most = NOTICE_ACCESS;
	for (unsigned i = 0; i < 3; i++) {
		enum notice n = notice_of(e->arg[i]);

		most = n > most ? n : most;
	}
	return most;
}

static bool
begins_with_access(const struct litmus_stmt *s)
{
	for (; s && s->kind != LITMUS_IF; s = s->next) {
		enum notice left = notice_of(s->left), right = notice_of(s->right);

		if (left || right)
			return left != NOTICE_BARRIER && right != NOTICE_BARRIER;
	}
	return false;
}

static void
place_global(struct world *w, const struct rig *rig, unsigned i)
{
	const struct litmus_global *g = &rig->t->global[i];
	uint64_t gpa = rig->gpa + i * LITMUS_STRIDE;
	int64_t value = g->init;

	if (g->init_global >= 0)
		value = (int64_t)(uintptr_t)(rig->base + (unsigned)g->init_global * LITMUS_STRIDE);
	must(gm_write(w, gpa, &value, litmus_type_size(g->type)));
	gm_region(w, gpa, LITMUS_STRIDE, g->name, NULL, NULL);
}

static void
set_up(struct world *w, void *arg)
{
	struct set_up *s = arg;
	struct rig *rig = world_alloc(w, sizeof(*rig));
	uint64_t bytes = (uint64_t)(s->t->globals ? s->t->globals : 1) * LITMUS_STRIDE;

	gm_create(w, GUEST_RAM_BYTES);
	memory_set_model(w, s->config->memory);
	*rig = (struct rig){ .t = s->t, .code = s->code };
	/* And a word for barriers: litmus_prelude.h. */
	rig->gpa = gm_alloc(w, bytes + LITMUS_STRIDE, LITMUS_STRIDE);
	gm_region(w, rig->gpa + bytes, LITMUS_STRIDE, "full barriers", NULL, NULL);
	rig->base = gm_map(w, rig->gpa, bytes);
	rig->process = world_alloc(w, s->t->procs * sizeof(*rig->process));
	waitq_init(&rig->grace, w, "grace period");
	*s->code->base = (unsigned long)rig->base;
	*s->code->bytes = bytes;
	for (unsigned i = 0; i < s->t->globals; i++)
		place_global(w, rig, i);
	for (unsigned i = 0; i < s->t->procs; i++) {
		char name[16];
		struct actor *a;

		snprintf(name, sizeof(name), "P%u", i);
		rig->process[i].rig = rig;
		rig->process[i].number = i;
		rig->process[i].begins_with_access = begins_with_access(s->t->proc[i].body);
		a = actor_create(w, name, run_process, &rig->process[i], 0);
		actor_set_data(a, &rig->process[i]);
		/* Readers and grace periods meet in the rig. */
		actor_set_ring_only(a, !s->t->has_rcu_sync);
	}
	s->rig = rig;
}

/* --- what the code calls (litmus_prelude.h) ------------------------------------------------- */

_Noreturn void
ringside_litmus_unfit(void);
_Noreturn void
ringside_litmus_bad_address(void);
void
ringside_litmus_rcu_read(int enter);
void
ringside_litmus_rcu_sync(void);

void
ringside_litmus_unfit(void)
{
	struct world *w = world_current();

	process_of(w)->rig->unfit = true;
	world_stop(w, STOP_ASKED);
	must(!"an actor goes on after the end of the run");
	abort();
}

void
ringside_litmus_bad_address(void)
{
	struct world *w = world_current();
	const struct process *p = process_of(w);

	world_fail(w, "%s: P%u uses a pointer to none of the test's variables", p->rig->t->path,
		   p->number);
}

void
ringside_litmus_rcu_read(int enter)
{
	struct world *w = world_current();
	struct process *p = process_of(w);

	actor_point(w);
	p->in_reader = enter;
	if (enter)
		return;
	p->readers_left++;
	waitq_wake_all(w, &p->rig->grace);
}

/* Until all that are in a reader now have left it. */
void
ringside_litmus_rcu_sync(void)
{
	struct world *w = world_current();
	struct process *self = process_of(w);
	struct rig *rig = self->rig;
	uint64_t left[LITMUS_PROCS_MAX];
	bool wait[LITMUS_PROCS_MAX];

	actor_point(w);
	for (unsigned i = 0; i < rig->t->procs; i++) {
		wait[i] = rig->process[i].in_reader;
		left[i] = rig->process[i].readers_left;
	}
	for (unsigned i = 0; i < rig->t->procs; i++)
		while (wait[i] && rig->process[i].readers_left == left[i])
			waitq_wait(w, &rig->grace);
	race_acquire(w, &rig->grace);
}

/* --- outcomes ------------------------------------------------------------------------------- */

struct collection {
	const struct litmus_test *t;
	const struct rig *rig;
	struct litmus_result *r;
	size_t capacity;
	uint32_t *index; /* open addressing: outcome number + 1 */
	size_t slots; /* a power of two, more than twice the outcomes */
	bool cut_off; /* a run reached a limit */
};

static void
grow(struct collection *c)
{
	size_t bytes = c->t->shows * sizeof(int64_t);

	c->capacity = c->capacity ? c->capacity * 2 : 16;
	c->slots = c->capacity * 4;
	free(c->index);
	must(c->index = calloc(c->slots, sizeof(*c->index)));
	must(c->r->outcome = realloc(c->r->outcome, c->capacity * sizeof(*c->r->outcome)));
	for (size_t i = 0; i < c->r->outcomes; i++) {
		size_t slot = hash_bytes(c->r->outcome[i].value, bytes, 0) & (c->slots - 1);

		while (c->index[slot])
			slot = (slot + 1) & (c->slots - 1);
		c->index[slot] = (uint32_t)i + 1;
	}
}

static void
count_outcome(struct collection *c, const int64_t *value)
{
	size_t bytes = c->t->shows * sizeof(int64_t), slot;
	struct litmus_outcome *o;

	if (c->r->outcomes == c->capacity)
		grow(c);
	slot = hash_bytes(value, bytes, 0) & (c->slots - 1);
	while (c->index[slot] && memcmp(c->r->outcome[c->index[slot] - 1].value, value, bytes))
		slot = (slot + 1) & (c->slots - 1);
	if (!c->index[slot]) {
		c->index[slot] = (uint32_t)++c->r->outcomes;
		o = &c->r->outcome[c->index[slot] - 1];
		*o = (struct litmus_outcome){ .holds = litmus_holds(c->t->condition, value) };
		memcpy(o->value, value, bytes);
	}
	o = &c->r->outcome[c->index[slot] - 1];
	o->count++;
	if (o->holds)
		c->r->positive++;
	else
		c->r->negative++;
}

static int64_t
final_value(const struct world *w, const struct rig *rig, const struct litmus_shown *s)
{
	const struct litmus_global *g = &rig->t->global[s->index];
	struct litmus_type type = s->proc < 0 ? g->type : rig->t->proc[s->proc].reg[s->index].type;
	uint64_t raw = 0;

	if (s->proc >= 0)
		raw = (uint64_t)rig->process[s->proc].reg[s->index];
	else
		must(gm_read(w, rig->gpa + s->index * LITMUS_STRIDE, &raw, litmus_type_size(type)));
	if (type.stars && raw - (uint64_t)(uintptr_t)rig->base < rig->t->globals * LITMUS_STRIDE)
		return (int64_t)(raw - (uint64_t)(uintptr_t)rig->base) + LITMUS_ADDRESS(0);
	/* The upper bits of a lock's word are ours. */
	if (s->proc < 0 && type.base == LITMUS_SPINLOCK && !type.stars)
		return (int64_t)(raw & 1);
	return litmus_type_value(type, raw);
}

/* Is not a judge of anything: looks at how the run ended, and counts. */
static enum verdict
collect(struct world *w, enum stop stop, struct finding *f, void *context)
{
	struct collection *c = context;
	int64_t value[LITMUS_SHOWN_MAX];

	c->cut_off |= stop == STOP_STEPS || stop == STOP_TIME;
	if (c->rig->unfit || stop != STOP_QUIESCENT)
		return VERDICT_OK;
	for (uint32_t id = 1; id <= world_actors(w); id++)
		if (actor_data(world_actor(w, id)) && actor_state(world_actor(w, id)) != ACTOR_DONE)
			return VERDICT_OK; /* waits for a grace period that does not end */
	for (unsigned i = 0; i < c->t->shows; i++)
		value[i] = final_value(w, c->rig, &c->t->shown[i]);
	if (!c->t->filter || litmus_holds(c->t->filter, value))
		count_outcome(c, value);
	return VERDICT_OK;
}

static int
compare_outcomes(const void *a, const void *b)
{
	const struct litmus_outcome *x = a, *y = b;

	for (unsigned i = 0; i < LITMUS_SHOWN_MAX; i++)
		if (x->value[i] != y->value[i])
			return x->value[i] < y->value[i] ? -1 : 1;
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int
explore(struct world *w, struct collection *c, const struct litmus_config *config,
	struct error *err)
{
	const struct strategy_ops *ops = config->strategy ? config->strategy : &litmus_search;
	struct strategy *s = strategy_create(ops, &config->strategy_config, err);
	struct explorer_config ec = { .strategy = s,
				      .judge = collect,
				      .judge_context = c,
				      .schedules_max = config->runs_max,
				      .time_max_ns = config->time_max_ns,
				      .clock = config->clock,
				      .interrupted = config->interrupted };
	struct explorer_result er;
	int ret;

	if (!s)
		return -1;
	ret = explorer_run(w, &ec, &er);
	if (ret)
		*err = er.error;
	c->r->schedules = er.schedules;
	c->r->complete = er.end == EXPLORER_COMPLETE && !c->cut_off;
	c->r->interrupted = er.end == EXPLORER_INTERRUPTED;
	explorer_result_free(&er);
	strategy_destroy(s);
	return ret;
}

int
litmus_run(const struct litmus_test *t, const struct litmus_code *code,
	   const struct litmus_config *config, struct litmus_result *r, struct error *err)
{
	struct world_config wc = { .mode = WORLD_RELAXED, .steps_max = LITMUS_STEPS_MAX };
	struct set_up s = { .t = t, .code = code, .config = config };
	struct collection c = { .t = t, .r = r };
	struct world *w;
	int ret;

	*r = (struct litmus_result){ 0 };
	w = world_create(&wc, err);
	if (!w)
		return -1;
	ret = world_setup(w, set_up, &s, err);
	if (!ret) {
		world_snapshot(w);
		c.rig = s.rig;
		ret = explore(w, &c, config, err);
	}
	world_destroy(w);
	free(c.index);
	if (r->outcomes)
		qsort(r->outcome, r->outcomes, sizeof(*r->outcome), compare_outcomes);
	return ret;
}

void
litmus_result_free(struct litmus_result *r)
{
	free(r->outcome);
	*r = (struct litmus_result){ 0 };
}
