-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- After the switch the source's bitmap only shrinks.  A sync at that point may set the bit of a page that was sent:
-- the destination's guest may have written it meanwhile, so a second copy would put an old page over a new one.
-- userfaultfd refuses it (EEXIST), and the migration is over with the guest whole on neither side.

return {
	name = "postcopy-resync",
	title = "dirty logs are asked after the switch, and a page is sent twice",
	evidence = { "QEMU 663e6c1df8 (2015): Don't sync dirty bitmaps in postcopy" },
	params = {
		late_marks = { default = 1, min = 0, max = 4, doc = "pages that QEMU marks at some time, unchanged" },
	},
	variants = {
		resync = { expect = "state-lost", faults = { "qemu.postcopy.resync" }, runs = 4000,
			   doc = "each pass syncs first" },
		no_marks = { expect = "ok", faults = { "qemu.postcopy.resync" }, set = { late_marks = 0 }, runs = 2000,
			     doc = "nothing is marked any more, so a sync finds nothing: rare, as it was" },
		no_sync = { expect = "ok", runs = 4000, doc = "the last sync is the switch's" },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local m, there

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		m:postcopy_ram()
		there = m:vcpu("vcpu0")
		m:start_postcopy()
		actor("vcpu0 there", function()
			there:write(0)
		end)
		actor("qemu", function()
			for i = 1, p.late_marks do
				point()
				vm:mark_dirty(i - 1)
			end
		end)
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
