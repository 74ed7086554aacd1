/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the guard: plugins, and calls that are on their way. */
#ifndef RINGSIDE_DATAPATH_PLUGIN_GUARD_IMPL_H
#define RINGSIDE_DATAPATH_PLUGIN_GUARD_IMPL_H

#include <stdint.h>

#include "datapath/plugin_guard.h"

struct actor;
struct world;

struct plugin {
	const char *path;
	const char *base; /* its first address */
	const struct datapath *inner;
	struct datapath outer;
	struct dp_driver_ops driver;
	struct dp_device_ops device;
};

/* A call of an operation, on the stack of who makes it. */
struct call {
	struct call *outer; /* of the world, most recent first */
	const struct plugin *plugin;
	const char *operation; /* "driver's get" */
	const struct actor *actor; /* null: nobody, from outside of a run */
	struct world *w;
};

void
plugin_enter(struct call *c, const struct plugin *p, const char *operation);
void
plugin_leave(struct call *c);

#define CALL(p, operation, expression) \
	do { \
		struct call call_; \
		plugin_enter(&call_, p, operation); \
		expression; \
		plugin_leave(&call_); \
	} while (0)

/* End the set-up if init() broke the contract; @side is "driver" or "device". */
void
plugin_check_init(const struct plugin *p, const char *side, int ret, const void *ring);

/* Operations under guard for @inner, all but init(). */
void
plugin_guard_driver(struct dp_driver_ops *ops, const struct dp_driver_ops *inner);
void
plugin_guard_device(struct dp_device_ops *ops, const struct dp_device_ops *inner);
/* What init() does, which has no object yet that says whose it is. */
int
plugin_driver_init(const struct plugin *p, struct dp_driver **driver, const struct dp_vring *vring,
		   const struct dp_host *host);
int
plugin_device_init(const struct plugin *p, struct dp_device **device, const struct dp_vring *vring,
		   const struct dp_host *host);

#endif
