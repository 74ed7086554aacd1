-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Interrupts that find nothing to do, until the kernel believes that nobody wants them and turns the line off.
--
--	poll or start_xmit, reaping              device                    transmit interrupt
--	                                         uses a packet
--	takes it
--	                                         interrupts are wanted: sends one
--	                                                                   get_buf(): nothing.  IRQ_NONE
--
-- Reaping with callbacks on asks for an interrupt for each buffer that is taken a moment later.  Each is harmless, but
-- vring_interrupt() answers "not mine", and genirq judges: of 100,000 more than 99.9 % nobody's, "nobody cared", and
-- the line is disabled.  From then on a queue that fills up is never started again.
--
-- The cure is to disable callbacks before reaping.  It makes such interrupts rare, not impossible: one that was sent
-- already still comes.  The kernel judges 100,000 at a time, here it is `judged`, so both variants are about how
-- often: with the fault six in a row turn up within a few thousand schedules, without it not in a thousand.
return {
	name = "spurious-irq-kill",
	title = "transmit buffers are reaped with interrupts on until genirq disables the line",
	matrix = { "device" }, -- how many interrupts are spurious is the ring code's
	evidence = {
		"Linux 8d622d21d248, 22bc63c58e87, 5a2f966d0f3f, a7766ef18b33: spurious interrupts of virtio-net, 2021",
		"RFC \"virtio: false unhandled irqs from vring_interrupt()\", 2021",
	},
	params = {
		judged = { default = 6, min = 1, max = 100000, doc = "interrupts between two judgements" },
		packets = { default = 40, min = 1, max = 1000, doc = "that the guest sends" },
	},
	variants = {
		line_dies = { expect = "lost-interrupt", faults = { "guest.net.reap_callbacks_on" }, runs = 60000 },
		holds = { expect = "ok", runs = 800 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "main-loop", queue_size = 64 }
		local net = dev:driver { irq_count_max = p.judged, rx_fill = 1 }

		vm:actor("sender", function()
			assert(net:probe())
			assert(net:open())
			for i = 1, p.packets do
				assert(net:xmit("packet " .. i))
			end
		end, { cpu = 0 })
	end,
}
