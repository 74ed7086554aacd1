-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The log is indexed by guest physical address, and who writes may know another one:
--
--	vhost behind a vIOMMU	IO address 0x80 ── IOTLB ──▶ page 0x13		logged: 0x80
--	a buffer of two pages	IO address 0x80, 0x81 ──▶ pages 0x13, 0x57	logged: 0x13, 0x14
--	KVM for a nested guest	dirty flag in a page table of L1's, page 0x13	logged: what the VMCS had last
--
-- What is logged is a page that was written, too, or not there: nobody notices until a destination lacks one.

return {
	name = "log-address",
	title = "a write is logged under an address that is not the guest's physical one",
	evidence = {
		"Linux cc5e71075947 (2019): vhost: log dirty page correctly",
		"QEMU 345cc1cbcb (2022): vhost: fix vq dirty bitmap syncing when vIOMMU is enabled",
		"Linux 2dbebf7ae1ed (2020): KVM: nVMX: Plumb L2 GPA through to PML emulation",
	},
	params = {
		writer = { default = "vhost", values = { "vhost", "nested" }, doc = "who writes" },
		logs = { default = "gpa", values = { "gpa", "address", "first" },
			 doc = "its pages; the address that it was given; pages from the first one's on" },
		requests = { default = 2, min = 1, max = 8, doc = "of two pages each" },
	},
	buffers = "requests",
	variants = {
		io_address = { expect = "dirty-page-lost", set = { logs = "address" }, runs = 2000,
			       doc = "what the ring says" },
		one_range = { expect = "dirty-page-lost", set = { logs = "first" }, runs = 2000,
			      doc = "one range of IO addresses need not be one of pages" },
		stale_gpa = { expect = "dirty-page-lost", set = { writer = "nested", logs = "address" }, runs = 2000,
			      doc = "the address of the last violation" },
		translated = { expect = "ok", runs = 4000 },
		nested = { expect = "ok", set = { writer = "nested" }, runs = 4000 },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x100 }
		local cpu = k:vcpu()
		local vhost = k:device_log(true)
		local iotlb = { [0x80] = 0x13, [0x81] = 0x57 }
		local source, destination = {}, {}

		k:region_add { base_gfn = 0, npages = 0x100 }
		local function address(iova)
			if p.logs == "address" then
				return iova
			end
			return p.logs == "first" and iotlb[0x80] + iova - 0x80 or iotlb[iova]
		end
		local writer = actor(p.writer, function()
			for _ = 1, p.requests do
				for iova = 0x80, 0x81 do
					local page = iotlb[iova]

					source[page] = (source[page] or 0) + 1
					note(string.format("page 0x%x is written, and 0x%x logged", page, address(iova)))
					if p.writer == "vhost" then
						vhost:write(address(iova))
					else
						cpu:mark(address(iova))
					end
					point()
				end
			end
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) and source[page] then
					destination[page] = source[page]
				end
			end
		end
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync())
			point()
			writer:join()
			vhost:stop()
			send(k:last_sync())
			for _, page in ipairs { 0x13, 0x57 } do
				expect(destination[page] == source[page], "dirty-page-lost",
				       string.format("page=0x%x", page), "it was logged as another page")
			end
		end)
	end,
}
