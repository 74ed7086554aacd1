-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A oneshot interrupt is injected a second time when its thread unmasks it.
--
-- A threaded handler's line stays masked until the thread has satisfied the device, but the EOI comes at once.
-- For an assigned device the EOI unmasks the host's line (the resampler), and the device, not served yet, fires
-- again.  KVM latches that, for the pin is masked.  When the thread has served the device and unmasks, the line is
-- down, and the latched interrupt is injected all the same:
--
--	guest irq     mask, handler, EOI
--	vfio                              unmask host line, still up: trigger ──▶ latched
--	guest thread                                                    serve device, unmask ──▶ bogus interrupt
--
-- A resampled line cannot say "down" but at an EOI, so the fix asks the resampler once more at unmask.  A bogus
-- interrupt is no matter of taste: this one aborted suspends.  The guest's thread here is as slow as it is in life:
-- it serves the device when the second trigger has arrived.

local irq

return {
	name = "ioapic-oneshot-resample",
	title = "unmasking a line injects what was latched before its device was served",
	evidence = { "Linux fef8f2b90edb: KVM: x86/ioapic: resample the pending state of an IRQ when unmasking" },
	variants = {
		latched = { expect = "spec-violation", faults = { "kvm.ioapic.unmask_latched" }, runs = 1000,
			    doc = "before the fix" },
		resampled = { expect = "ok", runs = 4000, doc = "the resampler is asked at unmask" },
	},
	setup = function()
		local vm = machine {}
		irq = vm:irq("touchpad", { pin = 10, oneshot = true })
		local trigger, resample = eventfd("vfio.trigger"), eventfd("vfio.resample")
		local ready = flag("handler registered")
		local host_masked = false

		-- The host's handler: the line stays masked until the guest's EOI.
		local function host_line()
			if not host_masked and irq:events() > 0 then
				host_masked = true
				trigger:signal()
			end
		end

		vm:irqfd(trigger, 10, resample)
		vm:actor("irq-thread", function()
			irq:request()
			ready:set()
			irq:wait_runs(1)
			repeat
				yield()
			until vm:ioapic(10).irr
			irq:take()
			irq:unmask()
		end, { cpu = 0 })
		actor("vfio", function()
			while true do
				resample:read()
				host_masked = false
				host_line()
			end
		end, { daemon = true })
		actor("device", function()
			ready:wait()
			irq:post()
			host_line()
		end)
	end,
	check = function()
		expect(irq:events() == 0, "lost-interrupt", "irq=touchpad", "the device waits to be served")
		expect(irq:info().idle_runs == 0, "spec-violation", "irq=touchpad",
		       "the handler ran for a line that was down: a bogus interrupt")
	end,
}
