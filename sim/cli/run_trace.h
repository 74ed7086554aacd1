/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording of a real system, replayed through the models: ringside run TRACE (run_trace.c) in
 * the recorded order, ringside explore TRACE (explore_trace.c) in others.
 */
#ifndef RINGSIDE_CLI_RUN_TRACE_H
#define RINGSIDE_CLI_RUN_TRACE_H

#include "cli/options.h"
#include "record/record.h"
#include "trace/replay_memslot.h"

int
run_trace(const struct options *o, struct error *err);
int
explore_trace(const struct options *o, struct error *err);

/* `run` of a recording of a machine: figures, and where the models disagree (run_trace_machine.c).
 */
int
run_trace_machine(const struct options *o, const struct recording *recording, struct error *err);

/* Whether the argument of a command is one, and no scenario. */
bool
is_trace(const char *text);

/* Import the recording that the command line names, as it says; 0, or -1 and @err. */
int
trace_of(const struct options *o, struct recording *r, struct error *err);

/* A log of what KVM said of its bitmaps (replay_memslot.h), not of what a machine did. */
bool
trace_of_bitmaps(const struct recording *r);

/* --set removal=NAME: how QEMU removes slots. */
int
trace_removal(const struct options *o, enum slot_removal *removal, struct error *err);

/* What the database keeps of it; @param is filled and must live as long. */
struct run_info
trace_info(const struct options *o, const struct memslot_replay_config *config,
	   const char *strategy, struct run_param *param);

#endif
