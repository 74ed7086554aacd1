/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD5 (RFC 1321): what people compare RAM blocks of two hosts by.  Nothing here depends on its
 * strength; digests of our own are XXH3.
 */
#ifndef RINGSIDE_MIGRATION_MD5_H
#define RINGSIDE_MIGRATION_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_BYTES 16u

struct md5 {
	uint32_t state[4];
	uint64_t bytes;
	uint8_t block[64]; /* what does not fill one yet */
};

void
md5_init(struct md5 *m);
void
md5_add(struct md5 *m, const void *bytes, size_t size);
void
md5_end(struct md5 *m, uint8_t digest[MD5_BYTES]);

#endif
