-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver's half of enable-notify-sb.  It exposes a buffer and reads used.flags (or avail_event); without a full
-- barrier in between it may read them before the index is visible, while the device asks for kicks, finds nothing and
-- sleeps.  DPDK's virtio PMD had a write barrier in front of the index, which orders what comes *before* it.

local barrier = include("barrier.inc")

return barrier.full {
	name = "kick-flags-sb",
	title = "avail.idx is still in the store buffer when the driver looks whether to kick",
	evidence = {
		"DPDK d21d05c7a9: net/virtio: add barrier before reading the flags",
		"hermit-os/kernel pull request 2669: publication is not ordered against the notification check",
	},
	expect = "lost-kick",
	fault = "driver.kick.skip_mb",
	functions = { "split_driver_kick_prepare", "packed_driver_kick_prepare", "virtqueue_kick_prepare" },
}
