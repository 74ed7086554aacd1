/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of a PCI device: ISR status and the line (4.1.4.5), MSI-X (4.1.5), pending bits (PCI).
 *
 * What one actor does in a row is what one notification does: "before" is judged within the actor
 * that notifies, because another one may read ISR, or unmask a vector, in between.  Functions have
 * the names of their devices.
 */
#include <inttypes.h>
#include <string.h>

#include "oracle/shadow.h"
#include "virtio/pci_transport.h"

#define VECTORS_WATCHED 2048u /* MSI-X has no more */

/* A notification on its way, of the actor that began it last. */
struct notice {
	bool open;
	uint32_t actor;
	int64_t queue;
	bool isr_set; /* with its bit, by that actor, since */
	bool unmapped; /* there was no vector for it when it began */
};

struct shadow_irq {
	uint8_t isr;
	bool line, msix;
	struct notice config, queue;
	uint64_t owed[VECTORS_WATCHED / 64]; /* pending when unmasked, and not sent since */
	uint64_t pending[VECTORS_WATCHED / 64];
};

static struct shadow_irq *
irq_of(struct world *w, struct shadow_device *d)
{
	if (!d->irq)
		d->irq = world_alloc(w, sizeof(*d->irq));
	return d->irq;
}

static void
bit_assign(uint64_t *map, int64_t bit, bool on)
{
	if (bit < 0 || bit >= VECTORS_WATCHED)
		return;
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
	map[bit / 64] |= (uint64_t)on << (bit % 64);
}

/* --- notifications begin -------------------------------------------------------------------- */

static void
on_notify(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	const struct shadow_queue *q = shadow_queue_of(w, d, e->arg[1]);

	irq_of(w, d)->queue = (struct notice){
		.open = true,
		.actor = e->actor,
		.queue = e->arg[1],
		.unmapped = q && q->vector.now == VIRTIO_MSI_NO_VECTOR &&
			    q->vector.before == VIRTIO_MSI_NO_VECTOR,
	};
}

static void
on_notify_config(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);

	irq_of(w, d)->queue.open = false;
	irq_of(w, d)->config = (struct notice){
		.open = true,
		.actor = e->actor,
		.queue = -1,
		.unmapped = d->config_vector.now == VIRTIO_MSI_NO_VECTOR &&
			    d->config_vector.before == VIRTIO_MSI_NO_VECTOR,
	};
}

/* The actor goes on to raise @fd's interrupt: a notification of another queue is past, and so is
 * one that has no vector now. */
static void
notice_goes_on(struct notice *n, const struct shadow_device *d, const struct event *e,
	       const char *fd)
{
	size_t length = strlen(d->text);
	bool ours = !strncmp(fd, d->text, length) && fd[length] == '.' && n->queue == e->arg[1];

	if (n->open && n->actor == e->actor && (!ours || (d->irq->msix && e->arg[2] < 0)))
		n->open = false;
}

static void
on_raise(struct world *w, const struct event *e, void *context)
{
	const char *fd = world_name_text(w, e->arg[0]);

	for (struct shadow_device *d = shadow_state(w)->devices; d; d = d->next) {
		if (!d->irq)
			continue;
		notice_goes_on(&d->irq->queue, d, e, fd);
		notice_goes_on(&d->irq->config, d, e, fd);
	}
}

/* --- ISR and the line ----------------------------------------------------------------------- */

static void
on_isr_set(struct world *w, const struct event *e, void *context)
{
	struct shadow_irq *irq = irq_of(w, shadow_of(w, e->arg[0]));

	irq->isr |= (uint8_t)e->arg[1];
	if (irq->config.actor == e->actor && (e->arg[1] & VIRTIO_PCI_ISR_CONFIG))
		irq->config.isr_set = true;
	if (irq->queue.actor == e->actor && (e->arg[1] & VIRTIO_PCI_ISR_QUEUE))
		irq->queue.isr_set = true;
}

static void
on_isr_read(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_irq *irq = irq_of(w, d);

	if (e->arg[1] & ~(int64_t)irq->isr)
		shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_5_1_D4,
			      "ISR reads 0x%" PRIx64 "; only 0x%x was set since it was read before",
			      e->arg[1], irq->isr);
	irq->isr = 0;
	/* A reset reads it, too. */
	if (irq->msix && e->arg[1] && !d->resetting)
		shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_5_2_R1,
			      "ISR is read, and MSI-X is enabled");
}

static void
on_intx_level(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_irq *irq = irq_of(w, d);
	const struct notice *n = &irq->queue;

	irq->line = e->arg[2] != 0;
	if (!irq->line)
		return;
	if (n->open && n->actor == e->actor && !n->isr_set)
		shadow_report(
			w, d, n->queue, ORACLE_VIRTIO_4_1_4_5_1_D2,
			"the line goes up for a queue whose notification did not set ISR bit 0");
	if (irq->config.open && irq->config.actor == e->actor && !irq->config.isr_set)
		shadow_report(
			w, d, -1, ORACLE_VIRTIO_4_1_4_5_1_D1,
			"the line goes up for a change whose notification did not set ISR bit 1");
	if (!irq->isr)
		shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_5_1_D3,
			      "the line goes up and ISR has no bit");
	irq->queue.open = irq->config.open = false;
}

/* --- MSI-X ---------------------------------------------------------------------------------- */

static void
on_msix_control(struct world *w, const struct event *e, void *context)
{
	irq_of(w, shadow_of(w, e->arg[0]))->msix = e->arg[1] != 0;
}

static bool
vector_is(const struct shadow_vector *v, int64_t vector)
{
	return v->now == vector || v->before == vector;
}

static void
on_msix_notify(struct world *w, const struct event *e, void *context)
{
	struct shadow_device *d = shadow_of(w, e->arg[0]);
	struct shadow_irq *irq = irq_of(w, d);
	struct notice *queue = &irq->queue, *config = &irq->config;

	bit_assign(irq->owed, e->arg[1], false);
	if (queue->open && queue->actor == e->actor) {
		const struct shadow_queue *q = shadow_queue_of(w, d, queue->queue);

		if (q && queue->unmapped && !vector_is(&q->vector, e->arg[1]))
			shadow_report(w, d, queue->queue, ORACLE_VIRTIO_4_1_5_3_1_D1,
				      "vector %" PRId64 " is sent for a queue that has none",
				      e->arg[1]);
		queue->open = false;
	} else if (config->open && config->actor == e->actor) {
		if (config->unmapped && !vector_is(&d->config_vector, e->arg[1]))
			shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_5_4_1_D1,
				      "vector %" PRId64
				      " is sent for a configuration change that has none",
				      e->arg[1]);
		if (!config->isr_set)
			shadow_report(w, d, -1, ORACLE_VIRTIO_4_1_4_5_1_D1,
				      "vector %" PRId64
				      " is sent for a configuration change, and ISR bit 1 "
				      "was not set before",
				      e->arg[1]);
		config->open = false;
	}
}

static void
on_msix_pending(struct world *w, const struct event *e, void *context)
{
	bit_assign(irq_of(w, shadow_of(w, e->arg[0]))->pending, e->arg[1], e->arg[2] != 0);
}

static void
on_msix_mask(struct world *w, const struct event *e, void *context)
{
	struct shadow_irq *irq = irq_of(w, shadow_of(w, e->arg[0]));
	int64_t v = e->arg[1];

	/* An actor that changes masks is past its notification. */
	if (irq->queue.actor == e->actor)
		irq->queue.open = false;
	if (irq->config.actor == e->actor)
		irq->config.open = false;
	if (v < VECTORS_WATCHED)
		bit_assign(irq->owed, v, !e->arg[2] && (irq->pending[v / 64] >> (v % 64) & 1));
}

static void
on_msix_replay(struct world *w, const struct event *e, void *context)
{
	bit_assign(irq_of(w, shadow_of(w, e->arg[0]))->owed, e->arg[1], false);
}

void
interrupt_forget(struct shadow_device *d)
{
	if (!d->irq)
		return;
	d->irq->queue.open = d->irq->config.open = false;
	for (unsigned i = 0; i < VECTORS_WATCHED / 64; i++)
		d->irq->owed[i] = 0;
}

void
interrupt_judge(struct world *w, struct shadow_device *d)
{
	for (unsigned v = 0; d->irq && v < VECTORS_WATCHED; v++)
		if (d->irq->owed[v / 64] >> (v % 64) & 1)
			shadow_report(
				w, d, -1, ORACLE_PCI_PBA_X1,
				"vector %u was pending when it was unmasked, and was never sent",
				v);
}

void
interrupt_attach(struct world *w)
{
	world_observe(w, EV_VIRTIO_NOTIFY, on_notify, NULL);
	world_observe(w, EV_VIRTIO_NOTIFY_CONFIG, on_notify_config, NULL);
	world_observe(w, EV_NOTIFIER_RAISE, on_raise, NULL);
	world_observe(w, EV_ISR_SET, on_isr_set, NULL);
	world_observe(w, EV_ISR_READ, on_isr_read, NULL);
	world_observe(w, EV_INTX_LEVEL, on_intx_level, NULL);
	world_observe(w, EV_MSIX_CONTROL, on_msix_control, NULL);
	world_observe(w, EV_MSIX_NOTIFY, on_msix_notify, NULL);
	world_observe(w, EV_MSIX_PENDING, on_msix_pending, NULL);
	world_observe(w, EV_MSIX_MASK, on_msix_mask, NULL);
	world_observe(w, EV_MSIX_REPLAY, on_msix_replay, NULL);
}
