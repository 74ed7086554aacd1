/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUBJECT_BONUS 60 /* says something of the page that was lost */
#define OTHER_MALUS 30 /* of another page, another device's queue */
#define PLUMBING_MALUS 40 /* notifications and rings, where memory was lost */

static bool
migrates(const struct event_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->events[i].kind == EV_MIG_STATE)
			return true;
	return false;
}

struct subject
subject_of(const struct finding *f, const struct event_log *log)
{
	struct subject s = { 0 };
	const char *text = f ? f->subject : "", *at;

	at = strstr(text, "gfn=");
	at = at ? at + strlen("gfn=") : strstr(text, "page=");
	s.has_gfn = at && sscanf(at + (*at == 'p' ? strlen("page=") : 0), "%" SCNi64,
				 (int64_t *)&s.gfn) == 1;
	at = strstr(text, "vq=");
	s.has_vq = at && sscanf(at, "vq=%" SCNi64, &s.vq) == 1;
	at = strstr(text, "dev=");
	if (at)
		sscanf(at, "dev=%63s", s.dev);
	s.memory = s.has_gfn ||
		   (f && f->verdict == VERDICT_STATE_LOST && !s.has_vq && !*s.dev && migrates(log));
	s.maps = f && (f->verdict == VERDICT_USE_AFTER_UNMAP || f->verdict == VERDICT_MAPPING_LEAK);
	return s;
}

static bool
is_balloon(const struct event *e)
{
	switch (e->kind) {
	case EV_FREE_PAGE_HINT:
	case EV_FREE_PAGE_STATE:
	case EV_BALLOON_REQUEST:
	case EV_BALLOON_REPORT:
	case EV_GUEST_PAGE_ALLOC:
	case EV_GUEST_PAGE_FREE:
		return true;
	default:
		return false;
	}
}

/* How it came to be known, which is not how a page was lost. */
static const char *const plumbing_kinds[] = {
	"eventfd_",
	"io_",
	"ioeventfd_",
	"irq",
	"msi",
	"isr_",
	"apic_",
	"ioapic_",
	"genirq_",
	"notifier_",
	"vcpu_",
	"vring_",
	"vq_",
	"virtqueue_",
	"virtio_notify",
	"virtio_queue_",
	"virtio_config_",
	"config_changed",
	"vhost_work",
	"pci_config_write",
	"virtio_set_",
	"virtio_reset",
	"driver_",
	"memregion_",
	"fence",
};

/* Accesses to virtqueues are, those to dirty rings are the matter itself. */
static bool
is_plumbing(const struct event_names *names, const struct event *e)
{
	const char *name = event_info[e->kind].name;
	char where[96];

	if (e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH) {
		if (!names->gpa)
			return false;
		names->gpa(names->context, (uint64_t)e->arg[0], where, sizeof(where));
		return strncmp(where, "dirty_ring", strlen("dirty_ring")) != 0;
	}
	for (size_t i = 0; i < sizeof(plumbing_kinds) / sizeof(*plumbing_kinds); i++)
		if (!strncmp(name, plumbing_kinds[i], strlen(plumbing_kinds[i])))
			return true;
	return false;
}

/* Pages that an event speaks of: gfn alone, or with `pages`. */
static int32_t
score_page(const struct event *e, const struct subject *s)
{
	int gfn = event_arg(e->kind, "gfn"), pages = event_arg(e->kind, "pages");
	int slot = event_arg(e->kind, "slot");
	uint64_t count;

	if (gfn < 0) {
		gfn = event_arg(e->kind, "base_gfn");
		pages = event_arg(e->kind, "npages");
	}
	/* The same page in system management mode's slots is seldom what it is about. */
	if (slot >= 0 && e->arg[slot] >> 16)
		return -OTHER_MALUS;
	if (gfn < 0)
		return 0;
	count = pages >= 0 ? (uint64_t)e->arg[pages] : 1;
	if (s->gfn - (uint64_t)e->arg[gfn] >= count)
		return -OTHER_MALUS;
	/* What dies with a slot may be that page's note. */
	if (e->kind == EV_KVM_DIRTY_BITMAP_DESTROYED && e->arg[event_arg(e->kind, "dirty")])
		return SUBJECT_BONUS;
	return count == 1 ? SUBJECT_BONUS : 0;
}

int32_t
subject_score(const struct event_names *names, const struct event *e, const struct subject *s)
{
	int dev = event_arg(e->kind, "dev"), vq = event_arg(e->kind, "vq");
	const char *name;

	if ((s->memory || s->maps) && is_plumbing(names, e))
		return -PLUMBING_MALUS;
	if (s->maps && (e->kind == EV_SVQ_ADD || event_arg(e->kind, "iova") >= 0))
		return SUBJECT_BONUS;
	/* A page comes and goes many times before the time that counts. */
	if (s->memory && is_balloon(e))
		return s->has_gfn && score_page(e, s) < 0 ? -OTHER_MALUS : SUBJECT_BONUS / 2;
	if (s->memory && (e->kind == EV_ACTOR_BLOCK || e->kind == EV_ACTOR_WAKE))
		return -PLUMBING_MALUS / 2;
	if (s->has_gfn)
		return score_page(e, s);
	if (!*s->dev || dev < 0)
		return 0;
	name = names->text ? names->text(names->context, e->arg[dev]) : NULL;
	if (name && strcmp(name, s->dev))
		return -OTHER_MALUS;
	return s->has_vq && vq >= 0 && e->arg[vq] != s->vq ? -OTHER_MALUS : 0;
}
