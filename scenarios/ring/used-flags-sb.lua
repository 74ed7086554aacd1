-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device publishes a used buffer and looks whether the driver wants an interrupt; the driver enables interrupts and
-- looks whether a buffer was used.  Each stores one word and loads the other's:
--
-- 	device                           driver
-- 	used.idx = 1       (buffered)    avail.flags = 0    (interrupts, please)
-- 	avail.flags -> NO_INTERRUPT      used.idx -> 0      (nothing there: sleep)
--
-- It takes a full barrier on both sides, and each of three VMMs forgot it on the device's, years apart.  The driver of
-- the guest never gets its interrupt: storage that stops for ever, on some processors only.  The same shape was
-- found in ACRN (issues 2733 and 2623) and SPDK (issue 3178).
return {
	name = "used-flags-sb",
	title = "used.idx is still in the store buffer when the driver's wish is read",
	matrix = true,
	evidence = {
		"QEMU a281ebc11a: virtio: add missing mb() on notification",
		"DPDK 159793ac86: vhost: fix virtio freeze due to missed interrupt",
		"kvmtool d7d79bd: virtio: Fix ordering of virtio_queue__should_signal()",
		"crosvm b0423fd52 (reverts c6554e9c7): signalled_used without the barrier",
		"acrn-hypervisor issues 2733, 2623; spdk issue 3178",
	},
	params = {
		buffers = { default = 2, min = 1, max = 16, doc = "exposed in all" },
		event_idx = { default = false, doc = "suppress by VIRTIO_RING_F_EVENT_IDX, not by flags" },
		barrier = { default = true, doc = "false: left out, in whatever ring code runs" },
	},
	variants = {
		flags = { expect = "lost-interrupt", memory = "tso", set = { barrier = false }, runs = 20000 },
		event_idx = { expect = "lost-interrupt", memory = "tso", set = { barrier = false, event_idx = true },
			      runs = 20000 },
		native = { expect = "lost-interrupt", memory = "tso", faults = { "device.publish.skip_mb" }, runs = 20000,
			   doc = "the native ring, which knows the bug by name" },
		eager = { expect = "lost-interrupt", memory = "tso", set = { event_idx = true }, runs = 60000,
			  faults = { "device.signalled_used.eager" },
			  doc = "what was signalled is remembered at each check, and no barrier makes the check right" },
		on_sc = { expect = "ok", memory = "sc", set = { barrier = false }, runs = 4000,
			  doc = "without store buffers nothing is lost" },
		holds = { expect = "ok", memory = "tso", runs = 4000 },
		holds_event_idx = { expect = "ok", memory = "tso", set = { event_idx = true }, runs = 4000 },
		holds_weak = { expect = "ok", memory = "weak", runs = 4000 },
	},
	setup = function(p)
		raw {
			buffers = p.buffers,
			features = p.event_idx and { "VIRTIO_RING_F_EVENT_IDX" } or {},
		}
		if not p.barrier then
			skip_barrier("split_device_should_notify", "mb")
			skip_barrier("packed_device_should_notify", "mb")
			skip_barrier("__vringh_need_notify", "mb")
		end
	end,
}
