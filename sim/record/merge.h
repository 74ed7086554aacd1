/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining databases: the shards of a campaign, written by many processes or machines, into one.
 *
 * All runs of each input are appended to @out in the order of the inputs, with new ids.  One input
 * is one transaction: a failure leaves those before it merged and the rest untouched.  Every run
 * carries a random uid from its begin; runs that @out already has are left out, so that a merge
 * that was cut off can simply be done again.
 *
 * Refused with a clear error: an input that is no database of Ringside, of another schema, recorded
 * by another version of Ringside than the runs of @out or of the inputs before it, or @out itself.
 */
#ifndef RINGSIDE_RECORD_MERGE_H
#define RINGSIDE_RECORD_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* *@merged, if not null, is the number of runs that came in, even on -1. */
int
record_merge(const char *out, const char *const *in, size_t count, uint64_t *merged,
	     struct error *err);

#endif
