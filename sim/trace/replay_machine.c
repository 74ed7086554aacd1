/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/replay_machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "notify/iobus.h"

#define ACTORS_MAX 63u
#define NAME_MAX_BYTES 64
#define STEPS_PER_RECORD 16u

/* An eventfd of QEMU, by its file descriptor. */
struct fd {
	int64_t number;
	struct eventfd *fd;
	struct fd *next;
};

enum migration_state { MIGRATION_NONE, MIGRATION_ACTIVE, MIGRATION_STOPPED };

struct state {
	const struct recording *r;
	struct world *w;
	size_t next; /* record */
	struct waitq turn;
	int64_t first_ns; /* the world's clock begins there */
	struct kvm *kvm;
	struct page_bitmap none; /* no bit of it is set: what a clear of the log is asked with */
	struct iobus *bus;
	struct fd *fds;
	struct queue_account *queues;
	struct disagreements d;
	struct machine_figures f;
	enum migration_state migration;
	bool syncing;
	int64_t setup_ns, stop_ns;
};

struct machine_replay {
	const struct recording *r;
	struct world *world;
	struct state *state;
};

struct actor_arg {
	struct state *s;
	unsigned number;
};

/* --- memory -------------------------------------------------------------------------------------
 */

static const char *
slot_name(char *text, int64_t slot)
{
	if (slot >> 16)
		snprintf(text, NAME_MAX_BYTES, "slot %" PRId64 " of as %" PRId64, slot & 0xffff,
			 slot >> 16);
	else
		snprintf(text, NAME_MAX_BYTES, "slot %" PRId64, slot);
	return text;
}

static void
memslot_update(struct state *s, const struct record *record)
{
	struct kvm_userspace_memory_region mem = {
		.slot = (uint32_t)record->arg[0],
		.flags = (uint32_t)record->arg[1],
		.guest_phys_addr = (uint64_t)record->arg[2],
		.memory_size = (uint64_t)record->arg[3],
		.userspace_addr = (uint64_t)record->arg[5],
	};
	const struct kvm_memory_slot *before;
	char name[NAME_MAX_BYTES];
	int ret;

	s->f.memslot_updates++;
	s->f.memslot_deletions += !mem.memory_size;
	before = kvm_id_to_memslot(s->kvm, mem.slot);
	ret = kvm_set_user_memory_region(s->kvm, &mem);
	if (ret != record->arg[4])
		disagree(&s->d, VERDICT_SPEC_VIOLATION, "recording-memslot",
			 slot_name(name, record->arg[0]),
			 "%s answers %d in the model and %" PRId64 " in the recording",
			 mem.memory_size ? "an update"
			 : before	 ? "a deletion"
					 : "a deletion of no slot",
			 ret, record->arg[4]);
	if (kvm_memslots(s->kvm, 0) > s->f.memslots_max)
		s->f.memslots_max = kvm_memslots(s->kvm, 0);
}

static void
dirty_log_clear(struct state *s, const struct record *record)
{
	uint64_t first = (uint64_t)record->arg[1], pages = (uint64_t)record->arg[2];
	const struct kvm_memory_slot *slot = kvm_id_to_memslot(s->kvm, (uint32_t)record->arg[0]);
	char name[NAME_MAX_BYTES];
	int ret;

	s->f.dirty_log_clears++;
	slot_name(name, record->arg[0]);
	if (!slot || slot->flags & KVM_MEMSLOT_INVALID) {
		disagree(&s->d, VERDICT_SPEC_VIOLATION, "recording-dirty-log", name,
			 "a clear of the dirty log of a slot that does not exist");
		return;
	}
	ret = pages > s->none.npages ? -EINVAL
				     : kvm_clear_dirty_log(s->kvm, (uint32_t)record->arg[0], first,
							   pages, &s->none, 0);
	if (ret)
		disagree(&s->d, VERDICT_SPEC_VIOLATION, "recording-dirty-log", name,
			 "a clear of the dirty log, pages 0x%" PRIx64 " and 0x%" PRIx64
			 " from there, is refused by the model: %d%s",
			 first, pages, ret, ret == -ENOENT ? ", the slot does not log" : "");
}

static struct eventfd *
fd_of(struct state *s, int64_t number)
{
	struct fd *f = s->fds;
	char name[NAME_MAX_BYTES];

	while (f && f->number != number)
		f = f->next;
	if (!f) {
		f = world_alloc(s->w, sizeof(*f));
		snprintf(name, sizeof(name), "fd%" PRId64, number);
		*f = (struct fd){ number, eventfd_create(s->w, name, EVENTFD_OTHER, 0), s->fds };
		s->fds = f;
	}
	return f->fd;
}

static void
ioeventfd(struct state *s, const struct record *record, enum io_space space)
{
	struct ioeventfd e = { .space = space,
			       .address = (uint64_t)record->arg[1],
			       .length = (uint32_t)record->arg[4],
			       .match = record->arg[5],
			       .value = record->arg[5] ? (uint64_t)record->arg[2] : 0,
			       .fd = fd_of(s, record->arg[0]) };
	bool assign = record->arg[3];
	char name[NAME_MAX_BYTES];
	int ret = assign ? iobus_assign(s->bus, &e) : iobus_deassign(s->bus, &e);

	if (assign)
		s->f.ioeventfd_assigned++;
	else
		s->f.ioeventfd_removed++;
	snprintf(name, sizeof(name), "%s 0x%" PRIx64, io_space_name[space], e.address);
	if (ret == -ENOENT)
		disagree(&s->d, VERDICT_SPEC_VIOLATION, "recording-ioeventfd", name,
			 "an ioeventfd is removed that was never assigned (fd %" PRId64
			 ", value %" PRId64 ", size %" PRId64 ")",
			 record->arg[0], record->arg[2], record->arg[4]);
	else if (ret)
		disagree(&s->d, VERDICT_SPEC_VIOLATION, "recording-ioeventfd", name,
			 "an ioeventfd is refused by the model: %d%s", ret,
			 ret == -EEXIST ? ", there is one" : "");
}

/* --- migration ----------------------------------------------------------------------------------
 */

static void
out_of_order(struct state *s, const char *what)
{
	disagree(&s->d, VERDICT_SPEC_VIOLATION, "recording-migration", "migration", "%s", what);
}

static void
migrate_state(struct state *s, const struct record *record)
{
	const char *state = recording_text_of(s->r, record->arg[0]);

	if (!strcmp(state, "setup")) {
		s->migration = MIGRATION_ACTIVE;
		s->setup_ns = record->time_ns;
	} else if (!strcmp(state, "completed")) {
		if (s->migration != MIGRATION_STOPPED)
			out_of_order(s, "completed, and the guest was never stopped");
		else if (!s->r->timeless)
			s->f.downtime_ns = record->time_ns - s->stop_ns;
		if (!s->r->timeless)
			s->f.migration_ns = record->time_ns - s->setup_ns;
		s->migration = MIGRATION_NONE;
	} else if (!strcmp(state, "failed") || !strcmp(state, "cancelled")) {
		s->migration = MIGRATION_NONE;
	}
}

static void
migration(struct state *s, const struct record *record)
{
	switch (record->kind) {
	case RECORD_MIGRATE_STATE:
		migrate_state(s, record);
		break;
	case RECORD_BITMAP_SYNC_START:
		if (s->syncing)
			out_of_order(s, "a sync of the bitmap begins within another");
		s->syncing = true;
		break;
	case RECORD_BITMAP_SYNC_END:
		if (!s->syncing)
			out_of_order(s, "a sync of the bitmap ends that did not begin");
		s->syncing = false;
		s->f.bitmap_syncs++;
		s->f.pages_dirty = (uint64_t)record->arg[0];
		break;
	case RECORD_MIGRATION_SYNC:
		s->f.bitmap_syncs++;
		break;
	case RECORD_PAGE_SENT:
	case RECORD_PAGES_SENT:
		s->f.pages_sent += record->kind == RECORD_PAGES_SENT ? (uint64_t)record->arg[2] : 1;
		if (!s->f.bitmap_syncs)
			out_of_order(s, "a page is sent before the first sync of the bitmap");
		break;
	case RECORD_VM_STOP:
		s->migration = MIGRATION_STOPPED;
		s->stop_ns = record->time_ns;
		break;
	default:
		break;
	}
}

/* --- all ----------------------------------------------------------------------------------------
 */

static void
host_kernel(struct state *s, const struct record *record)
{
	s->f.kernel_kicks += record->kind == RECORD_KVM_FAST_MMIO;
	s->f.exits += record->kind == RECORD_KVM_USERSPACE_EXIT;
	s->f.accesses += record->kind == RECORD_KVM_MMIO || record->kind == RECORD_KVM_PIO;
	s->f.injected += record->kind == RECORD_KVM_INJ_VIRQ;
}

static void
take(struct state *s, const struct record *record)
{
	s->d.line = record->line;
	s->d.time_ns = record->time_ns;
	s->d.thread = record->thread;
	switch (record->kind) {
	case RECORD_MEMSLOT_UPDATE:
		memslot_update(s, record);
		break;
	case RECORD_DIRTY_LOG_CLEAR:
		dirty_log_clear(s, record);
		break;
	case RECORD_IOEVENTFD_PIO:
		ioeventfd(s, record, IO_PIO);
		break;
	case RECORD_IOEVENTFD_MMIO:
		ioeventfd(s, record, IO_MMIO);
		break;
	case RECORD_MSI_ROUTE_ADD:
	case RECORD_MSI_ROUTE_UPDATE:
	case RECORD_MSI_ROUTE_RELEASE:
		s->f.irq_routes++;
		break;
	default:
		queue_account_take(s->queues, record);
		migration(s, record);
		host_kernel(s, record);
		break;
	}
}

static unsigned
actor_of(const struct record *record)
{
	return record->thread < ACTORS_MAX - 1 ? record->thread : ACTORS_MAX - 1;
}

static void
thread_main(struct actor *self, void *arg)
{
	const struct actor_arg *a = arg;
	struct state *s = a->s;
	struct world *w = actor_world(self);

	while (s->next < s->r->count) {
		const struct record *record = &s->r->record[s->next];
		int64_t ns = record->time_ns - s->first_ns;

		if (actor_of(record) != a->number) {
			waitq_wait(w, &s->turn);
			continue;
		}
		if (!s->r->timeless && ns > world_now(w))
			actor_sleep(w, ns - world_now(w));
		take(s, record);
		s->next++;
		if (s->next == s->r->count)
			queue_account_end(s->queues);
		if (s->next == s->r->count || actor_of(record + 1) != a->number)
			waitq_wake_all(w, &s->turn);
	}
}

static uint64_t
clear_pages_max(const struct recording *r)
{
	uint64_t max = 64;

	for (size_t i = 0; i < r->count; i++) {
		uint64_t pages = (uint64_t)r->record[i].arg[2];

		if (r->record[i].kind == RECORD_DIRTY_LOG_CLEAR && pages > max &&
		    pages <= KVM_MEM_MAX_NR_PAGES)
			max = pages;
	}
	return max;
}

static void
set_up(struct world *w, void *arg)
{
	struct machine_replay *p = arg;
	struct state *s = world_alloc(w, sizeof(*s));
	bool used[ACTORS_MAX] = { false };

	p->state = s;
	s->r = p->r;
	s->w = w;
	s->d.w = w;
	s->first_ns = p->r->record[0].time_ns;
	s->kvm = kvm_create(w, &kvm_rules_today);
	s->bus = iobus_create(w);
	s->queues = queue_account_create(w, p->r, &s->d);
	page_bitmap_init(&s->none, w, clear_pages_max(p->r));
	waitq_init(&s->turn, w, "turn");
	for (size_t i = 0; i < p->r->count; i++) {
		unsigned number = actor_of(&p->r->record[i]);
		struct actor_arg *a;

		if (used[number])
			continue;
		used[number] = true;
		a = world_alloc(w, sizeof(*a));
		*a = (struct actor_arg){ s, number };
		actor_create(w, p->r->thread[p->r->record[i].thread], thread_main, a, 0);
	}
}

struct machine_replay *
machine_replay_create(const struct recording *r, struct error *err)
{
	struct machine_replay *p = calloc(1, sizeof(*p));

	must(p);
	p->r = r;
	if (!r->count) {
		error_at(err, r->name, 0, 0, "nothing to replay: no line says anything we know");
		goto failed;
	}
	p->world = world_create(
		&(struct world_config){ .mode = WORLD_TIMED,
					.steps_max = STEPS_PER_RECORD * r->count + 1000 },
		err);
	if (p->world && !world_setup(p->world, set_up, p, err))
		return p;
failed:
	machine_replay_destroy(p);
	return NULL;
}

void
machine_replay_destroy(struct machine_replay *p)
{
	if (p && p->world)
		world_destroy(p->world);
	free(p);
}

struct world *
machine_replay_world(const struct machine_replay *p)
{
	return p->world;
}

int
machine_replay_run(struct machine_replay *p, struct error *err)
{
	enum stop stop = world_run(p->world);
	struct state *s = p->state;

	if (stop == STOP_ERROR) {
		*err = *world_error(p->world);
		return -1;
	}
	if (s->next < p->r->count)
		return error_at(err, p->r->name, (long)p->r->record[s->next].line, 0,
				"the replay was stopped here");
	if (!p->r->timeless)
		s->f.duration_ns = p->r->record[p->r->count - 1].time_ns - s->first_ns;
	return 0;
}

/* --- figures ------------------------------------------------------------------------------------
 */

const struct machine_figures *
machine_replay_figures(const struct machine_replay *p)
{
	return &p->state->f;
}

const struct disagreements *
machine_replay_disagreements(const struct machine_replay *p)
{
	return &p->state->d;
}

enum verdict
machine_replay_verdict(const struct machine_replay *p)
{
	return p->state->d.kept ? p->state->d.item[0].verdict : VERDICT_OK;
}

void
machine_replay_each(const struct machine_replay *p,
		    void (*fn)(void *context, const char *name, int64_t value, const char *unit),
		    void *context)
{
	const struct recording *r = p->r;
	const struct machine_figures *f = &p->state->f;
	const struct queue_account_figures *q = queue_account_figures(p->state->queues);
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} figure[] = {
		{ "lines_read", r->lines, "lines" },
		{ "lines_skipped", r->lines_skipped, "lines" },
		{ "records", r->count, "records" },
		{ "events_lost", r->events_lost, "events" },
		{ "events_lost_unknown", r->gaps, "times" },
		{ "threads", r->threads, "" },
		{ "memslot_updates", f->memslot_updates, "" },
		{ "memslot_deletions", f->memslot_deletions, "" },
		{ "memslots_max", f->memslots_max, "" },
		{ "ioeventfd_assigned", f->ioeventfd_assigned, "" },
		{ "ioeventfd_removed", f->ioeventfd_removed, "" },
		{ "irq_routes_changed", f->irq_routes, "" },
		{ "status_writes", q->status_writes, "" },
		{ "resets", q->resets, "" },
		{ "kicks", q->kicks + f->kernel_kicks, "" },
		{ "pops", q->pops, "" },
		{ "completions", q->completions, "" },
		{ "interrupts", q->interrupts, "" },
		{ "outstanding", q->outstanding, "" },
		{ "outstanding_max", q->outstanding_max, "" },
		{ "given_back", q->given_back, "" },
		{ "unannounced", q->unannounced, "" },
		{ "requests", q->requests, "" },
		{ "requests_complete", q->requests_complete, "" },
		{ "dirty_log_clears", f->dirty_log_clears, "" },
		{ "bitmap_syncs", f->bitmap_syncs, "" },
		{ "pages_dirty", f->pages_dirty, "pages" },
		{ "pages_sent", f->pages_sent, "pages" },
		{ "userspace_exits", f->exits, "" },
		{ "io_accesses", f->accesses, "" },
		{ "interrupts_injected", f->injected, "" },
		{ "disagreements", p->state->d.count, "" },
	};
	const struct {
		const char *name;
		int64_t ns;
	} time[] = {
		{ "duration", f->duration_ns },
		{ "total_time_ns", f->migration_ns },
		{ "downtime_ns", f->downtime_ns },
		{ "request_max", q->request_ns_max },
		{ "request_mean",
		  q->completions ? q->request_ns_sum / (int64_t)q->completions : 0 },
	};

	for (size_t i = 0; i < sizeof(figure) / sizeof(figure[0]); i++)
		fn(context, figure[i].name, (int64_t)figure[i].value, figure[i].unit);
	/* How long something took is not asked of a recording that has no times. */
	for (size_t i = 0; !r->timeless && i < sizeof(time) / sizeof(time[0]); i++)
		fn(context, time[i].name, time[i].ns, "ns");
}

static void
print_figure(void *context, const char *name, int64_t value, const char *unit)
{
	if (value || !strcmp(name, "disagreements"))
		fprintf(context, "  %-20s %12" PRId64 "%s%s\n", name, value, *unit ? " " : "",
			unit);
}

void
machine_replay_report(const struct machine_replay *p, FILE *to)
{
	const struct disagreements *d = &p->state->d;

	fprintf(to, "replay %s: format %s, %" PRIu64 " lines, %" PRIu64 " of them skipped%s\n",
		p->r->name, p->r->format, p->r->lines, p->r->lines_skipped,
		p->r->timeless ? "; no time stamps, so nothing is said of times" : "");
	machine_replay_each(p, print_figure, to);
	for (uint64_t i = 0; i < d->kept; i++)
		fprintf(to, "disagrees: line %" PRIu64 ": %s: %s\n", d->item[i].line,
			d->item[i].subject, d->item[i].message);
	if (d->count > d->kept)
		fprintf(to, "disagrees: %" PRIu64 " more\n", d->count - d->kept);
	fprintf(to, "verdict: %s, the models disagree with %" PRIu64 " lines\n",
		verdict_name[machine_replay_verdict(p)], d->count);
}
