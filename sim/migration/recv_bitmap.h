/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MIG_RP_MSG_RECV_BITMAP: which pages of a RAM block a destination has, as it tells the source when
 * a postcopy is to be recovered (QEMU 8.2, ramblock_recv_bitmap_send(), ram_dirty_bitmap_reload()).
 *
 *	be64 bytes of the bitmap, a multiple of 8
 *	the bitmap, little endian whatever the hosts are
 *	be64 0x0123456789abcdef
 *
 * Pure functions on bytes.
 */
#ifndef RINGSIDE_MIGRATION_RECV_BITMAP_H
#define RINGSIDE_MIGRATION_RECV_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/page_bitmap.h"

#define RECV_BITMAP_ENDING UINT64_C(0x0123456789abcdef)

/* ORDER RECV_BITMAP_ERROR */
enum recv_bitmap_error {
	RECV_BITMAP_OK,
	RECV_BITMAP_SIZE, /* it is of a block of another size */
	RECV_BITMAP_SHORT, /* the stream ends in it */
	RECV_BITMAP_MARK, /* the end mark is not there */
	RECV_BITMAP_ERRORS
};
extern const char *const recv_bitmap_error_word[RECV_BITMAP_ERRORS];

/* Bytes of the whole message for a block of @pages. */
size_t
recv_bitmap_bytes(uint64_t pages);

/* Pages [first, first + pages) of @received into @out, which has recv_bitmap_bytes() of room.
 * @native_big: as a big-endian host that forgets to convert has its words in memory. */
void
recv_bitmap_encode(const struct page_bitmap *received, uint64_t first, uint64_t pages,
		   bool native_big, uint8_t *out);

/* Look at a message of @size bytes for a block of @pages. Nothing is used unless it is whole. */
enum recv_bitmap_error
recv_bitmap_check(const uint8_t *in, size_t size, uint64_t pages);
/* Whether the destination has page @page of the block, of a message that is in order. */
static inline bool
recv_bitmap_test(const uint8_t *in, uint64_t page)
{
	return in[8 + page / 8] >> page % 8 & 1;
}

#endif
