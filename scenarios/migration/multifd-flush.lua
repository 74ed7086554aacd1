-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- multifd: a page is sent again while its first copy is under way in another channel.
--
--	round 1   channel 1   page 0, version 1 ·································· arrives
--	round 2   channel 2                       page 0, version 2 ── arrives
--
-- Channels are not ordered among each other.  What was queued must have arrived before a page can be sent a second
-- time, so a round ends with a flush: before 8.1 each section did.

return {
	name = "multifd-flush",
	title = "an old copy of a page overtakes the new one in another channel",
	evidence = {
		"QEMU 294e5a4034 (8.1): flush once a round instead of once a section, by RAM_SAVE_FLAG_MULTIFD_FLUSH",
	},
	params = {
		writes = { default = 3, min = 1, max = 8, doc = "of the vCPU" },
		channels = { default = 2, min = 1, max = 4, doc = "multifd-channels" },
	},
	buffers = "writes",
	variants = {
		no_flush = { expect = "memory-divergence", faults = { "qemu.multifd.no_flush" }, runs = 20000,
			     doc = "a round begins while pages of the last one are under way" },
		flush = { expect = "ok", runs = 6000, doc = "a round ends with a flush" },
	},
	setup = function(p)
		local vm = source_vm { pages = 2 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m

		vm:fill(0, 2)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096,
			      multifd_channels = p.channels, packet_pages = 1, announce_rounds = 0 }
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(0)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
