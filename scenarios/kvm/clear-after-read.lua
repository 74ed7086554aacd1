-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- KVM_CLEAR_DIRTY_LOG after the page was read.
--
-- With manual protection the bit of a page stays set, and the page writable, until userspace clears it.  The migration
-- does that just before it reads a page (a chunk of pages, the first time it gets to one of them):
--
--	right	clear: protect ── read ── send		a write after the clear is noted
--	wrong	read ── send ── clear			a write after the read was noted, and is cleared
--
-- The same with a fetch that clears by itself: what counts is that the page is read after it was protected.

return {
	name = "clear-after-read",
	title = "the dirty log of a page is cleared after the page was read",
	evidence = {
		"QEMU 9f4bf4baa8, ff4aa11419 (4.1): KVM_CLEAR_DIRTY_LOG, cleared before the page is sent",
		"Linux 2a31b9db1535: KVM_CLEAR_DIRTY_LOG, to be issued just before the content is used",
		"QEMU c0bad49946: reset the dirty bitmap before reading, for block devices",
	},
	params = {
		read_first = { default = false, doc = "read, then clear" },
		chunk = { default = 64, min = 1, max = 512, doc = "pages that are cleared at a time" },
		version = { default = "6.1", values = { "2.3", "4.1", "6.1" }, doc = "which QEMU" },
	},
	variants = {
		read_then_clear = { expect = "dirty-page-lost", set = { read_first = true }, runs = 4000,
				    doc = "a write in between is noted and then cleared" },
		clear_then_read = { expect = "ok", runs = 6000, doc = "INITIALLY_SET: the first pass clears all" },
		clear_one_page = { expect = "ok", set = { chunk = 1 }, runs = 6000,
				   doc = "KVM gets 64 pages and one bit" },
		manual_only = { expect = "ok", set = { version = "4.1" }, runs = 4000, doc = "without INITIALLY_SET" },
		no_clear = { expect = "ok", set = { version = "2.3", read_first = true }, runs = 4000,
			     doc = "KVM_GET_DIRTY_LOG protects: nothing to be late with" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x100, version = p.version, clear_log = true }
		local cpu = k:vcpu()
		local pages = { 0x0a, 0x4a }
		local source, destination = {}, {}

		for _, page in ipairs(pages) do
			source[page] = 0
		end
		k:region_add { base_gfn = 0, npages = 0x100 }
		local vcpu = actor("vcpu", function()
			for _ = 1, 2 do
				for _, page in ipairs(pages) do
					if cpu:write(page) == "ram" then
						source[page] = source[page] + 1
					end
				end
			end
			cpu:exit()
		end)
		local function clear(page, cleared)
			local first = page - page % p.chunk
			if not cleared[first] then
				cleared[first] = true
				k:log_clear(first, math.min(p.chunk, 0x100 - first))
			end
		end
		local function send(list)
			local cleared = {}
			for _, page in ipairs(list) do
				if k:page_sent(page) and source[page] then
					if not p.read_first then
						clear(page, cleared)
					end
					point()
					destination[page] = source[page]
					point()
					if p.read_first then
						clear(page, cleared)
					end
				end
			end
		end
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync())
			send(k:migration_sync())
			vcpu:join()
			send(k:last_sync())
			for _, page in ipairs(pages) do
				expect(destination[page] == source[page], "dirty-page-lost",
				       string.format("page=0x%x", page), "its bit was cleared after the page was read")
			end
		end)
	end,
}
