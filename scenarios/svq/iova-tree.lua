-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A piece of the guest's memory comes and goes a second time, at another guest-physical address: SMRAM, the shadow of
-- a ROM, a VGA window.  A device with shadow virtqueues goes through a tree of IO addresses, and the piece that is
-- unmapped had better be the one that went away.
--
--	tree             RAM: host 0x7f0000000000 at IOVA 0x3000        alias: host 0x7f00000a0000 at IOVA 0x1003000
--	alias goes       look for host 0x7f00000a0000 ── RAM has it, too, and comes first ── RAM is unmapped
--
-- The cure of 2025 looks guest memory up by its guest-physical address.  Before, in 2022, what was found was not even
-- what was removed.

return {
	name = "svq-iova-tree",
	title = "an alias of guest memory goes away, and the device loses memory that is in use",
	evidence = {
		"QEMU 05063f5584: vhost-iova-tree, svq: Implement GPA->IOVA & partial IOVA->HVA trees",
		"QEMU 75a8ce64f6: vdpa: Fix memory listener deletions of iova tree",
	},
	params = {
		idle = { default = 0, min = 0, max = 1, doc = "the alias goes while the guest has no request" },
		fails = { default = 0, min = 0, max = 10, doc = "this map is refused by the device" },
	},
	variants = {
		alias_one_tree = { expect = "use-after-unmap", faults = { "qemu.svq.one_iova_tree" }, runs = 1000,
				   doc = "with a request at the disk: it writes where nothing is mapped" },
		alias_one_tree_idle = { expect = "hang", faults = { "qemu.svq.one_iova_tree" }, set = { idle = 1 }, runs = 1000,
					doc = "the next request has an address that the tree does not know" },
		needle = { expect = "mapping-leak", faults = { "qemu.svq.tree_remove_needle" }, set = { idle = 1 }, runs = 1000,
			   doc = "IOVA 0 and up is removed, RAM; the alias stays" },
		split = { expect = "ok", runs = 2000 },
		split_idle = { expect = "ok", set = { idle = 1 }, runs = 2000 },
		failed_forgotten = { expect = "ok", set = { idle = 1, fails = 4 }, runs = 1000,
				     doc = "the alias cannot be mapped; nobody needs it" },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", svq = true, delay_ns = 1000,
					map_fails_at = p.fails }
		local disk = dev:driver {}
		local up, gone = flag("the disk is there"), flag("the alias is gone")

		vm:actor("guest", function()
			assert(disk:probe())
			up:set()
			if p.idle == 1 then
				gone:wait()
			end
			expect(disk:read(0, 1) == 0, "state-lost", "blk0", "the first request failed")
			gone:wait()
			expect(disk:read(0, 1) == 0, "state-lost", "blk0", "the second request failed")
		end, { cpu = 0 })
		vm:actor("firmware", function()
			up:wait()
			assert(dev:region_add(1 << 32, 0x20000, 0xa0000))
			sleep(p.idle == 1 and 0 or 500)
			assert(dev:region_del(1 << 32))
			gone:set()
			sleep(5000)
			vm:stop()
			vm:start()
		end)
	end,
}
