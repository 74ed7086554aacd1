/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Popped chains: copies, and the bytes in their buffers. */
#include <string.h>

#include "virtio/dma.h"
#include "virtio/queue.h"

static size_t
elem_bytes(unsigned bufs)
{
	return offsetof(struct dp_elem, sg) + bufs * sizeof(struct dp_buf);
}

struct dp_elem *
virtio_elem_alloc(struct world *w)
{
	return world_alloc(w, sizeof(struct dp_elem));
}

struct dp_elem *
virtio_elem_dup(struct world *w, const struct dp_elem *elem)
{
	size_t bytes = elem_bytes(elem->out + elem->in);
	struct dp_elem *copy = world_alloc(w, bytes);

	memcpy(copy, elem, bytes);
	return copy;
}

void
virtio_elem_free(struct world *w, struct dp_elem *elem)
{
	world_free(w, elem, elem_bytes(elem->out + elem->in));
}

/* Copy between the buffers [sg, end) and @buf. An address outside RAM, or that faults, ends it:
 * fewer bytes. */
static size_t
elem_copy(struct world *w, const struct dp_buf *sg, const struct dp_buf *end, size_t offset,
	  void *to, const void *from, size_t size)
{
	size_t done = 0;

	for (; sg < end && done < size; sg++) {
		size_t n = sg->len;

		if (offset >= n) {
			offset -= n;
			continue;
		}
		n -= offset;
		if (n > size - done)
			n = size - done;
		if (dma_copy(w, sg->addr + offset, to ? (char *)to + done : NULL,
			     from ? (const char *)from + done : NULL, n) < n)
			break;
		done += n;
		offset = 0;
	}
	return done;
}

size_t
virtio_elem_read(struct world *w, const struct dp_elem *elem, size_t offset, void *buf, size_t size)
{
	return elem_copy(w, elem->sg, elem->sg + elem->out, offset, buf, NULL, size);
}

size_t
virtio_elem_write(struct world *w, const struct dp_elem *elem, size_t offset, const void *buf,
		  size_t size)
{
	const struct dp_buf *sg = elem->sg + elem->out;

	return elem_copy(w, sg, sg + elem->in, offset, NULL, buf, size);
}
