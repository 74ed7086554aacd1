-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vDPA device with shadow virtqueues is taken away.  Each queue has a shadow; QEMU kept them in one object a pair of
-- queues, and its clean-up saw to the last object only.

return {
	name = "svq-unplug",
	title = "a device goes away, and a shadow virtqueue of it stays",
	evidence = {
		"QEMU 2e1a9de96b: vdpa: stop all svq on device deletion",
		"QEMU b37c12be96: vdpa: Remove SVQ vring from iova_tree at shutdown",
	},
	params = {
		queues = { default = 2, min = 1, max = 4, doc = "of the device" },
	},
	variants = {
		last_only = { expect = "mapping-leak", faults = { "qemu.svq.stop_last_only" }, runs = 200 },
		one_queue = { expect = "ok", faults = { "qemu.svq.stop_last_only" }, set = { queues = 1 }, runs = 500,
			      doc = "the last one is the only one" },
		all = { expect = "ok", runs = 2000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", svq = true, queues = p.queues }
		local disk = dev:driver {}
		local idle = flag("requests are done")

		vm:actor("guest", function()
			assert(disk:probe())
			expect(disk:flush() == 0, "state-lost", "blk0", "a request failed")
			disk:remove()
			idle:set()
		end, { cpu = 0 })
		vm:actor("vmm", function()
			idle:wait()
			dev:unplug()
			expect(dev:vdpa_info().own_maps == 0, "mapping-leak", "blk0", "something is mapped for a device that is gone")
		end)
	end,
}
