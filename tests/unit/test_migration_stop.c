/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices when a machine stops and starts: their order, what each step costs, who announces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/cost.h"
#include "engine/world.h"
#include "migration/precopy.h"
#include "oracle/oracle.h"

#define MS INT64_C(1000000)
#define DEVICES_MAX 4u
#define PAGES 512u

struct run {
	struct vm_device_config device[DEVICES_MAX];
	unsigned devices, vcpus;
	struct precopy_config config;
	const struct vmstate *vmstate;
	int64_t cost[COST_COUNT]; /* 0: the default */
	/* Results */
	struct world *w;
	struct migration_vm *vm;
	struct precopy *m;
	enum precopy_state state;
	struct precopy_stats stats;
	bool running, wrote;
	char order[256]; /* "-vda" stopped, "+vda" at the destination, "~vda" at the source again */
	int64_t announced_ns[8], guest_ns[8];
	unsigned announces, guests;
};

static void
note(struct run *r, const char *mark, int64_t name)
{
	strcat(strcat(strcat(r->order, mark), world_name_text(r->w, name)), " ");
}

static void
on_stop(struct world *w, const struct event *e, void *context)
{
	note(context, "-", e->arg[0]);
}

static void
on_start(struct world *w, const struct event *e, void *context)
{
	note(context, e->arg[1] ? "+" : "~", e->arg[0]);
}

static void
on_announce(struct world *w, const struct event *e, void *context)
{
	struct run *r = context;

	r->announced_ns[r->announces++] = e->time_ns;
}

static void
on_guest(struct world *w, const struct event *e, void *context)
{
	struct run *r = context;

	if (e->arg[1])
		r->guest_ns[r->guests++] = e->time_ns;
}

static void
monitor(struct actor *self, void *arg)
{
	struct run *r = arg;

	r->state = precopy_wait(r->m);
	r->stats = *precopy_stats(r->m);
	r->running = r->vm->running;
	if (r->running)
		r->wrote = vm_write(vm_writer(r->vm, 1), 3, false);
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = PAGES };

	r->w = w;
	oracle_attach(w);
	r->vm = vm_create(w, &(struct migration_vm_config){
				     .blocks = &block, .block_count = 1, .manual_protect = true });
	r->vm->vcpus = r->vcpus;
	for (int c = 0; c < COST_COUNT; c++)
		if (r->cost[c])
			cost_set(w, (enum cost)c, r->cost[c]);
	for (unsigned i = 0; i < r->devices; i++)
		vm_add_device(r->vm, &r->device[i]);
	r->m = precopy_start(r->vm, ram_create(w, &block, 1), &r->config, r->vmstate, "migration");
	actor_create(w, "monitor", monitor, r, 0);
	world_observe(w, EV_MIG_DEVICE_STOP, on_stop, r);
	world_observe(w, EV_MIG_DEVICE_START, on_start, r);
	world_observe(w, EV_MIG_ANNOUNCE, on_announce, r);
	world_observe(w, EV_MIG_GUEST_ANNOUNCE, on_guest, r);
}

static void
migrate(struct run *r)
{
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = 1 << 20 }, NULL);
	struct finding finding;

	if (!r->config.max_bandwidth)
		r->config = precopy_config_default();
	assert_int_equal(world_setup(w, set_up, r, NULL), 0);
	oracle_judge(w, world_run(w), &finding);
	assert_int_equal(finding.verdict, VERDICT_OK);
	world_destroy(w);
}

static int64_t
sum(const struct precopy_stats *s)
{
	int64_t ns = 0;

	for (int p = 0; p < VM_PHASES; p++)
		ns += s->phase_ns[p];
	return ns;
}

static const struct vm_device_config three[] = {
	{ .name = "net",
	  .type = VM_DEVICE_NET,
	  .backend = VM_BACKEND_VHOST,
	  .queues = 2,
	  .depth = 1 },
	{ .name = "vda",
	  .type = VM_DEVICE_BLK,
	  .backend = VM_BACKEND_IOTHREAD,
	  .queues = 1,
	  .depth = 3,
	  .in_flight = 4 },
	{ .name = "rng", .type = VM_DEVICE_OTHER, .queues = 1, .depth = 1 },
};

/* The deepest stops first and starts last; of one depth the first that was made starts first. */
static void
order(void **state)
{
	struct run r = { .devices = 3 };

	memcpy(r.device, three, sizeof(three));
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_string_equal(r.order, "-vda -rng -net +net +rng +vda ");
	assert_int_equal(sum(&r.stats), r.stats.downtime_ns);
	assert_false(r.running);
}

/* The destination refuses: what was stopped starts again at the source, and its guest goes on. */
static void
refused(void **state)
{
	const struct vmstate newer = { .name = "vda",
				       .source = { .there = true, .version_id = 3 },
				       .destination = { .there = true, .version_id = 2 } };
	struct run r = { .devices = 3, .vmstate = &newer };

	memcpy(r.device, three, sizeof(three));
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_FAILED);
	assert_string_equal(r.order, "-vda -rng -net ~net ~rng ~vda ");
	assert_true(r.running);
	assert_true(r.wrote);
	assert_int_equal(r.announces, 0);
}

/* Each step by hand: two vhost devices, of two and three pairs of queues. */
static void
vhost_costs(void **state)
{
	struct run r = { .devices = 2, .vcpus = 5 };

	r.device[0] =
		(struct vm_device_config){ .name = "a", .backend = VM_BACKEND_VHOST, .queues = 4 };
	r.device[1] =
		(struct vm_device_config){ .name = "b", .backend = VM_BACKEND_VHOST, .queues = 6 };
	r.cost[COST_STOP_VCPU] = 7;
	r.cost[COST_VHOST_GET_BASE] = 100;
	r.cost[COST_VHOST_LOG_SYNC_GIB] = 30;
	r.cost[COST_VHOST_QUEUE_START] = 40;
	r.cost[COST_MR_COMMIT_ENTRY] = 1000;
	r.cost[COST_IOEVENTFD_ASSIGN] = 10;
	r.cost[COST_IRQFD_ASSIGN] = 2;
	migrate(&r);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_VCPUS], 35);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_VHOST], 10 * 100 + 2 * 30);
	/* b has ioeventfds in commits of 10, 8 and 6, a in those of 4 and 2. */
	assert_int_equal(r.stats.phase_ns[VM_PHASE_NOTIFIERS], 30 * 1000 + 10 * 10 + 10 * 2);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_START_IOEVENTFDS], 30 * 1000 + 10 * 10);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_START], 10 * 40 + 10 * 2);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_VIRTIO] + r.stats.phase_ns[VM_PHASE_BLK], 0);
	assert_int_equal(sum(&r.stats), r.stats.downtime_ns);
}

/* One by one: the sum of 1 to 8; as one device, one commit of 8. */
static void
commits(void **state)
{
	struct run r = { .devices = 1 };

	r.cost[COST_MR_COMMIT_ENTRY] = 1000;
	r.cost[COST_IOEVENTFD_ASSIGN] = 10;
	r.cost[COST_NOTIFIER_MR] = 1;
	r.device[0] = (struct vm_device_config){ .name = "a",
						 .type = VM_DEVICE_OTHER,
						 .backend = VM_BACKEND_VDPA,
						 .queues = 8,
						 .doorbells = true };
	migrate(&r);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_START_IOEVENTFDS], 8 * 1000 + 8 * 10);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_START_DOORBELLS], 8 * 1000 + 8);
	r = (struct run){ .devices = 1, .device = { r.device[0] } };
	r.device[0].single_commits = true;
	r.cost[COST_MR_COMMIT_ENTRY] = 1000;
	r.cost[COST_IOEVENTFD_ASSIGN] = 10;
	migrate(&r);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_START_IOEVENTFDS], 36 * 1000 + 8 * 10);
}

/* Requests of all images are waited for at once, flushes come one after the other. */
static void
images(void **state)
{
	struct run r = { .devices = 3 };

	for (unsigned i = 0; i < 3; i++)
		r.device[i] = (struct vm_device_config){ .name = "vd",
							 .type = VM_DEVICE_BLK,
							 .backend = i == 2 ? VM_BACKEND_VHOST_USER
									   : VM_BACKEND_IOTHREAD,
							 .queues = 1,
							 .in_flight = i == 2 ? 0 : 9 };
	r.cost[COST_BLK_REQUEST] = 500;
	r.cost[COST_BLK_FLUSH] = 3000;
	r.cost[COST_BLK_INACTIVATE] = 70;
	r.cost[COST_IOTHREAD_STOP] = 11;
	migrate(&r);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_BLK], 500 + 2 * 3000 + 2 * 70);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_VIRTIO], 2 * 11);
}

/* RARP goes out when the guest goes on; of vDPA nobody can send it but the guest. */
static void
announced(void **state)
{
	struct run r = { .devices = 1 };

	r.device[0] = three[0];
	r.device[0].guest_announce = true;
	r.cost[COST_GUEST_ANNOUNCE] = 2 * MS;
	migrate(&r);
	assert_int_equal(r.stats.network_ns, r.stats.downtime_ns);
	assert_int_equal(r.announces, 5);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(r.announced_ns[i] - r.announced_ns[i - 1],
				 (50 + 100 * (int64_t)(i - 1)) * MS);
	/* The guest's next round is due when it has acknowledged the last one. */
	assert_int_equal(r.guests, 5);
	assert_int_equal(r.guest_ns[1] - r.guest_ns[0], 52 * MS);

	r = (struct run){ .devices = 1, .device = { r.device[0] }, .config = r.config };
	r.device[0].backend = VM_BACKEND_VDPA;
	r.cost[COST_GUEST_ANNOUNCE] = 2 * MS;
	r.config.announce_rounds = 3;
	r.config.announce_step_ns = 900 * MS;
	migrate(&r);
	assert_int_equal(r.stats.network_ns, r.stats.downtime_ns + 2 * MS);
	assert_int_equal(r.announces, 3);
	assert_int_equal(r.announced_ns[2] - r.announced_ns[1], 550 * MS); /* the most */

	r = (struct run){ .devices = 1, .device = { r.device[0] } };
	r.device[0].guest_announce = false;
	migrate(&r);
	assert_int_equal(r.stats.network_ns, 0);
}

/* Without devices nothing of it is there, and nothing is said of parts. */
static void
none(void **state)
{
	struct run r = { 0 };

	migrate(&r);
	assert_string_equal(r.order, "");
	assert_false(r.stats.decomposed);
	assert_int_equal(r.stats.phase_ns[VM_PHASE_NOTIFIERS] + r.stats.phase_ns[VM_PHASE_START],
			 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),   cmocka_unit_test(refused), cmocka_unit_test(vhost_costs),
		cmocka_unit_test(commits), cmocka_unit_test(images),  cmocka_unit_test(announced),
		cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
