-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Everything that a VMM does to a vDPA device, in any order, under a guest that writes and reads back: shadow on and
-- off, stop and start, suspend and resume, memory that comes and goes.  What the guest wrote it must read.

return {
	name = "svq-mixture",
	title = "a guest writes and reads back while the VMM does to its vDPA device whatever it can",
	matrix = { "ring", "in_order" }, -- a shadow virtqueue is of split rings
	evidence = {
		"QEMU 4241e8bd72: vdpa: rewind at get_base, not set_base",
		"QEMU 05063f5584: vhost-iova-tree, svq: Implement GPA->IOVA & partial IOVA->HVA trees",
		"QEMU 2fdac348fd: vhost: Get vring base from vq, not svq",
	},
	params = {
		sectors = { default = 3, min = 1, max = 12, doc = "written, then read" },
		acts = { default = 4, min = 1, max = 16, doc = "of the VMM" },
		delay_ns = { default = 1000, min = 0, max = 1000000, doc = "of a request" },
		no_suspend = { default = 0, min = 0, max = 1, doc = "the device can only be reset" },
		maps_stay = { default = 0, min = 0, max = 1, doc = "guest memory stays mapped over a stop" },
		split = { default = 0, min = 0, max = 1, doc = "memory in four blocks" },
	},
	buffers = "sectors",
	variants = {
		not_rewound = { expect = "lost-kick", faults = { "qemu.svq.no_rewind" }, runs = 20000 },
		one_tree = { expect = "hang", faults = { "qemu.svq.one_iova_tree" }, runs = 20000 },
		holds = { expect = "ok", runs = 8000 },
		at_once = { expect = "ok", set = { delay_ns = 0 }, runs = 4000 },
		reset_only = { expect = "ok", set = { no_suspend = 1 }, runs = 4000 },
		maps_stay = { expect = "ok", set = { maps_stay = 1 }, runs = 4000 },
		blocks = { expect = "ok", set = { split = 1 }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", delay_ns = p.delay_ns, queue_size = 4,
					no_suspend = p.no_suspend == 1, maps_stay = p.maps_stay == 1,
					ram_blocks = p.split == 1 and 4 or 1 }
		local disk = dev:driver {}
		local up = flag("the disk is there")
		local alias = false

		local acts = {
			function() assert(dev:svq(true)) end,
			function() assert(dev:svq(false)) end,
			function() vm:stop() point() vm:start() end,
			function()
				if dev:suspend() then
					point()
					assert(dev:resume())
				end
			end,
			function()
				assert(alias and dev:region_del(1 << 32) or not alias and dev:region_add(1 << 32, 0x20000, 0xa0000))
				alias = not alias
			end,
		}

		vm:actor("guest", function()
			assert(disk:probe())
			up:set()
			for i = 1, p.sectors do
				local data = string.rep(string.char(64 + i), 512)

				expect(disk:submit { type = "write", sector = i, data = data }:wait() == 0, "state-lost", "blk0",
				       "sector " .. i .. " was not written")
			end
			for i = 1, p.sectors do
				local request = disk:submit { type = "read", sector = i }

				expect(request:wait() == 0, "state-lost", "blk0", "sector " .. i .. " was not read")
				expect(request:data() == string.rep(string.char(64 + i), 512), "memory-divergence", "blk0",
				       "sector " .. i .. " does not hold what was written")
			end
		end, { cpu = 0 })
		vm:actor("vmm", function()
			up:wait()
			for _ = 1, p.acts do
				sleep(choice(3) * 400)
				acts[choice(#acts)]()
			end
		end)
	end,
}
