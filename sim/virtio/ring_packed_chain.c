/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_packed_chain.h"

static bool
wrong(struct split_error *err, const char *what, uint64_t value)
{
	*err = (struct split_error){ what, value };
	return false;
}

static bool
take(const struct packed_vring *vr, const struct dp_host *host, const struct vring_packed_desc *d,
     struct dp_elem *elem, struct split_error *err)
{
	struct vring_desc buffer = { d->addr, d->len, d->flags, 0 };

	return split_chain_take(vr->size, host, &buffer, elem, err);
}

/* All entries of the table are the chain; of their flags only WRITE means something (2.8.7). */
static bool
read_table(const struct packed_vring *vr, const struct dp_host *host,
	   const struct vring_packed_desc *d, struct dp_elem *elem, struct split_error *err)
{
	const struct vring_packed_desc *table;

	if (!d->len || d->len % sizeof(*table))
		return wrong(err, "indirect table's length is no multiple of 16", d->len);
	/* Its alignment is nobody's promise, but a single access to it needs 8. */
	if (d->addr % sizeof(packed_word))
		return wrong(err, "indirect table is not aligned", d->addr);
	table = host->map(host->ctx, d->addr, d->len);
	if (!table)
		return wrong(err, "indirect table is not in guest memory", d->addr);
	for (uint32_t i = 0; i < d->len / sizeof(*table); i++) {
		struct vring_packed_desc entry = packed_desc_read(&table[i]);

		if (!take(vr, host, &entry, elem, err))
			return false;
	}
	return true;
}

bool
packed_chain_read(const struct packed_vring *vr, const struct dp_host *host, bool indirect,
		  uint16_t off, const struct vring_packed_desc *first, struct dp_elem *elem,
		  struct split_error *err)
{
	struct vring_packed_desc d = *first;

	elem->out = elem->in = 0;
	elem->out_bytes = elem->in_bytes = 0;
	for (elem->ndescs = 1;; elem->ndescs++) {
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!indirect)
				return wrong(
					err,
					"indirect descriptor without VIRTIO_RING_F_INDIRECT_DESC",
					d.addr);
			/* No direct descriptors beside it, unlike in a split ring. */
			if (elem->ndescs > 1 || (d.flags & VRING_DESC_F_NEXT))
				return wrong(err, "indirect descriptor in a chain", d.flags);
			elem->head = d.id;
			return read_table(vr, host, &d, elem, err);
		}
		/* Each descriptor is a buffer, so this ends after size of them. */
		if (!take(vr, host, &d, elem, err))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			break;
		off = off + 1u < vr->size ? (uint16_t)(off + 1) : 0;
		d = packed_desc_read(&vr->desc[off]);
	}
	/* Of the last one (2.8.6). */
	elem->head = d.id;
	return true;
}
