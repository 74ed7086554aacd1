/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/xbzrle.h"

static unsigned
uleb128_bytes(unsigned n)
{
	return n < 0x80 ? 1 : 2;
}

int
xbzrle_encoded_bytes(const uint8_t *base, const uint8_t *page, unsigned size)
{
	unsigned i = 0, bytes = 0;

	while (i < size) {
		unsigned zrun = i, nzrun;

		while (i < size && base[i] == page[i])
			i++;
		if (i == size)
			break;
		bytes += uleb128_bytes(i - zrun);
		nzrun = i;
		while (i < size && base[i] != page[i])
			i++;
		bytes += uleb128_bytes(i - nzrun) + (i - nzrun);
		if (bytes >= size)
			return -1;
	}
	return (int)bytes;
}
