/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracles on whole machines and on the smallest pair: they are silent while drivers and devices
 * do what they should, whoever runs the rings, and each kind of loss has its statement.
 */
#include "test_guest_rig.h"

#include "guest/blk_driver.h"
#include "guest/net_driver.h"
#include "guest/raw_driver.h"
#include "oracle/oracle.h"

#define RUNS 60
#define FAULT_RUNS 400
#define PAIR_RUNS 3000

/* What was reported over all schedules. */
struct seen {
	unsigned of[ORACLE_COUNT]; /* by statement */
	unsigned all;
	char first[512];
};

static void
note(struct seen *seen, const struct world *w, unsigned run)
{
	for (const struct violation *v = oracle_violations(w, NULL); v; v = v->next) {
		if (!seen->all++)
			snprintf(seen->first, sizeof(seen->first), "schedule %u: %s (%s) %s: %s",
				 run, oracle_info[v->oracle].name, oracle_info[v->statement].name,
				 v->subject, v->message);
		seen->of[v->statement]++;
	}
}

static struct seen
explore(const struct world_config *config, void (*setup)(struct world *w, void *arg), void *arg,
	unsigned runs)
{
	struct rig_chooser chooser = { .base = { rig_choose } };
	struct seen seen = { 0 };
	struct error err;
	struct world *w = world_create(config, &err);

	assert_non_null(w);
	if (world_setup(w, setup, arg, &err))
		fail_msg("set-up: %s", err.text);
	world_snapshot(w);
	for (unsigned i = 0; i < runs; i++) {
		enum stop stop;

		prng_seed(&chooser.prng, i);
		chooser.rate = 2u << i % 4 * 2;
		world_set_chooser(w, i ? &chooser.base : NULL);
		stop = world_run(w);
		if (stop == STOP_ERROR)
			fail_msg("%s", world_error(w)->text);
		oracle_judge(w, stop, NULL);
		note(&seen, w, i);
		world_restore(w);
	}
	world_destroy(w);
	return seen;
}

static void
on_flush(struct world *w, const struct event *e, void *context)
{
	*(uint64_t *)context += (uint64_t)e->arg[2]; /* outside the world: summed over schedules */
}

/* --- machines ------------------------------------------------------------------------------- */

struct job {
	struct rig rig;
	uint64_t flushes;
	enum guest_vectors vectors;
	uint64_t features;
	bool opener;
	struct guest_blk *blk;
	struct guest_net *net;
};

static void
blk_task(struct actor *self, void *arg)
{
	struct job *j = arg;
	struct world *w = j->rig.w;
	struct guest_cpu *cpu = j->rig.cpu[0];
	uint64_t gpa = gm_alloc(w, BLK_SECTOR_BYTES, BLK_SECTOR_BYTES);

	assert_int_equal(guest_blk_probe(j->blk, cpu), 0);
	for (unsigned i = 0; i < 3; i++) {
		guest_blk_rw(j->blk, cpu, VIRTIO_BLK_T_OUT, i, gpa, BLK_SECTOR_BYTES);
		guest_blk_rw(j->blk, cpu, VIRTIO_BLK_T_IN, i, gpa, BLK_SECTOR_BYTES);
	}
	guest_blk_freeze(j->blk, cpu);
	assert_int_equal(guest_blk_restore(j->blk, cpu), 0);
	guest_blk_rw(j->blk, cpu, VIRTIO_BLK_T_IN, 1, gpa, BLK_SECTOR_BYTES);
	guest_blk_remove(j->blk, cpu);
}

static void
net_opener(struct actor *self, void *arg)
{
	struct job *j = arg;

	guest_net_open(j->net, j->rig.cpu[1]);
}

static void
net_task(struct actor *self, void *arg)
{
	struct job *j = arg;
	struct guest_cpu *cpu = j->rig.cpu[0];
	uint8_t frame[64] = { 1 };
	struct guest_packet *p;

	assert_int_equal(guest_net_probe(j->net, cpu), 0);
	guest_net_open(j->net, cpu);
	net_wire_send(j->rig.d->net, 0, frame, sizeof(frame));
	for (unsigned i = 0; i < 4; i++)
		guest_net_xmit(j->net, cpu, frame, sizeof(frame));
	p = guest_net_recv_wait(j->net, cpu, 0);
	if (p)
		guest_packet_free(j->rig.w, p);
	guest_net_resize(j->net, cpu, 0, 4);
	net_wire_send(j->rig.d->net, 0, frame, sizeof(frame));
	p = guest_net_recv_wait(j->net, cpu, 0);
	if (p)
		guest_packet_free(j->rig.w, p);
	guest_net_remove(j->net, cpu);
}

static void
job_drivers(struct rig *r)
{
	struct job *j = (struct job *)((char *)r - offsetof(struct job, rig));
	struct guest_cpu **cpus = world_alloc(r->w, sizeof(r->cpu));
	struct guest_virtio_config c = {
		.name = "guest0",
		.function = r->d->pci->function,
		.vectors = j->vectors,
		.features = j->features,
	};

	memcpy(cpus, r->cpu, sizeof(r->cpu));
	if (r->d->blk) {
		j->blk = guest_blk_create(
			r->w,
			&(struct guest_blk_config){ .virtio = c, .cpus = cpus, .cpu_count = 2 });
		oracle_watch_driver(r->w, &j->blk->dev);
		rig_task(r, "task", blk_task, j);
		return;
	}
	j->net = guest_net_create(
		r->w, &(struct guest_net_config){ .virtio = c, .cpus = cpus, .cpu_count = 2 });
	oracle_watch_driver(r->w, &j->net->dev);
	rig_task(r, "task", net_task, j);
	if (j->opener)
		rig_task(r, "opener", net_opener, j);
}

static void
job_setup(struct world *w, void *arg)
{
	struct job *j = arg;

	oracle_attach(w);
	world_observe(w, EV_VIRTQUEUE_FLUSH, on_flush, &j->flushes);
	rig_setup(w, &j->rig);
}

static struct seen
job_run(enum machine_type type, struct job *j, enum machine_backend backend, unsigned runs)
{
	j->rig.config.cpus = 2;
	j->rig.config.setup = job_drivers;
	j->rig.config.device = (struct machine_device_config){
		.name = type == MACHINE_BLK ? "blk0" : "net0",
		.type = type,
		.backend = backend,
	};
	return explore(&(struct world_config){ 0 }, job_setup, j, runs);
}

static void
test_machines_silent(void **state)
{
	for (int type = 0; type <= MACHINE_NET; type++)
		for (int backend = 0; backend < MACHINE_BACKENDS; backend++)
			for (unsigned i = 0; i < 3; i++) {
				struct job j = {
					.vectors = i == 2 ? GUEST_VECTORS_INTX : GUEST_VECTORS_EACH,
					.features = i == 1 ? VIRTIO_BIT(VIRTIO_F_RING_RESET) : 0,
				};
				struct seen seen = job_run((enum machine_type)type, &j,
							   (enum machine_backend)backend, RUNS);

				/* Each schedule passes several buffers in both directions. */
				if (seen.all || j.flushes < 5 * RUNS)
					fail_msg("%s, %s, %u: %u times used, %s",
						 machine_type_name[type],
						 machine_backend_name[backend], i,
						 (unsigned)j.flushes, seen.first);
			}
}

static void
test_machine_faults(void **state)
{
	static const struct {
		enum fault fault;
		enum machine_type type;
		enum oracle statement;
	} faults[] = {
		{ FAULT_GUEST_RESET_NO_WAIT, MACHINE_BLK, ORACLE_VIRTIO_4_1_4_3_2_R4 },
		{ FAULT_GUEST_VQ_RESET_NO_WAIT, MACHINE_NET, ORACLE_VIRTIO_2_6_1_1_2_R1 },
		{ FAULT_GUEST_REMOVE_NO_RESET, MACHINE_NET, ORACLE_VIRTIO_3_3_1_R2 },
		{ FAULT_GUEST_NET_OPEN_EARLY, MACHINE_NET, ORACLE_VIRTIO_3_1_1_R7 },
	};

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct job j = { .rig.config.fault = faults[i].fault, .opener = true };
		struct seen seen = job_run(faults[i].type, &j, MACHINE_MAIN_LOOP, FAULT_RUNS);

		if (!seen.of[faults[i].statement])
			fail_msg("%s was not seen; first: %s",
				 oracle_info[faults[i].statement].name, seen.first);
	}
}

/* --- the smallest pair ---------------------------------------------------------------------- */

static void
pair_setup(struct world *w, void *arg)
{
	const struct raw_config *config = arg;

	gm_create(w, 1 << 20);
	oracle_attach(w);
	oracle_watch_raw(w, raw_pair_create(w, config));
}

static void
check_pair(uint64_t features, uint64_t driver, uint64_t device, enum oracle statement)
{
	struct raw_config c = {
		.name = "vq0",
		.features = features,
		.driver_quirks = driver,
		.device_quirks = device,
		.buffers = 3,
	};
	struct seen seen =
		explore(&(struct world_config){ .mode = WORLD_RELAXED }, pair_setup, &c, PAIR_RUNS);

	if (statement == ORACLE_COUNT ? seen.all : !seen.of[statement])
		fail_msg("%s: %u reported, first %s",
			 statement == ORACLE_COUNT ? "silent" : oracle_info[statement].name,
			 seen.all, seen.first);
}

static void
test_pair(void **state)
{
	uint64_t event = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	uint64_t flags = VIRTIO_BIT(VIRTIO_F_VERSION_1);

	check_pair(event, 0, 0, ORACLE_COUNT);
	check_pair(flags, 0, 0, ORACLE_COUNT);
	check_pair(event, 0, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, ORACLE_VIRTIO_2_7_10_1_R6);
	check_pair(flags, 0, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, ORACLE_VIRTIO_2_7_10_1_R4);
	check_pair(event, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0, ORACLE_VIRTIO_2_7_7_2_D5);
	check_pair(flags, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0, ORACLE_VIRTIO_2_7_7_2_D2);
}

/* --- getting nowhere ------------------------------------------------------------------------ */

static void
spin(struct actor *self, void *arg)
{
	for (;;)
		actor_yield(actor_world(self));
}

static void
spin_setup(struct world *w, void *arg)
{
	oracle_attach(w);
	actor_create(w, "spinner", spin, NULL, 0);
	actor_create(w, "other", spin, NULL, 0);
}

static void
test_livelock(void **state)
{
	struct seen seen =
		explore(&(struct world_config){ .steps_max = 1000 }, spin_setup, NULL, 1);

	assert_int_equal(seen.of[ORACLE_LIVELOCK], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines_silent),
		cmocka_unit_test(test_machine_faults),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_livelock),
	};

	(void)rig_explore; /* ours judges, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
