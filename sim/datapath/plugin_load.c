/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/plugin_load.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "datapath/plugin.h"

/* dlopen() searches for a name without a slash. */
static void *
open_file(const char *path, struct error *err)
{
	char here[4096];
	void *handle;

	snprintf(here, sizeof(here), "%s%s", strchr(path, '/') ? "" : "./", path);
	handle = dlopen(here, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		error_set(err, "datapath %s: %s", path, dlerror());
	return handle;
}

/* An operation that is left out would be a call of address 0 in the middle of a run. */
struct operation {
	const char *name;
	size_t offset;
};

#define OPERATION(type, name) \
	{ \
#name, offsetof(struct type, name) \
	}
static const struct operation driver_operation[] = {
	OPERATION(dp_driver_ops, init),
	OPERATION(dp_driver_ops, destroy),
	OPERATION(dp_driver_ops, add),
	OPERATION(dp_driver_ops, kick_prepare),
	OPERATION(dp_driver_ops, notify_data),
	OPERATION(dp_driver_ops, get),
	OPERATION(dp_driver_ops, disable_cb),
	OPERATION(dp_driver_ops, enable_cb_prepare),
	OPERATION(dp_driver_ops, poll),
	OPERATION(dp_driver_ops, enable_cb),
	OPERATION(dp_driver_ops, enable_cb_delayed),
	OPERATION(dp_driver_ops, detach_unused),
	OPERATION(dp_driver_ops, state),
};
static const struct operation device_operation[] = {
	OPERATION(dp_device_ops, init),
	OPERATION(dp_device_ops, destroy),
	OPERATION(dp_device_ops, pop),
	OPERATION(dp_device_ops, unpop),
	OPERATION(dp_device_ops, fill),
	OPERATION(dp_device_ops, flush),
	OPERATION(dp_device_ops, disable_notify),
	OPERATION(dp_device_ops, enable_notify),
	OPERATION(dp_device_ops, should_notify),
	OPERATION(dp_device_ops, empty),
	OPERATION(dp_device_ops, get_position),
	OPERATION(dp_device_ops, set_position),
	OPERATION(dp_device_ops, state),
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Both tables begin with the version and the name. */
static int
check_side(const char *path, const char *side, const void *ops, uint32_t version, const char *name,
	   const struct operation *list, size_t count, struct error *err)
{
	if (version != DATAPATH_ABI_VERSION)
		return error_set(err,
				 "datapath %s: the %s side has abi_version %u, this Ringside has "
				 "%u; compile it with the headers of this one",
				 path, side, version, DATAPATH_ABI_VERSION);
	if (!name || !*name)
		return error_set(err, "datapath %s: the %s side has no name", path, side);
	for (size_t i = 0; i < count; i++) {
		void *operation;

		memcpy(&operation, (const char *)ops + list[i].offset, sizeof(operation));
		if (!operation)
			return error_set(err, "datapath %s: the %s side has no %s()", path, side,
					 list[i].name);
	}
	return 0;
}

static int
check(const char *path, const struct datapath *dp, struct error *err)
{
	if (!dp->name || !*dp->name)
		return error_set(err, "datapath %s: %s has no name", path, RINGSIDE_PLUGIN_SYMBOL);
	if (!dp->driver && !dp->device)
		return error_set(err, "datapath %s: has neither a driver side nor a device side",
				 path);
	if (dp->driver &&
	    check_side(path, "driver", dp->driver, dp->driver->abi_version, dp->driver->name,
		       driver_operation, COUNT(driver_operation), err))
		return -1;
	if (dp->device &&
	    check_side(path, "device", dp->device, dp->device->abi_version, dp->device->name,
		       device_operation, COUNT(device_operation), err))
		return -1;
	return 0;
}

const struct datapath *
plugin_load(const char *path, struct error *err)
{
	void *handle = open_file(path, err);
	const struct datapath *dp;

	if (!handle)
		return NULL;
	dp = dlsym(handle, RINGSIDE_PLUGIN_SYMBOL);
	if (!dp)
		error_set(err, "datapath %s: has no symbol %s (datapath/plugin.h)", path,
			  RINGSIDE_PLUGIN_SYMBOL);
	else if (!check(path, dp, err))
		return dp;
	dlclose(handle);
	return NULL;
}
