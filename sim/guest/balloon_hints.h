/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free page hints of the guest's balloon driver; for balloon_driver.c only. */
#ifndef RINGSIDE_GUEST_BALLOON_HINTS_H
#define RINGSIDE_GUEST_BALLOON_HINTS_H

#include "guest/balloon_driver.h"

void
balloon_hints_init(struct guest_balloon *b);

/* A driver instance begins: no command id was read or sent. */
void
balloon_hints_reset(struct guest_balloon *b);
/* Every hinted page goes back, whatever the device has seen. */
void
balloon_hints_return(struct guest_balloon *b);
/* The device was reset: no buffer is out. */
void
balloon_hints_forget(struct guest_balloon *b);

/* report_free_page_func(): look at the command id and do what it asks for. */
void
balloon_hints_work(struct guest_balloon *b, struct guest_cpu *cpu);

#endif
