-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Free page hints and postcopy.  A hint clears a page's bit: it is not sent.  The guest takes the page into use after
-- it left: at the destination the page is missing, the source takes it for sent.
--
--	source        hint: clear page 2's bit ── switch ─────────────── page 2: clean, nothing to do
--	destination                                       write page 2 ── fault ── REQ_PAGES ──▲   waits
--
-- A page that is taken into use before the guest leaves is dirty again, and comes.

return {
	name = "postcopy-hints",
	title = "a page that was hinted as free is used after postcopy's switch",
	evidence = { "QEMU fd51e54fa1 (6.2): don't start free page hinting if postcopy is possible" },
	params = {
		reuse_here = { default = false, doc = "the guest writes the page before it leaves" },
	},
	variants = {
		hinted = { expect = "hang", faults = { "qemu.fph.postcopy" }, runs = 4000,
			   doc = "who touches the page waits for good" },
		reused = { expect = "ok", faults = { "qemu.fph.postcopy" }, set = { reuse_here = true },
			   runs = 3000, doc = "it was taken into use at the source: it is sent" },
		ignored = { expect = "ok", runs = 4000, doc = "with postcopy-ram hints have no effect" },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m, there

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0,
			      budget_pages = 1 }
		m:postcopy_ram()
		there = m:vcpu("vcpu0")
		actor("vcpu0", function()
			m:hint(2)
			vcpu:write(p.reuse_here and 2 or 0) -- at the source: the guest has not left
			m:start_postcopy()
		end, { daemon = true })
		actor("vcpu0 there", function()
			there:write(2)
		end)
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
