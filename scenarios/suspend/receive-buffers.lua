-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Receive buffers that the device has taken, and for which no packet is there.
--
-- "Wait until all buffers that are being processed have been used" (3.4.2), and "the descriptors of all observed
-- buffers are written back" (2.12.1.4): hardware takes receive buffers ahead, and neither says whether these count.
-- Three readings, and what each costs:
--
--	keep      they are put back, as if never looked at: nothing is lost, but the device must be able to
--	return    they are used with length 0: the driver counts short packets and refills
--	wait      they are being processed: suspended when packets have come for all, or never
--
-- The same holds for the statistics buffer of a balloon, and for event queues: the device of a balloon here keeps none
-- (virtio/balloon.c).
return {
	name = "receive-buffers",
	title = "receive buffers that were taken ahead: kept, returned empty, or waited for",
	evidence = {
		"virtio 1.4, 3.4.2: buffers that are being processed; 2.12.1.4: all observed buffers",
		"virtio 1.4, 5.1.6.3: a device may have receive buffers for as long as no packet comes",
	},
	params = {
		design = { default = "v1.4", values = { "v1.4", "zhu-2023", "stevens-2024" }, doc = "how it is suspended" },
		policy = { default = "keep", values = { "keep", "return", "wait" }, doc = "what becomes of them" },
		ahead = { default = 4, min = 0, max = 8, doc = "buffers that the device takes ahead" },
	},
	variants = {
		wait = { expect = "spec-violation", set = { policy = "wait" }, runs = 200,
			 doc = "the register write of SUSPEND does not return while no packet comes" },
		wait_none = { expect = "ok", set = { policy = "wait", ahead = 0 }, runs = 500,
			      doc = "a device that takes a buffer when a packet is there has none" },
		keep = { expect = "ok", runs = 1000 },
		empty = { expect = "ok", set = { policy = "return" }, runs = 1000,
			  doc = "as many short packets as buffers" },
		held = { expect = "ok", set = { design = "zhu-2023", policy = "wait" }, runs = 500,
			 doc = "a design that does not drain does not wait" },
		runs_on = { expect = "ok", set = { design = "stevens-2024", policy = "wait" }, runs = 500 },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "net0", type = "virtio-net", backend = "main-loop", suspend = p.design,
					queue_size = 16, rx_ahead = p.ahead, suspend_rx = p.policy }
		local net = dev:driver { name = "eth0" }

		if p.design ~= "v1.4" then
			oracle_count("VIRTIO-3.4")
		end
		vm:actor("task", function()
			assert(net:probe())
			assert(net:open())
			dev:wire_send(0, "before")
			assert(net:recv() == "before")
			sleep(1000, true) -- the device has taken its buffers
			assert(net:suspend { design = p.design })
			dev:wire_send(0, "meanwhile")
			assert(net:resume { design = p.design })
			expect(net:recv() == "meanwhile", "state-lost", "dev=net0", "a packet that came meanwhile is lost")
			local short = net:info().rx_dropped
			local want = p.policy == "return" and p.ahead or 0
			expect(short == want, "spec-violation", "dev=net0",
			       string.format("%d short packets, %d expected", short, want))
			metric("short_packets", short, "")
		end, { cpu = 0 })
	end,
}
