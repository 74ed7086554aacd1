/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole machines: a guest that does block I/O while the VMM stops and starts, drains, changes
 * backends or unplugs; in every shape a device can have.  And each fault of the VMM, lost by it.
 */
#include "test_guest_rig.h"

#include "base/must.h"
#include "guest/blk_driver.h"
#include "memory/guest_memory.h"

#define RUNS 60
#define FAULT_RUNS 1500
#define REQUESTS 4

/* What the VMM does meanwhile, as an actor of its own. */
enum host_act { IDLE, STOP_START, DRAIN, SWITCH, SELF_NOTIFY, ACTS };

struct plan {
	enum host_act act;
};

struct state {
	struct guest_blk *blk;
	unsigned good;
	bool probed;
	struct waitq probe;
	uint64_t acted; /* times the VMM did something while requests were outstanding */
};

static void
host(struct actor *self, void *arg)
{
	struct rig *r = arg;
	const struct plan *p = r->config.arg;
	struct dataplane *dp = machine_dataplane(r->d);
	struct state *s = r->state;

	while (!s->probed)
		waitq_wait(r->w, &s->probe);
	for (unsigned i = 0; i < 4; i++) {
		actor_yield(r->w);
		s->acted += s->good < REQUESTS;
		switch (p->act) {
		case STOP_START:
			machine_stop(r->m);
			actor_point(r->w);
			machine_start(r->m);
			break;
		case DRAIN:
			bql_lock(r->m->loop);
			dataplane_drain_begin(dp);
			dataplane_drain_begin(dp); /* they nest */
			for (unsigned q = 0; q < r->d->vdev.queue_count; q++)
				must(!r->d->vdev.vqs[q].inflight);
			actor_point(r->w);
			dataplane_drain_end(dp);
			dataplane_drain_end(dp);
			bql_unlock(r->m->loop);
			break;
		case SWITCH:
			machine_set_backend(r->d, (enum machine_backend)(i % MACHINE_BACKENDS));
			break;
		case SELF_NOTIFY: /* code of the VMM that wants the queue looked at */
			bql_lock(r->m->loop);
			virtio_queue_notify(&r->d->vdev.vqs[0]);
			bql_unlock(r->m->loop);
			break;
		default:
			return;
		}
	}
}

static void
guest(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;
	uint64_t gpa = gm_alloc(r->w, BLK_SECTOR_BYTES, 16);
	uint64_t *data = gm_map(r->w, gpa, BLK_SECTOR_BYTES);

	if (guest_blk_probe(s->blk, r->cpu[0]))
		return;
	s->probed = true;
	waitq_wake_all(r->w, &s->probe);
	for (unsigned i = 0; i < REQUESTS; i++) {
		bool write = !(i % 2);

		*data = write ? i + 1 : 0;
		if (guest_blk_rw(s->blk, r->cpu[0], write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 5,
				 gpa, BLK_SECTOR_BYTES) == VIRTIO_BLK_S_OK &&
		    *data == (write ? i + 1 : i))
			s->good++;
	}
}

static void
setup(struct rig *r)
{
	const struct plan *p = r->config.arg;
	struct state *s;
	struct guest_blk_config c = {
		.virtio = { .name = "vda", .function = r->d->pci->function },
		.cpus = world_alloc(r->w, sizeof(r->cpu)),
		.cpu_count = 1,
	};

	c.cpus[0] = r->cpu[0];
	r->state = world_alloc(r->w, sizeof(struct state));
	s = r->state;
	s->blk = guest_blk_create(r->w, &c);
	waitq_init(&s->probe, r->w, "probe");
	rig_task(r, "task", guest, r);
	if (p->act)
		rig_task(r, "host", host, r);
}

static uint64_t acted; /* over all runs of a test */

static bool
good(struct rig *r)
{
	struct state *s = r->state;

	acted += s->acted;
	return s->probed && s->good == REQUESTS && !r->d->vdev.broken;
}

static struct rig_config
config(enum machine_backend backend, const struct plan *p)
{
	return (struct rig_config){
		.device = { .name = "blk0",
			    .type = MACHINE_BLK,
			    .backend = backend,
			    .blk = { .delay_ns = 1000 } },
		.mode = WORLD_RELAXED,
		.setup = setup,
		.good = good,
		.arg = p,
	};
}

/* --- nothing is lost, whatever the VMM does ------------------------------------------------- */

static void
each_act_on_each_backend(void **state)
{
	for (unsigned act = IDLE; act < ACTS; act++) {
		struct plan p = { .act = (enum host_act)act };

		for (unsigned backend = 0; backend < MACHINE_BACKENDS; backend++) {
			struct rig_config c = config((enum machine_backend)backend, &p);

			if (act == DRAIN && backend >= MACHINE_VHOST)
				continue;
			c.device.blk.delay_ns = backend % 2 ? 1000 : 0;
			acted = 0;
			rig_assert_clean(rig_explore(&c, RUNS));
			c.device.blk.delay_ns = 1000;
			rig_assert_clean(rig_explore(&c, RUNS));
			assert_true(act == IDLE || acted > RUNS);
		}
	}
}

static void
each_shape(void **state)
{
	static const struct plan p = { .act = STOP_START };
	struct rig_config c[8];

	for (unsigned i = 0; i < 8; i++)
		c[i] = config(i % 2 ? MACHINE_IOTHREAD : MACHINE_MAIN_LOOP, &p);
	c[0].device.no_ioeventfd = true;
	c[1].device.no_irqfd = true;
	c[2].device.same_doorbell = true;
	c[3].device.poll = true;
	c[4].device.activate_async = true;
	c[5].device.activate_async = true;
	c[6].device.notify_multiplier = 4096;
	c[6].device.start_idx = 0; /* real life */
	c[7].device.design = GUEST_NOTIFIER_SWAP;
	for (unsigned i = 0; i < 8; i++)
		rig_assert_clean(rig_explore(&c[i], RUNS));
	/* And vhost without ioeventfds: the VMM relays what exits to it. */
	c[0] = config(MACHINE_VHOST, &p);
	c[0].device.no_ioeventfd = c[0].device.no_irqfd = true;
	rig_assert_clean(rig_explore(&c[0], RUNS));
}

/* --- and each fault loses ------------------------------------------------------------------- */

static void
assert_lost(struct rig_config *c, enum fault fault)
{
	struct rig_result result;

	result = rig_explore(c, RUNS);
	rig_assert_clean(result);
	c->fault = fault;
	result = rig_explore(c, FAULT_RUNS);
	if (!result.hung)
		fail_msg("%s: %u runs and none hung", fault_info[fault].name, result.runs);
}

static void
faults_lose(void **state)
{
	static const struct plan idle = { .act = IDLE }, drain = { .act = DRAIN };
	static const struct plan stop = { .act = STOP_START };
	struct rig_config c = config(MACHINE_IOTHREAD, &drain);

	c.device.poll = true;
	assert_lost(&c, FAULT_DRAIN_NONOTIFY);
	c = config(MACHINE_IOTHREAD, &idle);
	c.device.activate_async = true;
	assert_lost(&c, FAULT_START_NO_SELF_KICK);
	c = config(MACHINE_VHOST, &idle);
	c.device.no_ioeventfd = true;
	assert_lost(&c, FAULT_NOTIFY_BYPASSES_HOST_NOTIFIER);
	c = config(MACHINE_VHOST, &stop);
	assert_lost(&c, FAULT_STOP_NO_DRAIN);
}

/* --- building one --------------------------------------------------------------------------- */

static void
build(struct world *w, void *arg)
{
	void (*fn)(struct machine * m) = *(void (**)(struct machine *))arg;

	fn(machine_create(w, &(struct machine_config){ .vcpus = 2 }));
}

/* Whether set-up goes well; the error's text in @err. */
static bool
builds(void (*fn)(struct machine *m), struct error *err)
{
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, err);
	bool fine = !world_setup(w, build, &fn, err);

	world_destroy(w);
	return fine;
}

static void
bridges(struct machine *m)
{
	struct pci_function *b0 = machine_add_bridge(m, NULL, "b0");
	struct pci_function *b1 = machine_add_bridge(m, b0, "b1");
	struct machine_device *d[3];
	uint64_t base;

	for (unsigned i = 0; i < 3; i++) {
		static const char *const name[] = { "d0", "d1", "d2" };

		d[i] = machine_add_device(m, &(struct machine_device_config){
						     .name = name[i],
						     .type = MACHINE_NET,
						     .bridge = i == 2 ? b1
							       : i    ? b0
								      : NULL,
					     });
		assert_true(pci_bar_decoded(d[i]->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
		assert_true(base == d[i]->bar_address[VIRTIO_PCI_BAR_MODERN]);
		assert_true(pci_bar_decoded(d[i]->pci->function, VIRTIO_PCI_BAR_MSIX, &base));
		assert_ptr_equal(machine_find_device(m, name[i]), d[i]);
	}
	assert_ptr_equal(machine_of(m->w), m);
	assert_null(machine_find_device(m, "d3"));
	/* A closed window takes away what is behind both bridges, and nothing else. */
	pci_set_command(b0, NULL, 0, PCI_COMMAND_MEMORY);
	assert_true(pci_bar_decoded(d[0]->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
	assert_false(pci_bar_decoded(d[1]->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
	assert_false(pci_bar_decoded(d[2]->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
}

static void
plugging(struct machine *m)
{
	struct machine_device *d = machine_add_device(
		m, &(struct machine_device_config){ .name = "d0", .unplugged = true });
	uint64_t base;

	assert_false(pci_bar_decoded(d->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
	machine_plug(d);
	assert_false(pci_bar_decoded(d->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
	machine_program(d, NULL);
	assert_true(pci_bar_decoded(d->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
	machine_unplug(d);
	assert_false(pci_bar_decoded(d->pci->function, VIRTIO_PCI_BAR_MODERN, &base));
}

#define BAD(fn, ...) \
	static void fn(struct machine *m) \
	{ \
		machine_add_device(m, &(struct machine_device_config){ __VA_ARGS__ }); \
	}
BAD(no_name, .queues = 1)
BAD(odd_queue_size, .name = "d", .queue_size = 6)
BAD(odd_multiplier, .name = "d", .notify_multiplier = 3)
BAD(too_many_queues, .name = "d", .type = MACHINE_NET, .queues = 513)
BAD(iothread_by_exits, .name = "d", .backend = MACHINE_IOTHREAD, .no_ioeventfd = true)

static void
twice(struct machine *m)
{
	machine_add_device(m, &(struct machine_device_config){ .name = "d" });
	machine_add_device(m, &(struct machine_device_config){ .name = "d" });
}

static void
building(void **state)
{
	static void (*const bad[])(struct machine *) = {
		no_name, odd_queue_size, odd_multiplier, too_many_queues, iothread_by_exits, twice,
	};
	struct error err;

	assert_true(builds(bridges, &err));
	assert_true(builds(plugging, &err));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(builds(bad[i], &err));
		assert_true(*err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_act_on_each_backend),
		cmocka_unit_test(each_shape),
		cmocka_unit_test(faults_lose),
		cmocka_unit_test(building),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
