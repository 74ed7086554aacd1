/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_packed_layout.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "virtio/ring_area.h"
#include "virtio/spec.h"

void
ring_packed_layout_init(struct ring_packed_layout *layout, uint16_t size)
{
	layout->size = size;
	layout->desc = 0;
	layout->driver = ring_packed_desc_bytes(size);
	layout->device = layout->driver + RING_PACKED_EVENT_BYTES;
	layout->bytes = layout->device + RING_PACKED_EVENT_BYTES;
}

void
ring_packed_layout_place(const struct ring_packed_layout *layout, uint64_t gpa,
			 struct dp_vring *vring)
{
	vring->size = layout->size;
	vring->desc = gpa + layout->desc;
	vring->driver = gpa + layout->driver;
	vring->device = gpa + layout->device;
}

const char *
ring_packed_check(const struct dp_vring *vring)
{
	uint16_t size = vring->size;

	if (!size)
		return "queue size is 0";
	if (size > VIRTQUEUE_MAX_SIZE_PACKED || size > DP_SG_MAX)
		return "queue size is too large";
	if (vring->desc % VRING_PACKED_DESC_ALIGN_SIZE)
		return "descriptor ring is not aligned to 16 bytes";
	if (vring->driver % VRING_PACKED_EVENT_ALIGN_SIZE)
		return "driver event suppression area is not aligned to 4 bytes";
	if (vring->device % VRING_PACKED_EVENT_ALIGN_SIZE)
		return "device event suppression area is not aligned to 4 bytes";
	if (ring_area_runs_over(vring->desc, ring_packed_desc_bytes(size)) ||
	    ring_area_runs_over(vring->driver, RING_PACKED_EVENT_BYTES) ||
	    ring_area_runs_over(vring->device, RING_PACKED_EVENT_BYTES))
		return "ring runs past the end of the address space";
	return NULL;
}

/* --- names ---------------------------------------------------------------------------------- */

static void
describe_desc(uint64_t offset, char *text, size_t size)
{
	static const struct {
		const char *name;
		unsigned start;
	} field[] = {
		{ "flags", offsetof(struct vring_packed_desc, flags) },
		{ "id", offsetof(struct vring_packed_desc, id) },
		{ "len", offsetof(struct vring_packed_desc, len) },
		{ "addr", offsetof(struct vring_packed_desc, addr) },
	};
	unsigned at = offset % sizeof(struct vring_packed_desc), i = 0;

	while (at < field[i].start)
		i++;
	int length = snprintf(text, size, "desc[%" PRIu64 "].%s",
			      offset / sizeof(struct vring_packed_desc), field[i].name);
	ring_area_describe_rest(text, size, length, at - field[i].start);
}

void
ring_packed_describe(const void *context, uint64_t offset, char *text, size_t size)
{
	const struct ring_packed_layout *layout = context;
	bool device = offset >= layout->device;
	uint64_t at = offset - (device ? layout->device : layout->driver);

	if (offset < layout->driver) {
		describe_desc(offset, text, size);
		return;
	}
	int length = snprintf(text, size, "%s_event.%s", device ? "device" : "driver",
			      at < offsetof(struct vring_packed_desc_event, flags) ? "off_wrap"
										   : "flags");
	ring_area_describe_rest(text, size, length, at % 2);
}
