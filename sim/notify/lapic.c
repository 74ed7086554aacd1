/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/bitmap.h"
#include "base/must.h"
#include "notify/lapic.h"

int
lapic_highest(const uint64_t *reg)
{
	for (int i = LAPIC_VECTORS / 64 - 1; i >= 0; i--)
		if (reg[i])
			return i * 64 + 63 - __builtin_clzll(reg[i]);
	return -1;
}

bool
lapic_request(struct lapic *l, unsigned vector, bool level)
{
	must(vector >= LAPIC_VECTOR_MIN && vector < LAPIC_VECTORS);
	if (level)
		bitmap_set(l->tmr, vector);
	else
		bitmap_clear(l->tmr, vector);
	return !bitmap_test_and_set(l->irr, vector);
}

bool
lapic_post(struct lapic *l, unsigned vector)
{
	bool first = !l->on;

	must(vector >= LAPIC_VECTOR_MIN && vector < LAPIC_VECTORS);
	bitmap_set(l->pir, vector);
	l->on = true;
	return first;
}

bool
lapic_sync_pir(struct lapic *l)
{
	bool moved = false;

	if (!l->on)
		return false;
	l->on = false;
	for (int i = 0; i < LAPIC_VECTORS / 64; i++) {
		moved |= l->pir[i] != 0;
		l->irr[i] |= l->pir[i];
		l->tmr[i] &= ~l->pir[i]; /* posted interrupts are edges */
		l->pir[i] = 0;
	}
	return moved;
}

int
lapic_next(const struct lapic *l)
{
	int irr = lapic_highest(l->irr);
	int isr = lapic_highest(l->isr);

	if (irr < 0 || (isr >= 0 && irr >> 4 <= isr >> 4))
		return -1;
	return irr;
}

void
lapic_accept(struct lapic *l, unsigned vector)
{
	must(bitmap_test(l->irr, vector));
	bitmap_clear(l->irr, vector);
	bitmap_set(l->isr, vector);
}

int
lapic_eoi(struct lapic *l, bool *level)
{
	int vector = lapic_highest(l->isr);

	*level = false;
	if (vector < 0)
		return -1;
	bitmap_clear(l->isr, (unsigned)vector);
	*level = bitmap_test(l->tmr, (unsigned)vector);
	return vector;
}

bool
lapic_in_irr(const struct lapic *l, unsigned vector)
{
	return bitmap_test(l->irr, vector);
}

bool
lapic_in_isr(const struct lapic *l, unsigned vector)
{
	return bitmap_test(l->isr, vector);
}
