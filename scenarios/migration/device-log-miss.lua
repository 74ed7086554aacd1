-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A device writes several pages for one request, and not all of them are noted; or the note comes before the data:
--
--	vhost       log page 1 ──────────────────────────────────────── write page 1
--	migration                sync (page 1) ── read page 1 ── send
--
-- A note says "send what is there from now on".  So it comes after the data, and for each page.

return {
	name = "device-log-miss",
	title = "a device's request for several pages is noted in part, or too early",
	evidence = {
		"QEMU 6886867e98 (2014): migration with devices that use address_space_rw",
		"DPDK 4da3dd4885 (2019): dirty pages of the batch path are logged, after the copy",
	},
	params = {
		kind = { default = "vhost", values = { "vhost", "qemu" }, doc = "who the device is" },
		requests = { default = 2, min = 1, max = 8, doc = "of two pages each" },
	},
	buffers = "requests",
	variants = {
		first_page_only = { expect = "dirty-page-lost", faults = { "qemu.dma.first_page_only" },
				    set = { kind = "qemu" }, runs = 4000, doc = "an emulated device's DMA" },
		batch_not_logged = { expect = "dirty-page-lost", faults = { "dpdk.vhost.batch_not_logged" }, runs = 4000,
				     doc = "a vhost-user backend's batch" },
		log_before_write = { expect = "dirty-page-lost", faults = { "vhost.log_before_write" }, runs = 8000,
				     doc = "each page is logged, and then written" },
		emulated = { expect = "ok", set = { kind = "qemu" }, runs = 4000 },
		vhost = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local device = vm:writer(p.kind, p.kind .. "-dev0")
		local m

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("device", function()
			for _ = 1, p.requests do
				device:write_range(1, 2)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
