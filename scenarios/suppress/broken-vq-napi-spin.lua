-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A poll of a broken queue is told that there is more, takes nothing, and is told again.
--
-- When a device is pulled out its queues are marked broken: virtqueue_get_buf() returns nothing from then on.
-- virtqueue_poll() went by the indices alone, and used buffers that nobody had taken yet are still used.  So the NAPI
-- poll gets nothing, completes, asks whether there is more, and schedules itself: one CPU in softirq for ever.
--
-- Nothing sleeps and nothing is done: the other livelock, on the guest's side.
return {
	name = "broken-vq-napi-spin",
	title = "virtqueue_poll() says \"more\" of a broken queue and NAPI never ends",
	matrix = true,
	evidence = { "Linux 481a0d7422db: virtqueue_poll() is false when the queue is broken" },
	variants = {
		spins = { expect = "livelock", faults = { "guest.poll.broken_says_more" }, runs = 400 },
		holds = { expect = "ok", runs = 2000 },
	},
	steps_max = 40000,
	setup = function()
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "vhost", queue_size = 4 }
		local net = dev:driver {}
		local up = flag("the interface is up")

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
		end, { cpu = 0 })
		vm:actor("wire", function()
			up:wait()
			dev:wire_send(0, "a packet")
		end)
		vm:actor("unplug", function()
			up:wait()
			net:break_device()
		end)
	end,
}
