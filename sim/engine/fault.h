/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults: named places where a model does what code did before its fix (engine/faults.def).  A
 * fault is off unless the scenario turns it on, before or during a run; the set is part of the
 * world.
 */
#ifndef RINGSIDE_ENGINE_FAULT_H
#define RINGSIDE_ENGINE_FAULT_H

enum fault {
	FAULT_NONE,
#define FAULT(id, name, what, evidence) FAULT_##id,
#include "engine/faults.def"
#undef FAULT
	FAULT_COUNT
};

struct fault_info {
	const char *name;
	const char *what;
	const char *evidence;
};

extern const struct fault_info fault_info[FAULT_COUNT]; /* [0] is empty */

/* The fault of that name, or FAULT_NONE. */
enum fault
fault_find(const char *name);

#endif
