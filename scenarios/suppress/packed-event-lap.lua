-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A driver compares the offset at which the device wants a kick with its own, and they are of different laps.
--
-- Offsets of a packed ring go round after as many descriptors as it has; the 15 bits of off_wrap are an offset, the
-- 16th is the wrap counter of the lap that is meant.  A driver that has just exposed the last descriptor stands at
-- offset 0 of the next lap, and the event, one descriptor behind it, at the highest offset of this one.  Compared as
-- they stand the event lies far ahead: no kick, and the device sleeps.  Where the counters differ the ring's size must
-- be taken off first.
--
-- No race in it: whenever the device sleeps as a lap ends, that kick is not sent.
return {
	name = "packed-event-lap",
	title = "the wrap counter of the device's event is not looked at",
	matrix = { "ring", "event_idx" },
	evidence = { "virtio 1.2, 2.8.10; Linux, virtqueue_kick_prepare_packed(): event_idx -= vring.num" },
	params = {
		buffers = { default = 8, min = 1, max = 64, doc = "exposed in all" },
		size = { default = 4, min = 1, max = 64, doc = "descriptors of the ring" },
	},
	variants = {
		ignored = { expect = "lost-kick", faults = { "driver.packed.event_lap" }, runs = 2000 },
		within_a_lap = { expect = "ok", faults = { "driver.packed.event_lap" }, set = { buffers = 3 }, runs = 4000 },
		holds = { expect = "ok", runs = 8000 },
	},
	setup = function(p)
		raw {
			size = p.size, buffers = p.buffers,
			features = { "VIRTIO_F_RING_PACKED", "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
