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
return {
	name = "enable-notify-sb",
	title = "the wish to be kicked is still in the store buffer when avail.idx is read",
	matrix = true,
	evidence = {
		"QEMU 92045d80ba: virtio: add missing mb() on enable notification",
		"kvmtool 66ba0ba: virtio: Fix ordering of virt_queue__available()",
		"cloud-hypervisor issue 2179: update_avail_event against avail idx",
	},
	params = {
		buffers = { default = 2, min = 1, max = 16, doc = "exposed in all" },
		event_idx = { default = false, doc = "suppress by VIRTIO_RING_F_EVENT_IDX, not by flags" },
		barrier = { default = true, doc = "false: left out, in whatever ring code runs" },
	},
	variants = {
		flags = { expect = "lost-kick", memory = "tso", set = { barrier = false }, runs = 20000 },
		event_idx = { expect = "lost-kick", memory = "tso", set = { barrier = false, event_idx = true },
			      runs = 20000 },
		native = { expect = "lost-kick", memory = "tso", faults = { "device.enable.skip_mb" }, runs = 20000,
			   doc = "the native ring, which knows the bug by name" },
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
			skip_barrier("split_device_enable_notify", "mb")
			skip_barrier("packed_device_enable_notify", "mb")
			skip_barrier("__vringh_notify_enable", "mb")
			skip_barrier("look_at_idx", "mb")
		end
	end,
}
