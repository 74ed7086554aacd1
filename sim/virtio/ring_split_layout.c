/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_split_layout.h"

#include <inttypes.h>
#include <stdio.h>

#include "virtio/ring_area.h"
#include "virtio/spec.h"

void
ring_split_layout_init(struct ring_split_layout *layout, uint16_t size, uint32_t align)
{
	layout->size = size;
	layout->desc = 0;
	layout->avail = ring_split_desc_bytes(size);
	layout->used =
		(layout->avail + ring_split_avail_bytes(size) + align - 1) & ~(uint64_t)(align - 1);
	layout->bytes = layout->used + ring_split_used_bytes(size);
}

void
ring_split_layout_place(const struct ring_split_layout *layout, uint64_t gpa,
			struct dp_vring *vring)
{
	vring->size = layout->size;
	vring->desc = gpa + layout->desc;
	vring->driver = gpa + layout->avail;
	vring->device = gpa + layout->used;
}

const char *
ring_split_check(const struct dp_vring *vring)
{
	uint16_t size = vring->size;

	if (!size || (size & (size - 1)))
		return "queue size is not a power of two";
	if (size > VIRTQUEUE_MAX_SIZE || size > DP_SG_MAX)
		return "queue size is too large";
	if (vring->desc % VRING_DESC_ALIGN_SIZE)
		return "descriptor table is not aligned to 16 bytes";
	if (vring->driver % VRING_AVAIL_ALIGN_SIZE)
		return "available ring is not aligned to 2 bytes";
	if (vring->device % VRING_USED_ALIGN_SIZE)
		return "used ring is not aligned to 4 bytes";
	if (ring_area_runs_over(vring->desc, ring_split_desc_bytes(size)) ||
	    ring_area_runs_over(vring->driver, ring_split_avail_bytes(size)) ||
	    ring_area_runs_over(vring->device, ring_split_used_bytes(size)))
		return "ring runs past the end of the address space";
	return NULL;
}

/* --- names ---------------------------------------------------------------------------------- */

void
ring_split_describe_desc(const void *context, uint64_t offset, char *text, size_t size)
{
	static const struct {
		const char *name;
		unsigned start;
	} field[] = {
		{ "next", offsetof(struct vring_desc, next) },
		{ "flags", offsetof(struct vring_desc, flags) },
		{ "len", offsetof(struct vring_desc, len) },
		{ "addr", offsetof(struct vring_desc, addr) },
	};
	unsigned at = offset % sizeof(struct vring_desc), i = 0;

	while (at < field[i].start)
		i++;
	int length = snprintf(text, size, "desc[%" PRIu64 "].%s",
			      offset / sizeof(struct vring_desc), field[i].name);
	ring_area_describe_rest(text, size, length, at - field[i].start);
}

void
ring_split_describe_avail(const void *context, uint64_t offset, char *text, size_t size)
{
	const struct ring_split_layout *layout = context;
	uint64_t entry = (offset - 4) / 2;
	int length;

	if (offset < 2)
		length = snprintf(text, size, "avail.flags");
	else if (offset < 4)
		length = snprintf(text, size, "avail.idx");
	else if (entry < layout->size)
		length = snprintf(text, size, "avail.ring[%" PRIu64 "]", entry);
	else
		length = snprintf(text, size, "used_event");
	ring_area_describe_rest(text, size, length, offset % 2);
}

void
ring_split_describe_used(const void *context, uint64_t offset, char *text, size_t size)
{
	const struct ring_split_layout *layout = context;
	uint64_t entry = (offset - 4) / 8, rest = offset % 2;
	int length;

	if (offset < 2) {
		length = snprintf(text, size, "used.flags");
	} else if (offset < 4) {
		length = snprintf(text, size, "used.idx");
	} else if (entry < layout->size) {
		length = snprintf(text, size, "used.ring[%" PRIu64 "].%s", entry,
				  (offset - 4) % 8 < 4 ? "id" : "len");
		rest = offset % 4;
	} else {
		length = snprintf(text, size, "avail_event");
	}
	ring_area_describe_rest(text, size, length, rest);
}

void
ring_split_describe(const void *context, uint64_t offset, char *text, size_t size)
{
	const struct ring_split_layout *layout = context;
	uint64_t avail_end = layout->avail + ring_split_avail_bytes(layout->size);

	if (offset < layout->avail)
		ring_split_describe_desc(context, offset - layout->desc, text, size);
	else if (offset < avail_end)
		ring_split_describe_avail(context, offset - layout->avail, text, size);
	else if (offset < layout->used)
		snprintf(text, size, "padding+%" PRIu64, offset - avail_end);
	else
		ring_split_describe_used(context, offset - layout->used, text, size);
}
