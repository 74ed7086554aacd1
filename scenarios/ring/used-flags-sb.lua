-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device publishes a used buffer and looks whether the driver wants an interrupt; the driver enables interrupts and
-- looks whether a buffer was used.  Each stores one word and loads the other's:
--
-- 	device                           driver
-- 	used.idx = 1       (buffered)    avail.flags = 0    (interrupts, please)
-- 	avail.flags -> NO_INTERRUPT      used.idx -> 0      (nothing there: sleep)
--
-- It takes a full barrier on both sides, and each of these VMMs forgot it on the device's, years apart.  The driver of
-- the guest never gets its interrupt: storage that stops for ever, on some processors only.  The same shape was
-- found in ACRN (pull requests 2733 and 2623) and SPDK (issue 3178).

local barrier = include("barrier.inc")

return barrier.full {
	name = "used-flags-sb",
	title = "used.idx is still in the store buffer when the driver's wish is read",
	evidence = {
		"QEMU a281ebc11a: virtio: add missing mb() on notification",
		"DPDK 159793ac86: vhost: fix virtio freeze due to missed interrupt",
		"kvmtool d7d79bd: virtio: Fix ordering of virtio_queue__should_signal()",
		"cloud-hypervisor 632921974: vm-virtio: queue: Use a SeqCst fence on get_used_event",
		"crosvm c6554e9c7: signalled_used at each check, no full barrier; b0423fd52 reverts it: Android did not boot",
		"acrn-hypervisor pull requests 2733, 2623; spdk issue 3178",
	},
	expect = "lost-interrupt",
	fault = "device.publish.skip_mb",
	functions = { "split_device_should_notify", "packed_device_should_notify", "__vringh_need_notify" },
	variants = {
		eager = { expect = "lost-interrupt", memory = "tso", set = { event_idx = true }, runs = 60000,
			  faults = { "device.signalled_used.eager" },
			  doc = "what was signalled is remembered at each check, and no barrier makes the check right" },
	},
}
