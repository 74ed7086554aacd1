/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/balloon_driver.h"

#include <string.h>

#include "base/must.h"
#include "guest/balloon_hints.h"
#include "memory/access.h"
#include "memory/guest_memory.h"

#define FIELD(name) offsetof(struct virtio_balloon_config, name)
#define REPORT_MAX 16u /* pages of one report; Linux: PAGE_REPORTING_CAPACITY 32 */

/* --- work items ----------------------------------------------------------------------------- */

/* queue_work() */
static void
queue_work(struct guest_balloon_work *work)
{
	work->pending = true;
	waitq_wake_all(work->b->w, &work->queued);
}

static void
worker(struct actor *self, void *arg)
{
	struct guest_balloon_work *work = arg;
	struct guest_balloon *b = work->b;
	struct guest_cpu *cpu = b->config.cpu;

	guest_cpu_enter(cpu);
	for (;;) {
		if (!work->pending || b->frozen) {
			guest_wait(cpu, &work->queued);
			continue;
		}
		work->pending = false;
		work->running = true;
		work->fn(b, cpu);
		work->running = false;
		waitq_wake_all(b->w, &b->lock_wait);
	}
}

static void
init_work(struct guest_balloon *b, struct guest_balloon_work *work, const char *name,
	  void (*fn)(struct guest_balloon *b, struct guest_cpu *cpu))
{
	work->b = b;
	work->fn = fn;
	waitq_init(&work->queued, b->w, name);
	actor_set_daemon(actor_create(b->w, name, worker, work, 0), true);
}

/* cancel_work_sync() */
static void
cancel_work(struct guest_balloon_work *work, struct guest_cpu *cpu)
{
	work->pending = false;
	while (work->running)
		guest_wait(cpu, &work->b->lock_wait);
}

/* virtballoon_changed() */
static void
changed(struct guest_virtio *dev, void *arg)
{
	struct guest_balloon *b = arg;

	if (b->stop_update)
		return;
	queue_work(&b->size);
	if (!guest_virtio_has(dev, VIRTIO_BALLOON_F_FREE_PAGE_HINT) || b->read_id)
		return;
	b->read_id = true;
	queue_work(&b->hints_work);
}

bool
guest_balloon_idle(const struct guest_balloon *b)
{
	const struct guest_balloon_work *const work[] = { &b->size, &b->hints_work, &b->stats };

	for (unsigned i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		if (work[i]->pending || work[i]->running)
			return false;
	return !b->busy && !b->reporting;
}

static void
balloon_ack(struct guest_cpu *cpu, struct guest_vq *vq)
{
	struct guest_balloon *b = vq->info.priv;

	waitq_wake_all(b->w, &b->acked);
}

static void
stats_request(struct guest_cpu *cpu, struct guest_vq *vq)
{
	struct guest_balloon *b = vq->info.priv;

	if (!b->stop_update)
		queue_work(&b->stats);
}

/* --- inflate and deflate -------------------------------------------------------------------- */

/* One request and its answer; the queue's only user, as holder of balloon_lock. */
static void
send_and_wait(struct guest_balloon *b, struct guest_vq *vq, struct guest_cpu *cpu,
	      const struct dp_buf *sg, unsigned out, unsigned in)
{
	uint64_t token;
	uint32_t len;

	if (guest_vq_add(vq, sg, out, in, 0))
		return;
	guest_vq_kick(vq, cpu);
	/* wait_event(): set_current_state() orders joining the queue before looking again, so the
	 * one who wakes is met, or what was written before is seen. */
	for (;;) {
		access_full_barrier(b->w, NULL);
		if (guest_vq_get(vq, &token, &len) || vq->broken)
			break;
		guest_wait(cpu, &b->acked);
	}
}

/* tell_host() */
static void
tell_host(struct guest_balloon *b, enum balloon_vq which, struct guest_cpu *cpu,
	  const uint64_t *gfn, uint32_t count)
{
	struct dp_buf sg = { b->pfns_gpa, count * (uint32_t)sizeof(uint32_t) };

	for (uint32_t i = 0; i < count; i++) {
		uint32_t pfn = (uint32_t)gfn[i];

		gm_write(b->w, b->pfns_gpa + i * sizeof(pfn), &pfn, sizeof(pfn));
	}
	send_and_wait(b, b->vq[which], cpu, &sg, 1, 0);
}

/* Nobody else is at @what, and the device is there: false if it went away. */
static bool
enter(struct guest_balloon *b, struct guest_cpu *cpu, bool *what)
{
	while (b->ready && *what)
		guest_wait(cpu, &b->lock_wait);
	if (b->ready)
		*what = true;
	return b->ready;
}

static void
leave(struct guest_balloon *b, bool *what)
{
	*what = false;
	waitq_wake_all(b->w, &b->lock_wait);
}

/* update_balloon_size() */
static void
update_size(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_virtio_config_write(&b->dev, cpu, FIELD(actual), &b->pages, sizeof(b->pages));
}

static uint32_t
request_max(const struct guest_balloon *b)
{
	return b->config.request_pages ? b->config.request_pages : GUEST_BALLOON_PFNS;
}

/* fill_balloon(): pages are allocated before the lock is taken. */
uint32_t
guest_balloon_inflate(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages)
{
	uint32_t n = 0, max = request_max(b);
	uint64_t gfn[GUEST_BALLOON_PFNS];
	bool there;

	while (n < pages && n < max) {
		gfn[n] = guest_page_take(b->config.pages, GUEST_PAGE_BALLOON);
		if (gfn[n] == GUEST_NO_PAGE)
			break;
		n++;
	}
	if (!n)
		return 0;
	there = enter(b, cpu, &b->busy);
	for (uint32_t i = 0; i < n && there; i++)
		b->page[b->pages++] = gfn[i];
	for (uint32_t i = n; i-- && !there;)
		guest_page_free(b->config.pages, gfn[i]);
	if (!there)
		return 0;
	tell_host(b, BALLOON_VQ_INFLATE, cpu, gfn, n);
	leave(b, &b->busy);
	update_size(b, cpu);
	return n;
}

uint32_t
guest_balloon_deflate(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages)
{
	bool early = fault_on(b->w, FAULT_BALLOON_NOT_TOLD);
	uint64_t gfn[GUEST_BALLOON_PFNS];
	uint32_t n = 0, max = request_max(b);

	if (!enter(b, cpu, &b->busy))
		return 0;
	while (n < pages && n < max && b->pages)
		gfn[n++] = b->page[--b->pages];
	for (uint32_t i = 0; early && i < n; i++)
		guest_page_free(b->config.pages, gfn[i]);
	/* Told even without MUST_TELL_HOST, before anybody may use them. */
	if (n)
		tell_host(b, BALLOON_VQ_DEFLATE, cpu, gfn, n);
	for (uint32_t i = 0; !early && i < n; i++)
		guest_page_free(b->config.pages, gfn[i]);
	leave(b, &b->busy);
	if (n)
		update_size(b, cpu);
	return n;
}

/* virtio_balloon_oom_notify() */
static bool
deflate_on_oom(struct guest_shrinker *s, struct guest_cpu *cpu)
{
	struct guest_balloon *b = s->arg;

	return b->ready && guest_virtio_has(&b->dev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM) &&
	       guest_balloon_deflate(b, cpu, GUEST_BALLOON_OOM_PAGES);
}

/* towards_target() */
static int64_t
towards_target(struct guest_balloon *b, struct guest_cpu *cpu)
{
	return (int64_t)guest_virtio_config_get32(&b->dev, cpu, FIELD(num_pages)) - b->pages;
}

/* update_balloon_size_func(): one request, and again if there is more to do. */
static void
size_work(struct guest_balloon *b, struct guest_cpu *cpu)
{
	int64_t left = towards_target(b, cpu);
	uint32_t moved = 0;

	if (left > 0)
		moved = guest_balloon_inflate(b, cpu, (uint32_t)left);
	else if (left < 0)
		moved = guest_balloon_deflate(b, cpu, (uint32_t)-left);
	if (moved && moved != (left < 0 ? -left : left) && !b->stop_update)
		queue_work(&b->size);
}

/* --- statistics and reporting --------------------------------------------------------------- */

static void
update_stats(struct guest_balloon *b, struct guest_cpu *cpu, bool take)
{
	const struct guest_pages *p = b->config.pages;
	struct virtio_balloon_stat stat[] = {
		{ VIRTIO_BALLOON_S_MEMFREE, (uint64_t)p->free * GUEST_PAGE_BYTES },
		{ VIRTIO_BALLOON_S_MEMTOT, (uint64_t)p->count * GUEST_PAGE_BYTES },
	};
	struct dp_buf sg = { b->stats_gpa, sizeof(stat) };
	struct guest_vq *vq = b->vq[BALLOON_VQ_STATS];
	uint64_t token;
	uint32_t len;

	if (take && !guest_vq_get(vq, &token, &len))
		return;
	gm_write(b->w, b->stats_gpa, stat, sizeof(stat));
	if (!guest_vq_add(vq, &sg, 1, 0, 0))
		guest_vq_kick(vq, cpu);
}

static void
stats_work(struct guest_balloon *b, struct guest_cpu *cpu)
{
	update_stats(b, cpu, true);
}

uint32_t
guest_balloon_report(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages)
{
	struct dp_buf sg[REPORT_MAX];
	uint32_t n = 0;

	if (!b->vq[BALLOON_VQ_REPORTING] || !enter(b, cpu, &b->reporting))
		return 0;
	while (n < pages && n < REPORT_MAX) {
		uint64_t gfn = guest_page_take(b->config.pages, GUEST_PAGE_REPORTED);

		if (gfn == GUEST_NO_PAGE)
			break;
		sg[n++] = (struct dp_buf){ gfn * GUEST_PAGE_BYTES, GUEST_PAGE_BYTES };
	}
	if (n)
		send_and_wait(b, b->vq[BALLOON_VQ_REPORTING], cpu, sg, 0, n);
	for (uint32_t i = n; i--;)
		guest_page_free(b->config.pages, sg[i].addr / GUEST_PAGE_BYTES);
	leave(b, &b->reporting);
	return n;
}

/* --- set-up --------------------------------------------------------------------------------- */

/* virtballoon_validate(): features that the driver itself asks for. */
static uint64_t
driver_features(const struct guest_balloon_config *c)
{
	uint64_t features = VIRTIO_BIT(VIRTIO_BALLOON_F_PAGE_REPORTING + 1) - 1;

	if (!c->pages->poisoning)
		features &= ~VIRTIO_BIT(VIRTIO_BALLOON_F_PAGE_POISON);
	return features;
}

struct guest_balloon *
guest_balloon_create(struct world *w, const struct guest_balloon_config *config)
{
	struct guest_balloon *b = world_alloc(w, sizeof(*b));
	struct guest_shrinker *oom = world_alloc(w, sizeof(*oom));

	b->w = w;
	b->config = *config;
	must(config->request_pages <= GUEST_BALLOON_PFNS);
	must(config->hint_chain <= GUEST_HINT_CHAIN_MAX);
	must(config->hint_order <= GUEST_HINT_ORDER_MAX);
	waitq_init(&b->acked, w, "balloon request");
	waitq_init(&b->lock_wait, w, "balloon_lock");
	b->page = world_alloc(w, config->pages->count * sizeof(*b->page));
	b->pfns_gpa = gm_alloc(w, GUEST_BALLOON_PFNS * sizeof(uint32_t), 64);
	b->stats_gpa = gm_alloc(w, 64, 64);
	guest_virtio_init(&b->dev, w, &config->virtio, driver_features(config));
	b->dev.changed = changed;
	b->dev.changed_arg = b;
	balloon_hints_init(b);
	*oom = (struct guest_shrinker){ .shrink = deflate_on_oom, .arg = b };
	guest_pages_add_shrinker(config->pages, oom);
	init_work(b, &b->size, "balloon-size", size_work);
	init_work(b, &b->hints_work, "balloon-wq", balloon_hints_work);
	init_work(b, &b->stats, "balloon-stats", stats_work);
	return b;
}

static int
find_vqs(struct guest_balloon *b, struct guest_cpu *cpu)
{
	struct guest_vq_info info[BALLOON_VQS] = {
		/* ORDER BALLOON_VQ */
		{ .name = "inflate", .callback = balloon_ack },
		{ .name = "deflate", .callback = balloon_ack },
		{ .name = "stats", .callback = stats_request },
		{ .name = "free_page", .callback = NULL },
		{ .name = "reporting", .callback = balloon_ack },
	};
	static const unsigned feature[BALLOON_VQS] = { 0, 0, VIRTIO_BALLOON_F_STATS_VQ,
						       VIRTIO_BALLOON_F_FREE_PAGE_HINT,
						       VIRTIO_BALLOON_F_PAGE_REPORTING };
	unsigned count = 0;
	int ret;

	for (unsigned i = 0; i < BALLOON_VQS; i++) {
		info[i].priv = b;
		if (feature[i] && !guest_virtio_has(&b->dev, feature[i]))
			info[i].name = NULL;
		else
			count = i + 1;
	}
	ret = guest_virtio_find_vqs(&b->dev, cpu, info, count);
	for (unsigned i = 0; !ret && i < count; i++)
		b->vq[i] = info[i].name ? &b->dev.vqs[i] : NULL;
	return ret;
}

/* init_vqs() and what comes before and after it; work items may run from here on. */
static int
balloon_start(struct guest_balloon *b, struct guest_cpu *cpu)
{
	int ret;

	b->stop_update = false;
	ret = guest_virtio_start(&b->dev, cpu);
	if (ret)
		return ret;
	ret = find_vqs(b, cpu);
	if (ret) {
		guest_virtio_fail(&b->dev, cpu);
		return ret;
	}
	if (guest_virtio_has(&b->dev, VIRTIO_BALLOON_F_PAGE_POISON))
		guest_virtio_config_write(&b->dev, cpu, FIELD(poison_val), &b->config.poison_val,
					  sizeof(b->config.poison_val));
	guest_virtio_ready(&b->dev, cpu);
	b->ready = true; /* before a work item that the change of before queued looks at it */
	guest_virtio_late_irqs(&b->dev, cpu);
	/* Linux does this, kick included, before DRIVER_OK (against 3.1.1). */
	if (b->vq[BALLOON_VQ_STATS])
		update_stats(b, cpu, false);
	if (towards_target(b, cpu))
		changed(&b->dev, b);
	return 0;
}

int
guest_balloon_probe(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	balloon_hints_reset(b);
	return balloon_start(b, cpu);
}

/* --- the end and the pause ------------------------------------------------------------------ */

/* remove_common() */
static void
remove_common(struct guest_balloon *b, struct guest_cpu *cpu)
{
	while (b->pages && guest_balloon_deflate(b, cpu, b->pages))
		;
	/* A task that is at a request of its own has to come to its end. */
	b->ready = false;
	waitq_wake_all(b->w, &b->lock_wait);
	while (b->busy || b->reporting)
		guest_wait(cpu, &b->lock_wait);
	balloon_hints_return(b);
	guest_virtio_reset(&b->dev, cpu);
	balloon_hints_forget(b);
}

void
guest_balloon_remove(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	b->stop_update = true;
	cancel_work(&b->size, cpu);
	cancel_work(&b->stats, cpu);
	cancel_work(&b->hints_work, cpu);
	remove_common(b, cpu);
	guest_virtio_remove(&b->dev, cpu);
	memset(b->vq, 0, sizeof(b->vq));
}

/* The workqueues were frozen before: what runs has ended, what is queued waits. */
void
guest_balloon_freeze(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	b->frozen = true;
	while (b->size.running || b->stats.running || b->hints_work.running)
		guest_wait(cpu, &b->lock_wait);
	remove_common(b, cpu);
	guest_virtio_del_vqs(&b->dev, cpu);
	memset(b->vq, 0, sizeof(b->vq));
}

int
guest_balloon_restore(struct guest_balloon *b, struct guest_cpu *cpu)
{
	struct guest_balloon_work *const work[] = { &b->size, &b->hints_work, &b->stats };
	int ret;

	guest_cpu_enter(cpu);
	ret = balloon_start(b, cpu);
	if (!ret)
		update_size(b, cpu);
	b->frozen = false;
	for (unsigned i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		waitq_wake_all(b->w, &work[i]->queued);
	return ret;
}
