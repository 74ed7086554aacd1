-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Shadow virtqueues that copy: the mode of the series "Net Control VQ support with asid in vDPA SVQ" (RFC v8, May
-- 2022), where each chain is put into memory of the VMM's, which is mapped for the device and unmapped when the chain
-- is used.  What Jason Wang asked for in review, one variant each.
--
-- What was merged has no map a chain: two buffers of one page that stay mapped.

return {
	name = "svq-copy-desc",
	title = "a shadow virtqueue copies chains: how much, what if a map fails, when it goes",
	evidence = {
		"qemu-devel, 19 May 2022: [RFC PATCH v8 09/21] vhost: Add svq copy desc mode",
		"QEMU 7dab70bec3: vdpa: do not save failed dma maps in SVQ iova tree",
		"qemu-devel, 8 June 2022: Jason Wang's answer: an upper limit; how complicated it is",
	},
	params = {
		bytes = { default = 64, min = 1, max = 65536, doc = "of the readable part" },
		page_bytes = { default = 4096, min = 4096, max = 65536, doc = "pages that are mapped for the device" },
		fails = { default = 0, min = 0, max = 20, doc = "this map is refused by the device" },
		requests = { default = 3, min = 1, max = 16, doc = "chains" },
	},
	buffers = "requests",
	variants = {
		no_limit = { expect = "unbounded-allocation", faults = { "qemu.svq.copy_no_limit" }, set = { bytes = 8192 },
			     runs = 200, doc = "the guest says how much the VMM allocates" },
		magic_4096 = { expect = "state-lost", faults = { "qemu.svq.copy_4096" }, set = { page_bytes = 65536 },
			       runs = 200, doc = "the device's IOMMU maps pages of 64 KiB: every chain is refused" },
		no_unwind = { expect = "mapping-leak", faults = { "qemu.svq.copy_no_unwind" }, set = { fails = 5 }, runs = 200,
			      doc = "the readable part stays when the writable one cannot be mapped" },
		failed_kept = { expect = "mapping-leak", faults = { "qemu.svq.map_failed_kept" }, set = { fails = 5 },
				runs = 200, doc = "the map that the device refused stays in the IOVA tree" },
		unmapped_first = { expect = "use-after-unmap", faults = { "qemu.vdpa.svqs_stop_first" }, runs = 2000,
				   doc = "stopped under the device: its copies go away, too" },
		limited = { expect = "ok", set = { bytes = 8192 }, runs = 1000, doc = "given back with nothing written" },
		unwound = { expect = "ok", set = { fails = 5 }, runs = 1000 },
		large_pages = { expect = "ok", set = { page_bytes = 65536 }, runs = 1000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", svq = true, svq_copy = true,
					queue_size = 4, delay_ns = 1000, map_fails_at = p.fails, page_bytes = p.page_bytes,
					features = { "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC" } }
		local core = dev:core { name = "vda" }
		local refused = p.bytes > 4096 and p.requests or p.fails > 0 and 1 or 0
		local up, over = flag("requests are on their way"), flag("requests are over")

		vm:actor("guest", function()
			local status, done, undone = {}, 0, 0

			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			for i = 1, p.requests do
				local header = ram_alloc(p.bytes)

				status[i] = ram_alloc(1)
				ram_store(header, 4) -- VIRTIO_BLK_T_FLUSH
				ram_store(status[i], 0xff, 1)
				assert(vq:submit { out = { { header, p.bytes } }, ["in"] = { { status[i], 1 } }, token = i })
				vq:kick()
			end
			up:set()
			while done < p.requests do
				local token, len = vq:get()

				if not token then
					vq:wait()
				else
					done = done + 1
					if len == 0 then
						undone = undone + 1
					else
						expect(ram_load(status[token], 1) == 0, "state-lost", "blk0",
						       "request " .. token .. " came back undone")
					end
				end
			end
			over:set()
			expect(undone == refused, "state-lost", "blk0", undone .. " requests were refused")
		end, { cpu = 0 })
		vm:actor("vmm", function()
			up:wait()
			if p.fails > 0 then
				over:wait() -- or a stop decides which map is the one that fails
			else
				sleep(500)
			end
			vm:stop()
			vm:start()
		end)
	end,
}
