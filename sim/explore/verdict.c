/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/verdict.h"

#include <string.h>

#include "base/hash.h"

/* ORDER VERDICT */
const char *const verdict_name[VERDICT_COUNT] = {
	"ok",
	"lost-kick",
	"lost-interrupt",
	"hang",
	"livelock",
	"dirty-page-lost",
	"memory-divergence",
	"data-race",
	"spec-violation",
	"use-after-unmap",
	"mapping-leak",
	"state-lost",
	"unbounded-allocation",
	"budget",
};

enum verdict
verdict_find(const char *word)
{
	enum verdict v = 0;

	while (v < VERDICT_COUNT && strcmp(verdict_name[v], word))
		v++;
	return v;
}

bool
finding_same(const struct finding *a, const struct finding *b)
{
	return a->verdict == b->verdict && !strcmp(a->oracle, b->oracle) &&
	       !strcmp(a->subject, b->subject);
}

uint64_t
finding_key(const struct finding *f)
{
	uint64_t h = hash_u64(f->verdict + 1);

	h = hash_bytes(f->oracle, strlen(f->oracle), h);
	return hash_bytes(f->subject, strlen(f->subject), h);
}
