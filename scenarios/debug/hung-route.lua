-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hung: the GSI of the vector has no route.
--
-- The VMM tidies up after another device and takes one route too many away.  The irqfd is armed, takes each call and
-- drops it: the eventfd's counter is 0, as if all had been delivered, and the vector is not masked.
--
-- `ringside diagnose` has to find the route: a write to the guest notifier goes nowhere, the message itself arrives.

return {
	name = "hung-route",
	title = "hung: an irqfd's GSI leads nowhere",
	evidence = { "qemu-devel, April 2021: \"Qemu bug (irqchip and routing)\" among what may block a notification" },
	params = { tidy = { default = true, doc = "the VMM takes the route away" } },
	variants = {
		route_gone = { expect = "lost-interrupt", runs = 2000, doc = "a route too many" },
		route_there = { expect = "ok", set = { tidy = false }, runs = 2000, doc = "left alone" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread" }
		local blk = dev:driver { name = "vda" }
		local probed = flag("driver probed")

		vm:actor("task", function()
			blk:probe()
			probed:set()
			blk:read(0)
		end, { cpu = 0 })
		actor("vmm", function()
			probed:wait()
			if p.tidy then
				vm:route_del(dev:notifier(0, "guest"):dump().gsi)
			end
		end)
	end,
}
