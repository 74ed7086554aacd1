-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A network driver exposes receive buffers and does not kick.
--
-- A device that has no buffers left for a packet asks to be kicked and waits; the packet waits with it.  The driver
-- takes what it received, exposes fresh buffers, and leaves the kick out, for "the device will look when the next
-- packet comes".  It does not: the next packet is the one that waits.
--
--	device    no buffers: asks for kicks, sleeps ─────────────────── (packets wait)
--	driver                                       refills, no kick
--
-- The mirror image of rx-kick-window.lua: there the driver's kick is suppressed, here it is not attempted.

return {
	name = "refill-no-kick",
	title = "receive buffers are exposed without a kick to the device that waits for them",
	matrix = true,
	evidence = {
		"the kick in Linux's try_fill_recv()",
		"QEMU f937309fbd: what the stall looks like from the device",
	},
	variants = {
		no_kick = { expect = "lost-kick", faults = { "guest.net.refill_no_kick" }, runs = 8000,
			    doc = "after the first fill nobody kicks" },
		kick = { expect = "ok", runs = 4000, doc = "each refill asks the ring whether to kick" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "net0", type = "virtio-net", backend = "main-loop", queue_size = 2 }
		local net = dev:driver { name = "eth0" }
		local open = flag("device open")

		vm:actor("guest", function()
			net:probe()
			net:open()
			open:set()
			for _ = 1, 4 do
				net:recv(0)
			end
		end, { cpu = 0 })
		actor("wire", function()
			open:wait()
			for i = 1, 4 do
				dev:wire_send(0, "packet " .. i)
			end
		end)
	end,
}
