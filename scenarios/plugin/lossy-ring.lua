-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A driver of one's own against a device: what to run a plugin in first.
--
-- Buffers go round one queue between two event notifiers, and nothing else is there that could lose one.  With the
-- native rings `holds` holds, and `no_recheck` shows on them the bug that lossy_ring.c has:
--
--	driver                                  device
--	get: nothing left
--	                                        used.idx := 2; avail.flags says no interrupt: none
--	avail.flags := 0
--	waits, without another look             waits

return {
	name = "lossy-ring",
	title = "a driver that enables callbacks and does not look again",
	matrix = true,
	evidence = { "virtio 1.3, 2.7.14: the driver checks for more used buffers after it enabled notifications" },
	buffers = "buffers",
	params = {
		buffers = { default = 3, min = 1, max = 64, doc = "that go round" },
		size = { default = 4, min = 1, max = 1024, doc = "of the queue, a power of two" },
	},
	variants = {
		no_recheck = { expect = "lost-interrupt", faults = { "driver.enable.no_recheck" }, runs = 4000,
			       doc = "the native ring with the bug of the example" },
		holds = { expect = "ok", runs = 4000, doc = "whatever ring it is run with, as it is" },
	},
	setup = function(p)
		machine {}
		raw { buffers = p.buffers, size = p.size }
	end,
}
