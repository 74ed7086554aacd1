-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Packets that only one of COLO's guests sends: nothing is there to differ from.  They ask for a checkpoint when they
-- are older than compare_timeout, which is looked for every expired_scan_cycle; until then a client waits for the
-- primary's, and a secondary that has sent what the primary did not goes on as something else.
--
-- With the defaults a packet of the primary leaves after 4.0 s at the latest, after 2.0 s on average (packet_held_…).
--
--	ringside compare scenarios/migration/colo-timeout.lua:primary --over timeout_ms=300,1000,3000

return {
	name = "colo-timeout",
	title = "COLO: a packet that one guest alone has sent",
	evidence = {
		"QEMU 8.2 net/colo-compare.c: compare_timeout 3000 ms, a scan each 1000 ms",
		"QEMU 17475df2c1 (5.2): the secondary's packets grow old, too",
	},
	mode = "timed",
	steps_max = 1000000,
	params = {
		side = { default = "primary", values = { "primary", "secondary" }, doc = "who sends" },
		timeout_ms = { default = 3000, min = 1, max = 100000, doc = "compare_timeout" },
		scan_ms = { default = 1000, min = 1, max = 100000, doc = "expired_scan_cycle" },
		delay_ms = { default = 20000, min = 10, max = 100000, doc = "x-checkpoint-delay" },
		seconds = { default = 60, min = 1, max = 1000 },
		queue = { default = 1024, min = 1, max = 65536, doc = "max_queue_size" },
	},
	variants = {
		secondary_never_old = { expect = "spec-violation", faults = { "qemu.compare.secondary_never_old" },
					set = { side = "secondary" }, runs = 1,
					doc = "before QEMU 5.2: until the timer has its turn" },
		primary = { expect = "ok", runs = 1 },
		secondary = { expect = "ok", set = { side = "secondary" }, runs = 1 },
		short_queue = { expect = "ok", set = { queue = 4 }, runs = 1, doc = "what has no place is lost" },
	},
	setup = function(p)
		local c = colo {
			vm = source_vm { pages = 64 },
			checkpoint_delay_ns = p.delay_ms * 1000000,
			compare_timeout_ns = p.timeout_ms * 1000000,
			expired_scan_cycle_ns = p.scan_ms * 1000000,
			max_queue_size = p.queue,
			rtt_ns = 100000,
		}

		actor(p.side, function()
			for i = 1, p.seconds * 10 do
				c:send(p.side, "udp", 1, "datagram " .. i)
				sleep(100000000)
			end
			c:stats()
			c:stop()
		end)
	end,
}
