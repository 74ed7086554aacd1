/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_split_chain.h"

/* Where the walk is. */
struct walk {
	const struct split_vring *vr;
	const struct dp_host *host;
	struct dp_elem *elem;
	struct split_error *err;
	const struct vring_desc *table; /* the ring's, or the indirect one */
	uint32_t entries; /* of the table */
	bool nested; /* in the indirect table */
};

static bool
wrong(struct walk *walk, const char *what, uint64_t value)
{
	*walk->err = (struct split_error){ what, value };
	return false;
}

/* One buffer of the chain. */
static bool
take_buffer(struct walk *walk, const struct vring_desc *d)
{
	struct dp_elem *elem = walk->elem;
	bool writable = d->flags & VRING_DESC_F_WRITE;
	uint32_t *bytes = writable ? &elem->in_bytes : &elem->out_bytes;

	/* Counting buffers is what ends a loop (2.7.5.3.1: no chain is longer than the queue). */
	if (elem->out + elem->in == walk->vr->size)
		return wrong(walk, "chain is longer than the queue", walk->vr->size);
	if (!writable && elem->in)
		return wrong(walk, "readable descriptor after a writable one", d->addr);
	if (!d->len)
		return wrong(walk, "descriptor of zero length", d->addr);
	if (*bytes + d->len < d->len)
		return wrong(walk, "chain is longer than 2^32 bytes", d->len);
	if (!walk->host->map(walk->host->ctx, d->addr, d->len))
		return wrong(walk, "buffer is not in guest memory", d->addr);
	elem->sg[elem->out + elem->in] = (struct dp_buf){ d->addr, d->len };
	*bytes += d->len;
	if (writable)
		elem->in++;
	else
		elem->out++;
	return true;
}

/* Go on in the table that @d refers to. Its WRITE flag means nothing (2.7.5.3.2). */
static bool
enter_table(struct walk *walk, const struct vring_desc *d)
{
	if (walk->nested)
		return wrong(walk, "indirect descriptor in an indirect table", d->addr);
	if (d->flags & VRING_DESC_F_NEXT)
		return wrong(walk, "indirect descriptor with NEXT", d->flags);
	if (!d->len || d->len % sizeof(struct vring_desc))
		return wrong(walk, "indirect table's length is no multiple of 16", d->len);
	/* Its alignment is nobody's promise, but a single access to it needs 8. */
	if (d->addr % sizeof(split_word))
		return wrong(walk, "indirect table is not aligned", d->addr);
	walk->table = walk->host->map(walk->host->ctx, d->addr, d->len);
	if (!walk->table)
		return wrong(walk, "indirect table is not in guest memory", d->addr);
	walk->entries = d->len / sizeof(struct vring_desc);
	walk->nested = true;
	return true;
}

bool
split_chain_read(const struct split_vring *vr, const struct dp_host *host, bool indirect,
		 uint16_t head, struct dp_elem *elem, struct split_error *err)
{
	struct walk walk = { vr, host, elem, err, vr->desc, vr->size, false };
	uint16_t i = head;

	elem->head = head;
	elem->ndescs = elem->out = elem->in = 0;
	elem->out_bytes = elem->in_bytes = 0;
	for (;;) {
		struct vring_desc d = split_desc_read(&walk.table[i]);

		if (!walk.nested)
			elem->ndescs++;
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!indirect)
				return wrong(
					&walk,
					"indirect descriptor without VIRTIO_RING_F_INDIRECT_DESC",
					d.addr);
			if (!enter_table(&walk, &d))
				return false;
			i = 0;
			continue;
		}
		if (!take_buffer(&walk, &d))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		if (d.next >= walk.entries)
			return wrong(&walk, "next is out of range", d.next);
		i = d.next;
	}
}

bool
split_chain_take(uint16_t size, const struct dp_host *host, const struct vring_desc *buffer,
		 struct dp_elem *elem, struct split_error *err)
{
	struct split_vring vr = { .size = size };
	struct walk walk = { &vr, host, elem, err, NULL, 0, false };

	return take_buffer(&walk, buffer);
}
