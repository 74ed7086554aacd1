/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSI-X, guest notifiers in both masking designs with the bypass, and the registry of notifiers. */
#include <errno.h>

#include "test_notify.h"

#define BAR UINT64_C(0xfe000000)
#define VECTORS 40
#define QUEUES 2

struct rig {
	struct pci_function *f;
	struct msix *m;
	struct intx *x;
	struct guest_notifiers *set;
	struct notifiers *all;
};

static struct rig *rig;
static enum guest_notifier_design design;

static struct msix_message
message(uint32_t cpu, unsigned vector)
{
	return (struct msix_message){ msi_address(cpu), msi_data(vector) };
}

/* Vectors 0 and 1 to the queues, 2 to the configuration; all open. */
static void
make_rig(struct world *w)
{
	rig = world_alloc(w, sizeof(*rig));
	rig->f = pci_function_create(bench->pci, NULL, "net0", 0x1af4, 0x1041);
	pci_bar_init(rig->f, 1, 0x1000, false, false, false);
	rig->m = msix_create(rig->f, bench->chip, VECTORS, 1, 0);
	rig->x = intx_create(rig->f, bench->chip, 11);
	pci_set_bar(rig->f, NULL, 1, BAR);
	pci_set_command(rig->f, NULL, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	rig->set = guest_notifiers_create(w, "net0", bench->chip, rig->m, rig->x, QUEUES, design);
	msix_driver_control(rig->m, NULL, true, false);
	for (int32_t i = -1; i < QUEUES; i++) {
		unsigned vector = i < 0 ? 2 : (unsigned)i;

		guest_notifier_set_vector(guest_notifier_of(rig->set, i), vector);
		msix_driver_write_entry(rig->m, NULL, vector, message(0, VECTOR), false);
		msix_driver_mask(rig->m, NULL, vector, false);
	}
	rig->all = notifiers_create(w, bench->bus, bench->chip);
	notifier_add_guest(rig->all, "net0", rig->set);
}

static actor_fn body;

static void
one_actor(struct world *w)
{
	make_rig(w);
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

static int
hits(void)
{
	for (int i = 0; i < 8; i++)
		actor_yield(bench->w);
	return bench->hits;
}

static uint64_t
read_pba(unsigned offset, uint32_t length)
{
	return memview_read(bench->view, NULL, IO_MMIO, BAR + VECTORS * MSIX_ENTRY_BYTES + offset,
			    length);
}

/* --- the table ------------------------------------------------------------------------------ */

static void
table_body(struct actor *self, void *arg)
{
	struct msix *m = rig->m;
	struct msix_info info;

	/* The table as the guest reads it. */
	assert_true(memview_read(bench->view, NULL, IO_MMIO, BAR, 8) == msi_address(0));
	assert_int_equal(memview_read(bench->view, NULL, IO_MMIO, BAR + 8, 4), VECTOR);
	assert_int_equal(memview_read(bench->view, NULL, IO_MMIO, BAR + 16 * 5 + 12, 4), 1);
	assert_int_equal(pci_config_read(rig->f, NULL, rig->f->msix_cap, 1), PCI_CAP_ID_MSIX);
	assert_int_equal(pci_config_read(rig->f, NULL, rig->f->msix_cap + 2, 2),
			 PCI_MSIX_FLAGS_ENABLE | (VECTORS - 1));

	msix_notify(m, 0);
	assert_int_equal(hits(), 1);
	msix_notify(m, 5); /* nobody uses it */
	assert_int_equal(bench->events[EV_MSIX_NOTIFY], 1);

	/* Vector mask: pending, seen in the PBA, replayed once. */
	msix_driver_mask(m, NULL, 1, true);
	msix_notify(m, 1);
	msix_notify(m, 1);
	assert_int_equal(hits(), 1);
	assert_int_equal(read_pba(0, 8), 2);
	assert_int_equal(read_pba(0, 4), 2);
	msix_driver_mask(m, NULL, 1, false);
	assert_int_equal(hits(), 2);
	assert_int_equal(read_pba(0, 8), 0);
	assert_int_equal(bench->events[EV_MSIX_REPLAY], 1);

	/* Function mask: all; what is masked by its own bit stays so. */
	msix_driver_control(m, NULL, true, true);
	msix_notify(m, 0);
	msix_driver_mask(m, NULL, 1, true);
	msix_notify(m, 1);
	assert_int_equal(hits(), 2);
	msix_driver_control(m, NULL, true, false);
	assert_int_equal(hits(), 3);
	assert_true(msix_info(m, 1, &info) && info.masked && info.pending);
	/* A vector given back forgets. */
	guest_notifier_set_vector(guest_notifier_of(rig->set, 1), MSIX_NO_VECTOR);
	assert_false(msix_pending(m, 1));
	assert_false(msix_info(m, VECTORS, &info));

	/* Without bus mastering the message does not leave the device. */
	pci_set_command(rig->f, NULL, 0, PCI_COMMAND_MASTER);
	msix_notify(m, 0);
	assert_int_equal(bench->events[EV_MSIX_NO_MASTER], 1);
	assert_int_equal(hits(), 3);
	/* Writes of odd sizes are ignored. */
	memview_write(bench->view, NULL, IO_MMIO, BAR, 2, 0x1234);
	assert_true(m->entry[0].message.address == msi_address(0));
	memview_write(bench->view, NULL, IO_MMIO, BAR, 8, msi_address(1));
	assert_true(m->entry[0].message.address == msi_address(1));
}

static void
test_table(void **state)
{
	world_destroy(run_body(table_body));
}

static void
table_faults(struct actor *self, void *arg)
{
	struct msix *m = rig->m;

	fault_set(bench->w, FAULT_MSIX_PENDING_LOST, true);
	msix_driver_mask(m, NULL, 0, true);
	msix_notify(m, 0);
	msix_driver_mask(m, NULL, 0, false);
	assert_int_equal(hits(), 0);
	assert_false(msix_pending(m, 0));
	fault_set(bench->w, FAULT_MSIX_PENDING_LOST, false);

	fault_set(bench->w, FAULT_MSIX_UNUSED_PENDING, true);
	msix_driver_mask(m, NULL, 1, true);
	msix_notify(m, 1);
	guest_notifier_set_vector(guest_notifier_of(rig->set, 1), MSIX_NO_VECTOR);
	guest_notifier_set_vector(guest_notifier_of(rig->set, 1), 1);
	msix_driver_mask(m, NULL, 1, false);
	assert_int_equal(hits(), 1); /* stale */
}

static void
test_table_faults(void **state)
{
	world_destroy(run_body(table_faults));
}

/* Address and data are two writes: unmasked, a message between them goes astray. */
static void
retarget(struct actor *self, void *arg)
{
	msix_driver_write_entry(rig->m, bench->v[0], 0, message(1, VECTOR + 0x10), arg != NULL);
}

static void
notify_once(struct actor *self, void *arg)
{
	msix_notify(rig->m, 0);
}

static bool mask_first;

static void
torn_more(struct world *w)
{
	make_rig(w);
	vcpu_set_handler(bench->v[1], VECTOR + 0x10, count_hit, NULL, VCPU_EOI_FIRST);
	vcpu_clear_handler(bench->v[1], VECTOR);
	bench_task("guest", retarget, mask_first ? rig : NULL, 0);
	actor_create(w, "device", notify_once, NULL, 0);
}

static void
test_torn(void **state)
{
	for (int i = 0; i < 2; i++) {
		mask_first = i;

		struct world *w = bench_world(torn_more);
		int lost = bench_explore(w, 500, FAULT_NONE, no_hit);

		assert_true(mask_first ? lost == 0 : lost > 0 && lost < 500);
		world_destroy(w);
	}
}

/* --- guest notifiers ------------------------------------------------------------------------ */

static void
designs_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);
	bool swap = design == GUEST_NOTIFIER_SWAP;
	struct notifier *guest = notifier_lookup(rig->all, "net0", 0, EVENTFD_GUEST);

	guest_notifiers_start(rig->set, true);
	assert_ptr_equal(n->call, n->fd);
	assert_true(guest_notifier_call(n));
	assert_int_equal(hits(), 1);
	assert_int_equal(eventfd_count(n->fd), 0);

	/* A call while masked waits and is delivered once. */
	msix_driver_mask(rig->m, NULL, 0, true);
	assert_true((irqfd_find(bench->chip, n->fd) != NULL) == swap);
	assert_ptr_equal(n->call, swap ? n->masked_fd : n->fd);
	guest_notifier_call(n);
	guest_notifier_call(n);
	assert_int_equal(hits(), 1);
	assert_int_equal(eventfd_count(n->call), 2);
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_int_equal(hits(), 2);
	assert_ptr_equal(n->call, n->fd);

	/* Reading the pending bits takes it from the eventfd; unmasking replays it, once. */
	msix_driver_mask(rig->m, NULL, 0, true);
	guest_notifier_call(n);
	assert_int_equal(read_pba(0, 4), 1);
	assert_int_equal(eventfd_count(n->call), 0);
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_int_equal(hits(), 3);

	/* Writing the original notifier on purpose: bypasses the mask in one design only. */
	msix_driver_mask(rig->m, NULL, 0, true);
	assert_true(notifier_bypasses_mask(guest) == swap);
	assert_int_equal(notifier_write(rig->all, guest->id), 0);
	assert_int_equal(bench->last[EV_NOTIFIER_WRITE].arg[2], swap);
	assert_int_equal(hits(), swap ? 4 : 3);
	assert_int_equal(eventfd_count(n->fd), swap ? 0 : 1);
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_int_equal(hits(), 4);
	assert_false(notifier_bypasses_mask(guest));

	/* The function mask masks all of them. */
	msix_driver_control(rig->m, NULL, true, true);
	guest_notifier_call(guest_notifier_of(rig->set, 1));
	guest_notifier_call(guest_notifier_of(rig->set, GUEST_NOTIFIER_CONFIG));
	assert_int_equal(hits(), 4);
	msix_driver_control(rig->m, NULL, true, false);
	assert_true(hits() >= 5); /* one vector number: two requests may be one */
	assert_int_equal(bench->events[EV_IRQ_REQUEST], 6);

	/* A new message is in the route before the vector opens. */
	vcpu_set_handler(bench->v[1], VECTOR + 0x10, count_hit, NULL, VCPU_EOI_FIRST);
	msix_driver_write_entry(rig->m, NULL, 0, message(1, VECTOR + 0x10), true);
	guest_notifier_call(n);
	assert_int_equal(bench->last[EV_MSI_SEND].arg[3], VECTOR + 0x10);

	guest_notifiers_stop(rig->set);
	assert_null(bench->chip->irqfds);
	assert_false(guest_notifier_call(n));
	assert_int_equal(bench->events[EV_NOTIFIER_CALL_LOST], 1);
	guest_notifiers_start(rig->set, true); /* and again */
	guest_notifier_call(n);
	assert_int_equal(bench->last[EV_MSI_SEND].arg[3], VECTOR + 0x10);
	guest_notifiers_stop(rig->set);
}

static void
test_designs(void **state)
{
	for (design = 0; design < GUEST_NOTIFIER_DESIGNS; design++)
		world_destroy(run_body(designs_body));
}

/* A call races with masking, a read of the pending bits, and unmasking. */
static void
masker(struct actor *self, void *arg)
{
	msix_driver_mask(rig->m, bench->v[1], 0, true);
	memview_read(bench->view, bench->v[1], IO_MMIO, BAR + VECTORS * MSIX_ENTRY_BYTES, 8);
	msix_driver_mask(rig->m, bench->v[1], 0, false);
	msix_driver_control(rig->m, bench->v[1], true, true);
	msix_driver_control(rig->m, bench->v[1], true, false);
}

static void
caller(struct actor *self, void *arg)
{
	/* A step each lets the guest be anywhere, also near its end. */
	for (uint32_t i = world_choose(bench->w, 64, CHOICE_OUTCOME); i > 0; i--)
		actor_yield(bench->w);
	guest_notifier_call(guest_notifier_of(rig->set, 0));
}

static void
race_more(struct world *w)
{
	make_rig(w);
	guest_notifiers_start(rig->set, true);
	bench_task("guest", masker, NULL, 1);
	actor_create(w, "vhost", caller, NULL, 0);
}

static void
test_mask_race(void **state)
{
	for (design = 0; design < GUEST_NOTIFIER_DESIGNS; design++) {
		struct world *w = bench_world(race_more);

		assert_int_equal(bench_explore(w, 1000, FAULT_NONE, no_hit), 0);
		if (design == GUEST_NOTIFIER_SWAP)
			assert_true(bench_explore(w, 1000, FAULT_UNMASK_TEST_FIRST, no_hit) > 0);
		else
			assert_true(bench_explore(w, 1000, FAULT_MASK_REMOVES_ROUTE, no_hit) > 0);
		world_destroy(w);
	}
}

/* A message for vhost-user that is handled later: the backend still uses the old call fd. */
static struct eventfd *sent;

static void
send_call(void *arg, struct guest_notifier *n, struct eventfd *fd)
{
	if (n->queue == 0)
		sent = fd;
}

static void
async_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);

	rig->set->set_call = send_call;
	guest_notifiers_start(rig->set, true);
	guest_notifier_call_is(n, sent);
	msix_driver_mask(rig->m, NULL, 0, true);
	guest_notifier_call(n);
	assert_int_equal(hits(), 1); /* through the mask */
	assert_ptr_equal(sent, n->masked_fd);
	guest_notifier_call_is(n, sent);
	guest_notifier_call(n);
	assert_int_equal(hits(), 1);
}

static void
test_async_mask(void **state)
{
	design = GUEST_NOTIFIER_SWAP;
	world_destroy(run_body(async_body));
}

/* --- without irqfd, INTx, ISR --------------------------------------------------------------- */

static void
userspace_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);
	struct guest_notifier *c = guest_notifier_of(rig->set, GUEST_NOTIFIER_CONFIG);

	guest_notifiers_start(rig->set, false);
	assert_ptr_equal(n->call, n->fd);
	guest_notifier_call(n);
	assert_int_equal(hits(), 0);
	assert_true(guest_notifier_read(n));
	assert_false(guest_notifier_read(n));
	assert_int_equal(hits(), 1);
	assert_int_equal(intx_read_isr(rig->x), VIRTIO_PCI_ISR_INTR); /* kept for who polls it */
	/* Masked: on the userspace path the pending bit is set. */
	msix_driver_mask(rig->m, NULL, 0, true);
	eventfd_set(n->fd);
	guest_notifier_read(n);
	assert_true(msix_pending(rig->m, 0));
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_int_equal(hits(), 2);
	/* A call while masked is the same to who swaps, but waits in the other eventfd. */
	msix_driver_mask(rig->m, NULL, 0, true);
	guest_notifier_call(n);
	assert_true(guest_notifier_read(n) == (design == GUEST_NOTIFIER_UNREGISTER));
	assert_int_equal(read_pba(0, 4), 1);
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_int_equal(hits(), 3);
	msix_driver_mask(rig->m, NULL, 0, true);
	guest_notifier_call(n);
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_true(guest_notifier_read(n));
	assert_int_equal(hits(), 4);
	/* What is left at stop is raised by the VMM. */
	guest_notifier_call(n);
	guest_notifiers_stop(rig->set);
	assert_int_equal(hits(), 5);

	/* MSI-X off: INTx. */
	vcpu_set_handler(bench->v[0], VECTOR, count_hit, NULL, VCPU_EOI_MANUAL);
	ioapic_set_entry(&bench->chip->ioapic, 11, VECTOR, 0, true, false);
	intx_read_isr(rig->x);
	msix_driver_control(rig->m, NULL, false, false);
	guest_notifiers_start(rig->set, true); /* no irqfd for INTx */
	assert_null(bench->chip->irqfds);
	assert_ptr_equal(n->call, n->fd);
	guest_notifier_raise(c);
	assert_int_equal(hits(), 6);
	assert_int_equal(rig->x->isr, VIRTIO_PCI_ISR_CONFIG);
	assert_true(rig->x->level);
	msix_driver_control(rig->m, NULL, true, false);
	assert_false(rig->x->level);
}

static void
test_userspace(void **state)
{
	for (design = 0; design < GUEST_NOTIFIER_DESIGNS; design++)
		world_destroy(run_body(userspace_body));
}

static void
lifecycle_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);

	/* vhost starts masked, and without irqfd nobody unmasks. */
	design = GUEST_NOTIFIER_SWAP;
	fault_set(bench->w, FAULT_VHOST_START_MASKED, true);
	guest_notifiers_start(rig->set, false);
	guest_notifier_call(n);
	assert_false(guest_notifier_read(n));
	guest_notifiers_stop(rig->set);
}

static void
test_start_masked(void **state)
{
	design = GUEST_NOTIFIER_SWAP;
	world_destroy(run_body(lifecycle_body));
}

static void
init_masked_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);
	bool fault = fault_on(bench->w, FAULT_INIT_MASKED_NO_CALL);

	msix_driver_mask(rig->m, NULL, 0, true);
	guest_notifiers_start(rig->set, true);
	assert_true(guest_notifier_call(n) == !fault);
	msix_driver_mask(rig->m, NULL, 0, false);
	assert_int_equal(hits(), fault ? 0 : 1);
	assert_true(guest_notifier_call(n));
	assert_int_equal(hits(), fault ? 1 : 2);
	bench->extra = n;
}

static void
init_masked_more(struct world *w)
{
	make_rig(w);
	actor_create(w, "t", init_masked_body, NULL, 0);
}

static void
test_init_masked(void **state)
{
	design = GUEST_NOTIFIER_UNREGISTER;

	struct world *w = bench_world(init_masked_more);

	for (int fault = 0; fault < 2; fault++) {
		fault_set(w, FAULT_INIT_MASKED_NO_CALL, fault);
		bench_run(w, 0);
		assert_non_null(bench->extra);
		world_restore(w);
	}
	world_destroy(w);
}

static void
dataplane_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);

	guest_notifiers_start(rig->set, true);
	guest_notifier_notify_irqfd(n);
	assert_int_equal(hits(), 1);
	assert_int_equal(intx_read_isr(rig->x), VIRTIO_PCI_ISR_INTR);
	fault_set(bench->w, FAULT_DATAPLANE_NO_ISR, true);
	guest_notifier_notify_irqfd(n);
	assert_int_equal(hits(), 2);
	assert_int_equal(intx_read_isr(rig->x), 0); /* who polls ISR waits for ever */
}

static void
test_dataplane_isr(void **state)
{
	design = GUEST_NOTIFIER_UNREGISTER;
	world_destroy(run_body(dataplane_body));
}

/* The vector is programmed after DRIVER_OK. */
static void
late_vector_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);

	guest_notifier_set_vector(n, MSIX_NO_VECTOR);
	guest_notifiers_start(rig->set, true);
	guest_notifier_call(n);
	assert_int_equal(hits(), 0);
	guest_notifier_set_vector(n, 7); /* masked still */
	assert_int_equal(hits(), 0);
	msix_driver_write_entry(rig->m, NULL, 7, message(0, VECTOR), false);
	msix_driver_mask(rig->m, NULL, 7, false);
	assert_int_equal(hits(), 1);
	guest_notifier_set_vector(n, 1); /* open already, shared with queue 1 */
	guest_notifier_call(n);
	assert_int_equal(hits(), 2);
	assert_int_equal(rig->set->route[1].users, 2);
	assert_int_equal(rig->set->route[7].users, 0);
	guest_notifiers_stop(rig->set);
}

static void
test_late_vector(void **state)
{
	for (design = 0; design < GUEST_NOTIFIER_DESIGNS; design++)
		world_destroy(run_body(late_vector_body));
}

/* --- reading pending bits at an offset ------------------------------------------------------ */

static void
pba_end_body(struct actor *self, void *arg)
{
	struct guest_notifier *n = guest_notifier_of(rig->set, 0);
	bool fault = fault_on(bench->w, FAULT_MSIX_PBA_POLL_END);

	guest_notifier_set_vector(n, 36);
	guest_notifiers_start(rig->set, true);
	guest_notifier_call(n);
	assert_int_equal(read_pba(0, 4), 0);
	assert_int_equal(read_pba(4, 4), fault ? 0 : 1 << 4);
	bench->extra = n;
}

static void
pba_end_more(struct world *w)
{
	make_rig(w);
	actor_create(w, "t", pba_end_body, NULL, 0);
}

static void
test_pba_end(void **state)
{
	for (design = 0; design < GUEST_NOTIFIER_DESIGNS; design++) {
		struct world *w = bench_world(pba_end_more);

		for (int fault = 0; fault < 2; fault++) {
			fault_set(w, FAULT_MSIX_PBA_POLL_END, fault);
			bench_run(w, 0);
			assert_non_null(bench->extra);
			world_restore(w);
		}
		world_destroy(w);
	}
}

/* --- the registry --------------------------------------------------------------------------- */

static void
registry_body(struct actor *self, void *arg)
{
	struct eventfd *kick = eventfd_create(bench->w, "net0.kick0", EVENTFD_HOST, 0);
	struct eventfd *other = eventfd_create(bench->w, "blk0.kick0", EVENTFD_HOST, 0);
	struct ioeventfd e = { .address = BAR + 0x800, .length = 2, .match = true, .fd = kick };
	uint32_t id = notifier_add(rig->all, "net0", 0, kick, NULL), pos = 0, gsi = 0, routes = 0;
	uint64_t emitted;
	struct notifier_info info;
	struct irqroute route;
	bool seen[8] = { 0 };

	notifier_add(rig->all, "blk0", 0, other, NULL);
	assert_int_equal(iobus_assign(bench->bus, &e), 0);
	guest_notifiers_start(rig->set, true);
	assert_int_equal(notifier_write(rig->all, id), 0);
	assert_int_equal(notifier_write(rig->all, id), 0);
	assert_int_equal(notifier_write(rig->all, 99), -ENOENT);
	guest_notifier_call(guest_notifier_of(rig->set, 1));
	msix_driver_mask(rig->m, NULL, 1, true);
	emitted = world_digest(bench->w);
	while (notifier_next(rig->all, "net0", &pos, &info)) {
		assert_string_equal(info.device, "net0");
		seen[info.role] = true;
		if (info.role == EVENTFD_HOST) {
			assert_int_equal(info.id, id);
			assert_int_equal(info.count, 2); /* looked at, not taken */
			assert_true(info.ioeventfd && info.match);
			assert_false(info.irqfd || info.has_vector);
			assert_true(info.address == BAR + 0x800);
		} else if (info.role == EVENTFD_GUEST) {
			assert_int_equal(info.masked, info.queue == 1);
			assert_true(info.irqfd && info.route.type == IRQROUTE_MSI);
			assert_true(info.route.address == msi_address(0));
			assert_int_equal(info.call_fd, info.queue == 0);
			assert_int_equal(info.injected, info.queue == 1);
			assert_int_equal(info.signals, info.queue == 1);
		} else if (info.role == EVENTFD_MASKED) {
			assert_int_equal(info.call_fd, info.queue == 1);
			assert_false(info.irqfd);
		}
	}
	assert_true(seen[EVENTFD_HOST] && seen[EVENTFD_GUEST] && seen[EVENTFD_MASKED]);
	assert_true(seen[EVENTFD_CONFIG]);
	assert_int_equal(pos, id);
	for (pos = 0; notifier_next(rig->all, NULL, &pos, &info);)
		assert_int_equal(info.id, pos);
	assert_int_equal(pos, id + 1);
	while (notifier_next_route(rig->all, &gsi, &route))
		routes++;
	assert_int_equal(routes, IOAPIC_PINS + 3);
	assert_true(world_digest(bench->w) == emitted);
	assert_null(notifier_lookup(rig->all, "net0", 1, EVENTFD_HOST));
	assert_int_equal(eventfd_count(kick), 2);
}

static void
test_registry(void **state)
{
	design = GUEST_NOTIFIER_SWAP;
	world_destroy(run_body(registry_body));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	    cmocka_unit_test(test_table_faults),
		cmocka_unit_test(test_torn),	    cmocka_unit_test(test_designs),
		cmocka_unit_test(test_mask_race),   cmocka_unit_test(test_async_mask),
		cmocka_unit_test(test_userspace),   cmocka_unit_test(test_start_masked),
		cmocka_unit_test(test_init_masked), cmocka_unit_test(test_dataplane_isr),
		cmocka_unit_test(test_late_vector), cmocka_unit_test(test_pba_end),
		cmocka_unit_test(test_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
