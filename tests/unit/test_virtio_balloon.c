/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon, both sides: inflate, deflate, statistics, reporting, poison, memory pressure; and
 * free page hints in a migration, with each fault that loses a page by them.
 */
#include "test_guest_rig.h"

#include "guest/balloon_driver.h"
#include "oracle/oracle.h"
#include "migration/precopy.h"
#include "vmm/precopy_notify.h"

#define RUNS 150
#define FAULT_RUNS 4000
#define PAGES 12
#define PATIENCE 300

struct plan {
	bool poisoning, posted, manual, cancel_first;
	bool second_task; /* of the guest: requests while others do theirs */
	enum fault guest_fault; /* of the driver, in all runs of the plan */
	unsigned pages; /* 0: PAGES */
	unsigned hint_order;
	uint16_t queue_size; /* 0: 16 */
	uint32_t poison;
	unsigned inflate; /* pages that the host asks for at first */
	void (*host)(struct rig *r); /* the VMM's side of the test */
	void (*guest)(struct rig *r, struct guest_cpu *cpu); /* a task's */
};

struct state {
	struct guest_pages *pages;
	struct guest_balloon *b;
	struct migration_vm *vm;
	struct precopy *m;
	bool probed, host_done;
	struct waitq wait;
	bool good;
	bool live[PAGES]; /* holds what the guest wrote since it took the page */
	uint64_t value;
	int64_t freed, written; /* numbers in the last events of these */
};

static const struct plan *
plan_of(const struct rig *r)
{
	return r->config.arg;
}

static void
host(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;

	(void)self;
	while (!s->probed)
		waitq_wait(r->w, &s->wait);
	if (plan_of(r)->host)
		plan_of(r)->host(r);
	s->host_done = true;
	waitq_wake_all(r->w, &s->wait);
}

static void
guest(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;

	(void)self;
	s->good = !guest_balloon_probe(s->b, r->cpu[0]);
	s->probed = true;
	waitq_wake_all(r->w, &s->wait);
	if (plan_of(r)->guest)
		plan_of(r)->guest(r, r->cpu[0]);
}

static void
second(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;

	(void)self;
	for (unsigned i = 0; i < 4; i++) {
		guest_balloon_report(s->b, r->cpu[1], 2);
		guest_balloon_deflate(s->b, r->cpu[1], 1);
		actor_yield(r->w);
	}
}

/* The pages, as the RAM of a machine that can be migrated. */
static void
make_vm(struct rig *r, bool manual_protect)
{
	struct state *s = r->state;
	struct ram_block block = { .name = "pc.ram", .pages = s->pages->count };

	s->vm = vm_create(r->w, &(struct migration_vm_config){ .blocks = &block,
							       .block_count = 1,
							       .manual_protect = manual_protect });
	vm_link_machine(s->vm, r->m, s->pages->first * GUEST_PAGE_BYTES);
}

/* To a destination that has nothing. */
static void
begin(struct rig *r)
{
	struct state *s = r->state;
	struct precopy_config c = precopy_config_default();
	const struct ram_block *block;
	unsigned n = ram_blocks(s->vm->ram, &block);

	c.threshold_bytes = 1;
	c.budget_pages = 1;
	c.announce_rounds = 0;
	s->m = precopy_start(s->vm, ram_create(r->w, block, n), &c, NULL, "migration");
}

/* --- events number pages as the migration does ---------------------------------------------- */

static void
on_free(struct world *w, const struct event *e, void *context)
{
	((struct state *)context)->freed = e->arg[0];
}

static void
on_write(struct world *w, const struct event *e, void *context)
{
	((struct state *)context)->written = e->arg[0];
}

/* Of hints, and of requests: they come in chains, so only that they are of this RAM. */
static void
on_hint(struct world *w, const struct event *e, void *context)
{
	struct state *s = context;

	s->good &= e->arg[0] >= 0 && e->arg[0] + e->arg[1] <= s->pages->count;
}

static void
on_request(struct world *w, const struct event *e, void *context)
{
	struct state *s = context;

	s->good &= e->arg[1] >= 0 && e->arg[1] < s->pages->count;
}

static void
watch_numbers(struct world *w, struct state *s)
{
	world_observe(w, EV_GUEST_PAGE_FREE, on_free, s);
	world_observe(w, EV_MIG_PAGE_WRITE, on_write, s);
	world_observe(w, EV_FREE_PAGE_HINT, on_hint, s);
	world_observe(w, EV_BALLOON_REQUEST, on_request, s);
	world_observe(w, EV_BALLOON_REPORT, on_request, s);
}

static void
setup(struct rig *r)
{
	const struct plan *p = plan_of(r);
	struct state *s = world_alloc(r->w, sizeof(*s));
	struct guest_balloon_config c = {
		.virtio = { .name = "balloon", .function = r->d->pci->function },
		.cpu = r->cpu[r->config.cpus > 1],
		.poison_val = p->poison,
		.request_pages = 2,
		.hint_order = p->hint_order,
	};

	r->state = s;
	waitq_init(&s->wait, r->w, "the other side");
	if (p->guest_fault)
		fault_set(r->w, p->guest_fault, true);
	s->pages = guest_pages_create(r->w, p->pages ? p->pages : PAGES, p->poisoning, p->poison);
	make_vm(r, p->manual);
	watch_numbers(r->w, s);
	c.pages = s->pages;
	s->b = guest_balloon_create(r->w, &c);
	rig_task(r, "task-guest", guest, r);
	rig_task(r, "task-host", host, r);
	if (p->second_task)
		rig_task(r, "task-second", second, r);
}

static bool
is_good(struct rig *r)
{
	const struct state *s = r->state;

	return s->good && !s->pages->poison_errors;
}

static struct rig_config
config(const struct plan *p)
{
	return (struct rig_config){
		.device = { .name = "balloon0",
			    .type = MACHINE_BALLOON,
			    .queue_size = p->queue_size ? p->queue_size : 16,
			    .hints_as_posted = p->posted },
		.cpus = 2,
		.mode = WORLD_RELAXED,
		.setup = setup,
		.good = is_good,
		.arg = p,
	};
}

static struct rig_result
explore(const struct plan *p, enum fault fault, unsigned runs)
{
	struct rig_config c = config(p);

	c.fault = fault;
	return rig_explore(&c, runs);
}

/* @p holds without the fault, and is lost by it. */
static void
assert_lost_by(const struct plan *p, enum fault fault)
{
	struct rig_result result;

	rig_assert_clean(explore(p, FAULT_NONE, RUNS));
	result = explore(p, fault, FAULT_RUNS);
	if (!result.bad && !result.hung)
		fail_msg("%s: nothing was lost in %u runs", fault_info[fault].name, result.runs);
}

/* --- inflate and deflate -------------------------------------------------------------------- */

static void
set_target(struct rig *r, uint32_t pages)
{
	bql_lock(r->m->loop);
	virtio_balloon_target(r->d->balloon, pages);
	bql_unlock(r->m->loop);
}

static uint32_t
actual(struct rig *r)
{
	return virtio_balloon_field(r->d->balloon, offsetof(struct virtio_balloon_config, actual));
}

static void
host_targets(struct rig *r)
{
	struct state *s = r->state;
	static const uint32_t target[] = { 5, 2, PAGES };

	for (unsigned i = 0; i < sizeof(target) / sizeof(target[0]); i++) {
		set_target(r, target[i]);
		while (actual(r) != target[i])
			actor_yield(r->w);
		s->good &= s->b->pages == target[i];
	}
}

static void
test_targets(void **state)
{
	static const struct plan p = { .host = host_targets };

	(void)state;
	rig_assert_clean(explore(&p, FAULT_NONE, RUNS));
}

static void
host_fill(struct rig *r)
{
	set_target(r, PAGES);
}

/* With the balloon full an allocation deflates it. */
static void
guest_oom(struct rig *r, struct guest_cpu *cpu)
{
	struct state *s = r->state;
	uint64_t gfn;

	while (s->b->pages < PAGES)
		actor_yield(r->w);
	s->good &= !s->pages->free && s->b->pages == PAGES;
	gfn = guest_page_alloc(s->pages, cpu);
	s->good &= gfn != GUEST_NO_PAGE && !guest_page_read(s->pages, gfn);
	s->good &= r->d->balloon->deflated > 0;
}

static void
test_oom(void **state)
{
	static const struct plan p = { .host = host_fill, .guest = guest_oom };
	struct plan off = p;
	struct rig_config c;

	(void)state;
	rig_assert_clean(explore(&p, FAULT_NONE, RUNS / 3));
	/* Without the feature there is nothing to be had. */
	c = config(&off);
	c.device.features = VIRTIO_BALLOON_FEATURES & ~VIRTIO_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
	assert_int_equal(rig_explore(&c, 3).bad, 0 + 3);
}

/* Half of a host page goes in and comes out again; then the other half goes in. */
static void
guest_subpage(struct rig *r, struct guest_cpu *cpu)
{
	struct state *s = r->state;
	uint64_t a;

	while (!guest_balloon_idle(s->b))
		actor_yield(r->w);
	/* A and B of one host page: the driver takes them one at a time. */
	s->good &= guest_balloon_inflate(s->b, cpu, 1) == 1;
	s->good &= guest_balloon_deflate(s->b, cpu, 1) == 1;
	a = guest_page_alloc(s->pages, cpu);
	guest_page_write(s->pages, a, 0x1234);
	s->good &= guest_balloon_inflate(s->b, cpu, 1) == 1;
	s->good &= guest_page_read(s->pages, a) == 0x1234;
}

static void
test_subpage(void **state)
{
	static const struct plan p = { .guest = guest_subpage };
	struct rig_config c = config(&p);

	(void)state;
	c.device.balloon.host_page_bytes = 8192;
	rig_assert_clean(rig_explore(&c, 20));
	c.fault = FAULT_BALLOON_PBP;
	assert_int_not_equal(rig_explore(&c, 20).bad, 0);
}

/* Frozen and restored, then removed, while the host changes its mind and a migration wants hints.
 */
static void
guest_freeze(struct rig *r, struct guest_cpu *cpu)
{
	struct state *s = r->state;

	for (unsigned i = 0; i < 3; i++)
		actor_yield(r->w);
	guest_balloon_freeze(s->b, cpu);
	s->good &= !s->b->pages && !s->b->hints;
	s->good &= !guest_balloon_restore(s->b, cpu);
	while (!s->host_done)
		guest_wait(cpu, &s->wait);
	guest_balloon_remove(s->b, cpu);
	s->good &= s->pages->free == PAGES && !r->d->vdev.status;
}

static void
host_freeze(struct rig *r)
{
	struct state *s = r->state;

	set_target(r, 4);
	begin(r);
	for (unsigned i = 0; i < 12; i++)
		actor_yield(r->w);
	set_target(r, 2);
	precopy_cancel(s->m);
	if (precopy_wait(s->m) == PRECOPY_COMPLETED)
		machine_start(r->m);
}

static void
test_freeze(void **state)
{
	static const struct plan p = { .host = host_freeze, .guest = guest_freeze };
	static const struct plan busy = { .host = host_freeze,
					  .guest = guest_freeze,
					  .second_task = true };

	(void)state;
	rig_assert_clean(explore(&p, FAULT_NONE, 4 * RUNS));
	rig_assert_clean(explore(&busy, FAULT_NONE, 4 * RUNS));
}

/* --- statistics and reporting --------------------------------------------------------------- */

static void
host_stats(struct rig *r)
{
	struct virtio_balloon *b = r->d->balloon;
	struct state *s = r->state;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t before = b->stats_updates;
		bool asked = false;

		while (!asked) {
			bql_lock(r->m->loop);
			asked = virtio_balloon_request_stats(b);
			bql_unlock(r->m->loop);
			actor_yield(r->w);
		}
		while (b->stats_updates == before)
			actor_yield(r->w);
	}
	s->good &= b->stats[VIRTIO_BALLOON_S_MEMTOT] == PAGES * UINT64_C(4096);
	s->good &= b->stats[VIRTIO_BALLOON_S_MEMFREE] == s->pages->free * UINT64_C(4096);
}

static void
test_stats(void **state)
{
	static const struct plan p = { .host = host_stats };

	(void)state;
	rig_assert_clean(explore(&p, FAULT_NONE, RUNS / 3));
}

static void
guest_report(struct rig *r, struct guest_cpu *cpu)
{
	struct state *s = r->state;
	const struct plan *p = plan_of(r);
	bool takes = !p->poisoning || !p->poison;
	uint64_t gfn;

	s->good &= guest_balloon_report(s->b, cpu, 4) == 4;
	s->good &= r->d->balloon->discarded == (takes || r->config.fault ? 4u : 0u);
	gfn = guest_page_alloc(s->pages, cpu); /* looks at the poison */
	s->good &= gfn != GUEST_NO_PAGE;
}

static void
test_report(void **state)
{
	static const struct plan plain = { .guest = guest_report };
	static const struct plan zero = { .guest = guest_report, .poisoning = true };
	static const struct plan poison = { .guest = guest_report,
					    .poisoning = true,
					    .poison = 0xaaaaaaaa };

	(void)state;
	rig_assert_clean(explore(&plain, FAULT_NONE, RUNS / 3));
	rig_assert_clean(explore(&zero, FAULT_NONE, RUNS / 3));
	rig_assert_clean(explore(&poison, FAULT_NONE, RUNS / 3));
	assert_int_equal(explore(&poison, FAULT_BALLOON_REPORT_POISON, 10).bad, 10);
}

/* --- statements ----------------------------------------------------------------------------- */

#define BALLOON_NAME "balloon0"

static void
judged_setup(struct world *w, void *arg)
{
	oracle_attach(w);
	rig_setup(w, arg);
}

/* What the oracles say to events: the first statement that is broken, or ORACLE_COUNT. */
static enum oracle
judge(void (*say)(struct world *w, int64_t dev, bool wrong), bool wrong)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct rig r = { .config = { .device = { .name = BALLOON_NAME,
						 .type = MACHINE_BALLOON,
						 .queue_size = 16 },
				     .cpus = 2,
				     .setup = setup,
				     .arg = &(struct plan){ .poisoning = true } } };
	const struct violation *v;
	enum oracle found = ORACLE_COUNT;
	assert_non_null(w);
	if (world_setup(w, judged_setup, &r, &err))
		fail_msg("set-up: %s", err.text);
	world_run(w);
	say(w, world_name(w, BALLOON_NAME), wrong);
	oracle_judge(w, STOP_QUIESCENT, NULL);
	v = oracle_violations(w, NULL);
	if (v)
		found = v->statement;
	world_destroy(w);
	return found;
}

static void
say_untold(struct world *w, int64_t dev, bool wrong)
{
	emit(w, EV_BALLOON_REQUEST, dev, 5, 0, 1);
	if (!wrong)
		emit(w, EV_BALLOON_REQUEST, dev, 5, 1, 0);
	emit(w, EV_GUEST_PAGE_ALLOC, 5, 0);
}

static void
say_stale(struct world *w, int64_t dev, bool wrong)
{
	int64_t requested = world_name(w, "requested"), start = world_name(w, "start");

	emit(w, EV_FREE_PAGE_STATE, dev, requested, 7);
	emit(w, EV_FREE_PAGE_CMD, dev, wrong ? 6 : 7, start);
	emit(w, EV_FREE_PAGE_STATE, dev, start, 7);
	emit(w, EV_FREE_PAGE_HINT, 5, 1, 1);
}

static void
say_poison(struct world *w, int64_t dev, bool wrong)
{
	emit(w, EV_BALLOON_ACTUAL, dev, 0, wrong ? 0xaa : 0);
	emit(w, EV_BALLOON_REPORT, dev, 5, 1, 1);
}

static void
say_no_done(struct world *w, int64_t dev, bool wrong)
{
	int64_t requested = world_name(w, "requested"), done = world_name(w, "done");

	emit(w, EV_FREE_PAGE_STATE, dev, requested, 7);
	emit(w, EV_FREE_PAGE_CMD, dev, 7, requested);
	emit(w, EV_PRECOPY_NOTIFY, world_name(w, "cleanup"));
	if (!wrong)
		emit(w, EV_FREE_PAGE_STATE, dev, done, 0);
}

static void
say_done_late(struct world *w, int64_t dev, bool wrong)
{
	int64_t requested = world_name(w, "requested"), done = world_name(w, "done");

	emit(w, EV_FREE_PAGE_STATE, dev, requested, 7);
	emit(w, EV_FREE_PAGE_CMD, dev, 7, requested);
	if (!wrong)
		emit(w, EV_FREE_PAGE_STATE, dev, done, 0);
	emit(w, EV_MIG_SWITCHOVER, 0, 0);
	emit(w, EV_FREE_PAGE_STATE, dev, done, 0);
}

static void
test_statements(void **state)
{
	(void)state;
	assert_int_equal(judge(say_untold, true), ORACLE_VIRTIO_5_5_6_1_R3);
	assert_int_equal(judge(say_untold, false), ORACLE_COUNT);
	assert_int_equal(judge(say_stale, true), ORACLE_VIRTIO_5_5_6_5_2_D3);
	assert_int_equal(judge(say_stale, false), ORACLE_COUNT);
	assert_int_equal(judge(say_poison, true), ORACLE_VIRTIO_5_5_6_7_2_D1);
	assert_int_equal(judge(say_poison, false), ORACLE_COUNT);
	assert_int_equal(judge(say_no_done, true), ORACLE_C_O8);
	assert_int_equal(judge(say_no_done, false), ORACLE_COUNT);
	assert_int_equal(judge(say_done_late, true), ORACLE_C_O8);
	assert_int_equal(judge(say_done_late, false), ORACLE_COUNT);
}

/* --- free page hints ------------------------------------------------------------------------ */

/* Every page that the guest uses is at the destination as it is here. */
static bool
arrived(const struct state *s)
{
	for (uint32_t i = 0; i < s->pages->count; i++)
		if (s->live[i] && ram_read(s->vm->ram, i) != ram_read(precopy_destination(s->m), i))
			return false;
	return true;
}

/* Give the guest time for some, whether or not it uses it. */
static void
wait_for_hints(struct rig *r)
{
	const struct balloon_hint *h = balloon_hint_of(r->d->balloon);
	uint64_t before = h->hints;

	for (unsigned i = 0; i < PATIENCE && h->hints == before; i++)
		actor_yield(r->w);
}

static bool
over(const struct precopy *m)
{
	return precopy_state(m) == PRECOPY_COMPLETED || precopy_state(m) == PRECOPY_CANCELLED;
}

static bool
count_is_right(const struct precopy *m)
{
	return precopy_dirty_pages(m) == precopy_bitmap(m)->set;
}

static void
host_migrate(struct rig *r)
{
	const struct plan *p = plan_of(r);
	struct state *s = r->state;

	balloon_hint_of(r->d->balloon)->limit_ns = 1000;
	if (p->cancel_first) {
		begin(r);
		wait_for_hints(r);
		precopy_cancel(s->m);
		if (precopy_wait(s->m) == PRECOPY_COMPLETED) {
			machine_start(r->m);
			return;
		}
		s->good &= count_is_right(s->m);
	}
	begin(r);
	/* By a wrong count it may never end. */
	for (unsigned i = 0; i < 4 * PATIENCE && !over(s->m); i++)
		actor_yield(r->w);
	precopy_cancel(s->m);
	if (precopy_wait(s->m) == PRECOPY_COMPLETED) {
		s->good &= arrived(s) && !precopy_dirty_pages(s->m);
		machine_start(r->m);
	}
	s->good &= count_is_right(s->m);
}

static void
use_page(struct state *s, uint64_t gfn)
{
	guest_page_write(s->pages, gfn, ++s->value);
	s->good &= s->written == (int64_t)(gfn - s->pages->first);
	s->live[gfn - s->pages->first] = true;
}

/* The guest uses memory meanwhile: some pages come and go, and hold what was written last. */
static void
guest_use(struct rig *r, struct guest_cpu *cpu)
{
	struct state *s = r->state;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t gfn[3];
		unsigned n = 0;

		while (n < 3 && (gfn[n] = guest_page_alloc(s->pages, cpu)) != GUEST_NO_PAGE)
			use_page(s, gfn[n++]);
		while (n-- > (i == 3 ? 2 : 0)) {
			s->live[gfn[n] - s->pages->first] = false;
			guest_page_free(s->pages, gfn[n]);
			s->good &= s->freed == (int64_t)(gfn[n] - s->pages->first);
		}
	}
	while (!s->host_done)
		guest_wait(cpu, &s->wait);
}

/* After it all nothing is held back from the guest. */
static bool
all_back(struct rig *r)
{
	const struct state *s = r->state;

	return is_good(r) && !s->b->hints;
}

static const struct plan hints = { .host = host_migrate, .guest = guest_use };
static const struct plan hints_manual = { .host = host_migrate,
					  .guest = guest_use,
					  .manual = true };
static const struct plan hints_again = { .host = host_migrate,
					 .guest = guest_use,
					 .cancel_first = true };
static const struct plan hints_poison = {
	.host = host_migrate, .guest = guest_use, .poisoning = true, .poison = 0xaaaaaaaa
};
static const struct plan hints_posted = { .host = host_migrate,
					  .guest = guest_use,
					  .posted = true };

/* Blocks of four pages; and a queue that they fill. */
static const struct plan hints_blocks = { .host = host_migrate,
					  .guest = guest_use,
					  .hint_order = 2 };
static const struct plan hints_full = { .host = host_migrate, .guest = guest_use, .queue_size = 4 };

/* A driver that gives hinted pages back at once, as posted until v33. */
static const struct plan hints_not_held = { .host = host_migrate,
					    .guest = guest_use,
					    .guest_fault = FAULT_FPH_DRIVER_RELEASES,
					    .pages = 5 };
static const struct plan hints_small = { .host = host_migrate, .guest = guest_use, .pages = 5 };

static void
test_hints(void **state)
{
	const struct plan *const plan[] = { &hints,	   &hints_manual, &hints_again,
					    &hints_poison, &hints_blocks, &hints_full };

	(void)state;
	for (unsigned i = 0; i < sizeof(plan) / sizeof(plan[0]); i++) {
		struct rig_config c = config(plan[i]);

		c.good = all_back;
		rig_assert_clean(rig_explore(&c, RUNS));
	}
	rig_assert_clean(explore(&hints_posted, FAULT_NONE, RUNS));
}

static void
test_hint_faults(void **state)
{
	(void)state;
	assert_lost_by(&hints, FAULT_FPH_START_IS_LENGTH);
	assert_lost_by(&hints, FAULT_FPH_COUNT_LENGTH);
	assert_lost_by(&hints, FAULT_FPH_NO_BITMAP_MUTEX);
	assert_lost_by(&hints_not_held, FAULT_FPH_NO_STOP);
	rig_assert_clean(explore(&hints_small, FAULT_FPH_SHRINK_UNUSED, RUNS));
}

/* A range that is not all RAM, or none of it; and no migration at all. */
static void
range_task(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;
	uint64_t gpa = s->pages->first * UINT64_C(4096), end = gpa + PAGES * UINT64_C(4096);
	uint64_t left;

	(void)self;
	s->good = !precopy_free_page_hint(r->w, gpa, 4096);
	begin(r);
	while (precopy_state(s->m) != PRECOPY_ACTIVE)
		actor_yield(r->w);
	/* Its thread has sent a page, or none. */
	left = precopy_dirty_pages(s->m);
	s->good &= !precopy_free_page_hint(r->w, gpa - 4096, 8192);
	s->good &= !precopy_free_page_hint(r->w, end, 4096);
	s->good &= !precopy_free_page_hint(r->w, gpa + 8192, 4095);
	s->good &= precopy_free_page_hint(r->w, end - 4096, 1 << 20) == 1;
	s->good &= precopy_free_page_hint(r->w, gpa + 8192, 8192) == 2;
	s->good &= !precopy_free_page_hint(r->w, gpa + 8192, 8192);
	s->good &= precopy_bitmap(s->m)->set == left - 3 && count_is_right(s->m);
	precopy_cancel(s->m);
	s->good &= precopy_wait(s->m) == PRECOPY_CANCELLED;
	s->good &= !precopy_free_page_hint(r->w, gpa + 16384, 4096);
}

static void
range_setup(struct rig *r)
{
	struct state *s = world_alloc(r->w, sizeof(*s));

	r->state = s;
	s->pages = guest_pages_create(r->w, PAGES, false, 0);
	make_vm(r, false);
	rig_task(r, "task-range", range_task, r);
}

static void
test_range(void **state)
{
	static const struct plan none;
	struct rig_config c = config(&none);

	(void)state;
	c.setup = range_setup;
	rig_assert_clean(rig_explore(&c, 1));
}

/* Frames: what is given out is not free, comes back in the order of a stack, and runs out. */
static void
allocator_task(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;
	struct guest_pages *p = s->pages;
	uint64_t gfn[PAGES];

	(void)self;
	s->good = true;
	for (unsigned i = 0; i < PAGES; i++) {
		gfn[i] = guest_page_alloc(p, r->cpu[0]);
		s->good &= gfn[i] == p->first + i && guest_page_state(p, gfn[i]) == GUEST_PAGE_USED;
	}
	s->good &= guest_page_alloc(p, r->cpu[0]) == GUEST_NO_PAGE && p->failed == 1;
	guest_page_write(p, gfn[3], 7);
	guest_page_free(p, gfn[3]);
	s->good &= guest_page_read(p, gfn[3]) == UINT64_C(0x5a5a5a5a5a5a5a5a);
	s->good &= guest_page_take(p, GUEST_PAGE_BALLOON) == gfn[3] && !p->poison_errors;
	guest_page_free(p, gfn[3]);
	for (unsigned i = PAGES; i-- > 4;)
		guest_page_free(p, gfn[i]);
	/* The lowest block that is free as a whole: its frames, and no other, are gone. */
	s->good &= guest_block_take(p, GUEST_PAGE_HINTED, 2) == gfn[4] && p->free == PAGES - 7;
	s->good &= guest_page_state(p, gfn[7]) == GUEST_PAGE_HINTED;
	s->good &= guest_page_state(p, gfn[8]) == GUEST_PAGE_FREE;
	s->good &= guest_block_take(p, GUEST_PAGE_HINTED, 3) == GUEST_NO_PAGE;
	guest_block_free(p, gfn[4], 2);
	for (unsigned i = 4; i < PAGES; i++)
		s->good &= guest_page_alloc(p, r->cpu[0]) == gfn[i];
	memset(gm_map(r->w, gfn[3] * 4096, 8), 0, 8); /* somebody took its poison */
	s->good &= guest_page_alloc(p, r->cpu[0]) == gfn[3] && p->poison_errors == 1;
	p->poison_errors = 0; /* as it was to be */
}

static void
allocator_setup(struct rig *r)
{
	struct state *s = world_alloc(r->w, sizeof(*s));

	r->state = s;
	s->pages = guest_pages_create(r->w, PAGES, true, 0x5a5a5a5a);
	rig_task(r, "task-allocator", allocator_task, r);
}

static void
test_allocator(void **state)
{
	static const struct plan none;
	struct rig_config c = config(&none);

	(void)state;
	c.setup = allocator_setup;
	rig_assert_clean(rig_explore(&c, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),	    cmocka_unit_test(test_oom),
		cmocka_unit_test(test_subpage),	    cmocka_unit_test(test_stats),
		cmocka_unit_test(test_report),	    cmocka_unit_test(test_hints),
		cmocka_unit_test(test_hint_faults), cmocka_unit_test(test_statements),
		cmocka_unit_test(test_range),	    cmocka_unit_test(test_allocator),
		cmocka_unit_test(test_freeze),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
