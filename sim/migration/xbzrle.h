/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XBZRLE's encoding (QEMU migration/xbzrle.c): what differs between two versions of a page, as runs
 *
 *	zrun length | nzrun length, bytes | zrun length | nzrun length, bytes | ...
 *
 * Lengths are ULEB128 of at most two bytes; a run of equal bytes at the end is left out.
 */
#ifndef RINGSIDE_MIGRATION_XBZRLE_H
#define RINGSIDE_MIGRATION_XBZRLE_H

#include <stdint.h>

/* Bytes of the encoding: 0 for equal pages, -1 if it is no shorter than the page. */
int
xbzrle_encoded_bytes(const uint8_t *base, const uint8_t *page, unsigned size);

#endif
