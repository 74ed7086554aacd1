-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A packet waits for the wire when the network device is asked to suspend.
--
-- A used transmit buffer says that the packet went out.  A device that purges what waits, to be done sooner, gives the
-- buffer back and drops the packet; nobody sees it but the one who waits for the packet.
--
--	driver    xmit, xmit ─── SUSPEND ────────── resumed
--	device        sent, parked (busy)   used ─── the wire never had the second
--
-- Receive buffers are another matter: a device that takes one when a packet is there has none "being processed" while
-- it waits for packets, and suspends at once however many there are.  A packet that comes meanwhile waits in front of
-- the device.
local common = include("common.inc")

return {
	name = "net-transmit",
	title = "a packet that waits for the wire is dropped by suspending, and its buffer used",
	evidence = {
		"qemu-devel, 12 September 2025, RFC 1/2: virtio-net purges its queues",
		"virtio 1.4, 5.1.6 and 3.4.2",
	},
	params = {
		design = common.by_status("v1.4"),
		packets = { default = 2, min = 1, max = 4, doc = "sent before" },
	},
	variants = {
		purged = { expect = "state-lost", faults = { "qemu.suspend.purges_tx" }, runs = 2000 },
		drained = { expect = "ok", runs = 2000 },
		held = { expect = "ok", set = { design = "zhu-2023" }, runs = 1000 },
		runs_on = { expect = "ok", set = { design = "stevens-2024" }, runs = 1000 },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "net0", type = "virtio-net", backend = "main-loop", suspend = p.design,
					busy_every = 2, busy_ns = 1000, keep_sent = true }
		local net = dev:driver { name = "eth0" }
		local done = flag("resumed")

		if p.design ~= "v1.4" then
			oracle_count("VIRTIO-3.4")
		end
		vm:actor("task", function()
			assert(net:probe())
			assert(net:open())
			for i = 1, p.packets do
				assert(net:xmit("packet " .. i))
			end
			sleep(500)
			assert(net:suspend { design = p.design })
			dev:wire_send(0, "meanwhile")
			sleep(500)
			assert(net:resume { design = p.design })
			expect(net:recv() == "meanwhile", "state-lost", "dev=net0", "a packet that came meanwhile is lost")
			done:set()
			metric("kept", dev:suspend_info().kept, "")
		end, { cpu = 0 })
		actor("wire", function()
			done:wait()
			for i = 1, p.packets do
				sleep(5000, true)
				expect(dev:wire_recv() == "packet " .. i, "state-lost", "dev=net0",
				       "packet " .. i .. " was given back as sent, and never was")
			end
		end)
	end,
}
