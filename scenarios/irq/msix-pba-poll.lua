-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Reading pending bits misses vectors that wait in a notifier.
--
-- While vectors are masked their calls wait in eventfds, and the pending bit array is a read away from the truth:
-- a read makes the VMM look at the notifiers of the vectors that the dword covers.  Where that range was computed
-- as [offset * 8, offset + length * 8) it ended too early for every dword but the first, and a driver that polls
-- pending bits (which the specification offers it for just that) is told "nothing".

return {
	name = "msix-pba-poll",
	title = "a pending bit reads 0 although its vector's notifier was signalled",
	evidence = { "QEMU 42e2a7a0ab: pci/msix: fix msix pba read vector poll end calculation" },
	params = { vector = { default = 37, min = 1, max = 40, doc = "the one that is pending" } },
	variants = {
		end_too_early = { expect = "lost-interrupt", faults = { "qemu.msix.pba_poll_end" }, runs = 10,
				  doc = "vectors 36 to 63 are not looked at" },
		first_dword = { expect = "ok", faults = { "qemu.msix.pba_poll_end" }, set = { vector = 5 }, runs = 100,
				doc = "at offset 0 both ends agree" },
		whole_dword = { expect = "ok", runs = 100, doc = "after the fix" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", queues = 40 }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(40, 4)
			core:ready()
			local vq, notifier = core:queue(p.vector - 1), dev:notifier(p.vector - 1, "guest")
			dev:msix():mask(p.vector)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			while notifier:count() == 0 do
				yield()
			end
			expect(dev:msix():read_pba(p.vector), "lost-interrupt", "vector=" .. p.vector,
			       "the device has called, the vector is masked, and its pending bit reads 0")
			dev:msix():unmask(p.vector)
			vq:get()
		end, { cpu = 0 })
	end,
}
