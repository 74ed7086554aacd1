/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/linux/linux_ring.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"

static _Thread_local const struct linux_ring *making;
static _Thread_local uintptr_t host_distance;
static _Thread_local struct {
	char text[LINUX_WORDS_MAX];
	bool numbered;
	uint64_t value;
} complaint;

/* --- memory --------------------------------------------------------------------------------- */

/*
 * In front of each block.  It is 8 bytes longer than a multiple of 16, so that no block is 16-byte
 * aligned, and all indirect tables are: that tells them apart when they are freed.
 */
struct header {
	const struct linux_ring *ring;
	void *start;
	size_t size;
};
must_static(sizeof(struct header) % 16 == 8, "blocks are told from tables by their alignment");

void
linux_make(const struct linux_ring *ring)
{
	making = ring;
}

uintptr_t
linux_making(void)
{
	return (uintptr_t)making;
}

static struct linux_ring *
ring_of(uintptr_t gfp)
{
	return (struct linux_ring *)(gfp & ~LINUX_FLAGS);
}

void *
linux_alloc(size_t size, uintptr_t gfp)
{
	struct linux_ring *ring = ring_of(gfp);
	struct header *h;
	void *table;

	if (!ring)
		return NULL;
	if (ring->table && ring->table_bytes == size) {
		table = ring->table;
		ring->table = NULL;
		return table;
	}
	if (ring != making)
		return NULL;
	size += sizeof(*h);
	h = ring->host.alloc(ring->host.ctx, size);
	if (!h)
		return NULL;
	must((uintptr_t)h % 16 == 0);
	*h = (struct header){ ring, h, size };
	return h + 1;
}

void
linux_free(const void *p)
{
	const struct header *h;

	if (!p || (uintptr_t)p % 16 == 0)
		return;
	h = (const struct header *)p - 1;
	h->ring->host.free(h->ring->host.ctx, h->start, h->size);
}

void *
linux_alloc_area(size_t size, uintptr_t gfp, uint64_t *gpa)
{
	struct linux_ring *ring = ring_of(gfp);

	must(ring && ring->areas < 3);
	if (gpa)
		*gpa = ring->area_gpa[ring->areas];
	return ring->area[ring->areas++];
}

void
linux_distance(uintptr_t distance)
{
	host_distance = distance;
}

uint64_t
linux_gpa(const void *p)
{
	return (uintptr_t)p - host_distance;
}

/* --- messages ------------------------------------------------------------------------------- */

void
linux_words(char text[LINUX_WORDS_MAX], const char *fmt)
{
	snprintf(text, LINUX_WORDS_MAX, "%.*s", (int)strcspn(fmt, "\n"), fmt);
}

void
linux_complain(const char *fmt, va_list arguments)
{
	const char *first = strchr(fmt, '%');

	linux_words(complaint.text, fmt);
	complaint.numbered = first && (first[1] == 'u' || first[1] == 'i' || first[1] == 'd');
	if (complaint.numbered)
		complaint.value = va_arg(arguments, unsigned);
}

bool
linux_complaint(char text[LINUX_WORDS_MAX], uint64_t *value)
{
	if (!complaint.text[0])
		return false;
	memcpy(text, complaint.text, LINUX_WORDS_MAX);
	if (complaint.numbered)
		*value = complaint.value;
	complaint.text[0] = '\0';
	return true;
}

void
linux_bug(const char *what, const char *file, int line)
{
	must_failed(what, file, line, "the kernel's code");
}
