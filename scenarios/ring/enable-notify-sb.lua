-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device asks for kicks and looks at avail.idx once more before it sleeps; the driver exposes a buffer and looks
-- whether to kick:
--
-- 	device                              driver
-- 	used.flags = 0       (buffered)     avail.idx = 1
-- 	avail.idx -> 0       (sleeps)       used.flags -> NO_NOTIFY     (no kick)
--
-- The dual of used-flags-sb: the buffer sits in the ring, the device sleeps.  With the event index it is avail_event
-- that is late.

local barrier = include("barrier.inc")

return barrier.full {
	name = "enable-notify-sb",
	title = "the wish to be kicked is still in the store buffer when avail.idx is read",
	evidence = {
		"QEMU 92045d80ba: virtio: add missing mb() on enable notification",
		"kvmtool 66ba0ba: virtio: Fix ordering of virt_queue__available()",
		"cloud-hypervisor pull request 2179: update_avail_event against avail idx",
	},
	expect = "lost-kick",
	fault = "device.enable.skip_mb",
	functions = {
		"split_device_enable_notify",
		"packed_device_enable_notify",
		"__vringh_notify_enable",
		"look_at_idx",
	},
}
