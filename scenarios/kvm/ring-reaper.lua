-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- QEMU's reaper thread, a slot that is replaced, and entries that outlive their slot.
--
-- An entry of a dirty ring names its page by slot id and offset.  When the slot is deleted, entries of it that nobody
-- harvested mean nothing any more, or worse: the id is given to the next slot, and the entry marks a page of that one.
-- So the rings are reaped before a slot goes.  What a vCPU writes after that and before the deletion is lost, as it is
-- with bitmaps, unless vCPUs are out of KVM_RUN for both.
--
-- The reaper thread, the removal and the last sync all harvest; a lock keeps each round, harvest and reset, in one
-- piece.

return {
	name = "ring-reaper",
	title = "a slot is replaced while entries of it are in dirty rings",
	evidence = {
		"QEMU b4420f198d (6.1): rings are reaped before a slot is removed; the comment on what is left",
		"QEMU f39b7d2b96 (8.0): vCPUs leave KVM_RUN first if sections overlap",
	},
	params = {
		version = { default = "8.0", values = { "6.1", "8.0", "8.1" }, doc = "which QEMU" },
		reaps = { default = 1, min = 0, max = 4, doc = "rounds of the reaper thread" },
	},
	variants = {
		not_reaped = { expect = "dirty-page-lost", faults = { "qemu.slot_removal.no_sync" }, runs = 2000,
			       doc = "entries of the old slot mark pages of the new one" },
		qemu_6_1 = { expect = "dirty-page-lost", set = { version = "6.1" }, runs = 20000,
			     doc = "reaped, then written again, then deleted" },
		qemu_8_0 = { expect = "ok", runs = 6000, doc = "no vCPU in the guest from reaping to the new slots" },
		weak = { expect = "ok", memory = "weak", runs = 6000,
			 doc = "who kicked vCPUs out sees what they pushed before" },
		no_reaper = { expect = "ok", set = { reaps = 0 }, runs = 3000,
			      doc = "the thread only keeps rings from running full" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x100, ring = 4096, version = p.version }
		local cpu = k:vcpu()
		oracle("C-O10", false) -- pages are asked for here; slot-mmio.lua asks for exits
		local source, destination = {}, {}
		local slot = k:region_add { base_gfn = 0x40, npages = 0x40 }

		k:log_global(true)
		local vcpu = actor("vcpu", function()
			for i = 0, 3 do
				local gfn = 0x60 + i % 2
				local how
				repeat
					how = cpu:write(gfn)
				until how == "ram"
				source[gfn] = (source[gfn] or 0) + 1
			end
			cpu:exit()
		end)
		local reaper = actor("reaper", function()
			for _ = 1, p.reaps do
				point()
				k:reap()
			end
		end)
		local main = actor("main", function()
			point()
			-- The second half of it stays where it is, in a slot that has the old id and begins elsewhere.
			k:begin()
			k:region_del(slot)
			k:region_add { base_gfn = 0x50, npages = 0x30 }
			k:region_add { base_gfn = 0x40, npages = 0x10 }
			k:commit()
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) then
					destination[page] = source[page]
				end
			end
		end
		actor("migration", function()
			point()
			vcpu:join()
			reaper:join()
			main:join()
			point()
			send(k:last_sync())
			for gfn, version in pairs(source) do
				expect(destination[gfn] == version, "dirty-page-lost", string.format("gfn=0x%x", gfn),
				       "its entry was dropped, or taken for a page of another slot")
			end
		end)
	end,
}
