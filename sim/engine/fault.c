/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/fault.h"

#include <string.h>

const struct fault_info fault_info[FAULT_COUNT] = {
	[FAULT_NONE] = { "", "", "" },
#define FAULT(id, name, what, evidence) [FAULT_##id] = { name, what, evidence },
#include "engine/faults.def"
#undef FAULT
};

enum fault
fault_find(const char *name)
{
	for (int i = 1; i < FAULT_COUNT; i++)
		if (!strcmp(fault_info[i].name, name))
			return (enum fault)i;
	return FAULT_NONE;
}
