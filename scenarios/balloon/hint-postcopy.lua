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
		hinted = { expect = "state-lost", faults = { "qemu.fph.postcopy" }, runs = 3000,
			   doc = "hinting although the migration may go to postcopy" },
		not_hinted = { expect = "ok", runs = 1500, doc = "the capability keeps hinting off" },
	},
	setup = function()
		local w = common.world { pages = 4 }

		common.guest(w, function() end)
		actor("migration", function()
			local m = w.migration

			w.ready:wait()
			m:begin(true)
			common.wait_hints(w, 60)
			w.vm:stop()

			-- The destination runs now.  It touches each page; what is still to be sent comes.
			for page = 0, w.pages - 1 do
				while m:there(page) == nil and m:info().left > 0 do
					m:send(page)
				end
				expect(m:there(page) ~= nil, "state-lost", string.format("page=%d", page),
				       "the destination asked for the page, and the source takes it for sent")
			end
			m:finish()
			w.vm:start()
		end)
	end,
}
