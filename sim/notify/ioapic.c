/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"
#include "memory/race.h"
#include "notify/irqchip.h"

void
ioapic_init(struct ioapic *io, struct irqchip *chip)
{
	*io = (struct ioapic){ .world = chip->world, .chip = chip, .sources = 1 };
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		io->pin[i].masked = true;
}

unsigned
ioapic_new_source(struct ioapic *io)
{
	if (io->sources == IOAPIC_SOURCES)
		world_fail(io->world, "more than %d sources of IOAPIC lines", IOAPIC_SOURCES - 1);
	return io->sources++;
}

/* ioapic_service(): send what is latched, if it may be sent. */
static void
service(struct ioapic *io, unsigned n)
{
	struct ioapic_pin *pin = &io->pin[n];

	if (!pin->irr || pin->masked || pin->remote_irr)
		return;
	if (!pin->level)
		pin->irr = false;
	ioapic_send(io, n);
}

/* Ask the resamplers of a pin; false if it has none. */
static bool
notify_acks(struct ioapic *io, unsigned n)
{
	struct ioapic_ack *next;
	bool any = false;

	if (io->split && fault_on(io->world, FAULT_SPLIT_NO_RESAMPLE))
		return false;
	for (struct ioapic_ack *a = io->acks; a; a = next) {
		next = a->next;
		if (a->pin != n)
			continue;
		any = true;
		a->fn(a, n);
	}
	return any;
}

/* A pin that was masked no longer is. */
static void
unmasked(struct ioapic *io, unsigned n)
{
	struct ioapic_pin *pin = &io->pin[n];

	if (!pin->level || !pin->irr || pin->remote_irr)
		return;
	/*
	 * What was latched while masked may be over: a threaded handler acknowledges the device
	 * after the EOI and before it unmasks.  Who can be asked whether the line is still up is
	 * asked.
	 */
	if (!fault_on(io->world, FAULT_IOAPIC_UNMASK_LATCHED)) {
		pin->irr = false;
		if (notify_acks(io, n))
			return; /* if it is up, it has been raised again by now, or will be */
		pin->irr = true;
	}
	service(io, n);
}

void
ioapic_set_entry(struct ioapic *io, unsigned n, uint8_t vector, uint8_t dest, bool level,
		 bool masked)
{
	must(n < IOAPIC_PINS);
	actor_point(io->world);

	struct ioapic_pin *pin = &io->pin[n];
	bool was_masked = pin->masked;

	race_sync(io->world, io);
	pin->vector = vector;
	pin->dest = dest;
	pin->level = level;
	pin->masked = masked;
	if (!level)
		pin->remote_irr = false;
	if (was_masked != masked)
		emit(io->world, EV_IOAPIC_MASK, n, masked);
	if (was_masked && !masked)
		unmasked(io, n);
}

void
ioapic_mask(struct ioapic *io, unsigned n, bool masked)
{
	const struct ioapic_pin *pin = &io->pin[n];

	must(n < IOAPIC_PINS);
	ioapic_set_entry(io, n, pin->vector, pin->dest, pin->level, masked);
}

bool
ioapic_send(struct ioapic *io, unsigned n)
{
	struct ioapic_pin *pin = &io->pin[n];
	struct vcpu *v = irqchip_vcpu(io->chip, pin->dest);

	must(n < IOAPIC_PINS);
	if (pin->masked || !v || pin->vector < LAPIC_VECTOR_MIN)
		return false;
	pin->remote_irr = pin->level;
	emit(io->world, EV_IOAPIC_SEND, n, pin->dest, pin->vector);
	vcpu_deliver(v, pin->vector, pin->level);
	return true;
}

bool
ioapic_line(const struct ioapic *io, unsigned n)
{
	must(n < IOAPIC_PINS);
	return io->pin[n].sources != 0;
}

void
ioapic_set_line(struct ioapic *io, unsigned n, unsigned source, bool up)
{
	must(n < IOAPIC_PINS && source < io->sources);

	struct ioapic_pin *pin = &io->pin[n];
	uint64_t bit = UINT64_C(1) << source;
	bool was_up = pin->sources != 0;

	race_sync(io->world, io);
	pin->sources = up ? pin->sources | bit : pin->sources & ~bit;
	emit(io->world, EV_IOAPIC_LINE, n, source, up);
	if (!pin->sources) {
		pin->irr = false; /* an edge that came while masked is lost, as in hardware */
		return;
	}
	if (pin->level || !was_up) {
		pin->irr = true;
		service(io, n);
	}
}

void
ioapic_eoi(struct ioapic *io, unsigned vector)
{
	race_sync(io->world, io);
	for (unsigned n = 0; n < IOAPIC_PINS; n++) {
		struct ioapic_pin *pin = &io->pin[n];

		if (!pin->level || !pin->remote_irr || pin->vector != vector)
			continue;
		emit(io->world, EV_IOAPIC_EOI, n, vector);
		/* The lock is dropped for the notifiers; what comes meanwhile is latched. */
		notify_acks(io, n);
		pin->remote_irr = false;
		service(io, n);
	}
}

void
ioapic_add_ack(struct ioapic *io, struct ioapic_ack *ack)
{
	ack->next = io->acks;
	io->acks = ack;
}

void
ioapic_del_ack(struct ioapic *io, struct ioapic_ack *ack)
{
	struct ioapic_ack **p = &io->acks;

	while (*p && *p != ack)
		p = &(*p)->next;
	if (*p)
		*p = ack->next;
}
