/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPU and local APIC: priorities, where it is when the interrupt comes, exclusion, posting, pause.
 */
#include "test_notify.h"

/* --- registers ------------------------------------------------------------------------------ */

static void
test_priorities(void **state)
{
	struct lapic l = { 0 };
	bool level;

	assert_int_equal(lapic_next(&l), -1);
	assert_true(lapic_request(&l, 0x41, false));
	assert_false(lapic_request(&l, 0x41, false)); /* one bit a vector */
	assert_true(lapic_request(&l, 0x45, false));
	assert_int_equal(lapic_next(&l), 0x45);
	lapic_accept(&l, 0x45);
	assert_int_equal(lapic_next(&l), -1); /* same class as what is in service */
	assert_true(lapic_request(&l, 0x51, true));
	assert_int_equal(lapic_next(&l), 0x51); /* a higher class */
	lapic_accept(&l, 0x51);
	assert_int_equal(lapic_eoi(&l, &level), 0x51); /* the highest ends first */
	assert_true(level);
	assert_int_equal(lapic_eoi(&l, &level), 0x45);
	assert_false(level);
	assert_int_equal(lapic_next(&l), 0x41);
	lapic_accept(&l, 0x41);
	assert_int_equal(lapic_eoi(&l, &level), 0x41);
	assert_int_equal(lapic_eoi(&l, &level), -1);
}

static void
test_posting_registers(void **state)
{
	struct lapic l = { 0 };

	assert_true(lapic_post(&l, 0x30));
	assert_false(lapic_post(&l, 0xf0)); /* ON is set: somebody was told */
	assert_int_equal(lapic_next(&l), -1);
	assert_true(lapic_sync_pir(&l));
	assert_false(lapic_sync_pir(&l));
	assert_true(lapic_in_irr(&l, 0x30) && lapic_in_irr(&l, 0xf0));
	assert_int_equal(lapic_next(&l), 0xf0);
}

/* --- delivery in each state ----------------------------------------------------------------- */

static struct waitq *never;

static void
sender(struct actor *self, void *arg)
{
	vcpu_deliver(bench->v[0], VECTOR, false);
}

static void
busy(struct actor *self, void *arg)
{
	while (!bench->hits)
		actor_yield(bench->w);
}

static void
sleeps_in_guest(struct actor *self, void *arg)
{
	while (!bench->hits)
		vcpu_wait(bench->v[0], never);
}

static void
wakes_task(struct vcpu *v, unsigned vector, void *arg)
{
	count_hit(v, vector, arg);
	waitq_wake_all(bench->w, never);
}

static bool idle_task, posted;

static void
deliver_more(struct world *w)
{
	never = world_alloc(w, sizeof(*never));
	waitq_init(never, w, "request");
	vcpu_set_handler(bench->v[0], VECTOR, wakes_task, NULL, VCPU_EOI_FIRST);
	if (posted)
		vcpu_set_posting(bench->v[0], true, true);
	bench_task("task", idle_task ? sleeps_in_guest : busy, NULL, 0);
	actor_create(w, "device", sender, NULL, 0);
}

static bool
stuck(void)
{
	for (uint32_t i = 1; i <= world_actors(bench->w); i++) {
		const struct actor *a = world_actor(bench->w, i);

		if (!actor_is_daemon(a) && actor_state(a) != ACTOR_DONE)
			return true;
	}
	return false;
}

static void
test_running_and_blocked(void **state)
{
	for (int i = 0; i < 4; i++) {
		idle_task = i & 1;
		posted = i & 2;

		struct world *w = bench_world(deliver_more);
		uint64_t blocked = 0;

		for (uint64_t seed = 0; seed < 200; seed++) {
			bench_run(w, seed);
			assert_int_equal(bench->hits, 1);
			assert_false(stuck());
			blocked += bench->events[EV_VCPU_BLOCK] > 1; /* vCPU 1 is one of them */
			assert_int_equal(bench->events[EV_IRQ_ENTER], 1);
			world_restore(w);
		}
		if (idle_task)
			assert_true(blocked > 0);
		world_destroy(w);
	}
}

static void
test_self_wake(void **state)
{
	idle_task = true;
	posted = true;

	struct world *w = bench_world(deliver_more);
	int lost = bench_explore(w, 500, FAULT_POSTED_SELF_WAKE, stuck);

	assert_true(lost > 0 && lost < 500);
	assert_int_equal(bench_explore(w, 500, FAULT_NONE, stuck), 0);
	world_destroy(w);
}

/* --- a vCPU whose own APIC virtualisation is off while devices post ------------------------- */

static void
inhibited(struct world *w)
{
	idle_task = false;
	posted = false;
	deliver_more(w);
	vcpu_set_posting(bench->v[0], true, false);
}

static void
test_pir_sync(void **state)
{
	struct world *w = bench_world(inhibited);

	for (int fault = 0; fault < 2; fault++) {
		fault_set(w, FAULT_PIR_NOT_SYNCED, fault);
		world_set_chooser(w, &chooser_first);
		/* With the fault the task polls for ever. */
		assert_int_equal(world_run(w), fault ? STOP_STEPS : STOP_QUIESCENT);
		assert_int_equal(bench->hits, !fault);
		world_restore(w);
	}
	world_destroy(w);
}

/* --- no handler ----------------------------------------------------------------------------- */

static void
unexpected(struct actor *self, void *arg)
{
	vcpu_deliver(bench->v[0], 0x99, false);
	vcpu_deliver(bench->v[0], VECTOR, false);
}

static void
unexpected_more(struct world *w)
{
	actor_create(w, "device", unexpected, NULL, 0);
}

static void
test_spurious(void **state)
{
	struct world *w = bench_world(unexpected_more);

	bench_run(w, 0);
	assert_int_equal(bench->events[EV_IRQ_SPURIOUS], 1);
	assert_int_equal(bench->last[EV_IRQ_SPURIOUS].arg[1], 0x99);
	assert_int_equal(bench->hits, 1); /* it was ended and is not in the way */
	world_destroy(w);
}

/* --- exclusion ------------------------------------------------------------------------------ */

struct shared {
	int inside; /* somebody is in a section that must be alone on vCPU 0 */
	int sections;
	bool handled_in_section;
};

static void
alone(void)
{
	struct shared *s = bench->extra;

	assert_int_equal(s->inside++, 0);
	for (int i = 0; i < 3; i++)
		actor_point(bench->w);
	assert_int_equal(--s->inside, 0);
	s->sections++;
}

static void
section_handler(struct vcpu *v, unsigned vector, void *arg)
{
	bench->hits++;
	alone();
}

static void
irqs_off_task(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++) {
		vcpu_irq_save(bench->v[0]);
		vcpu_irq_save(bench->v[0]);
		alone();
		vcpu_irq_restore(bench->v[0]);
		alone();
		vcpu_irq_restore(bench->v[0]);
		/* What was pending has been taken by now. */
		assert_false(vcpu_deliverable(bench->v[0]));
	}
}

static void
exit_task(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++) {
		vcpu_exit(bench->v[0]);
		alone();
		vcpu_enter(bench->v[0]);
		assert_false(vcpu_deliverable(bench->v[0]));
		actor_point(bench->w);
	}
}

static void
many_interrupts(struct actor *self, void *arg)
{
	for (int i = 0; i < 4; i++) {
		vcpu_deliver(bench->v[0], i & 1 ? VECTOR : VECTOR + 0x10, false);
		actor_point(bench->w);
	}
}

static void
exclusion_more(struct world *w)
{
	bench->extra = world_alloc(w, sizeof(struct shared));
	vcpu_set_handler(bench->v[0], VECTOR, section_handler, NULL, VCPU_EOI_FIRST);
	vcpu_set_handler(bench->v[0], VECTOR + 0x10, section_handler, NULL, VCPU_EOI_LAST);
	bench_task("irqs-off", irqs_off_task, NULL, 0);
	bench_task("exits", exit_task, NULL, 0);
	actor_create(w, "device", many_interrupts, NULL, 0);
}

static void
test_exclusion(void **state)
{
	struct world *w = bench_world(exclusion_more);

	for (uint64_t seed = 0; seed < 1000; seed++) {
		bench_run(w, seed);
		assert_false(stuck());
		assert_true(bench->hits >= 2 && bench->hits <= 4); /* requests may coalesce */
		assert_int_equal(((struct shared *)bench->extra)->sections, 9 + bench->hits);
		assert_int_equal(bench->v[0]->exclusions, 0);
		world_restore(w);
	}
	world_destroy(w);
}

/* A handler may interrupt a section that only forbids other tasks. */
static void
preempt_handler(struct vcpu *v, unsigned vector, void *arg)
{
	struct shared *s = bench->extra;

	bench->hits++;
	s->handled_in_section |= s->inside > 0;
}

static void
preempt_task(struct actor *self, void *arg)
{
	vcpu_preempt_disable(bench->v[0]);
	alone();
	vcpu_preempt_enable(bench->v[0]);
}

static void
preempt_more(struct world *w)
{
	bench->extra = world_alloc(w, sizeof(struct shared));
	vcpu_set_handler(bench->v[0], VECTOR, preempt_handler, NULL, VCPU_EOI_FIRST);
	bench_task("a", preempt_task, NULL, 0);
	bench_task("b", preempt_task, NULL, 0);
	actor_create(w, "device", sender, NULL, 0);
}

static void
test_preempt(void **state)
{
	struct world *w = bench_world(preempt_more);
	int inside = 0;

	for (uint64_t seed = 0; seed < 300; seed++) {
		bench_run(w, seed);
		assert_false(stuck());
		assert_int_equal(bench->hits, 1);
		inside += ((struct shared *)bench->extra)->handled_in_section;
		world_restore(w);
	}
	assert_true(inside > 0);
	world_destroy(w);
}

/* --- pause ---------------------------------------------------------------------------------- */

static bool paused;

static void
pauser(struct actor *self, void *arg)
{
	vcpu_pause(bench->v[0]);
	assert_int_equal(bench->v[0]->mode, VCPU_STOPPED);
	paused = true;
	for (int i = 0; i < 5; i++)
		actor_point(bench->w);
	paused = false;
	vcpu_resume(bench->v[0]);
}

static void
pause_handler(struct vcpu *v, unsigned vector, void *arg)
{
	for (int i = 0; i < 3; i++) {
		assert_false(paused);
		actor_point(bench->w);
	}
	assert_false(paused);
	bench->hits++;
}

static void
pause_task(struct actor *self, void *arg)
{
	for (int i = 0; i < 4; i++) {
		assert_false(paused);
		if (i & 1)
			vcpu_exit(bench->v[0]);
		actor_point(bench->w); /* in an exit it may go on until it ends */
		if (i & 1)
			vcpu_enter(bench->v[0]);
	}
}

static void
pause_more(struct world *w)
{
	vcpu_set_handler(bench->v[0], VECTOR, pause_handler, NULL, VCPU_EOI_FIRST);
	bench_task("a", pause_task, NULL, 0);
	bench_task("b", pause_task, NULL, 0);
	actor_create(w, "device", sender, NULL, 0);
	actor_create(w, "main-loop", pauser, NULL, 0);
}

static void
test_pause(void **state)
{
	struct world *w = bench_world(pause_more);

	for (uint64_t seed = 0; seed < 1000; seed++) {
		paused = false;
		bench_run(w, seed);
		assert_false(stuck());
		assert_int_equal(bench->hits, 1);
		assert_int_equal(bench->v[0]->exclusions, 0);
		world_restore(w);
	}
	world_destroy(w);
}

/* The guest's own write may stop the machine it runs on. */
static void
stops_itself(struct actor *self, void *arg)
{
	vcpu_exit(bench->v[0]);
	vcpu_pause(bench->v[0]);
	assert_int_equal(bench->v[0]->mode, VCPU_EXITED);
	vcpu_enter(bench->v[0]);
	bench->hits = 7;
}

static void
restarts(struct actor *self, void *arg)
{
	while (bench->v[0]->mode != VCPU_STOPPED)
		actor_yield(bench->w);
	assert_int_equal(bench->hits, 0);
	vcpu_resume(bench->v[0]);
}

static void
self_pause_more(struct world *w)
{
	bench_task("guest", stops_itself, NULL, 0);
	actor_create(w, "main-loop", restarts, NULL, 0);
}

static void
test_self_pause(void **state)
{
	struct world *w = bench_world(self_pause_more);

	for (uint64_t seed = 0; seed < 50; seed++) {
		bench_run(w, seed);
		assert_int_equal(bench->hits, 7);
		world_restore(w);
	}
	world_destroy(w);
}

/* --- an actor that is no task yet ----------------------------------------------------------- */

static void
joins(struct actor *self, void *arg)
{
	/* Bound while another is alone, it waits; it is held by those that come later. */
	vcpu_bind(bench->v[0], self);
	vcpu_irq_save(bench->v[0]);
	alone();
	vcpu_irq_restore(bench->v[0]);
	vcpu_unbind(bench->v[0], self);
}

static void
join_more(struct world *w)
{
	exclusion_more(w);
	actor_create(w, "joiner", joins, NULL, 0);
}

static void
test_bind_while_busy(void **state)
{
	struct world *w = bench_world(join_more);

	for (uint64_t seed = 0; seed < 200; seed++) {
		bench_run(w, seed);
		assert_false(stuck());
		assert_int_equal(bench->v[0]->tasks, 2);
		world_restore(w);
	}
	world_destroy(w);
}

/* --- APIC state over a snapshot ------------------------------------------------------------- */

static void
restorer(struct actor *self, void *arg)
{
	struct lapic_state s;

	vcpu_pause(bench->v[0]);
	vcpu_deliver(bench->v[0], VECTOR + 0x10, false); /* is in PIR only */
	vcpu_get_lapic(bench->v[0], &s);
	assert_true(s.irr[(VECTOR + 0x10) / 64] >> (VECTOR + 0x10) % 64 & 1);
	memset(&bench->v[0]->lapic.irr, 0, sizeof(bench->v[0]->lapic.irr));
	s.timer_vector = VECTOR;
	s.timer_expired = true;
	vcpu_set_lapic(bench->v[0], &s);
	vcpu_resume(bench->v[0]);
}

static void
restore_more(struct world *w)
{
	vcpu_set_posting(bench->v[0], true, true);
	vcpu_set_handler(bench->v[0], VECTOR + 0x10, count_hit, NULL, VCPU_EOI_FIRST);
	actor_create(w, "loadvm", restorer, NULL, 0);
}

static void
test_restore(void **state)
{
	struct world *w = bench_world(restore_more);

	for (int fault = 0; fault < 2; fault++) {
		fault_set(w, FAULT_LAPIC_RESTORE_CLEARS_PIR, fault);
		bench_run(w, 0);
		assert_int_equal(bench->hits, fault ? 1 : 2); /* the timer's is lost */
		world_restore(w);
	}
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_posting_registers),
		cmocka_unit_test(test_running_and_blocked),
		cmocka_unit_test(test_self_wake),
		cmocka_unit_test(test_pir_sync),
		cmocka_unit_test(test_spurious),
		cmocka_unit_test(test_exclusion),
		cmocka_unit_test(test_preempt),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_self_pause),
		cmocka_unit_test(test_bind_while_busy),
		cmocka_unit_test(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
