-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device asks to be kicked for an index that the driver has already come to.
--
--	device, a packet needs 5 buffers        guest, NAPI
--	finds 4, up to avail.idx 13
--	                                        adds four: avail.idx = 17
--	                                        avail_event is far behind: no kick
--	samples avail.idx: avail_event = 17
--	nothing beyond 17: sleeps
--
-- There are eight buffers now, and the device sleeps because it compares with its sample and not with what it had
-- when it found too few.  The next refill would be announced, and there is none: the guest waits for packets.
-- Traffic to the guest stands still while traffic from it goes on.  A fix in 2010 looked again, but at the wrong
-- index; fourteen years later the device asks for kicks first and then compares with what it knew before.
return {
	name = "rx-kick-window",
	title = "receive stalls: avail_event is sampled after the buffers came",
	matrix = { "device" }, -- vringh.c takes what was not popped for new: it has this livelock
	evidence = {
		"QEMU f937309fbd: virtio-net stalls on the host side, waiting for a kick",
		"QEMU 06b1297017: the partial fix of 2010; github.com/qemu/qemu pull request 267: it leaves the event index alone",
	},
	params = {
		pairs = { default = 2, min = 1, max = 16, doc = "of packets: one of five buffers, one of four" },
	},
	variants = {
		stalls = { expect = "lost-kick", faults = { "device.enable.stale_avail_event" }, runs = 20000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "main-loop", queue_size = 8 }
		local net = dev:driver { rx_buffer_bytes = 128, budget = 4 }
		local up = flag("the interface is up")
		local first, second = ("a"):rep(600), ("b"):rep(480) -- five buffers, then four

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			for _ = 1, p.pairs do
				expect(net:recv(0) == first and net:recv(0) == second, "state-lost", "eth0",
				       "not what was sent")
			end
		end, { cpu = 0 })
		vm:actor("wire", function()
			up:wait()
			for _ = 1, p.pairs do
				dev:wire_send(0, first)
				dev:wire_send(0, second)
			end
		end)
	end,
}
