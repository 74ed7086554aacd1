-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A poll that found little asks for interrupts again and does not look whether something came meanwhile.
--
-- NAPI polls with callbacks off.  Under budget it enables them and completes, and then has to look at used.idx once
-- more: what the device used between the last get and the enabling raised no interrupt, because none was asked for.
-- virtqueue_napi_complete() does that with the position that enable_cb_prepare() returned; leave it out, and a
-- packet that fell into the window waits for the next one.
return {
	name = "napi-complete",
	title = "a finished poll enables interrupts and does not look again",
	matrix = true,
	evidence = { "Linux virtqueue_napi_complete(); VIRTIO 2.7.14, the loop of the driver's handler" },
	params = {
		packets = { default = 4, min = 1, max = 64, doc = "from the wire" },
		backend = { default = "vhost", values = { "vhost", "main-loop" }, doc = "who receives" },
	},
	variants = {
		no_second_look = { expect = "lost-interrupt", faults = { "guest.napi.complete_no_recheck" }, runs = 8000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = p.backend, queue_size = 4 }
		local net = dev:driver {}
		local up = flag("the interface is up")

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			for _ = 1, p.packets do
				net:recv(0)
			end
		end, { cpu = 0 })
		vm:actor("wire", function()
			up:wait()
			for i = 1, p.packets do
				dev:wire_send(0, "packet " .. i)
				point()
			end
		end)
	end,
}
