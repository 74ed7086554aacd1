/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside run TRACE: a recording of a real system, replayed through the models. */
#ifndef RINGSIDE_CLI_RUN_TRACE_H
#define RINGSIDE_CLI_RUN_TRACE_H

#include "cli/options.h"

int
run_trace(const struct options *o, struct error *err);

#endif
