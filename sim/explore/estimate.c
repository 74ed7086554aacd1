/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/estimate.h"

#include <math.h>

void
stretches_note(struct stretches *s, double behind)
{
	if (s->count == STRETCHES_MAX) {
		s->count /= 2;
		for (unsigned i = 0; i < s->count; i++)
			s->behind[i] = s->behind[2 * i + 1];
		s->length *= 2;
		/* This one ends the first half of the next stretch. */
		return;
	}
	s->behind[s->count++] = behind;
}

void
stretches_estimate(const struct stretches *s, uint64_t done, double behind, struct estimate *all)
{
	double mean, squares = 0, error;

	*all = (struct estimate){ 0 };
	if (s->count < 4 || behind <= 0)
		return;
	mean = s->behind[s->count - 1] / s->count;
	for (unsigned i = 0; i < s->count; i++) {
		double gain = s->behind[i] - (i ? s->behind[i - 1] : 0);

		squares += (gain - mean) * (gain - mean);
	}
	/* Of the sum of the gains. */
	error = sqrt(squares / (s->count - 1) * s->count);
	all->value = (double)done / behind;
	all->error = all->value * error / behind;
}
