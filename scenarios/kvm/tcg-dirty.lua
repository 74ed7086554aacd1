-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Without KVM: what TCG notes before it writes.
--
-- A store looks at the TLB first.  While its entry says "not dirty" it goes the slow way, which notes the page and lets
-- later stores of it pass.  A sync fetches the notes and sets the entries back; a store that has looked already is past
-- that, and its data come later:
--
--	vCPU		TLB: fast ───────────────────────────────────── write RAM
--	migration		    fetch notes, reset TLB ── read, send
--
-- So who fetched waits until each vCPU is through with its translation block, and reads then.

return {
	name = "tcg-dirty",
	title = "TCG: a store that looked at the TLB before the dirty bits were fetched, and is made after the page was read",
	evidence = {
		"QEMU 9458a9a1df (2018): fix race between TCG and accesses to dirty bitmap",
		"QEMU 03bfc2188f (2024): dirty bits of 64 pages were fetched without a reset of the TLB",
	},
	params = {
		waits = { default = true, doc = "the migration waits for vCPUs to end their translation block" },
		resets = { default = true, doc = "fetching resets the TLB" },
		writes = { default = 3, min = 1, max = 8, doc = "stores of the vCPU" },
	},
	buffers = "writes",
	variants = {
		read_at_once = { expect = "dirty-page-lost", set = { waits = false }, runs = 4000,
				 doc = "QEMU before 2.12" },
		tlb_kept = { expect = "dirty-page-lost", set = { resets = false }, runs = 4000,
			     doc = "later stores are noted no more" },
		waited = { expect = "ok", runs = 6000 },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x100 }
		local page = 0x0a
		local ram, destination, fast, in_block = 0, 0, false, false
		local block_ends = waitq("translation block")

		k:region_add { base_gfn = 0, npages = 0x100 }
		local vcpu = actor("vcpu", function()
			for _ = 1, p.writes do
				in_block = true
				if fast then
					note("the TLB says dirty: a store that notes nothing")
					point()
					ram = ram + 1
				else
					ram = ram + 1
					k:device_write(page)
					fast = true
				end
				note(string.format("page 0x%x is written, version %d", page, ram))
				in_block = false
				block_ends:wake_all()
				point()
			end
		end)
		local function sync_and_send(sync)
			local list = sync()

			if p.resets then
				fast = false
			end
			while p.waits and in_block do
				block_ends:wait()
			end
			for _, sent in ipairs(list) do
				if k:page_sent(sent) and sent == page then
					point()
					destination = ram
					note(string.format("page 0x%x is read, version %d", page, ram))
				end
			end
		end
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			for _ = 1, 2 do
				sync_and_send(function() return k:migration_sync() end)
				point()
			end
			vcpu:join()
			sync_and_send(function() return k:last_sync() end)
			expect(destination == ram, "dirty-page-lost", string.format("page=0x%x", page),
			       string.format("the destination has version %d, the guest %d", destination, ram))
		end)
	end,
}
