-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The whole of it: a guest with a balloon driver, the device with its iothread, and QEMU's precopy loop with its own
-- syncs, completion and clean-up.  What the guest uses when it is stopped must be at the destination; what it hinted
-- and did not write again need not be.
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
		local w = common.world { pages = 12, precopy = true, manual_protect = p.manual_protect }

		common.guest(w, function()
			common.use(w, 10, 2)
		end)
		actor("monitor", function()
			w.ready:wait()
			if p.cancel then
				local first = migrate { vm = w.source, destination = w.source:destination(), name = "first",
							threshold_bytes = 0, announce_rounds = 0 }

				common.wait_hints(w, 40)
				first:cancel()
				if first:wait() == "completed" then
					w.vm:start()
					return
				end
			end

			local m = migrate { vm = w.source, destination = w.destination, threshold_bytes = 4096,
					    announce_rounds = 0 }

			m:wait()
			for _, page in ipairs(w.source:difference(w.destination)) do
				expect(not w.live[page], "memory-divergence", string.format("page=%d", page),
				       "the guest uses the page, and the destination has something else")
			end
			w.vm:start() -- so that the guest's task comes to its end
		end)
	end,
}
