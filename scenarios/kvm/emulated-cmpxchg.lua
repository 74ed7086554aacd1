-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A locked instruction that KVM emulates.
--
-- What the emulator writes, KVM has to note itself: there is no fault on a protected page, since the write goes
-- through userspace's mapping.  When emulated CMPXCHG became a CMPXCHG on that mapping, the note was forgotten:
--
--	vCPU        lock cmpxchg, emulated: memory changes ── nothing noted
--	migration   ──────────────────────────────────────── last sync: the page is clean
--
-- Other writes to the same page hide it.  Rare enough to have been found by a provider with very many migrations.

return {
	name = "emulated-cmpxchg",
	title = "the page of an emulated compare-and-exchange is not marked dirty",
	evidence = {
		"Linux 910c57dfa4d1 (2024): mark target gfn of emulated atomic instruction as dirty",
		"Linux 1c2361f667f3 (2022): the change that forgot it",
	},
	params = {
		ring = { default = false, doc = "dirty ring instead of bitmap" },
		hidden = { default = false, doc = "the guest writes the page again by itself before it stops" },
	},
	variants = {
		not_marked = { expect = "dirty-page-lost", faults = { "kvm.emulated_cmpxchg.no_mark" }, runs = 500,
			       doc = "the destination has the old lock word" },
		not_marked_ring = { expect = "dirty-page-lost", set = { ring = true },
				    faults = { "kvm.emulated_cmpxchg.no_mark" }, runs = 500, doc = "no entry either" },
		hidden = { expect = "ok", set = { hidden = true }, faults = { "kvm.emulated_cmpxchg.no_mark" },
			   runs = 2000, doc = "another write to the page marks it" },
		marked = { expect = "ok", runs = 3000, doc = "noted as every emulated write" },
		marked_ring = { expect = "ok", set = { ring = true }, runs = 2000, doc = "and in a ring" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x100, ring = p.ring and 4096 or 0 }
		local cpu = k:vcpu()
		local source, destination = 0, 0

		k:region_add { base_gfn = 0, npages = 0x100 }
		local vcpu = actor("vcpu", function()
			for _ = 1, 2 do
				if cpu:emulated_cmpxchg(0x4a) == "ram" then
					source = source + 1
				end
			end
			if p.hidden and cpu:write(0x4a) == "ram" then
				source = source + 1
			end
			cpu:exit()
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) and page == 0x4a then
					destination = source
				end
			end
		end
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync())
			vcpu:join()
			point()
			send(k:last_sync())
			expect(destination == source, "dirty-page-lost", "page=0x4a",
			       "KVM wrote it on the guest's behalf and did not note it")
		end)
	end,
}
