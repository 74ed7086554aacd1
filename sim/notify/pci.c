/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"
#include "notify/intx.h"
#include "notify/msix.h"
#include "notify/pci.h"
#include "notify/vcpu.h"

#define HEADER_BYTES 0x40 /* capabilities come behind it */
#define D3HOT_DELAY_NS INT64_C(10000000) /* from D3hot to D0 (PCI PM 1.2, 5.6.1) */
#define FLR_DELAY_NS INT64_C(100000000) /* until it may be accessed again (PCIe 6.6.2) */

static uint32_t
get(const uint8_t *bytes, unsigned offset, unsigned length)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < length; i++)
		value |= (uint32_t)bytes[offset + i] << 8 * i;
	return value;
}

static void
put(uint8_t *bytes, unsigned offset, unsigned length, uint32_t value)
{
	for (unsigned i = 0; i < length; i++)
		bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

/* --- building ------------------------------------------------------------------------------- */

struct pci_bus *
pci_bus_create(struct world *w, struct memview *view)
{
	struct pci_bus *bus = world_alloc(w, sizeof(*bus));

	bus->world = w;
	bus->view = view;
	return bus;
}

static struct pci_function *
create(struct pci_bus *bus, struct pci_function *parent, const char *name)
{
	struct pci_function *f = world_alloc(bus->world, sizeof(*f));
	struct pci_function **last = &bus->functions;

	must(!parent || parent->bridge);
	f->world = bus->world;
	f->bus = bus;
	f->parent = parent;
	f->name = world_name(bus->world, name);
	f->present = true;
	f->cap_end = HEADER_BYTES;
	put(f->wmask, PCI_COMMAND, 2,
	    PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	while (*last)
		last = &(*last)->next;
	*last = f;
	return f;
}

struct pci_function *
pci_function_create(struct pci_bus *bus, struct pci_function *parent, const char *name,
		    uint16_t vendor, uint16_t device)
{
	struct pci_function *f = create(bus, parent, name);

	put(f->config, PCI_VENDOR_ID, 2, vendor);
	put(f->config, PCI_DEVICE_ID, 2, device);
	return f;
}

struct pci_function *
pci_bridge_create(struct pci_bus *bus, struct pci_function *parent, const char *name)
{
	struct pci_function *f = create(bus, parent, name);

	f->bridge = true;
	put(f->config, PCI_VENDOR_ID, 2, 0x1b36); /* Red Hat, QEMU's PCI bridge */
	put(f->config, PCI_DEVICE_ID, 2, 0x0001);
	f->config[PCI_HEADER_TYPE] = 1;
	put(f->wmask, PCI_IO_BASE, 2, 0xf0f0);
	put(f->wmask, PCI_MEMORY_BASE, 4, 0xfff0fff0);
	put(f->wmask, PCI_PREF_MEMORY_BASE, 4, 0xfff0fff0);
	put(f->config, PCI_PREF_MEMORY_BASE, 4, 0x00010001); /* 64 bits */
	put(f->wmask, PCI_PREF_BASE_UPPER32, 4, UINT32_MAX);
	put(f->wmask, PCI_PREF_LIMIT_UPPER32, 4, UINT32_MAX);
	return f;
}

void
pci_bar_init(struct pci_function *f, unsigned n, uint64_t size_bytes, bool io, bool mem64,
	     bool prefetch)
{
	unsigned reg = PCI_BASE_ADDRESS_0 + 4 * n;
	uint32_t flags = io ? PCI_BASE_ADDRESS_SPACE_IO
			    : (mem64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
					 (prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
	uint32_t low = io ? 0x3 : 0xf;

	must(!f->bridge && n < PCI_BARS && !f->bar[n].size_bytes && !(io && mem64));
	must(size_bytes > low && size_bytes <= UINT64_C(1) << 31);
	must(!(size_bytes & (size_bytes - 1)));
	f->bar[n] = (struct pci_bar){
		.size_bytes = size_bytes,
		.io = io,
		.mem64 = mem64,
		.prefetch = prefetch,
	};
	put(f->config, reg, 4, flags);
	put(f->wmask, reg, 4, ~(uint32_t)(size_bytes - 1) & ~low);
	if (mem64) {
		must(n + 1 < PCI_BARS && !f->bar[n + 1].size_bytes);
		put(f->wmask, reg + 4, 4, UINT32_MAX);
	}
}

void
pci_bar_add(struct pci_function *f, unsigned n, uint64_t offset, struct memregion *region)
{
	struct pci_part *part = world_alloc(f->world, sizeof(*part));

	must(n < PCI_BARS && offset + region->size_bytes <= f->bar[n].size_bytes);
	must(region->space == (f->bar[n].io ? IO_PIO : IO_MMIO));
	part->region = region;
	part->offset = offset;
	part->next = f->bar[n].parts;
	f->bar[n].parts = part;
}

uint8_t
pci_add_capability(struct pci_function *f, uint8_t id, uint8_t size)
{
	uint8_t at = f->cap_end;
	uint8_t *link = &f->config[PCI_CAPABILITY_LIST];

	must(size >= 2 && at + size <= PCI_CONFIG_BYTES);
	while (*link)
		link = &f->config[*link + 1];
	*link = at;
	f->config[at] = id;
	f->cap_end = (uint8_t)(at + ((size + 3) & ~3));
	f->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return at;
}

void
pci_add_power(struct pci_function *f, bool no_soft_reset)
{
	f->pm_cap = pci_add_capability(f, PCI_CAP_ID_PM, 8);
	put(f->config, f->pm_cap + PCI_PM_CTRL, 2, no_soft_reset ? PCI_PM_CTRL_NO_SOFT_RESET : 0);
	put(f->wmask, f->pm_cap + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
}

void
pci_add_express(struct pci_function *f)
{
	f->exp_cap = pci_add_capability(f, PCI_CAP_ID_EXP, 20);
	put(f->wmask, f->exp_cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
}

/* --- decoding ------------------------------------------------------------------------------- */

uint16_t
pci_command(const struct pci_function *f)
{
	return (uint16_t)get(f->config, PCI_COMMAND, 2);
}

uint64_t
pci_bar_address(const struct pci_function *f, unsigned n)
{
	unsigned reg = PCI_BASE_ADDRESS_0 + 4 * n;
	uint64_t address = get(f->config, reg, 4) & (f->bar[n].io ? ~0x3u : ~0xfu);

	if (f->bar[n].mem64)
		address |= (uint64_t)get(f->config, reg + 4, 4) << 32;
	return address;
}

/* Whether [first, last] lies in a window of @bridge that is open. */
static bool
forwards(const struct pci_function *bridge, bool io, uint64_t first, uint64_t last)
{
	const uint8_t *c = bridge->config;
	uint64_t base, limit;

	if (io) {
		base = (uint64_t)(c[PCI_IO_BASE] & 0xf0) << 8;
		limit = (uint64_t)(c[PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff;
		return pci_command(bridge) & PCI_COMMAND_IO && first >= base && last <= limit;
	}
	if (!(pci_command(bridge) & PCI_COMMAND_MEMORY))
		return false;
	base = (uint64_t)(get(c, PCI_MEMORY_BASE, 2) & 0xfff0) << 16;
	limit = (uint64_t)(get(c, PCI_MEMORY_LIMIT, 2) & 0xfff0) << 16 | 0xfffff;
	if (first >= base && last <= limit)
		return true;
	base = (uint64_t)(get(c, PCI_PREF_MEMORY_BASE, 2) & 0xfff0) << 16 |
	       (uint64_t)get(c, PCI_PREF_BASE_UPPER32, 4) << 32;
	limit = (uint64_t)(get(c, PCI_PREF_MEMORY_LIMIT, 2) & 0xfff0) << 16 | 0xfffff |
		(uint64_t)get(c, PCI_PREF_LIMIT_UPPER32, 4) << 32;
	return first >= base && last <= limit;
}

bool
pci_bar_decoded(const struct pci_function *f, unsigned n, uint64_t *base)
{
	const struct pci_bar *bar = &f->bar[n];
	uint64_t first = pci_bar_address(f, n);
	uint64_t last = first + bar->size_bytes - 1;
	uint64_t top = bar->io ? 0xffff : bar->mem64 ? UINT64_MAX : UINT32_MAX;

	if (!bar->size_bytes || !f->present || f->d3hot)
		return false;
	if (!(pci_command(f) & (bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
		return false;
	/* As QEMU: address 0, and what sizing leaves at the top, are not mapped. */
	if (!first || last < first || last >= top)
		return false;
	for (const struct pci_function *up = f->parent; up; up = up->parent)
		if (!up->present || !forwards(up, bar->io, first, last))
			return false;
	*base = first;
	return true;
}

/* Decode all of the tree anew; the difference is one transaction. */
static void
update_mappings(struct pci_bus *bus)
{
	memview_begin(bus->view);
	for (struct pci_function *f = bus->functions; f; f = f->next) {
		for (unsigned n = 0; n < PCI_BARS; n++) {
			struct pci_bar *bar = &f->bar[n];

			bar->decoded = pci_bar_decoded(f, n, &bar->base);
			for (struct pci_part *p = bar->parts; p; p = p->next) {
				if (bar->decoded)
					memregion_map(p->region, bar->base + p->offset);
				else
					memregion_unmap(p->region);
			}
		}
	}
	memview_commit(bus->view);
}

/* --- configuration cycles ------------------------------------------------------------------- */

static bool
overlaps(unsigned offset, unsigned length, unsigned first, unsigned bytes)
{
	return offset < first + bytes && first < offset + length;
}

/* PMCSR was written. */
static void
power_written(struct pci_function *f)
{
	bool d3hot =
		(get(f->config, f->pm_cap + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK) == PCI_D3HOT;

	if (d3hot == f->d3hot)
		return;
	f->d3hot = d3hot;
	emit(f->world, EV_PCI_POWER, f->name, d3hot ? PCI_D3HOT : PCI_D0);
	update_mappings(f->bus);
	if (f->power_changed)
		f->power_changed(f->arg, d3hot);
}

static void
function_reset(struct pci_function *f)
{
	uint16_t flags = f->msix_cap + PCI_MSIX_FLAGS, command = pci_command(f);

	put(f->config, f->exp_cap + PCI_EXP_DEVCTL, 2, 0);
	emit(f->world, EV_PCI_FLR, f->name);
	if (f->function_reset)
		f->function_reset(f->arg);
	put(f->config, PCI_COMMAND, 2, 0);
	update_mappings(f->bus);
	if (f->msix) {
		put(f->config, flags, 2, get(f->config, flags, 2) & ~PCI_MSIX_FLAGS_ENABLE);
		msix_write_control(f->msix, (uint16_t)get(f->config, flags, 2));
	}
	if (f->command_changed)
		f->command_changed(f->arg, command, 0);
}

static void
written(struct pci_function *f, unsigned offset, unsigned length, uint16_t old_command)
{
	uint16_t command = pci_command(f);
	bool remap = overlaps(offset, length, PCI_COMMAND, 2);

	if (f->bridge)
		remap |= overlaps(offset, length, PCI_IO_BASE, 2) ||
			 overlaps(offset, length, PCI_MEMORY_BASE, 16);
	else
		remap |= overlaps(offset, length, PCI_BASE_ADDRESS_0, 4 * PCI_BARS);
	if (remap)
		update_mappings(f->bus);
	if (f->msix && overlaps(offset, length, f->msix_cap + PCI_MSIX_FLAGS, 2))
		msix_write_control(f->msix,
				   (uint16_t)get(f->config, f->msix_cap + PCI_MSIX_FLAGS, 2));
	if (f->pm_cap && overlaps(offset, length, f->pm_cap + PCI_PM_CTRL, 2))
		power_written(f);
	if (f->exp_cap && overlaps(offset, length, f->exp_cap + PCI_EXP_DEVCTL, 2) &&
	    get(f->config, f->exp_cap + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_BCR_FLR)
		function_reset(f);
	if (command == old_command)
		return;
	if (f->intx)
		intx_update(f->intx);
	if (f->command_changed)
		f->command_changed(f->arg, old_command, command);
}

void
pci_config_write(struct pci_function *f, struct vcpu *v, unsigned offset, unsigned length,
		 uint32_t value)
{
	uint16_t old_command;

	must(offset + length <= PCI_CONFIG_BYTES && (length == 1 || length == 2 || length == 4));
	vcpu_exit(v);
	actor_point(f->world);
	memview_lock(f->bus->view);
	old_command = pci_command(f);
	emit(f->world, EV_PCI_CONFIG_WRITE, f->name, offset, length, value);
	if (f->present) {
		for (unsigned i = 0; i < length; i++) {
			uint8_t mask = f->wmask[offset + i];
			uint8_t byte = (uint8_t)(value >> 8 * i);

			f->config[offset + i] =
				(uint8_t)((f->config[offset + i] & ~mask) | (byte & mask));
		}
		written(f, offset, length, old_command);
	}
	memview_unlock(f->bus->view);
	vcpu_enter(v);
}

uint32_t
pci_config_read(struct pci_function *f, struct vcpu *v, unsigned offset, unsigned length)
{
	uint32_t value = UINT32_MAX >> (32 - 8 * length);

	must(offset + length <= PCI_CONFIG_BYTES && (length == 1 || length == 2 || length == 4));
	vcpu_exit(v);
	actor_point(f->world);
	if (f->present) {
		if (f->intx && f->intx->isr && !(f->msix && msix_enabled(f->msix)))
			f->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
		else
			f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
		value = get(f->config, offset, length);
	}
	vcpu_enter(v);
	return value;
}

void
pci_set_present(struct pci_function *f, bool present)
{
	if (f->present == present)
		return;
	f->present = present;
	emit(f->world, EV_PCI_PRESENT, f->name, present);
	update_mappings(f->bus);
}

/* --- what guests do ------------------------------------------------------------------------- */

void
pci_set_bar(struct pci_function *f, struct vcpu *v, unsigned n, uint64_t address)
{
	unsigned reg = PCI_BASE_ADDRESS_0 + 4 * n;

	pci_config_write(f, v, reg, 4, (uint32_t)address);
	if (f->bar[n].mem64)
		pci_config_write(f, v, reg + 4, 4, (uint32_t)(address >> 32));
}

uint64_t
pci_size_bar(struct pci_function *f, struct vcpu *v, unsigned n)
{
	unsigned reg = PCI_BASE_ADDRESS_0 + 4 * n;
	uint16_t command = (uint16_t)pci_config_read(f, v, PCI_COMMAND, 2);
	uint16_t decode = command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	uint32_t was = pci_config_read(f, v, reg, 4);
	uint32_t mask;

	if (decode)
		pci_config_write(f, v, PCI_COMMAND, 2, command & (uint16_t)~decode);
	pci_config_write(f, v, reg, 4, UINT32_MAX);
	mask = pci_config_read(f, v, reg, 4);
	pci_config_write(f, v, reg, 4, was);
	if (decode)
		pci_config_write(f, v, PCI_COMMAND, 2, command);
	mask &= mask & PCI_BASE_ADDRESS_SPACE_IO ? ~0x3u : ~0xfu;
	return mask ? (uint64_t)(~mask) + 1 : 0;
}

void
pci_set_command(struct pci_function *f, struct vcpu *v, uint16_t set, uint16_t clear)
{
	uint32_t command = pci_config_read(f, v, PCI_COMMAND, 2);

	pci_config_write(f, v, PCI_COMMAND, 2, (command & ~(uint32_t)clear) | set);
}

bool
pci_set_power(struct pci_function *f, struct vcpu *v, unsigned state)
{
	unsigned reg = f->pm_cap + PCI_PM_CTRL;
	uint32_t was;

	if (!f->pm_cap)
		return false;
	was = pci_config_read(f, v, reg, 2);
	pci_config_write(f, v, reg, 2, (was & ~(uint32_t)PCI_PM_CTRL_STATE_MASK) | state);
	if (state == PCI_D0 && (was & PCI_PM_CTRL_STATE_MASK) == PCI_D3HOT)
		actor_sleep(f->world, D3HOT_DELAY_NS);
	return true;
}

bool
pci_flr(struct pci_function *f, struct vcpu *v)
{
	uint32_t command;

	if (!f->exp_cap)
		return false;
	command = pci_config_read(f, v, PCI_COMMAND, 2);
	pci_config_write(f, v, f->exp_cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	actor_sleep(f->world, FLR_DELAY_NS);
	pci_config_write(f, v, PCI_COMMAND, 2, command);
	return true;
}

void
pci_set_window(struct pci_function *bridge, struct vcpu *v, uint64_t base, uint64_t limit)
{
	must(bridge->bridge);
	pci_config_write(bridge, v, PCI_MEMORY_BASE, 4,
			 (uint32_t)(base >> 16 & 0xfff0) | (uint32_t)(limit & 0xfff00000));
}

void
pci_set_pref_window(struct pci_function *bridge, struct vcpu *v, uint64_t base, uint64_t limit)
{
	must(bridge->bridge);
	pci_config_write(bridge, v, PCI_PREF_LIMIT_UPPER32, 4, 0);
	pci_config_write(bridge, v, PCI_PREF_MEMORY_BASE, 4,
			 (uint32_t)(base >> 16 & 0xfff0) | (uint32_t)(limit & 0xfff00000));
	pci_config_write(bridge, v, PCI_PREF_BASE_UPPER32, 4, (uint32_t)(base >> 32));
	pci_config_write(bridge, v, PCI_PREF_LIMIT_UPPER32, 4, (uint32_t)(limit >> 32));
}
