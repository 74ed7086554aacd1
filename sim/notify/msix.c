/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/bitmap.h"
#include "base/must.h"
#include "memory/race.h"
#include "notify/intx.h"
#include "notify/irqchip.h"
#include "notify/msix.h"

/* --- state ---------------------------------------------------------------------------------- */

bool
msix_enabled(const struct msix *m)
{
	return m->enabled;
}

/* Masked, if the function as a whole were masked or not as @function_masked says. */
static bool
masked_if(const struct msix *m, unsigned vector, bool function_masked)
{
	return function_masked || (m->entry[vector].control & MSIX_ENTRY_CTRL_MASKBIT);
}

static bool
function_masked(const struct msix *m)
{
	return !m->enabled || m->maskall;
}

bool
msix_masked(const struct msix *m, unsigned vector)
{
	must(vector < m->vectors);
	return masked_if(m, vector, function_masked(m));
}

bool
msix_pending(const struct msix *m, unsigned vector)
{
	must(vector < m->vectors);
	return bitmap_test(m->pending, vector);
}

static void
set_pending(struct msix *m, unsigned vector, bool pending)
{
	if (msix_pending(m, vector) == pending)
		return;
	if (pending)
		bitmap_set(m->pending, vector);
	else
		bitmap_clear(m->pending, vector);
	emit(m->world, EV_MSIX_PENDING, m->function->name, vector, pending);
}

void
msix_set_pending(struct msix *m, unsigned vector)
{
	set_pending(m, vector, true);
}

/* The function writes the message to memory: that takes bus mastering. */
static void
send_message(struct msix *m, unsigned vector)
{
	if (!(pci_command(m->function) & PCI_COMMAND_MASTER)) {
		emit(m->world, EV_MSIX_NO_MASTER, m->function->name, vector);
		return;
	}
	irqchip_msi(m->chip, m->entry[vector].message.address, m->entry[vector].message.data);
}

void
msix_notify(struct msix *m, unsigned vector)
{
	must(vector < m->vectors);
	actor_point(m->world);

	bool masked = msix_masked(m, vector);

	race_sync(m->world, m);
	if (!m->entry[vector].used)
		return;
	emit(m->world, EV_MSIX_NOTIFY, m->function->name, vector, masked);
	if (masked)
		set_pending(m, vector, true);
	else
		send_message(m, vector);
}

/* --- masks ---------------------------------------------------------------------------------- */

/* msix_handle_mask_update(): first who delivers otherwise, then what is pending. */
static void
mask_changed(struct msix *m, unsigned vector, bool was_masked)
{
	bool masked = msix_masked(m, vector);

	if (masked == was_masked)
		return;
	emit(m->world, EV_MSIX_MASK, m->function->name, vector, masked);
	if (m->ops && masked)
		m->ops->release(m->ops_arg, vector);
	else if (m->ops)
		m->ops->use(m->ops_arg, vector, m->entry[vector].message);
	if (masked || !msix_pending(m, vector))
		return;
	set_pending(m, vector, false);
	if (fault_on(m->world, FAULT_MSIX_PENDING_LOST))
		return;
	emit(m->world, EV_MSIX_REPLAY, m->function->name, vector);
	msix_notify(m, vector);
}

void
msix_write_control(struct msix *m, uint16_t control)
{
	bool was = function_masked(m);
	bool was_enabled = m->enabled;

	race_sync(m->world, m);
	m->enabled = control & PCI_MSIX_FLAGS_ENABLE;
	m->maskall = control & PCI_MSIX_FLAGS_MASKALL;
	emit(m->world, EV_MSIX_CONTROL, m->function->name, m->enabled, m->maskall);
	if (m->function->intx && m->enabled != was_enabled)
		intx_update(m->function->intx);
	if (function_masked(m) == was)
		return;
	for (unsigned i = 0; i < m->vectors; i++)
		mask_changed(m, i, masked_if(m, i, was));
}

void
msix_set_ops(struct msix *m, const struct msix_ops *ops, void *arg)
{
	must(!m->ops);
	m->ops = ops;
	m->ops_arg = arg;
	for (unsigned i = 0; i < m->vectors; i++)
		if (!msix_masked(m, i))
			ops->use(arg, i, m->entry[i].message);
	ops->poll(arg, 0, m->vectors);
}

void
msix_unset_ops(struct msix *m)
{
	const struct msix_ops *ops = m->ops;

	must(ops);
	for (unsigned i = 0; i < m->vectors; i++)
		if (!msix_masked(m, i))
			ops->release(m->ops_arg, i);
	m->ops = NULL;
}

void
msix_vector_use(struct msix *m, unsigned vector)
{
	must(vector < m->vectors);
	m->entry[vector].used++;
}

void
msix_vector_unuse(struct msix *m, unsigned vector)
{
	must(vector < m->vectors);
	if (!m->entry[vector].used || --m->entry[vector].used)
		return;
	if (!fault_on(m->world, FAULT_MSIX_UNUSED_PENDING))
		set_pending(m, vector, false);
}

/* --- the guest's accesses ------------------------------------------------------------------- */

static void
write_dword(struct msix *m, uint32_t offset, uint32_t value)
{
	unsigned vector = offset / MSIX_ENTRY_BYTES;
	struct msix_entry *e = &m->entry[vector];
	bool was_masked = msix_masked(m, vector);

	race_sync(m->world, m);
	switch (offset % MSIX_ENTRY_BYTES) {
	case MSIX_ENTRY_ADDR:
		e->message.address = (e->message.address & ~(uint64_t)UINT32_MAX) | (value & ~3u);
		break;
	case MSIX_ENTRY_UPPER_ADDR:
		e->message.address = (e->message.address & UINT32_MAX) | (uint64_t)value << 32;
		break;
	case MSIX_ENTRY_DATA:
		e->message.data = value;
		break;
	default:
		e->control = value & MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
	emit(m->world, EV_MSIX_WRITE, m->function->name, vector, offset % MSIX_ENTRY_BYTES, value);
	mask_changed(m, vector, was_masked);
}

void
msix_table_write(struct msix *m, uint32_t offset, uint32_t length, uint64_t value)
{
	/* Other sizes are undefined by the specification; hardware and QEMU ignore them. */
	if ((length != 4 && length != 8) || offset % length)
		return;
	if (offset / MSIX_ENTRY_BYTES >= m->vectors)
		return;
	write_dword(m, offset, (uint32_t)value);
	if (length == 8)
		write_dword(m, offset + 4, (uint32_t)(value >> 32));
}

static uint32_t
read_dword(const struct msix *m, uint32_t offset)
{
	const struct msix_entry *e = &m->entry[offset / MSIX_ENTRY_BYTES];

	switch (offset % MSIX_ENTRY_BYTES) {
	case MSIX_ENTRY_ADDR:
		return (uint32_t)e->message.address;
	case MSIX_ENTRY_UPPER_ADDR:
		return (uint32_t)(e->message.address >> 32);
	case MSIX_ENTRY_DATA:
		return e->message.data;
	default:
		return e->control;
	}
}

uint64_t
msix_table_read(const struct msix *m, uint32_t offset, uint32_t length)
{
	if ((length != 4 && length != 8) || offset % length ||
	    offset / MSIX_ENTRY_BYTES >= m->vectors)
		return 0;
	if (length == 4)
		return read_dword(m, offset);
	return read_dword(m, offset) | (uint64_t)read_dword(m, offset + 4) << 32;
}

uint64_t
msix_pba_read(struct msix *m, uint32_t offset, uint32_t length)
{
	unsigned start = offset * 8, end = (offset + length) * 8;
	uint64_t word;

	if ((length != 4 && length != 8) || offset % length || start >= m->vectors)
		return 0;
	if (fault_on(m->world, FAULT_MSIX_PBA_POLL_END))
		end = offset + length * 8;
	if (m->ops)
		m->ops->poll(m->ops_arg, start, end < m->vectors ? end : m->vectors);
	word = m->pending[offset / 8];
	return length == 8 ? word : word >> (offset % 8 * 8) & UINT32_MAX;
}

/* --- building ------------------------------------------------------------------------------- */

static void
on_table_write(void *arg, struct vcpu *v, uint64_t offset, uint32_t length, uint64_t value)
{
	(void)v;
	msix_table_write(arg, (uint32_t)offset, length, value);
}

static uint64_t
on_table_read(void *arg, struct vcpu *v, uint64_t offset, uint32_t length)
{
	(void)v;
	return msix_table_read(arg, (uint32_t)offset, length);
}

static uint64_t
on_pba_read(void *arg, struct vcpu *v, uint64_t offset, uint32_t length)
{
	(void)v;
	return msix_pba_read(arg, (uint32_t)offset, length);
}

static const struct memregion_ops table_ops = { .write = on_table_write, .read = on_table_read };
static const struct memregion_ops pba_ops = { .read = on_pba_read };

uint32_t
msix_bytes(unsigned vectors)
{
	return vectors * MSIX_ENTRY_BYTES + (vectors + 63) / 64 * 8;
}

static void
add_capability(struct msix *m)
{
	struct pci_function *f = m->function;
	uint8_t at = pci_add_capability(f, PCI_CAP_ID_MSIX, 12);
	uint32_t table = m->offset | m->bar;
	uint32_t pba = (m->offset + m->vectors * MSIX_ENTRY_BYTES) | m->bar;

	f->config[at + 2] = (uint8_t)(m->vectors - 1);
	f->config[at + 3] = (uint8_t)((m->vectors - 1) >> 8);
	f->wmask[at + 3] = (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
	for (int i = 0; i < 4; i++) {
		f->config[at + 4 + i] = (uint8_t)(table >> 8 * i);
		f->config[at + 8 + i] = (uint8_t)(pba >> 8 * i);
	}
	f->msix_cap = at;
}

struct msix *
msix_create(struct pci_function *f, struct irqchip *chip, unsigned vectors, unsigned bar,
	    uint32_t offset)
{
	struct msix *m = world_alloc(f->world, sizeof(*m));
	const char *name = world_name_text(f->world, f->name);
	char text[64];

	must(vectors && vectors <= MSIX_VECTORS_MAX && !f->msix && !(offset & 7));
	m->world = f->world;
	m->function = f;
	m->chip = chip;
	m->vectors = vectors;
	m->bar = bar;
	m->offset = offset;
	m->entry = world_alloc(f->world, vectors * sizeof(*m->entry));
	m->pending = world_alloc(f->world, bitmap_words(vectors) * sizeof(*m->pending));
	for (unsigned i = 0; i < vectors; i++)
		m->entry[i].control = MSIX_ENTRY_CTRL_MASKBIT; /* as after reset */
	f->msix = m;
	add_capability(m);
	snprintf(text, sizeof(text), "%s.msix", name);
	memregion_init(&m->table, f->bus->view, text, IO_MMIO, vectors * MSIX_ENTRY_BYTES,
		       &table_ops, m);
	snprintf(text, sizeof(text), "%s.pba", name);
	memregion_init(&m->pba, f->bus->view, text, IO_MMIO, bitmap_words(vectors) * 8, &pba_ops,
		       m);
	pci_bar_add(f, bar, offset, &m->table);
	pci_bar_add(f, bar, offset + vectors * MSIX_ENTRY_BYTES, &m->pba);
	return m;
}

/* --- the driver's way ----------------------------------------------------------------------- */

static void
driver_write(struct msix *m, struct vcpu *v, unsigned vector, uint32_t field, uint32_t value)
{
	uint64_t base = pci_bar_address(m->function, m->bar) + m->offset;

	memview_write(m->function->bus->view, v, IO_MMIO, base + vector * MSIX_ENTRY_BYTES + field,
		      4, value);
}

void
msix_driver_write_entry(struct msix *m, struct vcpu *v, unsigned vector,
			struct msix_message message, bool mask_first)
{
	bool mask = mask_first && !(m->entry[vector].control & MSIX_ENTRY_CTRL_MASKBIT);

	if (mask)
		msix_driver_mask(m, v, vector, true);
	driver_write(m, v, vector, MSIX_ENTRY_ADDR, (uint32_t)message.address);
	driver_write(m, v, vector, MSIX_ENTRY_UPPER_ADDR, (uint32_t)(message.address >> 32));
	driver_write(m, v, vector, MSIX_ENTRY_DATA, message.data);
	if (mask)
		msix_driver_mask(m, v, vector, false);
}

void
msix_driver_mask(struct msix *m, struct vcpu *v, unsigned vector, bool masked)
{
	driver_write(m, v, vector, MSIX_ENTRY_VECTOR_CTRL, masked ? MSIX_ENTRY_CTRL_MASKBIT : 0);
}

void
msix_driver_control(struct msix *m, struct vcpu *v, bool enable, bool maskall)
{
	uint32_t flags = m->vectors - 1;

	flags |= (enable ? PCI_MSIX_FLAGS_ENABLE : 0) | (maskall ? PCI_MSIX_FLAGS_MASKALL : 0);
	pci_config_write(m->function, v, m->function->msix_cap + PCI_MSIX_FLAGS, 2, flags);
}

bool
msix_info(const struct msix *m, unsigned vector, struct msix_info *info)
{
	if (vector >= m->vectors)
		return false;
	*info = (struct msix_info){
		.vector = vector,
		.message = m->entry[vector].message,
		.used = m->entry[vector].used,
		.masked = m->entry[vector].control & MSIX_ENTRY_CTRL_MASKBIT,
		.pending = msix_pending(m, vector),
	};
	return true;
}
