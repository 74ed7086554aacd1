/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/dirtier.h"

#include "base/must.h"
#include "base/prng.h"
#include "engine/world.h"
#include "kvm/dirty_ring.h"
#include "migration/bg_snapshot.h"
#include "migration/vm_layout.h"

#define SECOND_NS INT64_C(1000000000)
#define PAGE_BYTES 4096
#define AHEAD 8u
#define TOLERANCE 25 /* DIRTYLIMIT_TOLERANCE_RANGE: MB/s */
#define LINEAR_PERCENT 50 /* DIRTYLIMIT_LINEAR_ADJUSTMENT_PCT */

/* ORDER DIRTIER_PATTERN */
const char *const dirtier_pattern_word[DIRTIER_PATTERNS] = { "uniform", "sweep", "hot" };

struct dirtier {
	struct migration_vm *vm;
	struct ram_writer *writer;
	struct dirtier_config config;
	struct prng prng;
	uint64_t ahead[AHEAD]; /* the next pages of a slice */
	uint64_t at; /* of a sweep */
	uint64_t carry; /* page-nanoseconds that did not make a page */
	uint64_t writes;
	bool stop;
	/* Dirty limit */
	int64_t throttle_ns; /* at each full ring */
	int64_t period_start_ns;
	uint32_t period_pushed;
	uint64_t fulls; /* ring_fulls that it slept for */
};

static uint64_t
below(struct dirtier *d, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)prng_next(&d->prng) * n) >> 64);
}

static uint64_t
pick(struct dirtier *d)
{
	uint64_t n = d->config.pages, hot = n / 10 ? n / 10 : 1;

	switch (d->config.pattern) {
	case DIRTIER_SWEEP:
		d->at = d->at + 1 < n ? d->at + 1 : 0;
		return d->at;
	case DIRTIER_HOT:
		return below(d, 10) ? below(d, hot) : below(d, n);
	default:
		return below(d, n);
	}
}

static void
write_slice(struct dirtier *d, int64_t ns)
{
	unsigned __int128 due =
		(unsigned __int128)d->config.pages_per_second * (uint64_t)ns + d->carry;
	uint64_t n = (uint64_t)(due / SECOND_NS);

	d->carry = (uint64_t)(due % SECOND_NS);
	/* Pages are chosen some writes ahead, so that memory is there when it is written. */
	for (uint64_t i = 0; i < n + AHEAD; i++) {
		uint64_t page = d->ahead[i % AHEAD];

		if (i < n) {
			d->ahead[i % AHEAD] = d->config.first + pick(d);
			ram_prefetch(d->vm->ram, d->ahead[i % AHEAD]);
		}
		if (i >= AHEAD && d->vm->snapshot) /* it is write-protected: the thread first */
			bg_snapshot_write(d->vm->snapshot, page);
		if (i >= AHEAD)
			vm_write_now(d->writer, vm_layout_gfn(d->vm->layout, page));
	}
	d->writes += n;
}

/* dirtylimit_set_throttle(): @rate and @quota in whole MiB a second. */
static void
set_throttle(struct dirtier *d, int64_t rate, int64_t quota)
{
	struct migration_vm *vm = d->vm;
	int64_t high = rate > quota ? rate : quota, low = rate > quota ? quota : rate;
	int64_t full, step, percent = (high - low) * 100 / high;

	if (!rate) {
		d->throttle_ns = 0;
		return;
	}
	/* One figure for all vCPUs, whose ring it may not be. */
	vm->dirty_rate_max = rate > vm->dirty_rate_max ? rate : vm->dirty_rate_max;
	full = (int64_t)(vm->ring_pages * PAGE_BYTES >> 20) * 1000000 / vm->dirty_rate_max * 1000;
	step = percent > LINEAR_PERCENT ? full * percent / (100 - percent) : full / 10;
	d->throttle_ns += quota < rate ? step : -step;
	if (d->throttle_ns > 99 * full)
		d->throttle_ns = 99 * full;
	if (d->throttle_ns < 0)
		d->throttle_ns = 0;
}

/* Once a second: dirtylimit_adjust_throttle().  A page counts once a ring entry, as in
 * vcpu_calculate_dirtyrate(). */
static void
adjust(struct dirtier *d, int64_t now)
{
	int64_t period = now - d->period_start_ns, rate, quota = d->vm->dirty_limit >> 20;
	uint32_t pushed = kvm_dirty_ring_pushed(d->writer->vcpu);

	if (period < SECOND_NS)
		return;
	rate = (int64_t)((uint64_t)(pushed - d->period_pushed) * PAGE_BYTES >> 20) * 1000 /
	       (period / 1000000);
	d->period_start_ns = now;
	d->period_pushed = pushed;
	if (rate > quota + TOLERANCE || quota > rate + TOLERANCE)
		set_throttle(d, rate, quota);
}

/* dirtylimit_vcpu_execute(), at each exit because the ring was full. */
static void
limit_sleep(struct dirtier *d)
{
	uint64_t fulls = d->writer->ring_fulls - d->fulls;

	d->fulls = d->writer->ring_fulls;
	if (!d->vm->dirty_limit) {
		d->throttle_ns = 0;
		d->period_start_ns = world_now(d->vm->w);
		if (d->vm->ring_pages)
			d->period_pushed = kvm_dirty_ring_pushed(d->writer->vcpu);
		return;
	}
	adjust(d, world_now(d->vm->w));
	if (fulls && d->throttle_ns && !d->vm->stop_asked)
		waitq_wait_for(d->vm->w, &d->writer->halt_cond, d->throttle_ns * (int64_t)fulls,
			       false);
}

static void
run(struct actor *self, void *arg)
{
	struct dirtier *d = arg;

	while (!d->stop) {
		int64_t ran = vm_run(d->writer, DIRTIER_SLICE_NS);

		write_slice(d, ran);
		vm_leave(d->writer);
		vm_throttle_sleep(d->writer, ran);
		limit_sleep(d);
	}
}

struct dirtier *
dirtier_create(struct migration_vm *vm, const char *name, const struct dirtier_config *config)
{
	struct dirtier *d = world_alloc(vm->w, sizeof(*d));

	must(config->pages > 0 && config->first + config->pages <= ram_pages(vm->ram));
	must(!vm->steps);
	d->vm = vm;
	d->writer = vm_add_writer(vm, WRITER_VCPU, name);
	d->config = *config;
	prng_seed(&d->prng, config->seed);
	actor_set_daemon(actor_create(vm->w, name, run, d, 0), true);
	return d;
}

void
dirtier_stop(struct dirtier *d)
{
	d->stop = true;
}

uint64_t
dirtier_writes(const struct dirtier *d)
{
	return d->writes;
}
