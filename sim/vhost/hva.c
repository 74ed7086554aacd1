/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/hva.h"

#include <string.h>

#include "base/must.h"
#include "engine/world.h"
#include "memory/guest_memory.h"

struct hva_space *
hva_space_create(struct world *w, unsigned ram_blocks, unsigned own_pages)
{
	struct hva_space *s = world_alloc(w, sizeof(*s));
	uint64_t bytes = gm_size(w) / ram_blocks;

	must(ram_blocks && own_pages);
	s->w = w;
	s->own_pages = own_pages;
	s->own_gpa = gm_alloc(w, (uint64_t)own_pages * HVA_PAGE, HVA_PAGE);
	s->taken = world_alloc(w, own_pages * sizeof(*s->taken));
	s->ram_blocks = ram_blocks;
	s->block_bytes = (bytes + HVA_PAGE - 1) & ~(uint64_t)(HVA_PAGE - 1);
	return s;
}

static unsigned
pages_of(uint64_t bytes)
{
	return (unsigned)((bytes + HVA_PAGE - 1) / HVA_PAGE);
}

uint64_t
hva_alloc(struct hva_space *s, uint64_t bytes)
{
	unsigned n, run = 0;
	uint64_t hva;

	if (!bytes || bytes > (uint64_t)s->own_pages * HVA_PAGE)
		return 0;
	n = pages_of(bytes);
	for (unsigned i = 0; i < s->own_pages; i++) {
		run = s->taken[i] ? 0 : run + 1;
		if (run < n)
			continue;
		for (unsigned p = i + 1 - n; p <= i; p++)
			s->taken[p] = true;
		s->own_used += n;
		hva = HVA_OWN + (uint64_t)(i + 1 - n) * HVA_PAGE;
		hva_clear(s, hva, (uint64_t)n * HVA_PAGE);
		return hva;
	}
	return 0;
}

void
hva_free(struct hva_space *s, uint64_t hva, uint64_t bytes)
{
	unsigned first = (unsigned)((hva - HVA_OWN) / HVA_PAGE), n = pages_of(bytes);

	for (unsigned p = first; p < first + n; p++) {
		must(p < s->own_pages && s->taken[p]);
		s->taken[p] = false;
	}
	s->own_used -= n;
}

uint64_t
hva_of_block(const struct hva_space *s, unsigned n)
{
	return HVA_RAM + n * (s->block_bytes + HVA_GAP);
}

unsigned
hva_block(const struct hva_space *s, uint64_t gpa)
{
	return gpa < gm_size(s->w) ? (unsigned)(gpa / s->block_bytes) : s->ram_blocks;
}

bool
hva_to_gpa(const struct hva_space *s, uint64_t hva, uint64_t *len, uint64_t *gpa)
{
	uint64_t offset, room, block;

	if (hva < HVA_OWN)
		return false;
	if (hva_is_own(hva)) {
		offset = hva - HVA_OWN;
		room = (uint64_t)s->own_pages * HVA_PAGE;
		*gpa = s->own_gpa + offset;
	} else {
		block = (hva - HVA_RAM) / (s->block_bytes + HVA_GAP);
		offset = (hva - HVA_RAM) % (s->block_bytes + HVA_GAP);
		room = block < s->ram_blocks ? s->block_bytes : 0;
		*gpa = block * s->block_bytes + offset;
		if (room > gm_size(s->w) - block * s->block_bytes)
			room = gm_size(s->w) - block * s->block_bytes;
	}
	if (offset >= room)
		return false;
	if (*len > room - offset)
		*len = room - offset;
	return true;
}

static uint64_t
own_gpa(const struct hva_space *s, uint64_t hva, uint64_t bytes)
{
	must(hva_is_own(hva) && hva - HVA_OWN + bytes <= (uint64_t)s->own_pages * HVA_PAGE);
	return s->own_gpa + (hva - HVA_OWN);
}

void
hva_clear(struct hva_space *s, uint64_t hva, uint64_t bytes)
{
	static const uint8_t zeros[HVA_PAGE];

	for (uint64_t done = 0; done < bytes; done += HVA_PAGE)
		must(gm_write(s->w, own_gpa(s, hva + done, HVA_PAGE), zeros, HVA_PAGE));
}

void
hva_read(const struct hva_space *s, uint64_t hva, void *to, uint64_t bytes)
{
	must(gm_read(s->w, own_gpa(s, hva, bytes), to, bytes));
}

void
hva_write(struct hva_space *s, uint64_t hva, const void *from, uint64_t bytes)
{
	must(gm_write(s->w, own_gpa(s, hva, bytes), from, bytes));
}
