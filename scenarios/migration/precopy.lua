-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Plain precopy, a page at a time, against every order of a vCPU, a vhost worker and the migration thread.
--
--	setup     bitmap := all pages ── dirty logging on ── sync 1
--	iterate   clear the chunk in KVM's log ── clear the bit ── read ── send        (page after page)
--	complete  stop vCPUs ── stop devices, fetch their logs ── last sync ── what is left ── switch over
--
-- What is written between a page's read and the last sync is in some log, so the last pass sends it.  Leave out any of
-- the steps that make this so and the guest goes on with old pages.

return {
	name = "precopy",
	title = "precopy: pages are sent while a vCPU and a vhost worker write them",
	evidence = {
		"QEMU 5c0ba1be37: the last sync of vhost's log was skipped",
		"QEMU 40c4d4a835: a bitmap that was not filled",
	},
	params = {
		writes = { default = 2, min = 1, max = 16, doc = "of each writer" },
		threshold = { default = 8192, min = 0, max = 65536, doc = "bytes that may be left for the last pass" },
	},
	buffers = "writes",
	variants = {
		last_pass_skipped = { expect = "dirty-page-lost", faults = { "qemu.migrate.no_final_sync" },
				      runs = 2000, doc = "the logs are not asked once the machine stands" },
		first_pass_skipped = { expect = "dirty-page-lost", faults = { "qemu.migrate.bitmap_not_filled" },
				       runs = 100, doc = "only what is logged from then on is sent" },
		vhost_log_put_first = { expect = "dirty-page-lost", faults = { "qemu.vhost.log_put_first" },
					runs = 4000, doc = "vhost's log is given back before it is fetched" },
		holds = { expect = "ok", runs = 6000, doc = "as QEMU 8.2" },
		no_limit = { expect = "ok", set = { threshold = 0 }, runs = 3000,
			     doc = "nothing may be left: rounds until it happens" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local vcpu, vhost = vm:writer("vcpu", "vcpu0"), vm:writer("vhost", "vhost-net0")
		local m

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = p.threshold,
			      announce_rounds = 1 }
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(1)
			end
		end, { daemon = true })
		actor("vhost-worker", function()
			for _ = 1, p.writes do
				vhost:write(2)
			end
		end, { daemon = true })
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
