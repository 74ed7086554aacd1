-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A full dirty ring, and the order of reset and read.
--
-- vCPU writes more pages than its ring holds: it leaves with KVM_EXIT_DIRTY_RING_FULL and stays out until entries
-- were harvested and reset.  A reaper thread does that; the migration sends what was harvested:
--
--	reaper      harvest ── RESET: protect again ── read the page, send
--	wrong                                       ── read, send ── RESET
--
-- A write between the read and the reset goes to a page that is not protected: it is noted nowhere.  And a vCPU
-- that is told of the full ring and enters again without anybody having reset it does not run at all.

return {
	name = "ring-full",
	title = "the dirty ring runs full; pages are read before or after the reset",
	evidence = {
		"Linux Documentation/virt/kvm/api.rst 8.29: the reset must come before the page is read",
		"QEMU b4420f198d: reaper, KVM_EXIT_DIRTY_RING_FULL",
		"QEMU c0bad49946: reset before reading, the same rule for block devices",
	},
	params = {
		pages = { default = 200, min = 1, max = 800, doc = "how many the vCPU writes; 192 fill the ring" },
		read_first = { default = false, doc = "read pages before KVM_RESET_DIRTY_RINGS" },
		reaps = { default = true, doc = "somebody reaps while the vCPU waits" },
	},
	variants = {
		read_before_reset = { expect = "dirty-page-lost", set = { read_first = true, pages = 3 }, runs = 4000,
				      doc = "a write falls in between" },
		nobody_reaps = { expect = "hang", set = { reaps = false }, runs = 50,
				 doc = "the vCPU stays out of the guest for ever" },
		reset_before_read = { expect = "ok", set = { pages = 3 }, runs = 6000, doc = "in that order" },
		full = { expect = "ok", runs = 100, doc = "through the full ring and on" },
	},
	setup = function(p)
		local k = kvm { ram_pages = 0x400, ring = 4096 }
		local cpu = k:vcpu()
		local source, destination = {}, {}
		local room, reap, stopped = semaphore("ring has room", 0), semaphore("reap", 0), false

		k:set_memslot { slot = 0, base_gfn = 0, npages = 0x400, log = true }

		local function write(gfn)
			repeat
				local how = cpu:write(gfn)
				if how == "ring_full" then
					reap:release()
					room:acquire()
				end
			until how == "ram"
			source[gfn] = (source[gfn] or 0) + 1
		end
		local vcpu = actor("vcpu", function()
			for i = 1, p.pages do
				write(i)
			end
			write(1)
			cpu:exit()
			stopped = true
			reap:release()
		end)
		local function collect()
			local list = {}
			for _, page in function()
				return cpu:harvest()
			end do
				list[#list + 1] = page
			end
			return list
		end
		local function send(list)
			for _, page in ipairs(list) do
				destination[page] = source[page]
				point()
			end
		end
		local function round()
			local list = collect()
			if p.read_first then
				send(list)
				k:reset_rings()
			else
				k:reset_rings()
				send(list)
			end
		end
		local reaper = actor("reaper", function()
			if not p.reaps then
				return
			end
			repeat
				round() -- once by its clock, then when it is asked to
				reap:acquire()
				round()
				room:release()
			until stopped
		end)
		actor("migration", function()
			vcpu:join()
			reaper:join() -- what it harvested it has sent
			point()
			round()
			for page = 1, p.pages do
				expect(destination[page] == source[page], "dirty-page-lost",
				       string.format("gfn=0x%x", page),
				       "written after it was read, before its entry was reset")
			end
		end)
	end,
}
