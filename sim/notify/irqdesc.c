/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "base/must.h"
#include "memory/race.h"
#include "notify/irqchip.h"
#include "notify/irqdesc.h"

struct irqdesc *
irqdesc_create(struct world *w, const char *name, enum irq_flow flow, irq_mask_fn mask, void *arg)
{
	struct irqdesc *d = world_alloc(w, sizeof(*d));

	d->world = w;
	d->name = world_name(w, name);
	d->flow = flow;
	d->mask = mask;
	d->mask_arg = arg;
	d->depth = 1;
	d->masked = true;
	d->count_max = IRQDESC_COUNT_MAX;
	waitq_init(&d->idle, w, name);
	waitq_init(&d->lock, w, name);
	return d;
}

bool
irqdesc_disabled(const struct irqdesc *d)
{
	return d->depth > 0;
}

/* The CPU the running actor is on, or null. */
static struct vcpu *
running_on(const struct irqdesc *d)
{
	const struct actor *self = actor_current(d->world);
	const struct irqchip *chip = d->vcpu ? d->vcpu->chip : NULL;

	for (uint32_t i = 0; chip && i < chip->vcpus; i++)
		if (chip->vcpu[i]->irq == self || vcpu_is_task(chip->vcpu[i], self))
			return chip->vcpu[i];
	return NULL;
}

/* Under desc->lock, which keeps two CPUs' writes to the source in the order of their decisions. */
static void
set_mask(struct irqdesc *d, bool masked)
{
	while (d->locked)
		waitq_wait(d->world, &d->lock);
	race_acquire(d->world, &d->lock);
	if (d->masked == masked)
		return;
	d->masked = masked;
	if (!d->mask)
		return;
	d->locked = true;
	d->mask(d->mask_arg, running_on(d), masked);
	d->locked = false;
	waitq_wake_all(d->world, &d->lock);
}

static void
keep(struct irqdesc *d)
{
	d->istate |= IRQS_PENDING;
	emit(d->world, EV_GENIRQ_PENDING, d->name);
}

/* Not now: mask the source and remember. */
static void
keep_masked(struct irqdesc *d)
{
	keep(d);
	set_mask(d, true);
}

/* note_interrupt(): of the last count_max, were more than 99.9 % nobody's? */
static void
note(struct irqdesc *d, enum irq_return ret)
{
	d->unhandled += ret == IRQ_NONE;
	if (++d->count < d->count_max)
		return;
	if (d->unhandled > d->count_max - (d->count_max + 999) / 1000) {
		emit(d->world, EV_GENIRQ_NOBODY_CARED, d->name, d->unhandled);
		d->istate |= IRQS_SPURIOUS_DISABLED;
		d->depth++;
		set_mask(d, true);
	}
	d->count = d->unhandled = 0;
}

/* handle_irq_event(): all handlers of a shared line run. */
static enum irq_return
handle(struct irqdesc *d, struct vcpu *v, bool polled)
{
	enum irq_return ret = IRQ_NONE;
	struct irqaction *next;

	race_acquire(d->world, &d->idle);
	d->istate &= ~IRQS_PENDING;
	d->in_progress = true;
	d->total++;
	for (struct irqaction *a = d->action; a; a = next) {
		next = a->next; /* free waits until we are done */
		actor_point(d->world);
		if (a->fn(v, a->arg) == IRQ_HANDLED)
			ret = IRQ_HANDLED;
	}
	d->in_progress = false;
	emit(d->world, EV_GENIRQ_HANDLED, d->name, ret, polled);
	waitq_wake_all(d->world, &d->idle);
	/* The poller's own finds are not judged. */
	if (!polled)
		note(d, ret);
	return ret;
}

/* irq_may_run(): false means that it is being handled elsewhere. */
static bool
may_run(struct irqdesc *d)
{
	if (!d->in_progress)
		return true;
	if (!(d->istate & IRQS_POLL_INPROGRESS) || fault_on(d->world, FAULT_POLLED_IRQ_DROPPED))
		return false;
	/* irq_wait_for_poll(): the poller may have looked before the device had something. */
	while (d->in_progress)
		waitq_wait(d->world, &d->idle);
	return !irqdesc_disabled(d) && d->action;
}

static void
edge(struct irqdesc *d, struct vcpu *v)
{
	if (!may_run(d)) {
		if ((d->istate & IRQS_POLL_INPROGRESS) &&
		    fault_on(d->world, FAULT_POLLED_IRQ_DROPPED))
			emit(d->world, EV_GENIRQ_DROP, d->name);
		else
			keep_masked(d);
		vcpu_eoi(v);
		return;
	}
	if (irqdesc_disabled(d) || !d->action) {
		keep_masked(d);
		vcpu_eoi(v);
		return;
	}
	vcpu_eoi(v); /* irq_ack: from here on another one may come */
	do {
		if (!d->action) {
			set_mask(d, true);
			return;
		}
		/* One came while we handled one, on another CPU, and was masked there. */
		if ((d->istate & IRQS_PENDING) && !irqdesc_disabled(d))
			set_mask(d, false);
		handle(d, v, false);
	} while ((d->istate & IRQS_PENDING) && !irqdesc_disabled(d));
}

static void
fasteoi(struct irqdesc *d, struct vcpu *v)
{
	if (!may_run(d)) {
		emit(d->world, EV_GENIRQ_DROP, d->name);
	} else if (irqdesc_disabled(d) || !d->action) {
		keep_masked(d);
	} else {
		if (d->istate & IRQS_ONESHOT)
			set_mask(d, true); /* the threaded handler's irqdesc_unmask() ends that */
		handle(d, v, false);
	}
	vcpu_eoi(v);
}

static void
flow(struct vcpu *v, unsigned vector, void *arg)
{
	struct irqdesc *d = arg;

	(void)vector;
	if (d->flow == IRQ_FLOW_EDGE)
		edge(d, v);
	else
		fasteoi(d, v);
}

void
irqdesc_set_vector(struct irqdesc *d, struct vcpu *v, unsigned vector)
{
	if (d->vcpu)
		vcpu_clear_handler(d->vcpu, d->vector);
	d->vcpu = v;
	d->vector = vector;
	if (v)
		vcpu_set_handler(v, vector, flow, d, VCPU_EOI_MANUAL);
}

/* check_irq_resend(): a level line asserts itself again; an edge is sent again by the CPU. */
static void
resend(struct irqdesc *d)
{
	if (!(d->istate & IRQS_PENDING))
		return;
	d->istate &= ~IRQS_PENDING;
	if (d->flow != IRQ_FLOW_EDGE || !d->vcpu)
		return;
	emit(d->world, EV_GENIRQ_RESEND, d->name);
	vcpu_deliver(d->vcpu, d->vector, false);
}

void
irqdesc_disable(struct irqdesc *d)
{
	actor_point(d->world);
	d->depth++;
	emit(d->world, EV_GENIRQ_DISABLE, d->name, d->depth);
}

void
irqdesc_enable(struct irqdesc *d)
{
	actor_point(d->world);
	must(d->depth);
	d->depth--;
	emit(d->world, EV_GENIRQ_ENABLE, d->name, d->depth);
	if (d->depth)
		return;
	set_mask(d, false);
	resend(d);
}

void
irqdesc_unmask(struct irqdesc *d)
{
	if (!irqdesc_disabled(d))
		set_mask(d, false);
}

int
irqdesc_request(struct irqdesc *d, irq_handler_fn fn, void *arg, bool shared)
{
	struct irqaction **last = &d->action;
	struct irqaction *a;
	bool first = !d->action;

	actor_point(d->world);
	if (d->action && !(shared && d->action->shared))
		return -EBUSY;
	a = world_alloc(d->world, sizeof(*a));
	*a = (struct irqaction){ .fn = fn, .arg = arg, .shared = shared };
	while (*last)
		last = &(*last)->next;
	*last = a;
	emit(d->world, EV_GENIRQ_REQUEST, d->name, shared);
	if (first) {
		d->istate &= ~IRQS_SPURIOUS_DISABLED;
		d->count = d->unhandled = 0;
		d->depth = 1;
		irqdesc_enable(d);
	}
	return 0;
}

void
irqdesc_synchronize(struct irqdesc *d)
{
	while (d->in_progress)
		waitq_wait(d->world, &d->idle);
	race_acquire(d->world, &d->idle);
}

void
irqdesc_free(struct irqdesc *d, void *arg)
{
	struct irqaction **p = &d->action;
	struct irqaction *a;

	actor_point(d->world);
	while (*p && (*p)->arg != arg)
		p = &(*p)->next;
	a = *p;
	if (!a)
		return;
	*p = a->next;
	if (!d->action) {
		d->depth = 1;
		emit(d->world, EV_GENIRQ_DISABLE, d->name, d->depth);
		set_mask(d, true);
	}
	emit(d->world, EV_GENIRQ_FREE, d->name, d->action != NULL);
	irqdesc_synchronize(d);
	world_free(d->world, a, sizeof(*a));
}

enum irq_return
irqdesc_poll(struct irqdesc *d, struct vcpu *v, bool force)
{
	enum irq_return ret = IRQ_NONE;

	actor_point(d->world);
	/* Only a line whose handlers can say "not mine" may be polled. */
	if ((irqdesc_disabled(d) && !force) || !d->action || !d->action->shared)
		return IRQ_NONE;
	if (d->in_progress) {
		keep(d); /* let the CPU that handles it look again */
		return IRQ_NONE;
	}
	if (v)
		vcpu_irq_save(v); /* a real one on this CPU would wait for us for ever */
	d->istate |= IRQS_POLL_INPROGRESS;
	do {
		if (handle(d, v, true) == IRQ_HANDLED)
			ret = IRQ_HANDLED;
	} while ((d->istate & IRQS_PENDING) && d->action);
	d->istate &= ~IRQS_POLL_INPROGRESS;
	if (v)
		vcpu_irq_restore(v);
	return ret;
}
