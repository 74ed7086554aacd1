/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/must.h"
#include "notify/irqchip.h"
#include "notify/irqfd.h"

const char *const irqroute_type_name[3] = {
	/* ORDER IRQROUTE_TYPE */
	"none",
	"irqchip",
	"msi",
};

/* Index of the first entry whose GSI is not below. */
static uint32_t
place(const struct irqroute_table *t, uint32_t gsi)
{
	uint32_t low = 0, high = t->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->entry[mid].gsi < gsi)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
reserve(struct world *w, struct irqroute_table *t, uint32_t count)
{
	uint32_t capacity = t->capacity ? t->capacity : 32;
	struct irqroute *entry;

	if (count <= t->capacity)
		return;
	while (capacity < count)
		capacity *= 2;
	entry = world_alloc(w, capacity * sizeof(*entry));
	if (t->count)
		memcpy(entry, t->entry, t->count * sizeof(*entry));
	world_free(w, t->entry, t->capacity * sizeof(*entry));
	t->entry = entry;
	t->capacity = capacity;
}

static void
set(struct irqchip *chip, const struct irqroute *route)
{
	struct irqroute_table *t = &chip->shadow;
	uint32_t i = place(t, route->gsi);

	if (i == t->count || t->entry[i].gsi != route->gsi) {
		reserve(chip->world, t, t->count + 1);
		memmove(&t->entry[i + 1], &t->entry[i], (t->count - i) * sizeof(*route));
		t->count++;
	}
	t->entry[i] = *route;
}

uint32_t
irqroute_new_gsi(struct irqchip *chip)
{
	return chip->next_gsi++;
}

void
irqroute_set_msi(struct irqchip *chip, uint32_t gsi, uint64_t address, uint32_t data)
{
	struct irqroute r = { .gsi = gsi, .type = IRQROUTE_MSI, .address = address, .data = data };

	set(chip, &r);
}

void
irqroute_set_pin(struct irqchip *chip, uint32_t gsi, uint32_t pin)
{
	struct irqroute r = { .gsi = gsi, .type = IRQROUTE_IRQCHIP, .pin = pin };

	must(pin < IOAPIC_PINS);
	set(chip, &r);
}

void
irqroute_del(struct irqchip *chip, uint32_t gsi)
{
	struct irqroute_table *t = &chip->shadow;
	uint32_t i = place(t, gsi);

	if (i == t->count || t->entry[i].gsi != gsi)
		return;
	t->count--;
	memmove(&t->entry[i], &t->entry[i + 1], (t->count - i) * sizeof(t->entry[i]));
}

static bool
same(const struct irqroute *a, const struct irqroute *b)
{
	return a->type == b->type && a->pin == b->pin && a->address == b->address &&
	       a->data == b->data;
}

/* Say what differs between the table in force and the shadow. */
static void
emit_changes(struct irqchip *chip)
{
	const struct irqroute_table *was = &chip->routes, *is = &chip->shadow;
	uint32_t i = 0, k = 0;

	while (i < was->count || k < is->count) {
		const struct irqroute *a = i < was->count ? &was->entry[i] : NULL;
		const struct irqroute *b = k < is->count ? &is->entry[k] : NULL;

		if (a && (!b || a->gsi < b->gsi)) {
			emit(chip->world, EV_IRQ_ROUTE_DEL, a->gsi);
			i++;
			continue;
		}
		if (!a || b->gsi < a->gsi || !same(a, b))
			emit(chip->world, EV_IRQ_ROUTE, b->gsi, (int64_t)b->address, b->data,
			     b->type == IRQROUTE_IRQCHIP ? (int64_t)b->pin : -1);
		i += a && a->gsi == b->gsi;
		k++;
	}
}

void
irqroute_commit(struct irqchip *chip)
{
	actor_point(chip->world);
	emit_changes(chip);
	reserve(chip->world, &chip->routes, chip->shadow.count);
	if (chip->shadow.count)
		memcpy(chip->routes.entry, chip->shadow.entry,
		       chip->shadow.count * sizeof(*chip->shadow.entry));
	chip->routes.count = chip->shadow.count;
	irqfd_update_routes(chip);
}

const struct irqroute *
irqroute_find(const struct irqchip *chip, uint32_t gsi)
{
	uint32_t i = place(&chip->routes, gsi);

	if (i == chip->routes.count || chip->routes.entry[i].gsi != gsi)
		return NULL;
	return &chip->routes.entry[i];
}
