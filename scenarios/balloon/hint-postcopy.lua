-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Postcopy: the destination runs while pages still come, and asks the source for what it touches.  A hinted page is not
-- in the source's bitmap, so the source takes it for sent and sends nothing; the vCPU that touched it waits until the
-- migration is over.  The guest may touch it: it has given the page back to itself.

local common = include("common.inc")

return {
	name = "hint-postcopy",
	title = "after postcopy's switch the guest waits for a page that was hinted",
	evidence = {
		"QEMU fd51e54fa1: virtio-balloon: don't start free page hinting if postcopy is possible",
		"virtio-dev, 7 February 2018: 'for post-copy migration, this does not look like it will DTRT'",
	},
	variants = {
		hinted = { expect = "hang", faults = { "qemu.fph.postcopy" }, runs = 3000,
			   doc = "hinting although the migration may go to postcopy" },
		not_hinted = { expect = "ok", runs = 1500, doc = "the capability keeps hinting off" },
	},
	setup = function()
		local w = common.world { pages = 4 }

		local hinted = flag("all that is free was hinted")

		common.guest(w, function()
			local page = common.alloc(w, 1)

			hinted:wait()
			w.balloon:write(page, 2) -- so that there is something to go to postcopy for
		end)
		actor("monitor", function()
			w.ready:wait()

			local m = common.begin(w, { budget_pages = 1, slow_link = true })
			local there

			m:postcopy_ram()
			there = m:vcpu("vcpu0")
			common.active(w)
			common.quiet() -- all hints are there, most pages are not
			m:start_postcopy()
			hinted:set()
			for page = 0, w.pages - 1 do
				there:read(page)
			end
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			w.vm:start()
		end)
	end,
}
