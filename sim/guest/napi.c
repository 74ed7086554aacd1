/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/napi.h"

#include "memory/race.h"

/* net_rx_action() for one instance. */
static void
napi_softirq(struct guest_cpu *cpu, struct guest_softirq *s)
{
	struct guest_napi *n = s->arg;
	unsigned work = n->poll(cpu, n, n->budget);

	n->polls++;
	emit(n->w, EV_NAPI_POLL, n->vq->name, work, n->budget);
	if (work < n->budget)
		return; /* it has completed itself */
	if (n->disabling)
		guest_napi_complete(cpu, n);
	else
		guest_softirq_raise(cpu, s);
}

void
guest_napi_init(struct guest_napi *n, struct guest_vq *vq, unsigned budget,
		unsigned (*poll)(struct guest_cpu *cpu, struct guest_napi *n, unsigned budget),
		void *arg)
{
	*n = (struct guest_napi){
		.w = vq->w,
		.vq = vq,
		.budget = budget ? budget : GUEST_NAPI_BUDGET,
		.scheduled = true, /* disabled is: somebody has it */
		.poll = poll,
		.arg = arg,
	};
	guest_softirq_init(&n->softirq, napi_softirq, n);
	waitq_init(&n->idle, vq->w, "napi to be idle");
}

void
guest_napi_enable(struct guest_napi *n)
{
	emit(n->w, EV_NAPI_ENABLE, n->vq->name);
	n->scheduled = false;
	n->missed = false;
	waitq_wake_one(n->w, &n->idle);
}

void
guest_napi_disable(struct guest_cpu *cpu, struct guest_napi *n)
{
	n->disabling = true;
	actor_point(n->w);
	while (n->scheduled)
		guest_wait(cpu, &n->idle);
	race_acquire(n->w, &n->idle);
	n->scheduled = true;
	n->disabling = false;
	emit(n->w, EV_NAPI_DISABLE, n->vq->name);
}

bool
guest_napi_prep(struct guest_napi *n)
{
	bool taken = !n->disabling && !n->scheduled;

	if (n->disabling)
		return false;
	race_sync(n->w, &n->idle); /* an atomic operation on its state */
	if (n->scheduled)
		n->missed = true;
	n->scheduled = true;
	emit(n->w, EV_NAPI_SCHEDULE, n->vq->name, taken);
	return taken;
}

void
guest_napi_raise(struct guest_cpu *cpu, struct guest_napi *n)
{
	guest_softirq_raise(cpu, &n->softirq);
}

bool
guest_napi_complete(struct guest_cpu *cpu, struct guest_napi *n)
{
	actor_point(n->w);
	race_sync(n->w, &n->idle);
	if (n->missed && !n->disabling) {
		n->missed = false;
		n->reschedules++;
		guest_softirq_raise(cpu, &n->softirq);
		return false;
	}
	n->missed = false;
	n->scheduled = false;
	waitq_wake_one(n->w, &n->idle);
	return true;
}

void
guest_napi_schedule(struct guest_cpu *cpu, struct guest_napi *n)
{
	if (!guest_napi_prep(n))
		return;
	guest_vq_disable_cb(n->vq);
	guest_napi_raise(cpu, n);
}

void
guest_napi_complete_vq(struct guest_cpu *cpu, struct guest_napi *n)
{
	unsigned position = guest_vq_enable_cb_prepare(n->vq);

	if (!guest_napi_complete(cpu, n)) {
		guest_vq_disable_cb(n->vq);
		return;
	}
	/* What was used before the device saw that we want to know raises no interrupt. */
	if (fault_on(n->w, FAULT_GUEST_NAPI_NO_RECHECK))
		return;
	if (guest_vq_poll(n->vq, position))
		guest_napi_schedule(cpu, n);
}
