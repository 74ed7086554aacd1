/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the layouts of split and packed rings share: areas in guest memory and their fields' names.
 */
#ifndef RINGSIDE_VIRTIO_RING_AREA_H
#define RINGSIDE_VIRTIO_RING_AREA_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Whether [gpa, gpa + bytes) passes the end of the address space. */
static inline bool
ring_area_runs_over(uint64_t gpa, uint64_t bytes)
{
	return gpa + bytes < gpa;
}

/* Append "+1" to a field's name where an access does not begin at the field's first byte. */
static inline void
ring_area_describe_rest(char *text, size_t size, int length, uint64_t rest)
{
	if (rest && length >= 0 && (size_t)length < size)
		snprintf(text + length, size - (size_t)length, "+%" PRIu64, rest);
}

#endif
