-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What the host sends while the guest's device is not started waits for somebody else's event.
--
--	host                     vhost worker                   VMM
--	queues a packet
--	  and wakes the worker   no backend: nothing to do
--	                                                        starts the device: sets the backend
--	                         (nobody wakes it)
--
-- A connect() on the host did this to each Kata container that was still booting, and timed out after two seconds.
-- The receive ring is full of buffers, so the guest has no reason to kick; only another packet would help.
--
-- vhost-vsock has no model of its own here: the receive queue of a network device has the same worker and the same
-- backend pointer, and a machine that is stopped and goes on starts its devices in the same way.
return {
	name = "vsock-start",
	title = "a packet that came before the backend was set is not looked at when it is",
	evidence = { "Linux 0b841030625c: vhost/vsock kicks its send worker once the device has started" },
	variants = {
		lost = { expect = "lost-kick", faults = { "vhost.start.no_kick" }, runs = 4000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function()
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "vhost" }
		local net = dev:driver {}

		local up = flag("the interface is up")

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			expect(net:recv(0) == "connect", "state-lost", "eth0", "another packet came")
		end, { cpu = 0 })
		vm:actor("vmm", function()
			up:wait()
			vm:stop()
			dev:wire_send(0, "connect")
			point()
			vm:start()
		end)
	end,
}
