/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's interrupt descriptor: what Linux genirq does between the vector and the driver's
 * handler (kernel/irq/chip.c, handle.c, spurious.c), because interrupts are lost there, too.
 *
 *	flow EDGE (MSI)      ack; if one is being handled or none may be: pending, masked;
 *	                     handle; again while pending
 *	flow FASTEOI (INTx)  handle, then EOI.  While one is being handled: dropped, for the line
 *	                     is still up at EOI
 *
 * A *poller* (the spurious-interrupt poller, misrouted-irq fix-up) calls the same handlers on
 * another CPU.  An interrupt that comes meanwhile waits until the poll is over and is then handled
 * (Linux fe200ae48ef5); before that change it was dropped.
 *
 * Handlers return whether the interrupt was theirs.  Of `count_max` interrupts (Linux: 100,000)
 * more than 99.9 % not anybody's: "nobody cared", the line is disabled, for good unless the poller
 * looks.
 *
 * Enabling is counted (depth) and lazy: an interrupt that comes while disabled masks the source
 * then and is remembered, and resent when enabled.
 */
#ifndef RINGSIDE_NOTIFY_IRQDESC_H
#define RINGSIDE_NOTIFY_IRQDESC_H

#include "engine/world.h"
#include "notify/vcpu.h"

enum irq_return { IRQ_NONE, IRQ_HANDLED };

typedef enum irq_return (*irq_handler_fn)(struct vcpu *v, void *arg);

/* ORDER IRQ_FLOW */
enum irq_flow { IRQ_FLOW_EDGE, IRQ_FLOW_FASTEOI };

/* istate, after kernel/irq/internals.h */
#define IRQS_PENDING 0x1u
#define IRQS_POLL_INPROGRESS 0x2u
#define IRQS_SPURIOUS_DISABLED 0x4u
#define IRQS_ONESHOT 0x8u /* set by the owner of a threaded handler: irqdesc_unmask() ends it */

struct irqaction {
	irq_handler_fn fn;
	void *arg;
	bool shared;
	struct irqaction *next;
};

/*
 * How to mask at the source: MSI-X entry, IOAPIC pin, or null for none.  @v is the CPU that does
 * it, found from the running actor: it need not be the one the interrupt goes to; null: none
 * (set-up).
 */
typedef void (*irq_mask_fn)(void *arg, struct vcpu *v, bool masked);

struct irqdesc {
	struct world *world;
	int64_t name;
	enum irq_flow flow;
	struct vcpu *vcpu; /* where it is delivered; affinity */
	unsigned vector;
	irq_mask_fn mask;
	void *mask_arg;
	struct irqaction *action;
	uint32_t depth; /* of disabling; starts at 1, request takes it to 0 */
	unsigned istate;
	bool masked;
	bool in_progress;
	uint32_t count, unhandled; /* since the last judgement */
	uint32_t count_max;
	uint64_t total;
	struct waitq idle; /* until no handler runs */
	bool locked; /* desc->lock, while the source is written */
	struct waitq lock;
};

#define IRQDESC_COUNT_MAX 100000u

/* Disabled, masked, without a handler, not yet in any IDT. @mask may be null. */
struct irqdesc *
irqdesc_create(struct world *w, const char *name, enum irq_flow flow, irq_mask_fn mask, void *arg);

/* Put its flow handler into @v's IDT at @vector, out of where it was before (affinity). */
void
irqdesc_set_vector(struct irqdesc *d, struct vcpu *v, unsigned vector);

/*
 * request_irq(): 0, or -EBUSY if there is one and not both are shared. The first enables the line.
 */
int
irqdesc_request(struct irqdesc *d, irq_handler_fn fn, void *arg, bool shared);
/* free_irq(): waits until a running handler is done; the last one disables the line. */
void
irqdesc_free(struct irqdesc *d, void *arg);

/* disable_irq_nosync(), enable_irq(): counted. */
void
irqdesc_disable(struct irqdesc *d);
void
irqdesc_enable(struct irqdesc *d);
/* unmask_threaded_irq(): the end of a oneshot interrupt's thread. */
void
irqdesc_unmask(struct irqdesc *d);
/* synchronize_irq(): wait until no handler runs. */
void
irqdesc_synchronize(struct irqdesc *d);

/* try_one_irq() by the poller, on any CPU or none; @force: a line disabled as spurious, too. */
enum irq_return
irqdesc_poll(struct irqdesc *d, struct vcpu *v, bool force);

bool
irqdesc_disabled(const struct irqdesc *d);

#endif
