-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The whole of it, and nothing set up for one defect: a guest that uses most of its memory, a migration, and one that
-- is cancelled before it.  What the guest uses when it is stopped must be at the destination; what it hinted and did
-- not write again need not be.
--
-- Both halves protect: the merged driver holds what it hinted, the merged device stops taking hints before each sync.
-- One of the two is enough as long as KVM's log is not cleared with the hint; with manual protection it is, and then
-- the driver has to hold (hint-shrinker.lua).

local common = include("common.inc")

return {
	name = "hint-precopy",
	title = "free page hints in a precopy migration from its set-up to its end",
	evidence = {
		"QEMU c13c4153f7, 6eeb63f740, bd2270608f: free page hinting, precopy notifiers",
		"virtio-dev, 7 February 2018: review of the first series",
	},
	params = {
		manual_protect = { default = false, doc = "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2" },
		cancel = { default = false, doc = "a first migration is cancelled" },
	},
	variants = {
		hints_over_sync = { expect = "memory-divergence", runs = 30000,
				    faults = { "guest.balloon.releases_hinted", "qemu.fph.no_stop" },
				    doc = "neither half protects" },
		merged = { expect = "ok", runs = 3000, doc = "both do" },
		merged_manual = { expect = "ok", set = { manual_protect = true }, runs = 3000,
				  doc = "both do, with manual protection" },
		second_destination = { expect = "ok", set = { cancel = true }, runs = 3000,
				       doc = "cancelled, then to another destination" },
	},
	setup = function(p)
		local w = common.world { pages = 12, manual_protect = p.manual_protect }

		common.guest(w, function()
			common.use(w, 10, 2)
		end)
		actor("monitor", function()
			w.ready:wait()
			if p.cancel then
				common.begin(w, { name = "first", budget_pages = 2 })
				common.wait_hints(w, 40)
				w.migration:cancel()
				if common.finish(w) == "completed" then
					return
				end
			end
			common.begin(w, { budget_pages = 2 })
			common.finish(w)
		end)
	end,
}
