-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A chain of the guest's is longer in the shadow vring than in the guest's own: its table was indirect, or a buffer of
-- it crosses a border between two pieces of the VMM's memory.  So the shadow vring is full first, and who counts
-- chains there and not descriptors writes over those that the device still has.
--
--	shadow vring, 4 descriptors   [ chain 1: 0 1 2 ] [3]
--	room for chain 2 (3)?         4 - 1 chain = 3: yes                4 - 3 descriptors = 1: no, wait
--	                              chain 2: 3 0 1

return {
	name = "svq-desc-wrap",
	title = "a full shadow vring is taken for one with room: live descriptors are overwritten",
	evidence = {
		"QEMU 5d410557de: vhost: fix possible wrap in SVQ descriptor ring",
		"QEMU 81abfa5724: vhost: Fix device's used descriptor dequeue",
	},
	params = {
		requests = { default = 3, min = 1, max = 16, doc = "of three descriptors each" },
		split = { default = 0, min = 0, max = 1, doc = "no indirect tables; a buffer crosses two memory blocks" },
	},
	buffers = "requests",
	variants = {
		chains_counted = { expect = "hang", faults = { "qemu.svq.slots_by_chain" }, runs = 4000 },
		chains_counted_split = { expect = "hang", faults = { "qemu.svq.slots_by_chain" }, set = { split = 1, requests = 2 },
					 runs = 4000, doc = "the same without indirect tables" },
		first_only = { expect = "hang", faults = { "qemu.svq.first_desc_only" }, runs = 4000,
			       doc = "what is counted as free is not in the list of free descriptors" },
		waits = { expect = "ok", runs = 4000, doc = "next_guest_avail_elem" },
		waits_split = { expect = "ok", set = { split = 1, requests = 2 }, runs = 2000 },
	},
	setup = function(p)
		local half = 1 << 21
		local features = { "VIRTIO_RING_F_EVENT_IDX" }

		if p.split == 0 then
			features[2] = "VIRTIO_RING_F_INDIRECT_DESC"
		end
		local vm = machine { vcpus = 1, ram = 1 << 22 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", svq = true, queue_size = 4,
					ram_blocks = 2, features = features }
		local core = dev:core { name = "vda" }

		-- A read of sector 0: zeros over what stood there, and a status.
		local function submit(vq, i)
			if p.split == 1 then -- data and status are one buffer, which crosses the border
				return assert(vq:submit { out = { 16 }, ["in"] = { { half - 256, 513 } }, token = i })
			end
			local status = ram_alloc(1)

			ram_store(status, 0xff, 1)
			assert(vq:submit { out = { 16 }, ["in"] = { 512, { status, 1 } }, token = i })
			return status
		end

		vm:actor("guest", function()
			local status, done = {}, 0

			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			for i = 1, p.requests do
				status[i] = submit(vq, i)
				vq:kick()
			end
			while done < p.requests do
				local token, len = vq:get()

				if token then
					done = done + 1
					expect(len == 513 and (p.split == 1 or ram_load(status[token], 1) == 0), "state-lost", "blk0",
					       "request " .. token .. " came back undone")
				else
					vq:wait()
				end
			end
		end, { cpu = 0 })
	end,
}
