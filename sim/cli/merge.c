/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside merge: the databases of shards into one. */
#include "record/merge.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"

int
command_merge(const struct options *o, struct error *err)
{
	uint64_t merged = 0;
	int ret = record_merge(o->args[0], (const char *const *)o->args + 1,
			       (size_t)o->arg_count - 1, &merged, err);

	if (!o->quiet && !ret)
		printf("%s: %" PRIu64 " runs came in\n", o->args[0], merged);
	return ret ? EXIT_USAGE : EXIT_HELD;
}
