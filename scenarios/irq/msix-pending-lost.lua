-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The pending bit of a masked vector is not sent at unmask.
--
-- A device that has something to say while its vector is masked sets the pending bit, and the write that clears the
-- mask sends the message.  Everything that masks for a moment (to move an interrupt to another CPU, to handle
-- one that came while disabled) leans on that.  If the unmask forgets it, the interrupt is gone: the device has said
-- what it had to say.
--
-- The dual of it: a vector that was given back with its bit set sends a stale interrupt to whoever gets it next.

return {
	name = "msix-pending-lost",
	title = "what became pending while a vector was masked is not sent at unmask",
	evidence = {
		"PCI 3.0 6.8.3.5: pending bits and the write that unmasks",
		"QEMU 98304c846d: msix: clear pending bit of an unused vector",
	},
	params = {
		reuse = { default = false, doc = "give the vector back while it is pending, and use it again" },
	},
	variants = {
		pending_lost = { expect = "lost-interrupt", faults = { "msix.unmask.pending_lost" }, runs = 3000,
				 doc = "unmasking clears the bit and sends nothing" },
		replayed = { expect = "ok", runs = 4000, doc = "unmasking sends" },
		stale = { expect = "spec-violation", faults = { "qemu.msix.unused_pending_kept" },
			  set = { reuse = true }, runs = 1000, doc = "the bit outlives the vector's user" },
		cleared = { expect = "ok", set = { reuse = true }, runs = 2000, doc = "the last user out clears it" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "main-loop", no_irqfd = true }
		local core = dev:core { name = "vda" }

		local msix, vq = dev:msix(), core:queue(0)

		local function bring_up()
			core:start()
			core:find_queues(1)
			core:ready()
		end

		local function transfer()
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
		end

		vm:actor("task", function()
			bring_up()
			if not p.reuse then
				transfer()
				msix:mask(1)
				point()
				msix:unmask(1)
				vq:wait()
				expect(vq:get(), "spec-violation", "vq=0", "an interrupt and nothing used")
				return
			end
			msix:mask(1)
			transfer()
			while not msix:info(1).pending do
				yield()
			end
			core:remove()
			bring_up()
			expect(vq:info().spurious == 0, "spec-violation", "vector=1",
			       "an interrupt of the life before: its pending bit was kept")
		end, { cpu = 0 })
	end,
}
