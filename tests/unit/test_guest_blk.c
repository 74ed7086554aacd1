/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's block driver against each backend: what it wrote it reads, and nothing hangs. */
#include "test_guest_rig.h"

#include "guest/blk_driver.h"
#include "notify/msix.h"

#define RUNS 300
#define FAULT_RUNS 3000

/* What one test does with the device. */
struct plan {
	enum guest_vectors vectors;
	unsigned tasks; /* one on each CPU */
	unsigned requests; /* of each task, kept in flight together */
	uint16_t queue_size;
	bool scan, freeze, remove, no_event_idx;
	bool freeze_first; /* without I/O of its own, while other tasks have some */
};

struct blk_state {
	struct guest_blk *blk;
	int probe;
	struct waitq probed;
	bool is_probed;
	unsigned good; /* tasks that found what they wrote */
	unsigned lost; /* requests that came back lost */
};

struct task {
	struct rig *r;
	unsigned n;
};

static void
fill(uint8_t *p, uint64_t sector)
{
	for (unsigned i = 0; i < BLK_SECTOR_BYTES; i++)
		p[i] = (uint8_t)(sector * 31 + i);
}

/* Write some sectors at once, flush, read them back at once. */
static bool
write_and_read(struct guest_blk *blk, struct guest_cpu *cpu, unsigned n, uint64_t base,
	       unsigned *lost)
{
	struct world *w = blk->w;
	struct guest_blk_req req[8];
	uint64_t gpa = gm_alloc(w, (uint64_t)n * BLK_SECTOR_BYTES, BLK_SECTOR_BYTES);
	uint8_t *data = gm_map(w, gpa, (uint64_t)n * BLK_SECTOR_BYTES);
	uint8_t want[BLK_SECTOR_BYTES];
	bool good = true;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < n; i++) {
			req[i] = (struct guest_blk_req){
				.type = pass ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
				.sector = base + i,
				.data_gpa = gpa + (uint64_t)i * BLK_SECTOR_BYTES,
				.data_bytes = BLK_SECTOR_BYTES,
			};
			if (!pass)
				fill(data + (size_t)i * BLK_SECTOR_BYTES, base + i);
			else
				memset(data + (size_t)i * BLK_SECTOR_BYTES, 0, BLK_SECTOR_BYTES);
			guest_blk_submit(blk, cpu, &req[i]);
		}
		for (unsigned i = 0; i < n; i++) {
			int status = guest_blk_wait(blk, cpu, &req[i]);

			good &= status == VIRTIO_BLK_S_OK;
			*lost += status == GUEST_BLK_LOST;
		}
		good &= pass || guest_blk_flush(blk, cpu) == VIRTIO_BLK_S_OK;
	}
	for (unsigned i = 0; i < n; i++) {
		fill(want, base + i);
		good &= !memcmp(want, data + (size_t)i * BLK_SECTOR_BYTES, BLK_SECTOR_BYTES);
	}
	return good;
}

static void
worker(struct actor *self, void *arg)
{
	struct task *t = arg;
	struct blk_state *s = t->r->state;
	const struct plan *p = t->r->config.arg;
	struct guest_cpu *cpu = t->r->cpu[t->n];

	(void)self;
	if (!t->n) {
		s->probe = guest_blk_probe(s->blk, cpu);
		s->is_probed = true;
		waitq_wake_all(t->r->w, &s->probed);
	}
	while (!s->is_probed)
		waitq_wait(t->r->w, &s->probed);
	if (s->probe)
		return;
	if (t->n || !p->freeze_first)
		s->good += write_and_read(s->blk, cpu, p->requests, 100 * t->n, &s->lost);
	while (!t->n && p->freeze_first && !s->blk->users)
		actor_yield(t->r->w);
	if (p->freeze && !t->n) {
		guest_blk_freeze(s->blk, cpu);
		s->probe = guest_blk_restore(s->blk, cpu);
		s->good += !s->probe && write_and_read(s->blk, cpu, p->requests, 1000, &s->lost);
	}
	if (p->remove && !t->n)
		guest_blk_remove(s->blk, cpu);
}

static void
setup(struct rig *r)
{
	const struct plan *p = r->config.arg;
	struct blk_state *s = world_alloc(r->w, sizeof(*s));
	struct guest_blk_config c = {
		.virtio = { .name = "vda", .function = r->d->pci->function, .vectors = p->vectors },
		.cpus = r->cpu,
		.cpu_count = r->config.cpus,
		.queue_size = p->queue_size,
		.scan = p->scan,
	};
	char name[16];

	if (p->no_event_idx)
		c.virtio.features = VIRTIO_BIT(VIRTIO_BLK_F_FLUSH);
	r->state = s;
	waitq_init(&s->probed, r->w, "probe");
	c.cpus = world_alloc(r->w, sizeof(r->cpu));
	memcpy(c.cpus, r->cpu, sizeof(r->cpu));
	s->blk = guest_blk_create(r->w, &c);
	for (unsigned i = 0; i < p->tasks; i++) {
		struct task *t = world_alloc(r->w, sizeof(*t));

		*t = (struct task){ r, i };
		snprintf(name, sizeof(name), "task%u", i);
		rig_task(r, name, worker, t);
	}
}

static bool
good(struct rig *r)
{
	const struct plan *p = r->config.arg;
	struct blk_state *s = r->state;
	unsigned out = 0;

	/* Nothing is left in flight, on either side. */
	for (unsigned i = 0; i < r->d->vdev.queue_count; i++)
		out += r->d->vdev.vqs[i].inflight;
	return !s->probe && s->good == p->tasks + p->freeze - p->freeze_first && !s->lost && !out &&
	       !s->blk->users;
}

static struct rig_config
config(enum machine_backend backend, const struct plan *p)
{
	return (struct rig_config){
		.device = { .name = "blk0",
			    .type = MACHINE_BLK,
			    .backend = backend,
			    .queues = (uint16_t)p->tasks },
		.cpus = p->tasks,
		.setup = setup,
		.good = good,
		.arg = p,
	};
}

static void
nothing_lost(void **state)
{
	static const struct plan one = { .tasks = 1, .requests = 3 };
	static const struct plan two = { .tasks = 2, .requests = 2 };

	(void)state;
	for (unsigned b = 0; b < MACHINE_BACKENDS; b++) {
		struct rig_config c = config(b, &one);

		rig_assert_clean(rig_explore(&c, RUNS));
		c = config(b, &two);
		rig_assert_clean(rig_explore(&c, RUNS));
		c.device.blk.delay_ns = 5000;
		rig_assert_clean(rig_explore(&c, RUNS));
		c.mode = WORLD_RELAXED;
		rig_assert_clean(rig_explore(&c, RUNS));
	}
}

static void
every_way_of_interrupting(void **state)
{
	static const struct plan plans[] = {
		{ .tasks = 2, .requests = 2, .vectors = GUEST_VECTORS_SHARED },
		{ .tasks = 2, .requests = 2, .vectors = GUEST_VECTORS_INTX },
		{ .tasks = 1, .requests = 6, .queue_size = 4 }, /* ring full */
		{ .tasks = 1, .requests = 2, .scan = true },
		{ .tasks = 1, .requests = 4, .no_event_idx = true },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		for (unsigned b = 0; b < 2; b++) {
			struct rig_config c = config(b, &plans[i]);

			rig_assert_clean(rig_explore(&c, RUNS));
		}
}

/* Too few MSI-X entries: the driver falls back, as vp_find_vqs() does. */
static void
falls_back_to_fewer_vectors(void **state)
{
	static const struct plan p = { .tasks = 2, .requests = 2 };
	struct rig_config c = config(MACHINE_MAIN_LOOP, &p);

	(void)state;
	c.device.vectors = 2;
	rig_assert_clean(rig_explore(&c, RUNS));
	c.device.vectors = 1;
	rig_assert_clean(rig_explore(&c, RUNS));
}

static void
freeze_and_remove(void **state)
{
	static const struct plan freeze = { .tasks = 2, .requests = 2, .freeze = true };
	static const struct plan gone = { .tasks = 1, .requests = 2, .remove = true };

	(void)state;
	for (unsigned b = 0; b < 2; b++) {
		struct rig_config c = config(b, &freeze);

		c.device.blk.delay_ns = 5000;
		rig_assert_clean(rig_explore(&c, RUNS));
		c = config(b, &gone);
		rig_assert_clean(rig_explore(&c, RUNS));
	}
}

static void
faults_lose(void **state)
{
	/*
	 * With EVENT_IDX a handler leaves callbacks on (event_triggered), and what is used
	 * meanwhile is told anyway.
	 */
	static const struct plan one = { .tasks = 1, .requests = 4, .no_event_idx = true };
	static const struct plan scan = { .tasks = 1, .requests = 1, .scan = true };
	static const struct plan freeze = {
		.tasks = 2,
		.requests = 4,
		.freeze = true,
		.freeze_first = true,
	};
	static const struct {
		enum fault fault;
		const struct plan *plan;
		int64_t delay_ns; /* of the disk */
	} faults[] = {
		{ FAULT_GUEST_BLK_DONE_NO_RECHECK, &one, 5000 },
		{ FAULT_GUEST_IRQ_LATE, &scan, 0 },
		{ FAULT_GUEST_BLK_FREEZE_NO_DRAIN, &freeze, 5000 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct rig_config c = config(MACHINE_IOTHREAD, faults[i].plan);
		struct rig_result r;

		c.device.blk.delay_ns = faults[i].delay_ns;
		rig_assert_clean(rig_explore(&c, RUNS));
		c.fault = faults[i].fault;
		r = rig_explore(&c, FAULT_RUNS);
		if (!r.hung && !r.bad)
			fail_msg("%s: nothing lost in %u runs", fault_info[c.fault].name, r.runs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lost),
		cmocka_unit_test(every_way_of_interrupting),
		cmocka_unit_test(falls_back_to_fewer_vectors),
		cmocka_unit_test(freeze_and_remove),
		cmocka_unit_test(faults_lose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
