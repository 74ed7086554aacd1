-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A network device is closed, and its refill work comes back to life.
--
-- A receive poll that cannot allocate buffers leaves that to a work item.  Closing cancels the work first and disables
-- polling second, and in between a poll that still runs may queue the work again.  It then runs on a closed device
-- and switches polling on again, for queues that may be gone.
--
--	task       close: cancel the work ──────────────── napi_disable
--	softirq                            poll: no memory, schedule the work
--	worker                                                          work: napi_enable, fill, on a closed device
--
-- A flag that says whether the work may be queued closes the gap; later kernels did without the work item.

local net

return {
	name = "refill-after-close",
	title = "the refill work of a network device runs after the device was closed",
	evidence = {
		"Linux 5a159128faff: virtio-net: fix the race between refill work and close",
		"Linux 4bc12818b363: virtio-net: disable delayed refill when pausing rx, the same again",
	},
	variants = {
		work_comes_back = { expect = "use-after-unmap", faults = { "guest.net.refill_after_close" },
				    runs = 6000, doc = "cancelled and queued again" },
		work_gated = { expect = "ok", runs = 4000, doc = "nobody may queue it any more" },
	},
	setup = function()
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "net0", type = "virtio-net", backend = "main-loop" }
		net = dev:driver { name = "eth0", rx_fill = 4, alloc_fail_every = 2 }
		local open = flag("device open")

		vm:actor("opener", function()
			net:probe()
			net:open()
			open:set()
		end, { cpu = 0 })
		vm:actor("closer", function()
			open:wait()
			net:recv(0)
			net:close()
			net:remove()
		end, { cpu = 1 })
		actor("wire", function()
			open:wait()
			for i = 1, 8 do
				dev:wire_send(0, "packet " .. i)
				point()
			end
		end)
	end,
	check = function()
		expect(net:info().stray_refills == 0, "use-after-unmap", "dev=eth0",
		       "the refill work ran on a device that was closed: its queues may be freed")
	end,
}
