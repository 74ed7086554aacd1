-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Every way of sending pages against every kind of writer, a migration that may be cancelled and begun anew, a slot
-- that may be replaced: what is on and who writes what are choices of the run.  Nothing may be lost in any of them;
-- with a fault, some of them lose.

return {
	name = "mixture",
	title = "multifd, XBZRLE, manual protection, cancelling and replaced slots in any mixture",
	evidence = { "QEMU 5c0ba1be37, 294e5a4034: what was wrong in single ones" },
	params = {
		writes = { default = 3, min = 1, max = 16, doc = "of each of the three writers" },
	},
	buffers = "writes",
	variants = {
		holds = { expect = "ok", runs = 20000, doc = "all of it as it should be" },
		log_put_first = { expect = "dirty-page-lost", faults = { "qemu.vhost.log_put_first" }, runs = 20000 },
		no_flush = { expect = "memory-divergence", faults = { "qemu.multifd.no_flush" }, runs = 60000 },
	},
	setup = function(p)
		-- A writer of each kind that has a log; pages are shared.
		local vm = source_vm {
			blocks = { { name = "pc.ram", pages = 4 } },
			initially_set = true,
			layout = {
				{ name = "ram", block = "pc.ram" },
				{ name = "shadow", block = "pc.ram", offset = 2, gfn = 2, pages = 1,
				  priority = 1, readonly = true, disabled = true },
			},
		}
		local who = { vm:writer("vcpu", "vcpu0"), vm:writer("vhost", "vhost-net0"), vm:writer("qemu", "qemu-ide0") }

		vm:fill(0, 3)
		for i, writer in ipairs(who) do
			actor("writer" .. i, function()
				for _ = 1, p.writes do
					writer:write(choice(2) - 1, choice(4) == 4)
				end
				if i == 1 and choice(3) == 3 then
					writer:map { name = "shadow", enabled = true }
					writer:map { name = "shadow", enabled = false }
					writer:write(0)
				end
			end, { daemon = true })
		end
		actor("monitor", function()
			local how = choice(3)
			local again = choice(2) == 2

			repeat
				local m = migrate { vm = vm, destination = vm:destination(),
						    threshold_bytes = 4096 * (choice(3) - 1),
						    multifd_channels = how == 2 and 2 or 0, packet_pages = choice(2),
						    xbzrle = how == 3, xbzrle_cache_pages = 2, announce_rounds = 0 }
				if again then
					for _ = 1, choice(4) do
						yield()
					end
					m:cancel()
				end
				local state = m:wait()
				again = false
				expect(state ~= "failed", "state-lost", "migration", "it failed")
			until state == "completed"
		end)
	end,
}
