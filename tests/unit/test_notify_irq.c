/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irqfd, routes, IOAPIC and resampling, INTx with ISR status, genirq descriptors. */
#include <errno.h>

#include "notify/irqdesc.h"
#include "test_notify.h"

#define GSI 30

static struct eventfd *call, *resample_fd;

static void
make_call(struct world *w)
{
	call = eventfd_create(w, "call0", EVENTFD_GUEST, EVENTFD_NONBLOCK);
	resample_fd = eventfd_create(w, "resample", EVENTFD_RESAMPLE, EVENTFD_NONBLOCK);
	irqroute_set_msi(bench->chip, GSI, msi_address(0), msi_data(VECTOR));
	irqroute_commit(bench->chip);
}

static actor_fn body;

static void
one_actor(struct world *w)
{
	make_call(w);
	actor_create(w, "t", body, NULL, 0);
}

static struct world *
run_body(actor_fn fn)
{
	body = fn;

	struct world *w = bench_world(one_actor);

	bench_run(w, 0);
	assert_int_equal(actor_state(world_actor(w, (uint32_t)world_actors(w))), ACTOR_DONE);
	return w;
}

/* Let the vCPUs and work items run. */
static void
let_run(void)
{
	for (int i = 0; i < 8; i++)
		actor_yield(bench->w);
}

/* --- irqfd and routes ----------------------------------------------------------------------- */

static void
irqfd_body(struct actor *self, void *arg)
{
	struct eventfd *other = eventfd_create(bench->w, "other", EVENTFD_OTHER, EVENTFD_NONBLOCK);

	assert_int_equal(irqfd_assign(bench->chip, call, GSI, resample_fd), -EINVAL);
	assert_int_equal(irqfd_assign(bench->chip, call, GSI, NULL), 0);
	assert_int_equal(irqfd_assign(bench->chip, call, GSI + 1, NULL), -EBUSY);
	eventfd_signal(call);
	assert_int_equal(eventfd_count(call), 0); /* taken by the wake-up */
	let_run();
	assert_int_equal(bench->hits, 1);

	/* Changed route: another vector, then none. */
	irqroute_set_msi(bench->chip, GSI, msi_address(1), msi_data(VECTOR));
	eventfd_signal(call); /* not committed: the old one */
	assert_int_equal(bench->last[EV_MSI_SEND].arg[2], 0);
	irqroute_commit(bench->chip);
	eventfd_signal(call);
	assert_int_equal(bench->last[EV_MSI_SEND].arg[2], 1);
	irqroute_del(bench->chip, GSI);
	irqroute_commit(bench->chip);
	assert_null(irqroute_find(bench->chip, GSI));
	eventfd_signal(call);
	let_run();
	assert_int_equal(bench->events[EV_IRQ_NO_ROUTE], 1); /* taken, and gone */
	assert_int_equal(eventfd_count(call), 0);
	let_run();
	assert_int_equal(bench->hits, 3);

	/* A message to nobody. */
	irqroute_set_msi(bench->chip, GSI, msi_address(77), msi_data(VECTOR));
	irqroute_commit(bench->chip);
	eventfd_signal(call);
	assert_int_equal(bench->events[EV_MSI_LOST], 1);
	assert_false(irqchip_msi(bench->chip, msi_address(0), 5)); /* illegal vector */
	assert_false(irqchip_msi(bench->chip, 0x1000, VECTOR));

	assert_int_equal(irqfd_deassign(bench->chip, other, GSI), 0);
	assert_int_equal(irqfd_deassign(bench->chip, call, GSI), 0);
	assert_null(irqfd_find(bench->chip, call));
	eventfd_signal(call);
	assert_int_equal(eventfd_count(call), 1);
}

static void
test_irqfd(void **state)
{
	world_destroy(run_body(irqfd_body));
}

static void
pending_body(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++)
		eventfd_signal(call);
	assert_int_equal(irqfd_assign(bench->chip, call, GSI, NULL), 0);
	assert_int_equal(bench->last[EV_IRQFD_ASSIGN].arg[3], 3);
	let_run();
	assert_int_equal(bench->hits, 1); /* triggered as if it had not been missed */
	assert_int_equal(eventfd_count(call), 3); /* and left as it is */
	eventfd_signal(call);
	let_run();
	assert_int_equal(bench->hits, 2);
	assert_int_equal(eventfd_count(call), 0);
	/* Deassigning waits for the work of an assignment. */
	irqfd_deassign(bench->chip, call, GSI);
	eventfd_signal(call);
	irqfd_assign(bench->chip, call, GSI, NULL);
	irqfd_deassign(bench->chip, call, GSI);
	assert_int_equal(eventfd_count(call), 0);
	assert_int_equal(bench->last[EV_IRQFD_DEASSIGN].arg[2], 1);
	let_run();
	assert_int_equal(bench->hits, 3);
}

static void
test_pending_at_assign(void **state)
{
	world_destroy(run_body(pending_body));
}

/* An event is injected or stays for later while the irqfd comes and goes: nothing is lost. */
static void
comes_and_goes(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++) {
		irqfd_assign(bench->chip, call, GSI, NULL);
		irqfd_deassign(bench->chip, call, GSI);
	}
	irqfd_assign(bench->chip, call, GSI, NULL);
}

static void
signals_once(struct actor *self, void *arg)
{
	eventfd_signal(call);
}

static void
race_more(struct world *w)
{
	make_call(w);
	actor_create(w, "vmm", comes_and_goes, NULL, 0);
	actor_create(w, "device", signals_once, NULL, 0);
}

static void
test_assign_race(void **state)
{
	struct world *w = bench_world(race_more);

	assert_int_equal(bench_explore(w, 500, FAULT_NONE, no_hit), 0);
	world_destroy(w);
}

/* --- IOAPIC --------------------------------------------------------------------------------- */

static void
lines_body(struct actor *self, void *arg)
{
	struct ioapic *io = &bench->chip->ioapic;
	unsigned a = ioapic_new_source(io), b = ioapic_new_source(io);

	vcpu_set_handler(bench->v[1], VECTOR, count_hit, NULL, VCPU_EOI_MANUAL);
	ioapic_set_entry(io, 10, VECTOR, 1, true, false);
	ioapic_set_line(io, 10, a, true);
	ioapic_set_line(io, 10, b, true); /* wired OR: no second request */
	let_run();
	assert_int_equal(bench->hits, 1);
	assert_true(io->pin[10].remote_irr);
	ioapic_set_line(io, 10, a, false);
	assert_true(ioapic_line(io, 10));
	vcpu_eoi(bench->v[1]); /* b still holds it: again */
	let_run();
	assert_int_equal(bench->hits, 2);
	ioapic_set_line(io, 10, b, false);
	vcpu_eoi(bench->v[1]);
	let_run();
	assert_int_equal(bench->hits, 2);
	/* Masked: latched while up, forgotten when it goes down; sent at unmask if up. */
	ioapic_mask(io, 10, true);
	ioapic_set_line(io, 10, a, true);
	ioapic_set_line(io, 10, a, false);
	ioapic_mask(io, 10, false);
	let_run();
	assert_int_equal(bench->hits, 2);
	ioapic_mask(io, 10, true);
	ioapic_set_line(io, 10, a, true);
	ioapic_mask(io, 10, false);
	let_run();
	assert_int_equal(bench->hits, 3);
	/* Edge: once for going up. */
	ioapic_set_entry(io, 11, VECTOR + 0x10, 1, false, false);
	vcpu_set_handler(bench->v[1], VECTOR + 0x10, count_hit, NULL, VCPU_EOI_FIRST);
	ioapic_set_line(io, 11, a, true);
	ioapic_set_line(io, 11, a, true);
	let_run();
	assert_int_equal(bench->hits, 4);
}

static void
test_ioapic(void **state)
{
	world_destroy(run_body(lines_body));
}

/* A device behind a level irqfd with resampling: asserts until acknowledged. */
struct level_device {
	bool asserts;
	struct eventfd_wait unmask; /* VFIO's: at the EOI look whether the line is still up */
};

static struct level_device *dev;

static bool
on_resample(struct eventfd_wait *self, struct eventfd *fd)
{
	eventfd_take(fd);
	if (dev->asserts)
		eventfd_signal_locked(call);
	return true;
}

static void
make_level(struct world *w)
{
	make_call(w);
	dev = world_alloc(w, sizeof(*dev));
	dev->unmask.wake = on_resample;
	eventfd_attach(resample_fd, &dev->unmask);
	assert_int_equal(irqfd_assign(bench->chip, call, 10, resample_fd), 0);
	vcpu_set_handler(bench->v[0], VECTOR, count_hit, NULL, VCPU_EOI_LAST);
	ioapic_set_entry(&bench->chip->ioapic, 10, VECTOR, 0, true, false);
}

static void
resample_body(struct actor *self, void *arg)
{
	dev->asserts = true;
	eventfd_signal(call);
	while (bench->hits < 3)
		actor_yield(bench->w); /* each EOI finds it up and raises it again */
	dev->asserts = false;
	let_run();
	let_run();
	assert_false(ioapic_line(&bench->chip->ioapic, 10));
	note_order(bench->hits);
}

static void
resample_more(struct world *w)
{
	make_level(w);
	bench->chip->ioapic.split = true;
	actor_create(w, "device", resample_body, NULL, 0);
}

static void
test_resample(void **state)
{
	struct world *w = bench_world(resample_more);

	bench_run(w, 0);
	assert_int_equal(bench->ordered, 1);
	assert_true(bench->order[0] >= 3);
	assert_true(bench->events[EV_IRQFD_RESAMPLE] >= 3);
	world_restore(w);
	/* The EOI stays in the VMM: the interrupt of an assigned device fires once. */
	fault_set(w, FAULT_SPLIT_NO_RESAMPLE, true);
	assert_int_equal(world_run(w), STOP_STEPS);
	assert_int_equal(bench->hits, 1);
	world_destroy(w);
}

/* A oneshot interrupt: EOI while masked, then the thread acknowledges the device and unmasks. */
static void
oneshot_handler(struct vcpu *v, unsigned vector, void *arg)
{
	bench->hits++;
	ioapic_mask(&bench->chip->ioapic, 10, true);
}

static void
oneshot_body(struct actor *self, void *arg)
{
	vcpu_set_handler(bench->v[0], VECTOR, oneshot_handler, NULL, VCPU_EOI_LAST);
	dev->asserts = true;
	eventfd_signal(call);
	while (!bench->hits || bench->v[0]->in_handler)
		actor_yield(bench->w);
	let_run();
	dev->asserts = false;
	ioapic_mask(&bench->chip->ioapic, 10, false);
}

static void
oneshot_more(struct world *w)
{
	make_level(w);
	actor_create(w, "thread", oneshot_body, NULL, 0);
}

static void
test_oneshot(void **state)
{
	struct world *w = bench_world(oneshot_more);

	for (int fault = 0; fault < 2; fault++) {
		fault_set(w, FAULT_IOAPIC_UNMASK_LATCHED, fault);
		bench_run(w, 0);
		assert_int_equal(bench->hits, fault ? 2 : 1); /* the second is bogus */
		world_restore(w);
	}
	world_destroy(w);
}

/* --- INTx ----------------------------------------------------------------------------------- */

static void
intx_handler(struct vcpu *v, unsigned vector, void *arg)
{
	uint8_t isr = intx_read_isr(bench->extra);

	note_order(isr);
	assert_int_equal(intx_read_isr(bench->extra), 0);
	bench->hits += isr != 0;
}

static void
intx_body(struct actor *self, void *arg)
{
	struct intx *x = bench->extra;

	assert_false(pci_config_read(x->function, NULL, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	intx_raise(x, VIRTIO_PCI_ISR_INTR);
	let_run();
	assert_int_equal(bench->order[0], VIRTIO_PCI_ISR_INTR);
	assert_false(ioapic_line(&bench->chip->ioapic, 11));
	/* Disabled in the command register: status only, and the line when it is enabled again. */
	pci_set_command(x->function, NULL, PCI_COMMAND_INTX_DISABLE, 0);
	intx_raise(x, VIRTIO_PCI_ISR_INTR);
	intx_raise(x, VIRTIO_PCI_ISR_CONFIG);
	let_run();
	assert_int_equal(bench->hits, 1);
	assert_true(pci_config_read(x->function, NULL, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	pci_set_command(x->function, NULL, 0, PCI_COMMAND_INTX_DISABLE);
	let_run();
	assert_int_equal(bench->hits, 2);
	assert_int_equal(bench->order[1], VIRTIO_PCI_ISR_INTR | VIRTIO_PCI_ISR_CONFIG);
	bench->hits = 100;
}

static void
intx_more(struct world *w)
{
	struct pci_function *f = pci_function_create(bench->pci, NULL, "blk0", 0x1af4, 0x1042);

	bench->extra = intx_create(f, bench->chip, 11);
	vcpu_set_handler(bench->v[0], VECTOR, intx_handler, NULL, VCPU_EOI_LAST);
	ioapic_set_entry(&bench->chip->ioapic, 11, VECTOR, 0, true, false);
	actor_create(w, "device", intx_body, NULL, 0);
}

static void
test_intx(void **state)
{
	struct world *w = bench_world(intx_more);

	bench_run(w, 0);
	assert_int_equal(bench->hits, 100);
	world_destroy(w);
}

/* Racing raises and reads: what was raised is read, whatever the order. */
static void
race_handler(struct vcpu *v, unsigned vector, void *arg)
{
	bench->hits += intx_read_isr(bench->extra) != 0;
}

static void
raiser(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++)
		intx_raise(bench->extra, VIRTIO_PCI_ISR_INTR);
}

static bool
isr_left(void)
{
	struct intx *x = bench->extra;

	return !bench->hits || x->isr || x->level || ioapic_line(&bench->chip->ioapic, 11);
}

static void
two_raisers(struct world *w)
{
	struct pci_function *f = pci_function_create(bench->pci, NULL, "blk0", 0x1af4, 0x1042);

	bench->extra = intx_create(f, bench->chip, 11);
	vcpu_set_handler(bench->v[0], VECTOR, race_handler, NULL, VCPU_EOI_LAST);
	ioapic_set_entry(&bench->chip->ioapic, 11, VECTOR, 0, true, false);
	actor_create(w, "device1", raiser, NULL, 0);
	actor_create(w, "device2", raiser, NULL, 0);
}

static void
test_intx_race(void **state)
{
	struct world *w = bench_world(two_raisers);

	assert_int_equal(bench_explore(w, 500, FAULT_NONE, isr_left), 0);
	world_destroy(w);
}

/* --- genirq --------------------------------------------------------------------------------- */

struct line {
	struct irqdesc *d;
	bool masked; /* at the source */
	int work, done; /* what the device has for the handler, what it took */
	int none; /* calls that found nothing */
};

static struct line *line;

static void
line_mask(void *arg, struct vcpu *v, bool masked)
{
	actor_point(bench->w);
	line->masked = masked;
}

static enum irq_return
line_handler(struct vcpu *v, void *arg)
{
	int work = line->work;

	actor_point(bench->w);
	if (work == line->done) {
		line->none++;
		return IRQ_NONE;
	}
	actor_point(bench->w);
	line->done = work;
	bench->hits++;
	return IRQ_HANDLED;
}

/*
 * The device's side: a message, unless it is masked at the source (then nobody remembers it here).
 */
static void
line_raise(void)
{
	line->work++;
	actor_point(bench->w);
	vcpu_deliver(bench->v[0], VECTOR, false);
}

static void
make_line(struct world *w)
{
	line = world_alloc(w, sizeof(*line));
	line->masked = true;
	line->d = irqdesc_create(w, "virtio0", IRQ_FLOW_EDGE, line_mask, NULL);
	irqdesc_set_vector(line->d, bench->v[0], VECTOR);
}

static void
genirq_body(struct actor *self, void *arg)
{
	struct irqdesc *d = line->d;
	int other;

	/* Before the driver asked for it: masked and remembered, and replayed then. */
	line_raise();
	let_run();
	assert_int_equal(bench->events[EV_GENIRQ_PENDING], 1);
	assert_int_equal(bench->hits, 0);
	assert_int_equal(irqdesc_request(d, line_handler, line, true), 0);
	assert_int_equal(irqdesc_request(d, line_handler, &other, false), -EBUSY);
	assert_false(line->masked);
	let_run();
	assert_int_equal(bench->hits, 1);
	assert_int_equal(bench->events[EV_GENIRQ_RESEND], 1);
	/* Disabled twice: only the second enabling lets it through. */
	irqdesc_disable(d);
	irqdesc_disable(d);
	assert_false(line->masked); /* lazily */
	line_raise();
	let_run();
	assert_true(line->masked);
	irqdesc_enable(d);
	let_run();
	assert_int_equal(bench->hits, 1);
	irqdesc_enable(d);
	let_run();
	assert_int_equal(bench->hits, 2);
	/* Freed: no handler, masked. */
	irqdesc_free(d, line);
	assert_true(line->masked);
	line_raise();
	let_run();
	assert_int_equal(bench->hits, 2);
	bench->extra = d;
}

static void
genirq_more(struct world *w)
{
	make_line(w);
	actor_create(w, "t", genirq_body, NULL, 0);
}

static void
test_genirq(void **state)
{
	struct world *w = bench_world(genirq_more);

	bench_run(w, 0);
	assert_non_null(bench->extra);
	world_destroy(w);
}

static void
nobody_body(struct actor *self, void *arg)
{
	struct irqdesc *d = line->d;

	d->count_max = 10;
	irqdesc_request(d, line_handler, line, true);
	/* One in ten was somebody's: stays. */
	line->work++;
	for (int i = 0; i < 10; i++) {
		vcpu_deliver(bench->v[0], VECTOR, false);
		let_run();
	}
	assert_false(irqdesc_disabled(d));
	assert_int_equal(line->none, 9);
	for (int i = 0; i < 10; i++) {
		vcpu_deliver(bench->v[0], VECTOR, false);
		let_run();
	}
	assert_int_equal(bench->events[EV_GENIRQ_NOBODY_CARED], 1);
	assert_true(irqdesc_disabled(d) && line->masked);
	line_raise();
	let_run();
	assert_int_equal(bench->hits, 1); /* for good … */
	assert_int_equal(irqdesc_poll(d, NULL, false), IRQ_NONE);
	assert_int_equal(irqdesc_poll(d, NULL, true), IRQ_HANDLED); /* … but for the poller */
	assert_int_equal(bench->hits, 2);
	bench->extra = d;
}

static void
nobody_more(struct world *w)
{
	make_line(w);
	actor_create(w, "t", nobody_body, NULL, 0);
}

static void
test_nobody_cared(void **state)
{
	struct world *w = bench_world(nobody_more);

	bench_run(w, 0);
	assert_non_null(bench->extra);
	world_destroy(w);
}

/* The poller looks before the device has something; the real interrupt comes while it does. */
static void
poller(struct actor *self, void *arg)
{
	irqdesc_poll(line->d, bench->v[1], false);
}

static void
line_device(struct actor *self, void *arg)
{
	line_raise();
	line_raise();
}

static enum irq_flow poll_flow;

static void
poll_more(struct world *w)
{
	make_line(w);
	line->d->flow = poll_flow;
	line->d->depth = 1;
	irqdesc_request(line->d, line_handler, line, true);
	bench_task("poller", poller, NULL, 1);
	actor_create(w, "device", line_device, NULL, 0);
}

static bool
work_left(void)
{
	return line->done != line->work;
}

static void
test_polled(void **state)
{
	for (int flow = 0; flow < 2; flow++) {
		poll_flow = flow ? IRQ_FLOW_FASTEOI : IRQ_FLOW_EDGE;

		struct world *w = bench_world(poll_more);
		int lost = bench_explore(w, 500, FAULT_POLLED_IRQ_DROPPED, work_left);

		assert_true(lost > 0 && lost < 500);
		assert_int_equal(bench_explore(w, 500, FAULT_NONE, work_left), 0);
		world_destroy(w);
	}
}

/* Affinity moves while interrupts come: one CPU handles, the other one's is kept. */
static void
mover(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++) {
		line->work++;
		actor_point(bench->w);
		vcpu_deliver(bench->v[i & 1], VECTOR, false);
	}
}

static void
affinity_more(struct world *w)
{
	struct vcpu_gate gate;

	make_line(w);
	irqdesc_request(line->d, line_handler, line, false);
	gate = bench->v[0]->idt[VECTOR];
	vcpu_set_handler(bench->v[1], VECTOR, gate.fn, gate.arg, gate.eoi);
	actor_create(w, "device", mover, NULL, 0);
}

static bool
left_or_masked(void)
{
	return work_left() || line->masked || line->d->in_progress;
}

static void
test_two_cpus(void **state)
{
	struct world *w = bench_world(affinity_more);

	assert_int_equal(bench_explore(w, 1000, FAULT_NONE, left_or_masked), 0);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_irqfd),	    cmocka_unit_test(test_pending_at_assign),
		cmocka_unit_test(test_assign_race), cmocka_unit_test(test_ioapic),
		cmocka_unit_test(test_resample),    cmocka_unit_test(test_oneshot),
		cmocka_unit_test(test_intx),	    cmocka_unit_test(test_intx_race),
		cmocka_unit_test(test_genirq),	    cmocka_unit_test(test_nobody_cared),
		cmocka_unit_test(test_polled),	    cmocka_unit_test(test_two_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
