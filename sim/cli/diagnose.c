/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside diagnose */
#include "cli/command.h"
int
command_diagnose(const struct options *o, struct error *err)
{
	return EXIT_SKIPPED;
}
