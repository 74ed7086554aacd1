-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device increments used.idx before it has written the used element.
--
-- The driver that sees the new index reads an element that is not there yet, or half of it: what stood in that place a
-- ring's turn ago, or zeros.  It completes the wrong buffer, or with the wrong length, and takes back the descriptor
-- chain of a buffer that is still with the device:
--
--	device    used.idx := 1 ───────────────────────────── used.ring[0] := { id 3, len 1 }
--	driver                   used.idx is 1: used.ring[0] is { id 0, len 0 }
--
-- No barrier is missing: the two stores are in the wrong order in the program.

return {
	name = "idx-before-elem",
	title = "used.idx is incremented before the used element is written",
	matrix = true,
	evidence = { "kvmtool 9490278: virtio: used element first, index second" },
	variants = {
		idx_first = { expect = "spec-violation", faults = { "device.publish.idx_before_elem" }, runs = 8000,
			      doc = "the index leads" },
		idx_first_tso = { expect = "spec-violation", faults = { "device.publish.idx_before_elem" }, runs = 8000,
				  memory = "tso", doc = "behind a store buffer it does, too" },
		idx_first_weak = { expect = "spec-violation", faults = { "device.publish.idx_before_elem" }, runs = 8000,
				   memory = "weak" },
		elem_first = { expect = "ok", runs = 8000, doc = "the element leads" },
		elem_first_tso = { expect = "ok", runs = 2000, memory = "tso" },
		elem_first_weak = { expect = "ok", runs = 2000, memory = "weak" },
	},
	setup = function()
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread" }
		local blk = dev:driver { name = "vda", queues = 1 }
		local probed = flag("driver probed")

		vm:actor("task0", function()
			blk:probe()
			probed:set()
			blk:read(0)
		end, { cpu = 0 })
		vm:actor("task1", function()
			probed:wait()
			blk:read(1)
		end, { cpu = 1 })
	end,
}
