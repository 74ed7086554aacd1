-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Does a reset of the device drop what is mapped for it?
--
-- vhost-vdpa had said neither, and parent drivers did both.  A VMM that maps at each start does not care.  One that
-- keeps guest memory mapped, so that a stop and a start cost nothing but the queues, starts a device whose IOTLB is
-- empty.  VHOST_BACKEND_F_IOTLB_PERSIST tells it.

return {
	name = "vdpa-iotlb-reset",
	title = "a reset drops the IOTLB's maps, and the VMM relies on them",
	evidence = {
		"Linux 10cbf8dfaf93: vhost-vdpa: clean iotlb map during reset for older userspace",
		"virtualization list, 2023: vdpa: decouple reset of iotlb mapping from device reset",
	},
	params = {
		stay = { default = 1, min = 0, max = 1, doc = "the VMM leaves guest memory mapped" },
	},
	variants = {
		dropped = { expect = "use-after-unmap", faults = { "vdpa.reset.drops_iotlb" }, runs = 300 },
		dropped_mapped_anew = { expect = "ok", faults = { "vdpa.reset.drops_iotlb" }, set = { stay = 0 }, runs = 2000,
					doc = "each start maps" },
		persist = { expect = "ok", runs = 2000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", maps_stay = p.stay == 1 }
		local disk = dev:driver {}
		local up = flag("the disk is there")

		vm:actor("guest", function()
			assert(disk:probe())
			up:set()
			for _ = 1, 2 do
				expect(disk:flush() == 0, "state-lost", "blk0", "a request failed")
			end
		end, { cpu = 0 })
		vm:actor("vmm", function()
			up:wait()
			vm:stop()
			vm:start()
			-- Also with shadow virtqueues in between, which have other addresses.
			assert(dev:svq(true))
			assert(dev:svq(false))
		end)
	end,
}
