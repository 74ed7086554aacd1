-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A queue changes hands from a vCPU's exit to an iothread, and what the exit left is nobody's.
--
-- A legacy driver kicks before DRIVER_OK (VIRTIO 3.1.1 forbids it today, so that rule is switched off here).  The
-- doorbell is no ioeventfd yet: the kick exits to the VMM, which finds the device not live and ignores it.  DRIVER_OK
-- gives the queue to the iothread and assigns an ioeventfd with nothing in it, so the iothread sleeps over a ring that
-- is not empty.  QEMU's iothread-vq-mapping ran into this when notifiers were no longer set at start-up.
--
-- The cure: whoever takes a queue over sets its eventfd once, and looks.
return {
	name = "ioeventfd-selfkick",
	title = "kick before DRIVER_OK exits to the VMM, then the queue goes to an iothread",
	evidence = {
		"QEMU d3f6f294ae: virtio-blk sets the ioeventfd at start-up, always",
		"QEMU 52bff01f64: follow-up",
	},
	params = {
		backend = { default = "iothread", values = { "iothread", "main-loop" }, doc = "who serves the queue" },
	},
	variants = {
		lost = { expect = "lost-kick", faults = { "virtio.start.no_self_kick" }, runs = 4000 },
		lost_main_loop = { expect = "lost-kick", faults = { "virtio.start.no_self_kick" },
				   set = { backend = "main-loop" }, runs = 4000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		oracle("VIRTIO-3.1.1-R7", false)
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = p.backend }
		local core = dev:core {}
		local rings = flag("rings are set up")
		local vq

		vm:actor("probe", function()
			assert(core:start())
			assert(core:find_queues(1))
			vq = core:queue(0)
			rings:set()
			core:ready()
		end, { cpu = 0 })
		vm:actor("first request", function()
			rings:wait()
			assert(vq:submit { out = { 16 }, ["in"] = { 512, 1 } })
			vq:kick()
			while not vq:get() do
				vq:wait()
			end
		end, { cpu = 1 })
	end,
}
