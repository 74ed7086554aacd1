-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver's half of used-flags-sb: a thread enables interrupts, polls once more, and sleeps on its epoll fd although
-- a packet was used in between, because its poll came before its wish was visible.
return {
	name = "enable-callback-sb",
	title = "the wish for interrupts is still in the store buffer when used.idx is read",
	matrix = true,
	evidence = {
		"DPDK 8f66bc4ac3: net/virtio: add barrier in interrupt enable",
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
		native = { expect = "lost-interrupt", memory = "tso", faults = { "driver.enable.skip_mb" }, runs = 20000,
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
			skip_barrier("split_driver_poll", "mb")
			skip_barrier("packed_driver_poll", "mb")
			skip_barrier("virtqueue_poll", "mb")
		end
	end,
}
