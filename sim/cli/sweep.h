/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sweep: a grid of parameters in YAML, and a command done for each of its points.
 *
 *	size: [4, 8, 16]
 *	masking: [unregister, swap]
 *
 * The first parameter changes slowest.  Values are checked against the scenario's parameters before
 * anything is run; errors name file, line, column and what is allowed.
 */
#ifndef RINGSIDE_CLI_SWEEP_H
#define RINGSIDE_CLI_SWEEP_H

#include "cli/options.h"

#define SWEEP_PARAMS_MAX 16u
#define SWEEP_POINTS_MAX 10000u

/*
 * Do @command for each point of o->sweep with the point's --set added.  A usage error ends it; else
 * the worst status: a broken property, then no verdict, then all held.
 */
int
sweep_run(const struct options *o, int (*command)(const struct options *o, struct error *err),
	  struct error *err);

#endif
