-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device asks to be kicked for an index that the driver has already come to.
--
--	device, a packet needs 5 buffers        guest, NAPI
--	finds none, up to avail.idx 8
--	samples avail.idx: 8
--	                                        adds four: avail.idx = 12
--	                                        avail_event is far behind: no kick
--	avail_event = 8
--	looks again: four, too few
--	sleeps
--	                                        adds four: avail.idx = 16
--	                                        from 12 on nobody passes 8: no kick
--
-- There are eight buffers now, and the device waits for a kick at an index that was passed before it asked.  Traffic to
-- the guest stands still while traffic from it goes on.  A fix in 2010 looked again whether there is enough, which is
-- the second look here; fourteen years later the device asks for kicks first and then looks whether anything came since
-- it had found too few.
return {
	name = "rx-kick-window",
	title = "receive stalls: avail_event is an index that the driver has passed",
	matrix = { "device" }, -- vringh.c takes what was not popped for new: it has this livelock
	evidence = {
		"QEMU f937309fbd: virtio-net stalls on the host side, waiting for a kick",
		"QEMU 06b1297017: the partial fix of 2010; github.com/qemu/qemu pull request 267: it leaves the event index alone",
	},
	params = {
		small = { default = 8, min = 0, max = 64, doc = "packets of one buffer, before the last one" },
		bytes = { default = 600, min = 1, max = 900, doc = "of the last packet: 600 need five buffers" },
	},
	variants = {
		stalls = { expect = "lost-kick", faults = { "device.enable.stale_avail_event" }, runs = 20000 },
		enough = { expect = "ok", faults = { "device.enable.stale_avail_event" }, set = { bytes = 200 }, runs = 4000,
			   doc = "two buffers: what is refilled at a time suffices, and the second look finds it" },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "main-loop", queue_size = 8 }
		local net = dev:driver { rx_buffer_bytes = 128, budget = 4 }
		local up = flag("the interface is up")
		local first, last = ("a"):rep(60), ("b"):rep(p.bytes)

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			for _ = 1, p.small do
				expect(net:recv(0) == first, "state-lost", "eth0", "not what was sent")
			end
			expect(net:recv(0) == last, "state-lost", "eth0", "not what was sent")
		end, { cpu = 0 })
		vm:actor("wire", function()
			up:wait()
			for _ = 1, p.small do
				dev:wire_send(0, first)
			end
			dev:wire_send(0, last)
		end)
	end,
}
