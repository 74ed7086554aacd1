-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A slot is deleted and made again under a migration, by each QEMU that mended something there.
--
-- vcpu0's exit changes the region; vcpu1 writes a page of it all the while.  What is lost when:
--
--	before 1.1	what was written since the last sync: nothing is fetched
--	1.1, 2.2	the same, unless the section itself is logged, as a display's is
--	2.3 to 7.2	what vcpu1 writes between the fetch and the deletion
--	8.0		nothing, if the new section overlaps the old one: vCPUs are out of KVM_RUN for both
--			and still the same as before, if it does not
--
-- The last row is the window that remains upstream: the memory goes from one guest address to another, nothing
-- overlaps, nobody is stopped.

return {
	name = "slot-versions",
	title = "a slot is deleted and made again by each version of QEMU that mended it",
	evidence = {
		"QEMU 3fbffb628c (1.1), 4cc856faba (2.3): fetch before deleting",
		"QEMU b4420f198d (6.1): the comment that names the window that is left",
		"QEMU f39b7d2b96, a27dd2de68 (8.0): vCPUs are stopped if old and new sections overlap",
	},
	params = {
		version = { default = "8.0", values = { "1.0", "1.1", "2.3", "4.1", "6.1", "8.0", "8.1" },
			    doc = "which QEMU" },
		apart = { default = false, doc = "the new section is somewhere else in the guest" },
		display = { default = false, doc = "the section asked to be logged for itself" },
		second = { default = true, doc = "vcpu1 writes, too" },
	},
	variants = {
		qemu_1_0 = { expect = "dirty-page-lost", set = { version = "1.0", second = false }, runs = 500,
			     doc = "nothing is fetched" },
		qemu_1_1 = { expect = "dirty-page-lost", set = { version = "1.1", second = false }, runs = 500,
			     doc = "not for a migration" },
		qemu_2_3 = { expect = "ok", set = { version = "2.3", second = false }, runs = 3000,
			     doc = "fetched, and nobody writes after that" },
		qemu_2_3_window = { expect = "dirty-page-lost", set = { version = "2.3" }, runs = 4000,
				    doc = "vcpu1 writes after that" },
		qemu_6_1_window = { expect = "dirty-page-lost", set = { version = "6.1" }, runs = 4000,
				    doc = "the same, and a comment that says so" },
		qemu_8_0 = { expect = "ok", set = { version = "8.0" }, runs = 6000,
			     doc = "vCPUs are kept out while it happens" },
		qemu_8_1_apart = { expect = "dirty-page-lost", set = { version = "8.1", apart = true }, runs = 6000,
				   doc = "no overlap, no inhibitor: the window that remains" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, version = p.version }
		local bql = semaphore("bql", 1)
		oracle("C-O10", false) -- pages are asked for here; slot-mmio.lua asks for exits
		local source, destination = { 0, 0 }, { 0, 0 }
		local base = 0xc0
		local slot = k:region_add { base_gfn = base, npages = 0x40, ram_page = 0xc0 }
		local cpu = { k:vcpu(), k:vcpu() }

		local function write(i, page)
			local how
			repeat -- where the region is just now; an access that finds no slot is tried again
				how = cpu[i]:write(base + page)
				if how == "ram" then
					source[page] = source[page] + 1
				end
			until how == "ram"
		end

		local vcpu0 = actor("vcpu0", function()
			write(1, 1)
			cpu[1]:exit()
			point()
			bql:acquire()
			k:begin()
			k:region_del(slot)
			local to = p.apart and 0x140 or 0xc0
			slot = k:region_add { base_gfn = to, npages = 0x40, ram_page = 0xc0 }
			k:commit()
			base = to
			bql:release()
		end)
		local vcpu1 = actor("vcpu1", function()
			for _ = 1, p.second and 2 or 0 do
				write(2, 2)
			end
			cpu[2]:exit()
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) and page > 0xc0 and page <= 0xc2 then
					destination[page - 0xc0] = source[page - 0xc0]
				end
			end
		end
		actor("migration", function()
			bql:acquire()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync())
			bql:release()
			vcpu0:join()
			vcpu1:join() -- the guest stops
			send(k:last_sync())
			for page = 1, 2 do
				expect(destination[page] == source[page], "dirty-page-lost",
				       string.format("page=0x%x", 0xc0 + page),
				       "its dirty bit died with the slot")
			end
		end)
	end,
}
