/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two sides of the packed ring share: the mapped areas, positions, and the single accesses
 * to them.  For the files ring_packed_*.c only.
 */
#ifndef RINGSIDE_VIRTIO_RING_PACKED_IMPL_H
#define RINGSIDE_VIRTIO_RING_PACKED_IMPL_H

#include "datapath/barrier.h"
#include "datapath/datapath.h"
#include "virtio/spec.h"

#define PACKED_F_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_F_USED (1u << VRING_PACKED_DESC_F_USED)

/* The areas of one queue, as this side's mapping shows them. */
struct packed_vring {
	uint16_t size; /* descriptors */
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *driver, *device; /* who writes it */
};

/* Map @vring's areas. Null, or what is wrong. */
const char *
packed_vring_map(struct packed_vring *vr, const struct dp_vring *vring, const struct dp_host *host);

/* --- positions ------------------------------------------------------------------------------ */

struct packed_pos {
	uint16_t off; /* < size */
	bool wrap;
};

/* @n <= size descriptors further. */
static inline struct packed_pos
packed_forth(const struct packed_vring *vr, struct packed_pos p, unsigned n)
{
	unsigned off = p.off + n;

	return off >= vr->size ? (struct packed_pos){ (uint16_t)(off - vr->size), !p.wrap }
			       : (struct packed_pos){ (uint16_t)off, p.wrap };
}

static inline struct packed_pos
packed_back(const struct packed_vring *vr, struct packed_pos p, unsigned n)
{
	return n > p.off ? (struct packed_pos){ (uint16_t)(p.off + vr->size - n), !p.wrap }
			 : (struct packed_pos){ (uint16_t)(p.off - n), p.wrap };
}

/* As in the event areas, in notification data and in vhost's vring base. */
static inline uint16_t
packed_off_wrap(struct packed_pos p)
{
	return (uint16_t)(p.off | (unsigned)p.wrap << VRING_PACKED_EVENT_F_WRAP_CTR);
}

static inline struct packed_pos
packed_pos(uint16_t off_wrap)
{
	return (struct packed_pos){ off_wrap & 0x7fff, off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR };
}

/*
 * Whether the step from offset @old (negative: it began a lap earlier) to @now went over the event
 * at @off_wrap (2.8.10). All is counted from the beginning of our lap: an event with the other wrap
 * counter lies a lap behind.
 */
static inline bool
packed_need_event(const struct packed_vring *vr, struct packed_pos now, uint16_t off_wrap,
		  uint16_t old)
{
	struct packed_pos event = packed_pos(off_wrap);

	return vring_need_event((uint16_t)(event.off - (event.wrap != now.wrap ? vr->size : 0)),
				now.off, old);
}

/* --- descriptors ---------------------------------------------------------------------------- */

static inline bool
packed_is_avail(uint16_t flags, bool wrap)
{
	bool avail = flags & PACKED_F_AVAIL, used = flags & PACKED_F_USED;

	return avail != used && avail == wrap;
}

static inline bool
packed_is_used(uint16_t flags, bool wrap)
{
	bool avail = flags & PACKED_F_AVAIL, used = flags & PACKED_F_USED;

	return avail == used && used == wrap;
}

/* The bits that make a descriptor available, or used, in a lap. */
static inline uint16_t
packed_avail_flags(bool wrap)
{
	return wrap ? PACKED_F_AVAIL : PACKED_F_USED;
}

static inline uint16_t
packed_used_flags(bool wrap)
{
	return wrap ? PACKED_F_AVAIL | PACKED_F_USED : 0;
}

/*
 * A descriptor whose flags hand nothing over (not the first of a chain, or in an indirect table)
 * is moved in two pieces of 8 bytes: few choice points, and no field can be read twice.
 */
typedef uint64_t __attribute__((may_alias)) packed_word;

union packed_desc {
	struct vring_packed_desc desc;
	packed_word word[2];
};

static inline struct vring_packed_desc
packed_desc_read(const struct vring_packed_desc *p)
{
	const union packed_desc *from = (const union packed_desc *)p;
	union packed_desc d;

	d.word[0] = DP_READ_ONCE(from->word[0]);
	d.word[1] = DP_READ_ONCE(from->word[1]);
	return d.desc;
}

static inline void
packed_desc_write(struct vring_packed_desc *p, const struct vring_packed_desc *desc)
{
	union packed_desc *to = (union packed_desc *)p;
	union packed_desc d = { *desc };

	DP_WRITE_ONCE(to->word[0], d.word[0]);
	DP_WRITE_ONCE(to->word[1], d.word[1]);
}

#endif
