/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block replication: replication_start(), _do_checkpoint(), _stop(), backup_do_cow(). */
#include "migration/colo_disk.h"

#include <string.h>

#include "base/must.h"
#include "engine/fault.h"
#include "migration/colo_impl.h"

#define REQUESTS 16u

/* ORDER COLO_DISK_STAGE */
const char *const colo_disk_stage_word[COLO_DISK_STAGES] = { "none", "running", "failover",
							     "failover-failed", "done" };

struct colo_disk {
	uint64_t sectors, version;
	uint64_t *image[COLO_IMAGES];
	bool *allocated[COLO_IMAGES]; /* of hidden and active disk */
	bool *copied; /* by the backup job, since the checkpoint */
	bool *dirty; /* still to be committed */
	uint64_t *snapshot, *expected; /* for the check alone */
	enum colo_disk_stage stage;
	bool started; /* the primary's filter */
	bool left; /* the quorum has the primary disk alone */
	bool link, server, serving, backup;
	bool error; /* s->error of the primary's filter */
	int64_t commit_fails_at; /* the how many-th sector, or -1 */
	unsigned in_flight[COLO_SIDES];
	/* NBD requests: @served of @sent are done. */
	uint64_t sent, served;
	struct {
		uint64_t sector, content;
	} request[REQUESTS];
	struct waitq nbd, done;
};

/* --- what a guest sees ---------------------------------------------------------------------- */

uint64_t
colo_disk_read(const struct colo *c, enum colo_side side, uint64_t sector)
{
	const struct colo_disk *d = c->disk;

	must(sector < d->sectors);
	if (side == COLO_PRIMARY)
		return d->image[COLO_IMAGE_PRIMARY][sector];
	if (d->stage != COLO_DISK_DONE)
		for (int i = COLO_IMAGE_ACTIVE; i >= COLO_IMAGE_HIDDEN; i--)
			if (d->allocated[i][sector])
				return d->image[i][sector];
	return d->image[COLO_IMAGE_SECONDARY][sector];
}

void
colo_disk_check(struct colo *c, bool of_snapshot)
{
	const struct colo_disk *d = c->disk;
	const uint64_t *expected;
	uint64_t first = 0, n = 0;

	if (!d)
		return;
	expected = of_snapshot ? d->snapshot : d->expected;
	for (uint64_t s = 0; s < d->sectors; s++) {
		if (colo_disk_read(c, COLO_SECONDARY, s) == expected[s])
			continue;
		first = n++ ? first : s;
	}
	if (n)
		emit(c->w, EV_COLO_DISK_DIFFERS, (int64_t)first, (int64_t)expected[first],
		     (int64_t)colo_disk_read(c, COLO_SECONDARY, first), (int64_t)n);
}

static void
store(struct colo *c, enum colo_image image, uint64_t sector, uint64_t content)
{
	struct colo_disk *d = c->disk;

	d->image[image][sector] = content;
	if (d->allocated[image])
		d->allocated[image][sector] = true;
	emit(c->w, EV_COLO_DISK_WRITE, image, (int64_t)sector, (int64_t)content);
}

/* --- writes --------------------------------------------------------------------------------- */

/* The old content first, into the hidden disk; the job copies each sector once. */
static void
serve(struct colo *c, uint64_t sector, uint64_t content)
{
	struct colo_disk *d = c->disk;

	if (d->backup && !d->copied[sector]) {
		d->copied[sector] = true;
		store(c, COLO_IMAGE_HIDDEN, sector, d->image[COLO_IMAGE_SECONDARY][sector]);
		colo_point(c);
	}
	store(c, COLO_IMAGE_SECONDARY, sector, content);
	if (c->failed_over && d->stage != COLO_DISK_DONE)
		colo_disk_check(c, false);
}

static void
nbd_server(struct actor *self, void *arg)
{
	struct colo *c = arg;
	struct colo_disk *d = c->disk;

	for (;;) {
		unsigned at = (unsigned)(d->served % REQUESTS);

		while (d->server && d->served == d->sent && !c->secondary_dead)
			waitq_wait(c->w, &d->nbd);
		if (!d->server || c->secondary_dead)
			break;
		d->serving = true;
		serve(c, d->request[at].sector, d->request[at].content);
		d->serving = false;
		if (c->secondary_dead) /* the answer is not sent */
			break;
		d->served++;
		waitq_wake_all(c->w, &d->done);
	}
	waitq_wake_all(c->w, &d->done);
}

/* The quorum's second child; waits until it is written, or never will be. */
static void
forward(struct colo *c, uint64_t sector, uint64_t content)
{
	struct colo_disk *d = c->disk;
	uint64_t ticket;

	colo_link(c, RAM_PAGE_BYTES, 1);
	while (d->link && d->sent - d->served == REQUESTS && !c->dead)
		waitq_wait(c->w, &d->done);
	if (c->dead || d->left)
		return;
	if (!d->link || !d->started) {
		d->error = true; /* replication_return_value(): the guest is told of success */
		return;
	}
	ticket = d->sent++;
	d->request[ticket % REQUESTS].sector = sector;
	d->request[ticket % REQUESTS].content = content;
	waitq_wake_all(c->w, &d->nbd);
	while (d->link && d->served <= ticket && !c->dead)
		waitq_wait(c->w, &d->done);
	d->error |= d->served <= ticket;
	colo_link(c, 0, 1);
}

/* replication_co_writev() of the secondary. */
static void
write_secondary(struct colo *c, uint64_t sector, uint64_t content)
{
	struct colo_disk *d = c->disk;
	bool above =
		d->allocated[COLO_IMAGE_ACTIVE][sector] || d->allocated[COLO_IMAGE_HIDDEN][sector];

	if (d->stage == COLO_DISK_DONE || (d->stage == COLO_DISK_FAILOVER_FAILED && !above))
		store(c, COLO_IMAGE_SECONDARY, sector, content);
	else
		store(c, COLO_IMAGE_ACTIVE, sector, content);
	d->dirty[sector] = d->stage == COLO_DISK_FAILOVER;
	d->expected[sector] = content;
}

bool
colo_disk_write(struct colo *c, enum colo_side side, uint64_t sector)
{
	struct colo_disk *d = c->disk;
	uint64_t content;

	must(sector < d->sectors);
	if (!colo_guest_runs(c, side))
		return false;
	d->in_flight[side]++;
	content = ++d->version;
	colo_point(c);
	if (side == COLO_SECONDARY) {
		write_secondary(c, sector, content);
	} else if (!c->dead) {
		store(c, COLO_IMAGE_PRIMARY, sector, content);
		colo_point(c);
		forward(c, sector, content);
	}
	d->in_flight[side]--;
	waitq_wake_all(c->w, &d->done);
	return side == COLO_SECONDARY || !c->dead;
}

void
colo_disk_wake(struct colo *c)
{
	if (c->disk)
		waitq_wake_all(c->w, &c->disk->done);
}

void
colo_disk_link_fails(struct colo *c)
{
	c->disk->link = false;
	c->disk->sent = c->disk->served + c->disk->serving;
	waitq_wake_all(c->w, &c->disk->done);
}

void
colo_disk_leave(struct colo *c)
{
	struct colo_disk *d = c->disk;

	if (!d)
		return;
	if (!fault_on(c->w, FAULT_COLO_NO_YANK))
		colo_disk_link_fails(c);
	while (d->link && d->served < d->sent) /* x-blockdev-change drains */
		waitq_wait(c->w, &d->done);
	d->left = true;
}

/* --- checkpoints ---------------------------------------------------------------------------- */

/* bdrv_drain_all() of vm_stop(). */
void
colo_disk_drain(struct colo *c, enum colo_side side)
{
	struct colo_disk *d = c->disk;

	if (!d || (side == COLO_PRIMARY && fault_on(c->w, FAULT_COLO_DISK_NO_DRAIN)))
		return;
	while (d->in_flight[side] && !(side == COLO_PRIMARY && c->dead))
		waitq_wait(c->w, &d->done);
}

void
colo_disk_snapshot(struct colo *c)
{
	struct colo_disk *d = c->disk;

	if (d)
		memcpy(d->snapshot, d->image[COLO_IMAGE_PRIMARY], d->sectors * sizeof(uint64_t));
}

bool
colo_disk_error(const struct colo *c)
{
	return c->disk && c->disk->error;
}

/* After a failover the overlays are the guest's disk: such requests are ignored. */
static bool
takes_checkpoints(const struct colo *c)
{
	return c->disk->stage == COLO_DISK_RUNNING ||
	       (c->disk->stage == COLO_DISK_FAILOVER &&
		fault_on(c->w, FAULT_COLO_CHECKPOINT_PROMOTED));
}

/* secondary_do_checkpoint() */
void
colo_disk_checkpoint(struct colo *c)
{
	struct colo_disk *d = c->disk;
	int64_t dropped[COLO_IMAGES] = { 0 };

	if (!d || !takes_checkpoints(c))
		return;
	if (!fault_on(c->w, FAULT_COLO_COW_BITMAP_KEPT))
		memset(d->copied, 0, d->sectors * sizeof(bool));
	for (int i = COLO_IMAGE_HIDDEN; i <= COLO_IMAGE_ACTIVE; i++)
		for (uint64_t s = 0; s < d->sectors; s++) {
			dropped[i] += d->allocated[i][s];
			d->allocated[i][s] = false;
		}
	emit(c->w, EV_COLO_DISK_CHECKPOINT, dropped[COLO_IMAGE_ACTIVE], dropped[COLO_IMAGE_HIDDEN]);
}

void
colo_disk_loaded(struct colo *c)
{
	struct colo_disk *d = c->disk;

	if (d)
		memcpy(d->expected, d->snapshot, d->sectors * sizeof(uint64_t));
}

void
colo_disk_checkpoint_promoted(struct colo *c)
{
	colo_point(c);
	colo_disk_checkpoint(c);
	colo_disk_check(c, false);
}

/* --- start and failover --------------------------------------------------------------------- */

static void
set_stage(struct colo *c, enum colo_disk_stage stage)
{
	c->disk->stage = stage;
	emit(c->w, EV_COLO_DISK_STAGE, world_name(c->w, colo_disk_stage_word[stage]));
	waitq_wake_all(c->w, &c->disk->done);
}

void
colo_disk_start(struct colo *c, enum colo_side side)
{
	struct colo_disk *d = c->disk;

	if (!d)
		return;
	if (side == COLO_PRIMARY) {
		d->started = true;
		return;
	}
	d->backup = true;
	set_stage(c, COLO_DISK_RUNNING);
	colo_disk_checkpoint(c);
}

/* One sector of the commit; false if that fails. */
static bool
commit_sector(struct colo *c, uint64_t sector)
{
	struct colo_disk *d = c->disk;
	uint64_t content;

	d->dirty[sector] = false;
	if (!d->commit_fails_at--)
		return false;
	colo_point(c);
	content = colo_disk_read(c, COLO_SECONDARY, sector);
	colo_point(c);
	store(c, COLO_IMAGE_SECONDARY, sector, content);
	return true;
}

/* The active commit: a mirror job from the top to the secondary disk, beside the guest. */
static void
commit(struct actor *self, void *arg)
{
	struct colo *c = arg;
	struct colo_disk *d = c->disk;

	for (bool again = true; again;) {
		again = false;
		for (uint64_t s = 0; s < d->sectors; s++) {
			if (!d->dirty[s])
				continue;
			if (!commit_sector(c, s)) {
				set_stage(c, COLO_DISK_FAILOVER_FAILED);
				return;
			}
			again = true;
		}
	}
	set_stage(c, COLO_DISK_DONE);
	colo_disk_check(c, false);
}

/* replication_stop(failover), after the manager's nbd-server-stop. */
void
colo_disk_failover(struct colo *c)
{
	struct colo_disk *d = c->disk;

	if (!d || d->stage != COLO_DISK_RUNNING)
		return;
	if (!fault_on(c->w, FAULT_COLO_NBD_NOT_STOPPED)) {
		d->server = false;
		waitq_wake_all(c->w, &d->nbd);
	}
	while (d->serving) /* nbd-server-stop and job_cancel_sync() both wait for it */
		waitq_wait(c->w, &d->done);
	d->backup = false;
	for (uint64_t s = 0; s < d->sectors; s++)
		d->dirty[s] =
			d->allocated[COLO_IMAGE_ACTIVE][s] || d->allocated[COLO_IMAGE_HIDDEN][s];
	set_stage(c, COLO_DISK_FAILOVER);
	actor_set_daemon(actor_create(c->w, "commit", commit, c, 0), true);
}

bool
colo_disk_wait_commit(struct colo *c)
{
	struct colo_disk *d = c->disk;

	while (d->stage == COLO_DISK_FAILOVER)
		waitq_wait(c->w, &d->done);
	return d->stage == COLO_DISK_DONE;
}

enum colo_disk_stage
colo_disk_stage(const struct colo *c)
{
	return c->disk->stage;
}

uint64_t
colo_disk_sectors(const struct colo *c)
{
	return c->disk ? c->disk->sectors : 0;
}

void
colo_disk_create(struct colo *c)
{
	uint64_t sectors = c->config.disk_sectors;
	struct colo_disk *d;

	if (!sectors)
		return;
	must(sectors <= COLO_SECTORS_MAX);
	d = c->disk = world_alloc(c->w, sizeof(*d));
	d->sectors = sectors;
	for (int i = 0; i < COLO_IMAGES; i++)
		d->image[i] = world_alloc(c->w, sectors * sizeof(uint64_t));
	for (int i = COLO_IMAGE_HIDDEN; i < COLO_IMAGES; i++)
		d->allocated[i] = world_alloc(c->w, sectors * sizeof(bool));
	d->copied = world_alloc(c->w, sectors * sizeof(bool));
	d->dirty = world_alloc(c->w, sectors * sizeof(bool));
	d->snapshot = world_alloc(c->w, sectors * sizeof(uint64_t));
	d->expected = world_alloc(c->w, sectors * sizeof(uint64_t));
	d->link = d->server = true;
	d->commit_fails_at = c->config.commit_fails_at;
	waitq_init(&d->nbd, c->w, "nbd");
	waitq_init(&d->done, c->w, "disk");
	actor_set_daemon(actor_create(c->w, "nbd server", nbd_server, c, 0), true);
}
