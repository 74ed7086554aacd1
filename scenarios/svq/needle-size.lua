-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A look-up in the IOVA tree for a buffer of n bytes asks for n + 1.
--
-- A map's size in that tree is its last offset, a buffer's is its length, and vhost_svq_translate_addr() puts the one
-- where the other belongs.  Most buffers do not notice.  One that ends where a block of memory ends meets the block
-- behind it as well, and the tree answers with the one that has the lower IO address.  That is usually the right one,
-- since blocks are mapped upwards; after they came and went in another order it is the wrong one, and the address that
-- is computed lies outside of it.
--
--	guest memory   … block 0 ▕ block 1 …          buffer: the last 512 bytes of block 0
--	IOVA           block 1 ▏ block 0              found: block 1; offset of the buffer in it: -512

return {
	name = "svq-needle-size",
	title = "a buffer at the end of a memory block is looked up one byte too far",
	evidence = { "vhost_svq_translate_addr() of QEMU 8.2 and 10.1: DMAMap.size = iov_len; no report is known" },
	params = {
		remapped = { default = 1, min = 0, max = 1, doc = "the blocks came back in the other order" },
		from_end = { default = 0, min = 0, max = 4096, doc = "bytes between buffer and end of the block" },
	},
	variants = {
		beyond = { expect = "memory-divergence", faults = { "qemu.svq.needle_size" }, runs = 300,
			   doc = "the device writes before the other block: into the shadow vring's page" },
		in_order = { expect = "ok", faults = { "qemu.svq.needle_size" }, set = { remapped = 0 }, runs = 300,
			     doc = "the first block has the lower IO address: nothing happens" },
		not_at_end = { expect = "ok", faults = { "qemu.svq.needle_size" }, set = { from_end = 1 }, runs = 300 },
		holds = { expect = "ok", runs = 300 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1, ram = 1 << 22 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", svq = true, ram_blocks = 2 }
		local core = dev:core { name = "vda" }
		local half = 1 << 21
		local up, ready = flag("queues are there"), flag("memory is as it stays")

		vm:actor("firmware", function()
			up:wait()
			if p.remapped == 1 then
				assert(dev:region_del(0))
				assert(dev:region_del(half))
				assert(dev:region_add(half, half, half))
				assert(dev:region_add(0, half, 0))
			end
			ready:set()
		end)
		vm:actor("guest", function()
			core:start()
			core:find_queues(1)
			core:ready()
			up:set()
			ready:wait()
			local vq = core:queue(0)
			local data = half - 512 - p.from_end

			ram_store(data, 0xffffffff)
			vq:submit { out = { 16 }, ["in"] = { { data, 512 }, 1 } }
			vq:kick()
			while not vq:get() do
				vq:wait()
			end
			expect(ram_load(data) == 0, "memory-divergence", "blk0", "the sector is not in the guest's buffer")
		end, { cpu = 0 })
	end,
}
