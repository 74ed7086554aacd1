-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver's half of enable-notify-sb.  It exposes a buffer and reads used.flags (or avail_event); without a full
-- barrier in between it may read them before the index is visible, while the device asks for kicks, finds nothing and
-- sleeps.  DPDK's virtio PMD had the index stored with release semantics, which orders what comes *before* it.
return {
	name = "kick-flags-sb",
	title = "avail.idx is still in the store buffer when the driver looks whether to kick",
	matrix = true,
	evidence = {
		"DPDK d21d05c7a9: net/virtio: add barrier before reading the flags",
		"hermit-os/kernel issue 2669: publication is not ordered against the notification check",
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
		native = { expect = "lost-kick", memory = "tso", faults = { "driver.kick.skip_mb" }, runs = 20000,
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
			skip_barrier("split_driver_kick_prepare", "mb")
			skip_barrier("packed_driver_kick_prepare", "mb")
			skip_barrier("virtqueue_kick_prepare", "mb")
		end
	end,
}
