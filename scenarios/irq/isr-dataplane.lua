-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A driver polls the ISR status, and the iothread does not set it.
--
-- With MSI-X the ISR bits have no use for interrupts, and an iothread that signals an irqfd leaves them alone.  But a
-- driver may poll them: one that writes a crash dump or a hibernation image has its interrupts off and looks at
-- ISR until its request is done.  The VMM's own path sets the bit, the iothread's did not: the same disk worked
-- with one backend and hung the shutdown of a guest with the other.
--
-- No race: the bit is never set.

return {
	name = "isr-dataplane",
	title = "a driver that polls ISR status never sees an iothread's completion",
	evidence = { "QEMU 83d768b564: virtio: set ISR on dataplane notifications" },
	params = {
		backend = { default = "iothread", values = { "iothread", "main-loop" }, doc = "who completes" },
		looks = { default = 200, min = 10, max = 100000, doc = "how often the driver looks" },
	},
	variants = {
		no_isr = { expect = "lost-interrupt", faults = { "qemu.dataplane.no_isr" }, runs = 100,
			   doc = "the iothread signals its irqfd only" },
		sets_isr = { expect = "ok", runs = 1000, doc = "it sets ISR first" },
		main_loop = { expect = "ok", faults = { "qemu.dataplane.no_isr" }, set = { backend = "main-loop" },
			      runs = 1000, doc = "the VMM's own path always did" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = p.backend }
		local core = dev:core { name = "vda" }

		vm:actor("crash-dump", function()
			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			local isr, looks = 0, 0
			while isr == 0 do
				isr = core:read_isr()
				looks = looks + 1
				expect(looks < p.looks or vq:info().used_idx == 0, "lost-interrupt", "dev=blk0 vq=0",
				       "the request is done and ISR status stays 0: the driver polls for ever")
				yield()
			end
			expect(vq:get(), "spec-violation", "vq=0", "ISR status says used, and nothing is")
		end, { cpu = 0 })
	end,
}
