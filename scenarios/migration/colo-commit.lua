-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- COLO's output commit.  The guests of both sides send different packets; compare holds the primary's until the
-- secondary has the state that it came from.
--
--	primary    packet 1 ── held ── RAM ──╳ devices       released here: if the host dies now, the secondary goes on
--	secondary                                            from a state that never sent packet 1; the client has it
--
-- VMSTATE_RECEIVED says that the state is whole; from then on the secondary can only go on from it.

return {
	name = "colo-commit",
	title = "COLO: a packet leaves before the secondary has the state behind it",
	evidence = { "QEMU 4fa8ed25b8 (2020): compare is notified after VMSTATE_RECEIVED" },
	params = {
		steps = { default = 2, min = 1, max = 8, doc = "of each side's guest" },
		differ = { default = true, doc = "the sides' packets differ" },
		twin_first = { default = false, doc = "the secondary's guest sends before the primary's" },
	},
	variants = {
		release_early = { expect = "state-lost", faults = { "qemu.colo.release_early" }, runs = 2000,
				  doc = "released when memory was sent" },
		twin_late = { expect = "state-lost", faults = { "qemu.colo.release_early" }, set = { differ = false },
			      runs = 2000, doc = "the same packets: held, too, until the secondary has sent its own" },
		twin_first = { expect = "ok", faults = { "qemu.colo.release_early" }, runs = 2000,
			       set = { differ = false, twin_first = true }, doc = "its twin was there: nothing is held" },
		commit = { expect = "ok", runs = 4000, doc = "released when the state is whole" },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local sent = flag("the secondary has sent")
		local c

		vm:fill(0, 3)
		c = colo { vm = vm }
		actor("guest", function()
			if p.twin_first then
				sent:wait()
			end
			for i = 1, p.steps do
				c:step("primary", i % 3, 0)
			end
			c:checkpoint()
		end)
		actor("guest'", function()
			for i = 1, p.steps do
				c:step("secondary", (i + 1) % 3, p.differ and i or 0)
			end
			sent:set()
		end, { daemon = true })
		actor("fate", function()
			for _ = 1, 3 do
				point()
			end
			c:primary_dies()
			c:failover()
		end)
	end,
}
