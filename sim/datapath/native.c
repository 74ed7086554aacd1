/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/native.h"

#include "engine/world.h"
#include "virtio/ring_split.h"

const struct datapath datapath_native = {
	.name = "native",
	.driver = &ring_split_driver_ops,
	.device = &ring_split_device_ops,
};

static const struct {
	enum fault fault;
	enum dp_quirk quirk;
} quirk_of_fault[] = {
	{ FAULT_DRIVER_KICK_SKIP_MB, DP_QUIRK_DRIVER_KICK_SKIP_MB },
	{ FAULT_DRIVER_KICK_NO_WRAP, DP_QUIRK_DRIVER_KICK_NO_WRAP },
	{ FAULT_DRIVER_ENABLE_NO_RECHECK, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK },
	{ FAULT_DRIVER_ENABLE_SKIP_MB, DP_QUIRK_DRIVER_ENABLE_SKIP_MB },
	{ FAULT_DRIVER_STALE_USED_EVENT, DP_QUIRK_DRIVER_STALE_USED_EVENT },
	{ FAULT_DEVICE_PUBLISH_SKIP_MB, DP_QUIRK_DEVICE_PUBLISH_SKIP_MB },
	{ FAULT_DEVICE_ENABLE_SKIP_MB, DP_QUIRK_DEVICE_ENABLE_SKIP_MB },
	{ FAULT_DEVICE_ENABLE_NO_RECHECK, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK },
	{ FAULT_DEVICE_NO_AVAIL_EVENT, DP_QUIRK_DEVICE_NO_AVAIL_EVENT },
	{ FAULT_DEVICE_STALE_AVAIL_EVENT, DP_QUIRK_DEVICE_STALE_AVAIL_EVENT },
	{ FAULT_DEVICE_SIGNALLED_VALID, DP_QUIRK_DEVICE_SIGNALLED_VALID },
	{ FAULT_DEVICE_SIGNALLED_EAGER, DP_QUIRK_DEVICE_SIGNALLED_EAGER },
	{ FAULT_DEVICE_IDX_BEFORE_ELEM, DP_QUIRK_DEVICE_IDX_BEFORE_ELEM },
	{ FAULT_DEVICE_CACHED_USED_EVENT, DP_QUIRK_DEVICE_CACHED_USED_EVENT },
	{ FAULT_DEVICE_EVENT_OOB, DP_QUIRK_DEVICE_EVENT_OOB },
	{ FAULT_DEVICE_EMPTY_IS_NONEMPTY, DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY },
};

uint64_t
native_quirks(const struct world *w)
{
	uint64_t quirks = 0;

	for (size_t i = 0; i < sizeof(quirk_of_fault) / sizeof(quirk_of_fault[0]); i++)
		if (fault_on(w, quirk_of_fault[i].fault))
			quirks |= quirk_of_fault[i].quirk;
	return quirks;
}
