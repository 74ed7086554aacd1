-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The dual of a lost kick: the device asks for one, is told that there is work already, and looks for ever.
--
-- Mergeable receive buffers: a packet needs three buffers and the ring has two.  vhost asks for kicks and, before it
-- sleeps, whether anything came meanwhile.  A caching optimisation made the answer "not all that is available was
-- consumed" instead of "new buffers came since we looked".  The two that do not suffice are not consumed, so the answer
-- is yes: notifications off, look again, too few, notifications on, not all consumed ...
--
-- Nothing is lost and nobody sleeps; only a progress oracle sees it.  The guest would add buffers as soon as it runs:
-- here its vCPU is held (a stopped VM, a host that gives it no time) until the worker has nothing to do.
return {
	name = "availidx-livelock",
	title = "vhost takes left-over receive buffers for new ones and spins",
	matrix = { "device" }, -- vringh.c takes what was not popped for new: it has this livelock
	evidence = {
		"Linux 09861858a683, CVE-2026-74356: vhost_get_avail_idx() for a ring that is not empty",
		"Linux d3bb267bbdcb, 7ad472397667: the caching and the refactoring that brought it",
	},
	variants = {
		spins = { expect = "livelock", faults = { "device.enable.not_all_consumed" }, runs = 20 },
		holds = { expect = "ok", runs = 2000 },
	},
	steps_max = 40000,
	setup = function()
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "vhost", queue_size = 8 }
		local net = dev:driver { rx_buffer_bytes = 128 }
		local up = flag("the interface is up")
		local first, second = ("a"):rep(600), ("b"):rep(480) -- five buffers, then four

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			expect(net:recv(0) == first and net:recv(0) == second, "state-lost", "eth0", "not what was sent")
		end, { cpu = 0 })
		vm:actor("host", function()
			up:wait()
			vm:vcpu(0):pause()
			dev:wire_send(0, first)
			dev:wire_send(0, second)
			sleep(1000000, true)
			vm:vcpu(0):resume()
		end)
	end,
}
