-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Three threads pass an entry of the dirty ring around, by its flag alone.
--
--	vCPU        slot, offset ── flag DIRTY ─╮                    (writes again: a new entry, the same place)
--	reaper                  flag? slot, offset ── flag RESET ─╮
--	who resets                                  flag? slot, offset: protect that page ── flag 0
--
-- Each must take with acquire and hand on with release.  If not, on a weakly ordered host, the one who is next sees
-- the flag of the new entry and slot and offset of the old one: the reaper marks the wrong page, or the wrong page
-- is protected, so that the right one is never noted again.
--
-- The ring has 256 entries; here it is brought to its second lap first, so that there is something old to see.

return {
	name = "ring-order",
	title = "an entry of the dirty ring is handed on without acquire or release",
	evidence = {
		"QEMU 4802bf910e: missing barrier between the flag and what it guards",
		"QEMU 52281c6d11: an entry is marked harvested by a store-release",
		"Linux 8929bc965964: acquire and release when accessing the state of an entry",
	},
	memory = "weak",
	params = {
		rounds = { default = 2, min = 1, max = 6, doc = "how often the page is written" },
	},
	variants = {
		harvest_no_acquire = { expect = "dirty-page-lost", faults = { "qemu.dirty_ring.harvest_no_acquire" },
				       runs = 100000, doc = "the reaper reads an old page number" },
		harvest_no_release = { expect = "dirty-page-lost", faults = { "qemu.dirty_ring.harvest_no_release" },
				       runs = 100000, doc = "who resets protects an old page" },
		reset_no_acquire = { expect = "dirty-page-lost", faults = { "kvm.dirty_ring.reset_no_acquire" },
				     runs = 100000, doc = "the same, on its own account" },
		holds = { expect = "ok", runs = 30000, doc = "acquire and release on both sides" },
		holds_sc = { expect = "ok", memory = "sc", runs = 1000,
			     doc = "no host reorders: nothing can be seen too early" },
	},
	setup = function(p)
		local k = kvm { ram_pages = 0x400, ring = 4096 }
		local cpu = k:vcpu()
		local source, destination = 0, 0
		local list, harvested, sent = {}, 0, 0 -- pages in the order of their entries
		local done = semaphore("done", 0) -- the guest has stopped, the others are idle

		k:set_memslot { slot = 0, base_gfn = 0, npages = 0x400, log = true }
		-- A lap of other pages, so that each entry has an old content.
		for gfn = 0x100, 0x1ff do
			cpu:write(gfn)
			cpu:harvest()
			k:reset_rings()
		end

		actor("vcpu", function()
			for _ = 1, p.rounds do
				if cpu:write(0xca) == "ram" then
					source = source + 1
				end
				point()
			end
			cpu:exit()
			done:release()
		end)
		local function reap()
			local slot, page = cpu:harvest()
			if slot then
				harvested = harvested + 1
				list[harvested] = page
			end
			return slot
		end
		-- Pages whose entries were reset, and that are protected for it, may be read.
		local function send(n)
			for i = sent + 1, sent + n do
				if list[i] == 0xca then
					destination = source
				end
			end
			sent = sent + n
		end
		actor("reaper", function()
			for _ = 1, p.rounds do
				reap()
				point()
			end
			done:release()
		end)
		actor("main", function()
			for _ = 1, p.rounds do
				send(k:reset_rings())
				point()
			end
			done:release()
		end)
		actor("migration", function()
			for _ = 1, 3 do
				done:acquire()
			end
			point()
			repeat
			until not reap()
			send(k:reset_rings())
			expect(destination == source, "dirty-page-lost", "gfn=0xca",
			       string.format("version %d is on the destination, the guest has %d; %d entries harvested",
					     destination, source, harvested))
		end)
	end,
}
