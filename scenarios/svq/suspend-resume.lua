-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vDPA device is suspended and resumed, nothing else: positions, maps and rings stay as they are, and what was made
-- available meanwhile is found when the queues run again.
--
-- A parent driver that cleared its hardware's indices with the suspend, as for a reset, goes on at 0: at chains that it
-- has used long ago.

return {
	name = "vdpa-suspend-resume",
	title = "a device that was suspended resumes somewhere else",
	matrix = { "ring", "in_order" }, -- a shadow virtqueue is of split rings
	evidence = {
		"Linux bc04d93ea30a: vdpa/mlx5: Fix suspend/resume index restoration",
		"Linux uapi, VHOST_VDPA_SUSPEND and VHOST_VDPA_RESUME",
	},
	params = {
		requests = { default = 3, min = 1, max = 12, doc = "of the guest" },
		svq = { default = 0, min = 0, max = 1, doc = "with shadow virtqueues: the vring is meant" },
	},
	buffers = "requests",
	variants = {
		at_zero = { expect = "spec-violation", faults = { "mlx5.vdpa.index_not_restored" }, runs = 2000 },
		holds = { expect = "ok", runs = 6000 },
		holds_shadow = { expect = "ok", set = { svq = 1 }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", delay_ns = 1000, svq = p.svq == 1 }
		local disk = dev:driver {}
		local up = flag("the disk is there")

		vm:actor("guest", function()
			assert(disk:probe())
			up:set()
			for i = 1, p.requests do
				expect(disk:flush() == 0, "state-lost", "blk0", "request " .. i .. " failed")
			end
		end, { cpu = 0 })
		vm:actor("vmm", function()
			up:wait()
			assert(dev:suspend())
			sleep(2000)
			assert(dev:resume())
		end)
	end,
}
