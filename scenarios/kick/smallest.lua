-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The smallest thing that loses a kick: one queue, one buffer, two threads, two eventfds.
--
--	driver                       device
--	                             nothing to pop
--	avail.idx = 1
--	used.flags: do not kick
--	                             used.flags = 0: kick me        <- too late, and it does not look again
--	                             sleeps on the kick eventfd
--
-- Suppression is a window: who asks for notifications must look at the ring once more afterwards, because what
-- came in before the question was seen was not announced (VIRTIO 2.7.7.2, 2.7.10).  QEMU's virtio-crypto did not.
-- The other direction is the same sentence with the sides exchanged, and takes two buffers: a driver that enables
-- interrupts after reaping the first one does not see that the second one was used meanwhile.
--
-- `make demo` shows this one, `make bench` counts its schedules.
return {
	name = "smallest",
	title = "notifications are asked for and the ring is not looked at again",
	matrix = true,
	evidence = {
		"QEMU 600f5ce356: virtio-crypto asks for kicks and does not pop again",
		"rcore-os/virtio-drivers 3da64ea: set_dev_notify() and no look at used idx",
	},
	buffers = "buffers",
	params = {
		buffers = { default = 1, min = 1, max = 64, doc = "exposed in all" },
		batch = { default = 1, min = 1, max = 8, doc = "exposed before one look whether to kick" },
		event_idx = { default = false, doc = "suppress by VIRTIO_RING_F_EVENT_IDX, not by flags" },
	},
	variants = {
		lost_kick = { expect = "lost-kick", faults = { "device.enable.no_recheck" }, runs = 1000 },
		lost_interrupt = { expect = "lost-interrupt", faults = { "driver.enable.no_recheck" },
				   set = { buffers = 2 }, runs = 1000 },
		holds = { expect = "ok", set = { buffers = 3 }, runs = 20000 },
		holds_event_idx = { expect = "ok", set = { buffers = 3, event_idx = true }, runs = 20000 },
	},
	setup = function(p)
		raw {
			buffers = p.buffers,
			batch = p.batch,
			features = p.event_idx and { "VIRTIO_RING_F_EVENT_IDX" } or {},
		}
	end,
}
