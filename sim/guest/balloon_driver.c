/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/balloon_driver.h"

#include <string.h>

#include "base/must.h"
#include "guest/balloon_hints.h"
#include "memory/guest_memory.h"

#define FIELD(name) offsetof(struct virtio_balloon_config, name)
#define REPORT_MAX 16u /* pages of one report; Linux: PAGE_REPORTING_CAPACITY 32 */

static void
wake_worker(struct guest_balloon *b)
{
	waitq_wake_all(b->w, &b->dev.config_wait);
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

	b->stats_wanted = true;
	wake_worker(b);
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
	while (!guest_vq_get(vq, &token, &len) && !vq->broken)
		guest_wait(cpu, &b->acked);
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

static void
balloon_lock(struct guest_balloon *b, struct guest_cpu *cpu)
{
	while (b->busy)
		guest_wait(cpu, &b->lock_wait);
	b->busy = true;
}

static void
balloon_unlock(struct guest_balloon *b)
{
	b->busy = false;
	waitq_wake_one(b->w, &b->lock_wait);
}

/* balloon_lock, unless the device goes away: false. */
static bool
balloon_enter(struct guest_balloon *b, struct guest_cpu *cpu)
{
	if (!b->ready)
		return false;
	balloon_lock(b, cpu);
	if (!b->ready)
		balloon_unlock(b);
	return b->ready;
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

uint32_t
guest_balloon_inflate(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages)
{
	uint32_t n = 0, max = request_max(b);

	if (!balloon_enter(b, cpu))
		return 0;
	while (n < pages && n < max) {
		uint64_t gfn = guest_page_take(b->config.pages, GUEST_PAGE_BALLOON);

		if (gfn == GUEST_NO_PAGE)
			break;
		b->page[b->pages + n++] = gfn;
	}
	if (n)
		tell_host(b, BALLOON_VQ_INFLATE, cpu, b->page + b->pages, n);
	b->pages += n;
	balloon_unlock(b);
	if (n)
		update_size(b, cpu);
	return n;
}

uint32_t
guest_balloon_deflate(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages)
{
	bool early = fault_on(b->w, FAULT_BALLOON_NOT_TOLD);
	uint64_t gfn[GUEST_BALLOON_PFNS];
	uint32_t n = 0, max = request_max(b);

	if (!balloon_enter(b, cpu))
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
	balloon_unlock(b);
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

/* update_balloon_size_func(): one request; true if there is more to do. */
static bool
resize(struct guest_balloon *b, struct guest_cpu *cpu)
{
	uint32_t target;

	guest_virtio_config_read(&b->dev, cpu, FIELD(num_pages), &target, sizeof(target));
	if (target > b->pages)
		return guest_balloon_inflate(b, cpu, target - b->pages) && target > b->pages;
	if (target < b->pages)
		guest_balloon_deflate(b, cpu, b->pages - target);
	return target < b->pages;
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

	b->stats_wanted = false;
	if (take && !guest_vq_get(vq, &token, &len))
		return;
	gm_write(b->w, b->stats_gpa, stat, sizeof(stat));
	if (!guest_vq_add(vq, &sg, 1, 0, 0))
		guest_vq_kick(vq, cpu);
}

uint32_t
guest_balloon_report(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages)
{
	struct dp_buf sg[REPORT_MAX];
	uint32_t n = 0;

	if (!b->vq[BALLOON_VQ_REPORTING] || !balloon_enter(b, cpu))
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
	balloon_unlock(b);
	return n;
}

/* --- the worker, and set-up ----------------------------------------------------------------- */

static bool
work_to_do(const struct guest_balloon *b)
{
	return b->ready && !b->stop_update &&
	       (b->stats_wanted || b->changes_seen != b->dev.config_changes);
}

static void
worker(struct actor *self, void *arg)
{
	struct guest_balloon *b = arg;
	struct guest_cpu *cpu = b->config.cpu;

	guest_cpu_enter(cpu);
	for (;;) {
		if (!work_to_do(b)) {
			guest_wait(cpu, &b->dev.config_wait);
			continue;
		}
		b->working = true;
		if (b->stats_wanted) {
			update_stats(b, cpu, true);
		} else {
			b->changes_seen = b->dev.config_changes;
			while (!b->stop_update && resize(b, cpu))
				;
			if (b->vq[BALLOON_VQ_FREE_PAGE] && !b->stop_update)
				balloon_hints_work(b, cpu);
		}
		b->working = false;
		waitq_wake_all(b->w, &b->lock_wait);
	}
}

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
	struct actor *a;

	b->w = w;
	b->config = *config;
	must(config->request_pages <= GUEST_BALLOON_PFNS);
	must(config->hint_chain <= GUEST_HINT_CHAIN_MAX);
	waitq_init(&b->acked, w, "balloon request");
	waitq_init(&b->lock_wait, w, "balloon_lock");
	b->page = world_alloc(w, config->pages->count * sizeof(*b->page));
	b->pfns_gpa = gm_alloc(w, GUEST_BALLOON_PFNS * sizeof(uint32_t), 64);
	b->stats_gpa = gm_alloc(w, 64, 64);
	guest_virtio_init(&b->dev, w, &config->virtio, driver_features(config));
	balloon_hints_init(b);
	*oom = (struct guest_shrinker){ .shrink = deflate_on_oom, .arg = b };
	guest_pages_add_shrinker(config->pages, oom);
	a = actor_create(w, "balloon-worker", worker, b, 0);
	actor_set_daemon(a, true);
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

/* init_vqs() and what comes before and after it; the worker may run from here on. */
static int
balloon_start(struct guest_balloon *b, struct guest_cpu *cpu)
{
	int ret;

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
	guest_virtio_late_irqs(&b->dev, cpu);
	if (b->vq[BALLOON_VQ_STATS])
		update_stats(b, cpu, false);
	b->ready = true;
	b->changes_seen = b->dev.config_changes - 1; /* look at the configuration once */
	wake_worker(b);
	return 0;
}

int
guest_balloon_probe(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	return balloon_start(b, cpu);
}

/* --- the end and the pause ------------------------------------------------------------------ */

/* remove_common() */
static void
quiet(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	b->stop_update = true;
	while (b->working)
		guest_wait(cpu, &b->lock_wait);
	while (b->pages && guest_balloon_deflate(b, cpu, b->pages))
		;
	/* A task that is at a request of its own has to come to its end. */
	balloon_lock(b, cpu);
	b->ready = false;
	balloon_unlock(b);
	guest_virtio_reset(&b->dev, cpu);
	balloon_hints_forget(b);
}

void
guest_balloon_remove(struct guest_balloon *b, struct guest_cpu *cpu)
{
	quiet(b, cpu);
	guest_virtio_remove(&b->dev, cpu);
	memset(b->vq, 0, sizeof(b->vq));
}

void
guest_balloon_freeze(struct guest_balloon *b, struct guest_cpu *cpu)
{
	quiet(b, cpu);
	guest_virtio_del_vqs(&b->dev, cpu);
	memset(b->vq, 0, sizeof(b->vq));
}

int
guest_balloon_restore(struct guest_balloon *b, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	b->stop_update = false;
	b->stats_wanted = false;
	return balloon_start(b, cpu);
}
