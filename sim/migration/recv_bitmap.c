/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/recv_bitmap.h"

#include <string.h>

/* ORDER RECV_BITMAP_ERROR */
const char *const recv_bitmap_error_word[RECV_BITMAP_ERRORS] = { "ok", "bitmap size mismatch",
								 "read bitmap failed",
								 "end mark incorrect" };

static void
put_be64(uint8_t *out, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t
get_be64(const uint8_t *in)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | in[i];
	return value;
}

/* Of the bitmap alone: whole words of 64 bits, so that hosts of 32 bits agree with others. */
static uint64_t
bitmap_bytes(uint64_t pages)
{
	return (pages + 63) / 64 * 8;
}

size_t
recv_bitmap_bytes(uint64_t pages)
{
	return (size_t)bitmap_bytes(pages) + 16;
}

void
recv_bitmap_encode(const struct page_bitmap *received, uint64_t first, uint64_t pages,
		   bool native_big, uint8_t *out)
{
	uint64_t bytes = bitmap_bytes(pages);

	put_be64(out, bytes);
	memset(out + 8, 0, (size_t)bytes);
	for (uint64_t page = first;
	     (page = page_bitmap_next(received, page)) < first + pages && page < received->npages;
	     page++) {
		uint64_t bit = page - first, byte = bit / 8;

		if (native_big)
			byte ^= 7;
		out[8 + byte] |= (uint8_t)(1u << bit % 8);
	}
	put_be64(out + 8 + bytes, RECV_BITMAP_ENDING);
}

enum recv_bitmap_error
recv_bitmap_check(const uint8_t *in, size_t size, uint64_t pages)
{
	uint64_t bytes = bitmap_bytes(pages);

	if (size < 8)
		return RECV_BITMAP_SHORT;
	if (get_be64(in) != bytes)
		return RECV_BITMAP_SIZE;
	if (size < recv_bitmap_bytes(pages))
		return RECV_BITMAP_SHORT;
	return get_be64(in + 8 + bytes) == RECV_BITMAP_ENDING ? RECV_BITMAP_OK : RECV_BITMAP_MARK;
}
