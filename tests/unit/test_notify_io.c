/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells: KVM's rules for ioeventfds, BARs and windows, transactions, and the unassigned window.
 */
#include <errno.h>

#include "test_notify.h"

#define DOORBELL UINT64_C(0xfe003000)
#define BAR UINT64_C(0xfe000000)
#define WINDOW_LIMIT UINT64_C(0xfe0fffff)

static struct eventfd *kick[3];

/* --- KVM_IOEVENTFD -------------------------------------------------------------------------- */

static void
make_kicks(struct world *w)
{
	kick[0] = eventfd_create(w, "kick0", EVENTFD_HOST, EVENTFD_NONBLOCK);
	kick[1] = eventfd_create(w, "kick1", EVENTFD_HOST, EVENTFD_NONBLOCK);
	kick[2] = eventfd_create(w, "kick2", EVENTFD_HOST, EVENTFD_NONBLOCK);
}

static struct ioeventfd
entry(uint32_t length, int64_t value, int fd)
{
	return (struct ioeventfd){
		.address = DOORBELL,
		.length = length,
		.match = value >= 0,
		.value = value >= 0 ? (uint64_t)value : 0,
		.fd = kick[fd],
	};
}

static int
assign(uint32_t length, int64_t value, int fd)
{
	struct ioeventfd e = entry(length, value, fd);

	return iobus_assign(bench->bus, &e);
}

static int
deassign(uint32_t length, int64_t value, int fd)
{
	struct ioeventfd e = entry(length, value, fd);

	return iobus_deassign(bench->bus, &e);
}

static void
assign_rules(struct actor *self, void *arg)
{
	struct ioeventfd wraps = { .address = UINT64_MAX - 1, .length = 4, .fd = kick[0] };
	struct ioeventfd port = {
		.space = IO_PIO,
		.address = DOORBELL,
		.length = 2,
		.fd = kick[0],
	};

	assert_int_equal(assign(3, -1, 0), -EINVAL);
	assert_int_equal(assign(16, -1, 0), -EINVAL);
	assert_int_equal(assign(0, 5, 0), -EINVAL); /* no value without a length */
	assert_int_equal(iobus_assign(bench->bus, &wraps), -EINVAL);

	/* Values keep entries of one length apart; other lengths are no collision. */
	assert_int_equal(assign(2, 0, 0), 0);
	assert_int_equal(assign(2, 1, 1), 0);
	assert_int_equal(assign(2, 1, 2), -EEXIST);
	assert_int_equal(assign(2, -1, 2), -EEXIST);
	assert_int_equal(assign(4, -1, 2), 0);
	assert_int_equal(assign(0, -1, 2), -EEXIST);
	assert_int_equal(iobus_assign(bench->bus, &port), 0);

	/* Deassigning names all of it. */
	assert_int_equal(deassign(2, 0, 1), -ENOENT);
	assert_int_equal(deassign(2, -1, 0), -ENOENT);
	assert_int_equal(deassign(4, 0, 2), -ENOENT);
	assert_int_equal(deassign(2, 0, 0), 0);
	assert_int_equal(deassign(2, 0, 0), -ENOENT);
	assert_int_equal(deassign(2, 1, 1), 0);
	assert_int_equal(deassign(4, -1, 2), 0);
	assert_int_equal(assign(0, -1, 2), 0);
	assert_int_equal(assign(8, 9, 1), -EEXIST);
	assert_int_equal(deassign(0, -1, 2), 0);
	assert_ptr_equal(bench->bus->list->fd, kick[0]);
	assert_null(bench->bus->list->next);
}

static void
match_rules(struct actor *self, void *arg)
{
	struct iobus *b = bench->bus;

	assert_int_equal(assign(2, 0, 0), 0);
	assert_int_equal(assign(2, 1, 1), 0);
	assert_int_equal(assign(4, -1, 2), 0);
	assert_true(iobus_write(b, IO_MMIO, DOORBELL, 2, 1));
	assert_int_equal(eventfd_count(kick[1]), 1);
	assert_false(iobus_write(b, IO_MMIO, DOORBELL, 2, 2)); /* no such value */
	assert_false(iobus_write(b, IO_MMIO, DOORBELL, 1, 1)); /* no such length */
	assert_false(iobus_write(b, IO_MMIO, DOORBELL + 2, 2, 1));
	assert_false(iobus_write(b, IO_PIO, DOORBELL, 2, 1));
	assert_true(iobus_write(b, IO_MMIO, DOORBELL, 2, 0x10000)); /* only the width counts */
	assert_int_equal(eventfd_count(kick[0]), 1);
	assert_true(iobus_write(b, IO_MMIO, DOORBELL, 4, 77));
	assert_int_equal(eventfd_count(kick[2]), 1);
	assert_int_equal(deassign(2, 0, 0) | deassign(2, 1, 1) | deassign(4, -1, 2), 0);
	/* Length 0: any width, any value. */
	assert_int_equal(assign(0, -1, 0), 0);
	assert_true(iobus_write(b, IO_MMIO, DOORBELL, 1, 9));
	assert_true(iobus_write(b, IO_MMIO, DOORBELL, 8, 9));
	assert_false(iobus_write(b, IO_MMIO, DOORBELL + 1, 1, 9));
	assert_int_equal(iobus_find(b, kick[0])->matched, 2);
	assert_null(iobus_find(b, kick[1]));
}

static void
bus_destroyed(struct actor *self, void *arg)
{
	assert_int_equal(assign(2, 0, 0), 0);
	assert_int_equal(assign(2, 1, 1), 0);
	assert_int_equal(deassign(2, 1, 1), 0); /* said to have worked, either way */
	if (bench->bus->destroyed[IO_MMIO]) {
		assert_false(iobus_write(bench->bus, IO_MMIO, DOORBELL, 2, 0));
		assert_int_equal(assign(2, 3, 2), -ENOMEM);
	}
}

static actor_fn body;

static void
one_actor(struct world *w)
{
	make_kicks(w);
	actor_create(w, "t", body, NULL, 0);
}

static void
run_body(actor_fn fn)
{
	body = fn;

	struct world *w = bench_world(one_actor);

	bench_run(w, 0);
	assert_int_equal(actor_state(world_actor(w, (uint32_t)world_actors(w))), ACTOR_DONE);
	world_destroy(w);
}

static void
test_assign(void **state)
{
	run_body(assign_rules);
}

static void
test_match(void **state)
{
	run_body(match_rules);
}

static bool
destroyed_event(void)
{
	bool gone = bench->events[EV_IOBUS_DESTROYED] > 0;

	assert_int_equal(gone, bench->bus->destroyed[IO_MMIO]);
	assert_int_equal(gone, bench->bus->list == NULL);
	return gone;
}

static void
test_enomem(void **state)
{
	body = bus_destroyed;

	struct world *w = bench_world(one_actor);
	int gone = bench_explore(w, 50, FAULT_IOBUS_UNREGISTER_ENOMEM, destroyed_event);

	assert_true(gone > 0 && gone < 50);
	assert_int_equal(bench_explore(w, 50, FAULT_NONE, destroyed_event), 0);
	world_destroy(w);
}

/* --- a doorbell behind a bridge ------------------------------------------------------------- */

struct doorbell {
	struct pci_function *bridge, *dev;
	struct memregion notify;
	int exits; /* kicks that came to the VMM */
	enum io_result results[16];
	int kicks;
};

static struct doorbell *bell;

static void
on_notify(void *arg, struct vcpu *v, uint64_t offset, uint32_t length, uint64_t value)
{
	assert_int_equal(v->mode, VCPU_EXITED);
	bell->exits++;
}

static const struct memregion_ops notify_ops = { .write = on_notify };

static void
make_doorbell(struct world *w)
{
	make_kicks(w);
	bell = world_alloc(w, sizeof(*bell));
	bell->bridge = pci_bridge_create(bench->pci, NULL, "bridge0");
	bell->dev = pci_function_create(bench->pci, bell->bridge, "blk0", 0x1af4, 0x1042);
	pci_bar_init(bell->dev, 4, 0x4000, false, true, true);
	memregion_init(&bell->notify, bench->view, "blk0.notify", IO_MMIO, 0x1000, &notify_ops,
		       bell);
	pci_bar_add(bell->dev, 4, 0x3000, &bell->notify);
	memregion_add_ioeventfd(&bell->notify, 0, 2, true, 0, kick[0]);
	assert_int_equal(pci_size_bar(bell->dev, NULL, 4), 0x4000);
	assert_null(iobus_find(bench->bus, kick[0]));
	pci_set_bar(bell->dev, NULL, 4, BAR);
	pci_set_command(bell->dev, NULL, PCI_COMMAND_MEMORY, 0);
	assert_false(bell->notify.mapped); /* the bridge does not decode yet */
	pci_set_pref_window(bell->bridge, NULL, BAR, WINDOW_LIMIT);
	assert_false(bell->notify.mapped);
	pci_set_command(bell->bridge, NULL, PCI_COMMAND_MEMORY, 0);
	assert_true(bell->notify.mapped);
	assert_int_equal(bell->notify.base, DOORBELL);
	assert_int_equal(iobus_find(bench->bus, kick[0])->address, DOORBELL);
}

static void
decode_body(struct actor *self, void *arg)
{
	struct vcpu *v = bench->v[0];
	struct pci_function *d = bell->dev, *b = bell->bridge;
	uint64_t base;

	vcpu_bind(v, self);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 0), IO_IOEVENTFD);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 1), IO_VMM);
	assert_int_equal(bell->exits, 1);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, BAR, 2, 0), IO_UNASSIGNED);
	assert_int_equal(memview_write(bench->view, v, IO_PIO, DOORBELL, 2, 0), IO_UNASSIGNED);
	assert_true(memview_read(bench->view, v, IO_MMIO, BAR, 4) == UINT32_MAX);

	/* Each decode bit and each window edge on the way closes it. */
	pci_set_command(d, v, 0, PCI_COMMAND_MEMORY);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 0), IO_UNASSIGNED);
	pci_set_command(d, v, PCI_COMMAND_MEMORY, 0);
	pci_set_command(b, v, 0, PCI_COMMAND_MEMORY);
	assert_false(pci_bar_decoded(d, 4, &base));
	pci_set_command(b, v, PCI_COMMAND_MEMORY, 0);
	pci_set_pref_window(b, v, BAR + 0x100000, WINDOW_LIMIT + 0x100000);
	assert_false(pci_bar_decoded(d, 4, &base));
	pci_set_window(b, v, BAR, WINDOW_LIMIT); /* the other window serves as well */
	assert_true(pci_bar_decoded(d, 4, &base));
	pci_set_window(b, v, 0xfff00000, 0);
	assert_false(pci_bar_decoded(d, 4, &base));
	pci_set_pref_window(b, v, BAR, WINDOW_LIMIT);
	pci_set_present(d, false);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 0), IO_UNASSIGNED);
	assert_int_equal(pci_config_read(d, v, PCI_VENDOR_ID, 2), 0xffff);
	pci_set_present(d, true);
	/* A 64-bit BAR may lie above 4 GiB; the ioeventfd follows. */
	pci_set_pref_window(b, v, UINT64_C(0x380000000), UINT64_C(0x3800fffff));
	pci_set_bar(d, v, 4, UINT64_C(0x380000000));
	assert_true(pci_bar_decoded(d, 4, &base) && base == UINT64_C(0x380000000));
	assert_true(iobus_find(bench->bus, kick[0])->address == UINT64_C(0x380003000));
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 0), IO_UNASSIGNED);
	assert_int_equal(eventfd_count(kick[0]), 1);
	vcpu_unbind(v, self);
	bench->hits = 1;
}

static void
decode_more(struct world *w)
{
	make_doorbell(w);
	actor_create(w, "guest", decode_body, NULL, 0);
}

static void
test_decode(void **state)
{
	struct world *w = bench_world(decode_more);

	bench_run(w, 0);
	assert_int_equal(bench->hits, 1);
	world_destroy(w);
}

/* --- power states and function-level reset -------------------------------------------------- */

static unsigned power_calls, resets;

static void
on_power(void *arg, bool d3hot)
{
	power_calls++;
}

static void
on_reset(void *arg)
{
	resets++;
}

static void
power_body(struct actor *self, void *arg)
{
	struct vcpu *v = bench->v[0];
	struct pci_function *d = bell->dev;
	unsigned ctrl = d->pm_cap + PCI_PM_CTRL;
	uint64_t base;

	vcpu_bind(v, self);
	assert_true(pci_set_power(d, v, PCI_D3HOT));
	assert_true(pci_set_power(d, v, PCI_D3HOT)); /* again is no change */
	assert_int_equal(power_calls, 1);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 0), IO_UNASSIGNED);
	assert_true(memview_read(bench->view, v, IO_MMIO, BAR, 4) == UINT32_MAX);
	assert_int_equal(pci_config_read(d, v, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(pci_config_read(d, v, ctrl, 2), PCI_D3HOT | PCI_PM_CTRL_NO_SOFT_RESET);
	pci_config_write(d, v, ctrl, 2, PCI_D3HOT); /* No_Soft_Reset is read-only */
	assert_true(pci_config_read(d, v, ctrl, 2) & PCI_PM_CTRL_NO_SOFT_RESET);
	assert_true(pci_set_power(d, v, PCI_D0));
	assert_int_equal(power_calls, 2);
	assert_int_equal(memview_write(bench->view, v, IO_MMIO, DOORBELL, 2, 0), IO_IOEVENTFD);
	/* FLR turns decode off; who does it restores that, as Linux does. */
	pci_config_write(d, v, d->exp_cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(resets, 1);
	assert_false(pci_bar_decoded(d, 4, &base));
	assert_int_equal(pci_config_read(d, v, d->exp_cap + PCI_EXP_DEVCTL, 2), 0);
	pci_set_command(d, v, PCI_COMMAND_MEMORY, 0);
	assert_true(pci_flr(d, v));
	assert_int_equal(resets, 2);
	assert_true(pci_bar_decoded(d, 4, &base));
	assert_false(pci_set_power(bell->bridge, v, PCI_D0));
	assert_false(pci_flr(bell->bridge, v));
	vcpu_unbind(v, self);
	bench->hits = 1;
}

static void
power_more(struct world *w)
{
	make_doorbell(w);
	pci_add_power(bell->dev, true);
	pci_add_express(bell->dev);
	bell->dev->power_changed = on_power;
	bell->dev->function_reset = on_reset;
	power_calls = resets = 0;
	actor_create(w, "guest", power_body, NULL, 0);
}

static void
test_power(void **state)
{
	struct world *w = bench_world(power_more);

	bench_run(w, 0);
	assert_int_equal(bench->hits, 1);
	world_destroy(w);
}

/* Hot-plug moves the bridge's window while another vCPU kicks. */
static void
hotplug(struct actor *self, void *arg)
{
	pci_set_command(bell->bridge, bench->v[1], 0, PCI_COMMAND_MEMORY);
	pci_set_pref_window(bell->bridge, bench->v[1], BAR, WINDOW_LIMIT + 0x100000);
	pci_set_command(bell->bridge, bench->v[1], PCI_COMMAND_MEMORY, 0);
}

static void
kicker(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++)
		bell->results[bell->kicks++] =
			memview_write(bench->view, bench->v[0], IO_MMIO, DOORBELL, 2, 0);
}

static void
hotplug_more(struct world *w)
{
	make_doorbell(w);
	bench_task("hotplug", hotplug, NULL, 1);
	bench_task("kicker", kicker, NULL, 0);
}

static bool
kick_vanished(void)
{
	int count[3] = { 0 };

	assert_int_equal(bell->kicks, 3);
	for (int i = 0; i < 3; i++)
		count[bell->results[i]]++;
	/* Where it went and what happened agree. */
	assert_int_equal(eventfd_count(kick[0]), (uint64_t)count[IO_IOEVENTFD]);
	assert_int_equal(bell->exits, count[IO_VMM]);
	assert_int_equal(bench->events[EV_IO_UNASSIGNED], (uint64_t)count[IO_UNASSIGNED]);
	assert_true(bell->notify.mapped);
	assert_int_equal(iobus_find(bench->bus, kick[0])->address, DOORBELL);
	return count[IO_UNASSIGNED] > 0;
}

static bool
kick_exited(void)
{
	kick_vanished();
	return bell->exits > 0;
}

static void
test_unassigned_window(void **state)
{
	struct world *w = bench_world(hotplug_more);
	int lost = bench_explore(w, 300, FAULT_NONE, kick_vanished);

	assert_true(lost > 0 && lost < 300);
	/*
	 * Within a transaction nothing vanishes: map first, then ioeventfds; in between it exits.
	 */
	assert_true(bench_explore(w, 300, FAULT_NONE, kick_exited) > 0);
	world_destroy(w);
}

/* A region that moves within one transaction is always at one of its places. */
static void
mover(struct actor *self, void *arg)
{
	memview_begin(bench->view);
	memregion_unmap(&bell->notify);
	memregion_map(&bell->notify, DOORBELL);
	memregion_del_ioeventfd(&bell->notify, 0, 2, true, 0, kick[0]);
	memregion_add_ioeventfd(&bell->notify, 0, 2, true, 0, kick[1]);
	memview_commit(bench->view);
}

static void
mover_more(struct world *w)
{
	make_doorbell(w);
	actor_create(w, "main-loop", mover, NULL, 0);
	bench_task("kicker", kicker, NULL, 0);
}

static bool
lost_in_transaction(void)
{
	uint64_t signalled = eventfd_count(kick[0]) + eventfd_count(kick[1]);

	assert_int_equal(signalled + (uint64_t)bell->exits, 3);
	assert_null(iobus_find(bench->bus, kick[0]));
	assert_non_null(iobus_find(bench->bus, kick[1]));
	assert_int_equal(bench->events[EV_MEMREGION_UNMAP], 0);
	return bell->exits > 0;
}

static void
test_transaction(void **state)
{
	struct world *w = bench_world(mover_more);

	assert_true(bench_explore(w, 300, FAULT_NONE, lost_in_transaction) > 0);
	world_destroy(w);
}

/* Two threads of the VMM change the map: one after the other. */
static void
toggler(struct actor *self, void *arg)
{
	for (int i = 0; i < 3; i++) {
		memview_begin(bench->view);
		memregion_unmap(&bell->notify);
		memview_commit(bench->view);
		memregion_map(&bell->notify, DOORBELL);
	}
}

static void
toggler_more(struct world *w)
{
	make_doorbell(w);
	actor_create(w, "main-loop", toggler, NULL, 0);
	actor_create(w, "monitor", toggler, NULL, 0);
}

static bool
inconsistent(void)
{
	return !bell->notify.mapped || !iobus_find(bench->bus, kick[0]) || bench->view->depth ||
	       bench->view->owner_depth || bench->bus->list->next;
}

static void
test_two_committers(void **state)
{
	struct world *w = bench_world(toggler_more);

	assert_int_equal(bench_explore(w, 300, FAULT_NONE, inconsistent), 0);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assign),	    cmocka_unit_test(test_match),
		cmocka_unit_test(test_enomem),	    cmocka_unit_test(test_decode),
		cmocka_unit_test(test_power),	    cmocka_unit_test(test_unassigned_window),
		cmocka_unit_test(test_transaction), cmocka_unit_test(test_two_committers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
