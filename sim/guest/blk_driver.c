/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/blk_driver.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "memory/guest_memory.h"
#include "memory/race.h"

#define SLOT_BYTES 32u
#define SLOT_STATUS 16u /* offset of the status byte; the header is before it */
#define STATUS_UNWRITTEN 0xffu /* what the status byte holds until the device writes it */

static void
blk_vq_done(struct guest_cpu *cpu, struct guest_vq *vq)
{
	struct guest_blk_queue *q = vq->info.priv;

	guest_blk_done(q->blk, cpu, (unsigned)(q - q->blk->queues));
}

/* --- set-up --------------------------------------------------------------------------------- */

static void
make_slots(struct guest_blk_queue *q)
{
	struct world *w = q->blk->w;
	uint64_t gpa;

	if (q->slot_count >= q->vq->vring.size)
		return;
	world_free(w, q->slots, q->slot_count * sizeof(*q->slots));
	q->slot_count = q->vq->vring.size;
	q->slots = world_alloc(w, q->slot_count * sizeof(*q->slots));
	gpa = gm_alloc(w, (uint64_t)q->slot_count * SLOT_BYTES, SLOT_BYTES);
	for (unsigned i = 0; i < q->slot_count; i++)
		q->slots[i].gpa = gpa + (uint64_t)i * SLOT_BYTES;
}

static unsigned
queues_wanted(struct guest_blk *blk, struct guest_cpu *cpu)
{
	unsigned wanted = blk->config.queues ? blk->config.queues : blk->config.cpu_count;
	uint16_t offered = 1;

	if (guest_virtio_has(&blk->dev, VIRTIO_BLK_F_MQ))
		guest_virtio_config_read(&blk->dev, cpu,
					 offsetof(struct virtio_blk_config, num_queues), &offered,
					 sizeof(offered));
	if (wanted > offered)
		wanted = offered;
	return wanted ? wanted : 1;
}

/* init_vq() */
static int
blk_init_vqs(struct guest_blk *blk, struct guest_cpu *cpu)
{
	unsigned n = queues_wanted(blk, cpu);
	struct guest_vq_info *info = world_alloc(blk->w, n * sizeof(*info));
	int ret;

	if (!blk->queues) {
		blk->queues = world_alloc(blk->w, n * sizeof(*blk->queues));
		blk->queue_count = n;
		for (unsigned i = 0; i < n; i++) {
			blk->queues[i].blk = blk;
			waitq_init(&blk->queues[i].room, blk->w, "room in the request queue");
		}
	}
	for (unsigned i = 0; i < n; i++)
		info[i] = (struct guest_vq_info){
			.name = "requests",
			.callback = blk_vq_done,
			.priv = &blk->queues[i],
			.affinity = i < blk->config.cpu_count ? blk->config.cpus[i] : cpu,
			.size = blk->config.queue_size,
		};
	ret = n == blk->queue_count ? guest_virtio_find_vqs(&blk->dev, cpu, info, n) : -ENODEV;
	world_free(blk->w, info, n * sizeof(*info));
	if (ret)
		return ret;
	for (unsigned i = 0; i < n; i++) {
		blk->queues[i].vq = &blk->dev.vqs[i];
		make_slots(&blk->queues[i]);
	}
	return 0;
}

static int
blk_start(struct guest_blk *blk, struct guest_cpu *cpu)
{
	int ret = guest_virtio_start(&blk->dev, cpu);

	if (ret)
		return ret;
	ret = blk_init_vqs(blk, cpu);
	if (ret) {
		guest_virtio_fail(&blk->dev, cpu);
		return ret;
	}
	guest_virtio_config_read(&blk->dev, cpu, offsetof(struct virtio_blk_config, capacity),
				 &blk->capacity_sectors, sizeof(blk->capacity_sectors));
	guest_virtio_ready(&blk->dev, cpu);
	return 0;
}

struct guest_blk *
guest_blk_create(struct world *w, const struct guest_blk_config *config)
{
	struct guest_blk *blk = world_alloc(w, sizeof(*blk));

	blk->w = w;
	blk->config = *config;
	waitq_init(&blk->thaw, w, "block device to thaw");
	waitq_init(&blk->drained, w, "requests in flight");
	guest_virtio_init(&blk->dev, w, &config->virtio,
			  VIRTIO_BIT(VIRTIO_BLK_F_MQ) | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH));
	return blk;
}

int
guest_blk_probe(struct guest_blk *blk, struct guest_cpu *cpu)
{
	struct guest_blk_req scan = { .type = VIRTIO_BLK_T_IN };
	int ret;

	guest_cpu_enter(cpu);
	ret = blk_start(blk, cpu);
	if (ret)
		return ret;
	if (blk->config.scan) {
		scan.data_bytes = BLK_SECTOR_BYTES;
		scan.data_gpa = gm_alloc(blk->w, BLK_SECTOR_BYTES, BLK_SECTOR_BYTES);
		guest_blk_submit(blk, cpu, &scan);
	}
	guest_virtio_late_irqs(&blk->dev, cpu);
	if (blk->config.scan)
		guest_blk_wait(blk, cpu, &scan);
	return 0;
}

/* --- requests ------------------------------------------------------------------------------- */

static struct guest_blk_slot *
slot_get(struct guest_blk_queue *q)
{
	for (unsigned i = 0; i < q->slot_count; i++)
		if (!q->slots[i].req)
			return &q->slots[i];
	return NULL;
}

/* virtblk_add_req(): under the queue's lock. */
static int
blk_add(struct guest_blk_queue *q, struct guest_vq *vq, struct guest_blk_req *r)
{
	struct guest_blk_slot *s = slot_get(q);
	struct virtio_blk_outhdr header = { .type = r->type, .sector = r->sector };
	uint8_t status = STATUS_UNWRITTEN;
	struct dp_buf sg[3];
	unsigned out = 0, in = 0;
	int ret;

	if (!s)
		return -ENOSPC;
	if (r->type == VIRTIO_BLK_T_FLUSH)
		header.sector = 0;
	gm_write(q->blk->w, s->gpa, &header, sizeof(header));
	gm_write(q->blk->w, s->gpa + SLOT_STATUS, &status, 1);
	sg[out++] = (struct dp_buf){ s->gpa, sizeof(header) };
	if (r->data_bytes && r->type == VIRTIO_BLK_T_OUT)
		sg[out++] = (struct dp_buf){ r->data_gpa, r->data_bytes };
	else if (r->data_bytes)
		sg[out + in++] = (struct dp_buf){ r->data_gpa, r->data_bytes };
	sg[out + in++] = (struct dp_buf){ s->gpa + SLOT_STATUS, 1 };
	ret = guest_vq_add(vq, sg, out, in, (uint64_t)(s - q->slots));
	if (!ret)
		s->req = r;
	return ret;
}

static void
blk_complete(struct guest_blk *blk, struct guest_blk_req *r, int status)
{
	struct world *w = blk->w;

	r->status = status;
	blk->completed++;
	if (status != VIRTIO_BLK_S_OK)
		blk->errors++;
	emit(w, EV_BLK_DONE, blk->dev.name, r->queue, (int64_t)r->id, status, r->used_bytes);
	waitq_wake_all(w, &r->done);
	must(blk->users);
	if (!--blk->users)
		waitq_wake_all(w, &blk->drained);
}

/* blk_queue_enter(): not while frozen. False when the device is gone. */
static bool
blk_enter(struct guest_blk *blk, struct guest_cpu *cpu, struct guest_blk_req *r)
{
	waitq_init(&r->done, blk->w, "block request");
	r->used_bytes = 0;
	while (blk->frozen && !blk->removed)
		guest_wait(cpu, &blk->thaw);
	race_acquire(blk->w, &blk->thaw);
	if (blk->removed || !blk->queue_count) { /* gone, or not probed yet */
		r->status = GUEST_BLK_LOST;
		return false;
	}
	r->status = GUEST_BLK_PENDING;
	r->id = ++blk->submitted;
	blk->users++;
	return true;
}

/*
 * The ring is full.  The device may sleep on what earlier requests left unkicked, so that is
 * posted; then wait until the handler made room.  Under the queue's lock, which it lets go.  False:
 * the device went away.
 */
static bool
blk_wait_room(struct guest_blk_queue *q, struct guest_vq *vq, struct guest_cpu *cpu)
{
	uint32_t data;
	bool notify = guest_vq_kick_prepare(vq, &data);

	q->stopped = true;
	guest_spin_unlock_irq(cpu, &vq->lock);
	if (notify)
		guest_vq_notify(vq, cpu, data);
	while (q->stopped && !q->blk->removed)
		guest_wait(cpu, &q->room);
	race_acquire(q->blk->w, &q->room);
	return q->vq != NULL && !q->blk->removed;
}

/* Ask whether to kick, let the queue's lock go, kick: or in the other order, if so configured. */
static void
blk_unlock_and_kick(struct guest_blk *blk, struct guest_vq *vq, struct guest_cpu *cpu, bool ask)
{
	uint32_t data;
	bool notify = ask && guest_vq_kick_prepare(vq, &data);

	if (notify && blk->dev.config.notify_locked) {
		guest_vq_notify(vq, cpu, data);
		notify = false;
	}
	guest_spin_unlock_irq(cpu, &vq->lock);
	if (notify)
		guest_vq_notify(vq, cpu, data);
}

static int
blk_submit(struct guest_blk *blk, struct guest_cpu *cpu, struct guest_blk_req *r)
{
	struct guest_blk_queue *q;
	struct guest_vq *vq; /* a device that goes away takes q->vq with it */
	int ret;

	q = &blk->queues[cpu->index % blk->queue_count];
	r->queue = (uint16_t)(q - blk->queues);
	for (;;) {
		vq = q->vq;
		guest_spin_lock_irq(cpu, &vq->lock);
		ret = blk_add(q, vq, r);
		if (ret != -ENOSPC)
			break;
		if (!blk_wait_room(q, vq, cpu)) {
			blk_complete(blk, r, GUEST_BLK_LOST);
			return -EIO;
		}
	}
	emit(blk->w, EV_BLK_SUBMIT, blk->dev.name, r->queue, (int64_t)r->id, r->type,
	     (int64_t)r->sector);
	blk_unlock_and_kick(blk, vq, cpu, !ret && !r->more);
	if (ret)
		blk_complete(blk, r, VIRTIO_BLK_S_IOERR);
	return ret;
}

int
guest_blk_submit(struct guest_blk *blk, struct guest_cpu *cpu, struct guest_blk_req *r)
{
	int ret;

	guest_cpu_enter(cpu);
	if (!blk_enter(blk, cpu, r))
		return -EIO;
	blk->submitting++;
	ret = blk_submit(blk, cpu, r);
	blk->submitting--;
	if (blk->frozen && !blk->submitting)
		waitq_wake_all(blk->w, &blk->drained);
	return ret;
}

void
guest_blk_commit(struct guest_blk *blk, struct guest_cpu *cpu)
{
	struct guest_vq *vq =
		blk->queue_count ? blk->queues[cpu->index % blk->queue_count].vq : NULL;

	if (!vq)
		return;
	guest_spin_lock_irq(cpu, &vq->lock);
	blk_unlock_and_kick(blk, vq, cpu, true);
}

static void
blk_reap_one(struct guest_blk_queue *q, uint64_t token, uint32_t len)
{
	struct guest_blk *blk = q->blk;
	struct guest_blk_slot *s = &q->slots[token];
	struct guest_blk_req *r = s->req;
	uint8_t status = VIRTIO_BLK_S_IOERR;

	must(token < q->slot_count);
	if (!r)
		return; /* given up meanwhile */
	gm_read(blk->w, s->gpa + SLOT_STATUS, &status, 1);
	s->req = NULL;
	r->used_bytes = len;
	/* Only three values are defined (5.2.6); anything else is an error too. */
	blk_complete(blk, r, status <= VIRTIO_BLK_S_UNSUPP ? status : VIRTIO_BLK_S_IOERR);
}

unsigned
guest_blk_done(struct guest_blk *blk, struct guest_cpu *cpu, unsigned queue)
{
	struct guest_blk_queue *q = &blk->queues[queue];
	struct guest_vq *vq = q->vq;
	unsigned done = 0;
	uint64_t token;
	uint32_t len;
	bool settled;

	if (!vq)
		return 0;
	guest_spin_lock_irq(cpu, &vq->lock);
	do {
		guest_vq_disable_cb(vq);
		while (guest_vq_get(vq, &token, &len)) {
			blk_reap_one(q, token, len);
			done++;
		}
		settled = guest_vq_enable_cb(vq);
	} while (!settled && !fault_on(blk->w, FAULT_GUEST_BLK_DONE_NO_RECHECK));
	if (done && q->stopped) {
		q->stopped = false;
		waitq_wake_all(blk->w, &q->room);
	}
	guest_spin_unlock_irq(cpu, &vq->lock);
	return done;
}

/* --- waiting -------------------------------------------------------------------------------- */

int
guest_blk_wait(struct guest_blk *blk, struct guest_cpu *cpu, struct guest_blk_req *r)
{
	while (r->status == GUEST_BLK_PENDING)
		guest_wait(cpu, &r->done);
	race_acquire(blk->w, &r->done);
	return r->status;
}

int
guest_blk_wait_for(struct guest_blk *blk, struct guest_blk_req *r, int64_t ns)
{
	int64_t until = world_now(blk->w) + ns;

	while (r->status == GUEST_BLK_PENDING) {
		int64_t left = until - world_now(blk->w);

		if (left <= 0 || !waitq_wait_for(blk->w, &r->done, left, true))
			break;
	}
	return r->status;
}

int
guest_blk_rw(struct guest_blk *blk, struct guest_cpu *cpu, uint32_t type, uint64_t sector,
	     uint64_t gpa, uint32_t bytes)
{
	struct guest_blk_req r = {
		.type = type, .sector = sector, .data_gpa = gpa, .data_bytes = bytes
	};

	guest_blk_submit(blk, cpu, &r);
	return guest_blk_wait(blk, cpu, &r);
}

int
guest_blk_flush(struct guest_blk *blk, struct guest_cpu *cpu)
{
	if (!guest_virtio_has(&blk->dev, VIRTIO_BLK_F_FLUSH))
		return VIRTIO_BLK_S_OK;
	return guest_blk_rw(blk, cpu, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
}

/* --- the end and the pause ------------------------------------------------------------------ */

static bool
blk_broken(const struct guest_blk *blk)
{
	for (unsigned i = 0; i < blk->queue_count; i++)
		if (blk->queues[i].vq && blk->queues[i].vq->broken)
			return true;
	return false;
}

/* Requests that no device will complete any more. */
static void
blk_lose_all(struct guest_blk *blk)
{
	for (unsigned i = 0; i < blk->queue_count; i++) {
		struct guest_blk_queue *q = &blk->queues[i];

		for (unsigned s = 0; s < q->slot_count; s++) {
			struct guest_blk_req *r = q->slots[s].req;

			q->slots[s].req = NULL;
			if (r)
				blk_complete(blk, r, GUEST_BLK_LOST);
		}
		q->stopped = false;
		waitq_wake_all(blk->w, &q->room);
	}
}

/* Wait until nothing is out; a broken device completes nothing. */
static void
blk_drain(struct guest_blk *blk, struct guest_cpu *cpu)
{
	while (blk->users && !blk_broken(blk))
		guest_wait(cpu, &blk->drained);
	race_acquire(blk->w, &blk->drained);
}

void
guest_blk_remove(struct guest_blk *blk, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	blk->frozen = true;
	blk_drain(blk, cpu);
	blk->removed = true;
	waitq_wake_all(blk->w, &blk->thaw);
	guest_virtio_remove(&blk->dev, cpu);
	blk_lose_all(blk);
	for (unsigned i = 0; i < blk->queue_count; i++)
		blk->queues[i].vq = NULL;
}

void
guest_blk_freeze(struct guest_blk *blk, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	blk->frozen = true;
	if (!fault_on(blk->w, FAULT_GUEST_BLK_FREEZE_NO_DRAIN))
		blk_drain(blk, cpu);
	guest_virtio_reset(&blk->dev, cpu);
	guest_virtio_del_vqs(&blk->dev, cpu);
	for (unsigned i = 0; i < blk->queue_count; i++)
		blk->queues[i].vq = NULL;
}

int
guest_blk_restore(struct guest_blk *blk, struct guest_cpu *cpu)
{
	int ret;

	guest_cpu_enter(cpu);
	ret = blk_start(blk, cpu);
	if (ret)
		return ret;
	guest_virtio_late_irqs(&blk->dev, cpu);
	blk->frozen = false;
	waitq_wake_all(blk->w, &blk->thaw);
	return 0;
}

static int
blk_thaw(struct guest_blk *blk, int ret)
{
	blk->frozen = false;
	waitq_wake_all(blk->w, &blk->thaw);
	return ret;
}

/* Who submits has his doorbell to write yet, with his request completed: blk_mq_quiesce_queue(). */
static void
blk_quiesce(struct guest_blk *blk, struct guest_cpu *cpu)
{
	if (fault_on(blk->w, FAULT_GUEST_BLK_SUSPEND_NO_QUIESCE) ||
	    fault_on(blk->w, FAULT_GUEST_BLK_FREEZE_NO_DRAIN))
		return;
	while (blk->submitting)
		guest_wait(cpu, &blk->drained);
	race_acquire(blk->w, &blk->drained);
}

int
guest_blk_suspend(struct guest_blk *blk, struct guest_cpu *cpu, const struct guest_suspend *how)
{
	int ret;

	guest_cpu_enter(cpu);
	if (blk->frozen)
		return -EALREADY;
	blk->frozen = true;
	if (!fault_on(blk->w, FAULT_GUEST_BLK_FREEZE_NO_DRAIN))
		blk_drain(blk, cpu);
	blk_quiesce(blk, cpu);
	ret = guest_virtio_suspend(&blk->dev, cpu, how);
	return ret ? blk_thaw(blk, ret) : 0;
}

int
guest_blk_resume(struct guest_blk *blk, struct guest_cpu *cpu, const struct guest_suspend *how)
{
	guest_cpu_enter(cpu);
	return blk_thaw(blk, guest_virtio_resume(&blk->dev, cpu, how));
}
