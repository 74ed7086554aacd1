/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/ring_memory.h"

#include "base/must.h"
#include "engine/world.h"
#include "memory/guest_memory.h"
#include "virtio/ring_packed_layout.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

/* A ring starts on a page of its own, as vring_alloc_queue() does; dirty logs count in pages. */
#define RING_ALIGN 4096u

/*
 * What hands something over, or says whether to be told, is a word that both sides synchronise
 * through; the rest must be ordered by these words.
 */
static enum gm_role
packed_role(const void *context, uint64_t offset)
{
	const struct ring_packed_layout *layout = context;

	if (offset >= layout->driver)
		return GM_WORD;
	return offset % sizeof(struct vring_packed_desc) >=
			       offsetof(struct vring_packed_desc, flags)
		       ? GM_WORD
		       : GM_CONTENT;
}

static enum gm_role
split_role(const void *context, uint64_t offset)
{
	const struct ring_split_layout *layout = context;
	uint64_t used_event = layout->avail + ring_split_avail_bytes(layout->size) - 2;
	uint64_t avail_event = layout->used + ring_split_used_bytes(layout->size) - 2;

	if (offset < layout->avail)
		return GM_CONTENT;
	if (offset < layout->used)
		return offset - layout->avail < 4 || offset >= used_event ? GM_WORD : GM_CONTENT;
	return offset - layout->used < 4 || offset >= avail_event ? GM_WORD : GM_CONTENT;
}

static void
packed_alloc(struct world *w, struct dp_vring *vring, const char *name, uint16_t size)
{
	struct ring_packed_layout *layout = world_alloc(w, sizeof(*layout));
	uint64_t gpa;

	ring_packed_layout_init(layout, size);
	gpa = gm_alloc(w, layout->bytes, RING_ALIGN);
	ring_packed_layout_place(layout, gpa, vring);
	ring_memory_clear(w, vring);
	gm_region(w, gpa, layout->bytes, name, ring_packed_describe, layout);
	gm_region_roles(w, packed_role);
}

static void
split_alloc(struct world *w, struct dp_vring *vring, const char *name, uint16_t size)
{
	struct ring_split_layout *layout = world_alloc(w, sizeof(*layout));
	uint64_t gpa;

	ring_split_layout_init(layout, size, VRING_USED_ALIGN_SIZE);
	gpa = gm_alloc(w, layout->bytes, RING_ALIGN);
	ring_split_layout_place(layout, gpa, vring);
	ring_memory_clear(w, vring);
	ring_memory_name(w, layout, gpa, name);
}

void
ring_memory_name(struct world *w, const struct ring_split_layout *layout, uint64_t gpa,
		 const char *name)
{
	gm_region(w, gpa, layout->bytes, name, ring_split_describe, layout);
	gm_region_roles(w, split_role);
}

static bool
is_packed(const struct dp_vring *vring)
{
	return virtio_has(vring->features, VIRTIO_F_RING_PACKED);
}

void
ring_memory_alloc(struct world *w, struct dp_vring *vring, const char *name, uint16_t size,
		  uint64_t features)
{
	*vring = (struct dp_vring){ .features = features };
	if (is_packed(vring))
		packed_alloc(w, vring, name, size);
	else
		split_alloc(w, vring, name, size);
}

static void
clear(struct world *w, uint64_t gpa, uint64_t bytes)
{
	static const uint8_t zeros[256];

	for (uint64_t done = 0; done < bytes; done += sizeof(zeros)) {
		uint64_t n = bytes - done < sizeof(zeros) ? bytes - done : sizeof(zeros);

		must(gm_write(w, gpa + done, zeros, n)); /* it was allocated from RAM */
	}
}

void
ring_memory_clear(struct world *w, const struct dp_vring *vring)
{
	if (is_packed(vring)) {
		clear(w, vring->desc, ring_packed_desc_bytes(vring->size));
		clear(w, vring->driver, RING_PACKED_EVENT_BYTES);
		clear(w, vring->device, RING_PACKED_EVENT_BYTES);
		return;
	}
	clear(w, vring->desc, ring_split_desc_bytes(vring->size));
	clear(w, vring->driver, ring_split_avail_bytes(vring->size));
	clear(w, vring->device, ring_split_used_bytes(vring->size));
}
