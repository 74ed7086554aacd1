/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One of the programs: RINGTEST is the prefix of its names; PROGRAM its file.  The
 * file includes "main.h", and there is none beside it: it finds ours.
 */
#include "main.h"

#include PROGRAM

/* By position: the members have names that mean something else here. */
const struct ringtest NAMED(ringtest) = {
	alloc_ring,	add_inbuf,    get_buf,	     disable_call, used_empty, enable_call,
	kick_available, disable_kick, avail_empty,   enable_kick,  use_buf,    call_used,
	&guest,		&host,	      sizeof(guest), sizeof(host),
};
