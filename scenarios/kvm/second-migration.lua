-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A migration is cancelled, and the next one goes somewhere else.
--
-- Each migration begins with all pages to be sent: its destination has nothing.  QEMU once kept the bitmap of the
-- first one, so that the second sent what was dirty and no more.  What a cancelled migration leaves behind otherwise is
-- of no interest: logging goes off, the bitmaps of KVM are freed with the bits that nobody fetched, and that is right.

return {
	name = "second-migration",
	title = "a migration that follows a cancelled one does not send all pages",
	evidence = { "QEMU 40c4d4a835 (2019): always initial RAMBlock.bmap to 1 for new migration" },
	params = {
		fill = { default = true, doc = "the bitmap of the second one begins full" },
		version = { default = "6.1", values = { "2.3", "6.1" }, doc = "which QEMU" },
	},
	variants = {
		bitmap_kept = { expect = "dirty-page-lost", set = { fill = false, version = "2.3" }, runs = 500,
				doc = "pages that were sent to the first destination only" },
		initially_set_helps = { expect = "ok", set = { fill = false }, runs = 500,
					doc = "KVM calls all dirty by itself: luck, not design" },
		bitmap_full = { expect = "ok", set = { version = "2.3" }, runs = 3000, doc = "all pages again" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x80, version = p.version, clear_log = true }
		local cpu = k:vcpu()
		local source, first, second = { 0, 0 }, {}, {}

		k:region_add { base_gfn = 0, npages = 0x80 }
		local function send(list, destination)
			for _, page in ipairs(list) do
				if k:page_sent(page) and source[page] then
					k:log_clear(page)
					destination[page] = source[page]
				end
			end
		end
		local vcpu = actor("vcpu", function()
			for i = 1, 2 do
				if cpu:write(i) == "ram" then
					source[i] = source[i] + 1
				end
			end
			cpu:exit()
		end)
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync(), first)
			k:log_global(false) -- cancelled
			point()
			k:log_global(true)
			if p.fill then
				k:all_dirty()
			end
			send(k:migration_sync(), second)
			vcpu:join()
			send(k:last_sync(), second)
			for page = 1, 2 do
				expect(second[page] == source[page], "dirty-page-lost", string.format("page=0x%x", page),
				       "it was sent to the destination that was given up")
			end
		end)
	end,
}
