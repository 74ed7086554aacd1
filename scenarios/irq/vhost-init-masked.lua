-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vector is masked when the device starts, and the backend gets no call fd.
--
-- "Masked, so there is nobody to call" is a plausible thing to decide at start.  But a masked vector's event is to be
-- pending, not lost, and what is not signalled cannot be pending.  A backend without a call fd uses buffers in
-- silence; the call fd that it gets at unmask comes too late for them:
--
--	vCPU      mask ── DRIVER_OK: no call fd ── kick ──────────────────── unmask: call fd
--	backend                                          uses the buffer, calls nobody
--
-- It needs no race but the completion before the unmask.

return {
	name = "vhost-init-masked",
	title = "a vector masked at start leaves the backend without a call fd",
	evidence = { "crosvm 719fe2186: devices: vhost: always set vring_call for each queue" },
	variants = {
		no_call_fd = { expect = "lost-interrupt", faults = { "crosvm.vhost.init_masked_no_call" }, runs = 3000,
			       doc = "no call fd until the vector is unmasked" },
		always_set = { expect = "ok", runs = 4000, doc = "each queue gets one at start" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vhost" }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(1)
			dev:msix():mask(1)
			core:ready()
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			point()
			dev:msix():unmask(1)
			vq:wait()
			expect(vq:get(), "spec-violation", "vq=0", "an interrupt and nothing used")
		end, { cpu = 0 })
	end,
}
