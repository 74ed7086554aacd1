-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- System management mode has slots of its own, and somebody must ask them, too.
--
-- SMRAM is seen by vCPUs in SMM only: KVM keeps it in a second address space with slots and dirty bitmaps of its own.
-- A sync that walks the slots of the first one leaves what the firmware wrote in SMM on the source.

return {
	name = "smram-sync",
	title = "the dirty log of the second address space is not fetched",
	evidence = { "QEMU 9c1f8f4493 (2016): migration: sync all address spaces" },
	params = {
		pml = { default = false, doc = "the processor has PML" },
	},
	variants = {
		first_space_only = { expect = "dirty-page-lost", faults = { "qemu.log_sync.first_space_only" }, runs = 500,
				     doc = "what was written in SMM is not sent again" },
		all_spaces = { expect = "ok", runs = 3000, doc = "both are asked" },
		all_spaces_pml = { expect = "ok", set = { pml = true }, runs = 3000,
				   doc = "RSM is an exit: the buffer is emptied in the space that it was filled in" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, host = p.pml and "x86-pml" or "x86" }
		local cpu = k:vcpu()
		local source, destination = { [0x20] = 0, [0x1a0] = 0 }, { [0x20] = 0, [0x1a0] = 0 }

		k:region_add { base_gfn = 0, npages = 0xa0 }
		-- The same addresses in SMM, and SMRAM where others see the frame buffer.
		k:region_add { base_gfn = 0, npages = 0xa0, as = 1 }
		k:region_add { base_gfn = 0xa0, npages = 0x20, ram_page = 0x1a0, as = 1 }

		local function write(gfn, page)
			if cpu:write(gfn) == "ram" then
				source[page] = source[page] + 1
			end
		end
		local vcpu = actor("vcpu", function()
			for _ = 1, 2 do
				write(0x20, 0x20)
				cpu:smm(true)
				write(0xa0, 0x1a0)
				cpu:smm(false)
			end
			cpu:exit()
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
			vcpu:join()
			send(k:last_sync())
			for page, version in pairs(source) do
				expect(destination[page] == version, "dirty-page-lost", string.format("page=0x%x", page),
				       "nobody asked the slots of its address space")
			end
		end)
	end,
}
