/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/must.h"
#include "engine/cost.h"
#include "memory/race.h"
#include "notify/irqchip.h"
#include "notify/vcpu.h"

const char *const vcpu_mode_name[VCPU_MODES] = {
	/* ORDER VCPU_MODE */
	"in_guest", "exited", "blocking", "blocked", "stopped",
};

/* --- tasks and exclusion -------------------------------------------------------------------- */

static struct vcpu_task *
find_task(const struct vcpu *v, const struct actor *a)
{
	for (uint32_t i = 0; i < v->tasks; i++)
		if (v->task[i].actor == a)
			return &v->task[i];
	return NULL;
}

bool
vcpu_is_task(const struct vcpu *v, const struct actor *a)
{
	return find_task(v, a) != NULL;
}

/* One more level at which no task but @self runs. Levels nest and end last in, first out. */
static void
exclude(struct vcpu *v, const struct actor *self)
{
	v->exclusions++;
	for (uint32_t i = 0; i < v->tasks; i++) {
		if (v->task[i].actor == self)
			continue;
		actor_hold(v->task[i].actor);
		v->task[i].holds++;
	}
}

/* End the level that exclude(@v, @self) began. */
static void
include(struct vcpu *v, const struct actor *self)
{
	must(v->exclusions);
	v->exclusions--;
	for (uint32_t i = 0; i < v->tasks; i++) {
		if (v->task[i].actor == self)
			continue;
		must(v->task[i].holds);
		v->task[i].holds--;
		actor_release(v->task[i].actor);
	}
	if (!v->exclusions)
		waitq_wake_all(v->world, &v->settled);
}

static void
grow_tasks(struct vcpu *v)
{
	uint32_t capacity = v->task_capacity ? v->task_capacity * 2 : 4;
	struct vcpu_task *task = world_alloc(v->world, capacity * sizeof(*task));

	if (v->tasks)
		memcpy(task, v->task, v->tasks * sizeof(*task));
	world_free(v->world, v->task, v->task_capacity * sizeof(*task));
	v->task = task;
	v->task_capacity = capacity;
}

/* What entry to the guest does about posted interrupts. */
static void
sync_pir(struct vcpu *v)
{
	if (!v->lapic.apicv && fault_on(v->world, FAULT_PIR_NOT_SYNCED))
		return;
	lapic_sync_pir(&v->lapic);
}

/* Out of HLT, if it is there or on its way. */
static void
wake_up(struct vcpu *v)
{
	if (v->mode != VCPU_BLOCKING && v->mode != VCPU_BLOCKED)
		return;
	v->mode = VCPU_IN_GUEST;
	emit(v->world, EV_VCPU_WAKE, v->id);
	sync_pir(v);
	waitq_wake_one(v->world, &v->work);
}

void
vcpu_bind(struct vcpu *v, struct actor *a)
{
	bool running = a == actor_current(v->world);

	must(a != v->irq && !find_task(v, a));
	/* An actor that runs cannot be held: it waits for its turn on the processor. */
	while (running && v->exclusions)
		waitq_wait(v->world, &v->settled);
	if (v->tasks == v->task_capacity)
		grow_tasks(v);
	v->task[v->tasks++] = (struct vcpu_task){ .actor = a, .holds = v->exclusions };
	for (uint32_t i = 0; i < v->exclusions; i++)
		actor_hold(a);
	wake_up(v);
}

void
vcpu_unbind(struct vcpu *v, struct actor *a)
{
	struct vcpu_task *t = find_task(v, a);

	if (!t)
		return;
	must(!t->waiting);
	while (t->holds--)
		actor_release(a);
	v->tasks--;
	memmove(t, t + 1, (size_t)(v->task + v->tasks - t) * sizeof(*t));
	waitq_wake_one(v->world, &v->work); /* it may be idle now */
}

/* --- taking interrupts ---------------------------------------------------------------------- */

bool
vcpu_deliverable(const struct vcpu *v)
{
	return v->mode == VCPU_IN_GUEST && !v->in_handler && !v->irq_off &&
	       lapic_next(&v->lapic) >= 0;
}

/* Let the interrupt context look. */
static void
poke(struct vcpu *v)
{
	if (vcpu_deliverable(v))
		waitq_wake_one(v->world, &v->work);
}

/* The vCPU's tasks may not execute another instruction while an interrupt can be taken. */
static void
settle(struct vcpu *v)
{
	struct actor *self = actor_current(v->world);

	if (!vcpu_deliverable(v))
		return;
	waitq_wake_one(v->world, &v->work);
	if (!vcpu_is_task(v, self))
		return;
	exclude(v, self);
	while (vcpu_deliverable(v))
		waitq_wait(v->world, &v->settled);
	include(v, self);
}

static void
take(struct vcpu *v)
{
	unsigned vector = (unsigned)lapic_next(&v->lapic);
	const struct vcpu_gate gate = v->idt[vector];

	race_acquire(v->world, v);
	lapic_accept(&v->lapic, vector);
	v->in_handler = true;
	v->interrupts++;
	exclude(v, NULL);
	emit(v->world, EV_IRQ_ENTER, v->id, vector);
	cost_spend(v->world, COST_IRQ_ENTRY);
	if (!gate.fn) {
		emit(v->world, EV_IRQ_SPURIOUS, v->id, vector);
		vcpu_eoi(v);
	} else {
		if (gate.eoi == VCPU_EOI_FIRST)
			vcpu_eoi(v);
		gate.fn(v, vector, gate.arg);
		if (gate.eoi == VCPU_EOI_LAST)
			vcpu_eoi(v);
	}
	emit(v->world, EV_IRQ_EXIT, v->id, vector);
	/* The next one may be taken before a task gets to run: a storm takes steps, too. */
	actor_point(v->world);
	v->in_handler = false;
	include(v, NULL);
	waitq_wake_all(v->world, &v->settled);
}

static bool
idle(const struct vcpu *v)
{
	if (v->mode != VCPU_IN_GUEST || v->irq_off)
		return false;
	for (uint32_t i = 0; i < v->tasks; i++)
		if (!v->task[i].waiting && actor_state(v->task[i].actor) != ACTOR_DONE)
			return false;
	return true;
}

/* kvm_vcpu_block(): check, then sleep.  What comes between must be seen. */
static void
halt(struct vcpu *v)
{
	v->halts++;
	v->mode = VCPU_BLOCKING;
	emit(v->world, EV_VCPU_HLT, v->id);
	sync_pir(v);
	if (lapic_next(&v->lapic) >= 0) {
		v->mode = VCPU_IN_GUEST;
		return;
	}
	actor_point(v->world);
	if (v->mode != VCPU_BLOCKING)
		return;
	v->mode = VCPU_BLOCKED;
	emit(v->world, EV_VCPU_BLOCK, v->id);
	while (v->mode == VCPU_BLOCKED || v->mode == VCPU_STOPPED)
		waitq_wait(v->world, &v->work);
}

static void
irq_main(struct actor *self, void *arg)
{
	struct vcpu *v = arg;

	for (;;) {
		if (vcpu_deliverable(v))
			take(v);
		else if (idle(v))
			halt(v);
		else
			waitq_wait(v->world, &v->work);
	}
}

struct vcpu *
vcpu_create(struct world *w, uint32_t id)
{
	struct vcpu *v = world_alloc(w, sizeof(*v));
	char name[32];

	v->world = w;
	v->id = id;
	v->mode = VCPU_IN_GUEST;
	for (int i = 0; i < VCPU_MODES; i++)
		v->mode_names[i] = world_name(w, vcpu_mode_name[i]);
	snprintf(name, sizeof(name), "vcpu%u", id);
	waitq_init(&v->settled, w, name);
	waitq_init(&v->parked, w, name);
	waitq_init(&v->stopped, w, name);
	waitq_init(&v->work, w, name);
	snprintf(name, sizeof(name), "vcpu%u.irq", id);
	v->irq = actor_create(w, name, irq_main, v, 0);
	actor_set_daemon(v->irq, true);
	return v;
}

/* --- what guest code calls ------------------------------------------------------------------ */

void
vcpu_wait(struct vcpu *v, struct waitq *q)
{
	struct actor *self = actor_current(v->world);
	struct vcpu_task *t = find_task(v, self);

	if (!t) {
		waitq_wait(v->world, q);
		return;
	}
	t->waiting = true;
	if (idle(v))
		waitq_wake_one(v->world, &v->work);
	waitq_wait(v->world, q);
	find_task(v, self)->waiting = false; /* the array may have grown */
	wake_up(v);
	settle(v);
}

void
vcpu_irq_save(struct vcpu *v)
{
	v->irq_off++;
	exclude(v, actor_current(v->world));
}

void
vcpu_irq_restore(struct vcpu *v)
{
	must(v->irq_off);
	v->irq_off--;
	include(v, actor_current(v->world));
	settle(v);
}

void
vcpu_preempt_disable(struct vcpu *v)
{
	exclude(v, actor_current(v->world));
}

void
vcpu_preempt_enable(struct vcpu *v)
{
	include(v, actor_current(v->world));
}

void
vcpu_set_handler(struct vcpu *v, unsigned vector, vcpu_handler_fn fn, void *arg, enum vcpu_eoi eoi)
{
	must(vector >= LAPIC_VECTOR_MIN && vector < LAPIC_VECTORS && fn);
	v->idt[vector] = (struct vcpu_gate){ fn, arg, eoi };
}

void
vcpu_clear_handler(struct vcpu *v, unsigned vector)
{
	must(vector < LAPIC_VECTORS);
	v->idt[vector] = (struct vcpu_gate){ 0 };
}

void
vcpu_eoi(struct vcpu *v)
{
	bool level;
	int vector = lapic_eoi(&v->lapic, &level);

	if (vector < 0)
		return;
	emit(v->world, EV_APIC_EOI, v->id, vector, level);
	if (level && v->chip)
		ioapic_eoi(&v->chip->ioapic, (unsigned)vector);
	settle(v);
}

/* --- exits and pauses ----------------------------------------------------------------------- */

/* Stop where we are: @self, if it belongs to the vCPU, waits here until vcpu_resume(). */
static void
stop_here(struct vcpu *v, struct actor *self, enum vcpu_mode resume_mode)
{
	v->resume_mode = resume_mode;
	v->mode = VCPU_STOPPED;
	v->pause_asked = false;
	v->parker = self;
	exclude(v, self);
	if (self != v->irq)
		actor_hold(v->irq);
	emit(v->world, EV_VCPU_PAUSE, v->id);
	waitq_wake_all(v->world, &v->stopped);
	if (self != v->irq && !find_task(v, self))
		return;
	while (v->mode == VCPU_STOPPED)
		waitq_wait(v->world, &v->parked);
}

void
vcpu_exit(struct vcpu *v)
{
	if (!v)
		return;

	struct actor *self = actor_current(v->world);

	must(self);
	if (v->exited == self) {
		v->exit_depth++;
		return;
	}
	if (self != v->irq && !vcpu_is_task(v, self))
		vcpu_bind(v, self);
	must(v->mode == VCPU_IN_GUEST);
	v->exit_depth = 1;
	v->mode = VCPU_EXITED;
	v->exited = self;
	v->exits++;
	exclude(v, self);
	cost_spend(v->world, COST_VM_EXIT);
}

void
vcpu_enter(struct vcpu *v)
{
	if (!v)
		return;
	must(v->exit_depth);
	if (--v->exit_depth)
		return;

	struct actor *self = v->exited;

	v->exited = NULL;
	v->mode = VCPU_IN_GUEST;
	include(v, self);
	if (v->pause_asked)
		stop_here(v, self, VCPU_IN_GUEST);
	sync_pir(v);
	settle(v);
}

void
vcpu_pause(struct vcpu *v)
{
	struct actor *self = actor_current(v->world);

	if (v->mode == VCPU_STOPPED)
		return;
	if (v->mode != VCPU_EXITED) {
		stop_here(v, self, v->mode);
		return;
	}
	v->pause_asked = true;
	while (self != v->exited && v->pause_asked)
		waitq_wait(v->world, &v->stopped);
}

void
vcpu_resume(struct vcpu *v)
{
	if (v->mode != VCPU_STOPPED) {
		v->pause_asked = false;
		waitq_wake_all(v->world, &v->stopped);
		return;
	}
	v->mode = v->resume_mode;
	emit(v->world, EV_VCPU_RESUME, v->id);
	include(v, v->parker);
	if (v->parker != v->irq)
		actor_release(v->irq);
	v->parker = NULL;
	waitq_wake_all(v->world, &v->parked);
	sync_pir(v);
	if (lapic_next(&v->lapic) >= 0)
		wake_up(v);
	poke(v);
}

/* --- delivery ------------------------------------------------------------------------------- */

/* vmx_deliver_posted_interrupt(): tell the target that PIR is not empty. */
static void
notify_posted(struct vcpu *v)
{
	struct world *w = v->world;

	switch (v->mode) {
	case VCPU_IN_GUEST:
		sync_pir(v);
		poke(v);
		break;
	case VCPU_BLOCKING:
		/*
		 * The sender may be a softirq on the very CPU whose task is the vCPU on its way to
		 * sleep; "I am the target, so it runs" was taken for "it will look".
		 */
		if (fault_on(w, FAULT_POSTED_SELF_WAKE) && world_choose(w, 2, CHOICE_OUTCOME) == 1)
			break;
		wake_up(v);
		break;
	case VCPU_BLOCKED:
		wake_up(v);
		break;
	default: /* entry looks */
		break;
	}
}

void
vcpu_deliver(struct vcpu *v, unsigned vector, bool level)
{
	bool posted = v->lapic.posting && !level;
	bool fresh, first = true;

	race_release(v->world, v);
	if (posted) {
		fresh = !bitmap_test(v->lapic.pir, vector);
		first = lapic_post(&v->lapic, vector);
	} else {
		fresh = lapic_request(&v->lapic, vector, level);
	}
	emit(v->world, EV_IRQ_REQUEST, v->id, vector, posted, fresh, v->mode_names[v->mode]);
	if (!posted)
		vcpu_kick(v);
	else if (first)
		notify_posted(v);
}

void
vcpu_kick(struct vcpu *v)
{
	wake_up(v);
	if (v->mode == VCPU_IN_GUEST)
		sync_pir(v); /* the IPI makes it exit and enter again */
	poke(v);
}

void
vcpu_set_posting(struct vcpu *v, bool posting, bool apicv)
{
	v->lapic.posting = posting;
	v->lapic.apicv = apicv;
}

void
vcpu_get_lapic(struct vcpu *v, struct lapic_state *state)
{
	lapic_sync_pir(&v->lapic);
	*state = (struct lapic_state){ 0 };
	memcpy(state->irr, v->lapic.irr, sizeof(state->irr));
	memcpy(state->isr, v->lapic.isr, sizeof(state->isr));
	memcpy(state->tmr, v->lapic.tmr, sizeof(state->tmr));
}

static void
clear_pir(struct lapic *l)
{
	memset(l->pir, 0, sizeof(l->pir));
	l->on = false;
}

void
vcpu_set_lapic(struct vcpu *v, const struct lapic_state *state)
{
	bool fires = state->timer_vector >= LAPIC_VECTOR_MIN && state->timer_expired;

	clear_pir(&v->lapic);
	memcpy(v->lapic.irr, state->irr, sizeof(state->irr));
	memcpy(v->lapic.isr, state->isr, sizeof(state->isr));
	memcpy(v->lapic.tmr, state->tmr, sizeof(state->tmr));
	emit(v->world, EV_LAPIC_SET, v->id, fires);
	if (fires)
		vcpu_deliver(v, state->timer_vector, false);
	/* It was done here: what the timer had just posted went with it. */
	if (fault_on(v->world, FAULT_LAPIC_RESTORE_CLEARS_PIR))
		clear_pir(&v->lapic);
	poke(v);
}
