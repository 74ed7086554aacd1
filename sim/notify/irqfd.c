/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "base/must.h"
#include "notify/irqchip.h"
#include "notify/irqfd.h"

static void
injected(struct irqfd *f, uint64_t count)
{
	f->injected++;
	emit(f->chip->world, EV_IRQFD_INJECT, f->fd->name, f->gsi, (int64_t)count);
}

/* irqfd_inject(): the work item. */
static void
inject(struct world *w, struct timer *t)
{
	struct irqfd *f = t->arg;

	(void)w;
	injected(f, 1);
	if (f->resample && f->chip->ioapic.split) {
		ioapic_send(&f->chip->ioapic, f->ack.pin);
		return;
	}
	irqchip_set_irq(f->chip, f->gsi, f->source, true);
	if (!f->resample)
		irqchip_set_irq(f->chip, f->gsi, f->source, false);
}

/* irqfd_wakeup(): in the signaller's context. */
static bool
wake(struct eventfd_wait *wait, struct eventfd *fd)
{
	struct irqfd *f = wait->arg;
	uint64_t count = eventfd_take(fd);

	if (f->entry.type == IRQROUTE_MSI && !f->resample) {
		injected(f, count);
		irqchip_msi(f->chip, f->entry.address, f->entry.data);
	} else {
		timer_arm(f->chip->world, &f->work, 0, false);
	}
	return true;
}

/* irqfd_resampler_ack(): EOI. Down first: the device raises it again if it is not satisfied. */
static void
resample(struct ioapic_ack *ack, unsigned pin)
{
	struct irqfd *f = ack->arg;

	(void)pin;
	irqchip_set_irq(f->chip, f->gsi, f->source, false);
	emit(f->chip->world, EV_IRQFD_RESAMPLE, f->resample->name, f->gsi);
	eventfd_signal_locked(f->resample);
}

static void
copy_route(struct irqfd *f)
{
	const struct irqroute *r = irqroute_find(f->chip, f->gsi);

	f->entry = r ? *r : (struct irqroute){ .gsi = f->gsi, .type = IRQROUTE_NONE };
}

int
irqfd_assign(struct irqchip *chip, struct eventfd *fd, uint32_t gsi, struct eventfd *resampler)
{
	const struct irqroute *r = irqroute_find(chip, gsi);
	struct irqfd *f;

	if (resampler && (!r || r->type != IRQROUTE_IRQCHIP))
		return -EINVAL;
	actor_point(chip->world);
	if (irqfd_find(chip, fd))
		return -EBUSY;
	f = world_alloc(chip->world, sizeof(*f));
	f->chip = chip;
	f->fd = fd;
	f->resample = resampler;
	f->gsi = gsi;
	timer_init(&f->work, inject, f);
	copy_route(f);
	if (resampler) {
		f->source = ioapic_new_source(&chip->ioapic);
		f->ack = (struct ioapic_ack){ .fn = resample, .arg = f, .pin = f->entry.pin };
		ioapic_add_ack(&chip->ioapic, &f->ack);
	}
	f->next = chip->irqfds;
	chip->irqfds = f;
	f->wait = (struct eventfd_wait){ .wake = wake, .arg = f, .priority = true };
	eventfd_attach(fd, &f->wait);
	emit(chip->world, EV_IRQFD_ASSIGN, fd->name, gsi, resampler ? resampler->name : 0,
	     (int64_t)eventfd_count(fd));
	/* An event that was there before us: trigger it as if we had not missed it. */
	if (eventfd_poll(fd) & EVENTFD_IN)
		timer_arm(chip->world, &f->work, 0, false);
	return 0;
}

/*
 * irqfd_shutdown(): the wake-up is unhooked, then work in flight is waited for, that is done now.
 */
static void
shut_down(struct irqfd *f)
{
	struct world *w = f->chip->world;
	uint64_t taken = eventfd_detach_read(f->fd, &f->wait);

	if (timer_cancel(w, &f->work))
		inject(w, &f->work);
	if (f->resample) {
		ioapic_del_ack(&f->chip->ioapic, &f->ack);
		irqchip_set_irq(f->chip, f->gsi, f->source, false);
	}
	emit(w, EV_IRQFD_DEASSIGN, f->fd->name, f->gsi, (int64_t)taken);
	world_free(w, f, sizeof(*f));
}

int
irqfd_deassign(struct irqchip *chip, struct eventfd *fd, uint32_t gsi)
{
	actor_point(chip->world);
	for (struct irqfd **p = &chip->irqfds; *p; p = &(*p)->next) {
		struct irqfd *f = *p;

		if (f->fd != fd || f->gsi != gsi)
			continue;
		*p = f->next;
		shut_down(f);
		break;
	}
	return 0;
}

const struct irqfd *
irqfd_find(const struct irqchip *chip, const struct eventfd *fd)
{
	for (const struct irqfd *f = chip->irqfds; f; f = f->next)
		if (f->fd == fd)
			return f;
	return NULL;
}

void
irqfd_update_routes(struct irqchip *chip)
{
	if (!chip->irqfds)
		return;
	actor_point(chip->world); /* the table is new, the copies are not yet */
	for (struct irqfd *f = chip->irqfds; f; f = f->next)
		copy_route(f);
}
