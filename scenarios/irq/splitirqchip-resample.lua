-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- An assigned device's INTx fires once and never again: the EOI does not reach the resampler.
--
-- With a split irqchip the local APICs are KVM's and the IOAPIC is the VMM's.  A level irqfd's resampler hangs on
-- KVM's IOAPIC, which is not there; the EOI is broadcast to the VMM.  Unless the VMM signals the resamplefd
-- itself, the host's line stays masked:
--
--	device ── host line ── trigger ──▶ guest handler ── EOI ──▶ VMM's IOAPIC     (resamplefd: nobody)
--	device    has more to tell; the host's line is masked until the resamplefd is signalled
--
-- It needs no race.  Later kernels refuse the combination.

local irq

return {
	name = "splitirqchip-resample",
	title = "with the IOAPIC in the VMM no EOI reaches the resamplefd: INTx fires once",
	evidence = { "QEMU c82d9d43ed: KVM: kick resamplefd for split kernel irqchip" },
	params = {
		split = { default = true, doc = "the IOAPIC is the VMM's" },
		events = { default = 2, min = 2, max = 8, doc = "things the device has to tell" },
	},
	variants = {
		no_kick = { expect = "lost-interrupt", faults = { "qemu.splitirqchip.no_resample_kick" }, runs = 4000,
			    doc = "before the fix" },
		kicked = { expect = "ok", runs = 4000, doc = "the VMM keeps resamplefds and signals them at EOI" },
		in_kernel = { expect = "ok", faults = { "qemu.splitirqchip.no_resample_kick" }, set = { split = false },
			      runs = 4000, doc = "KVM's own IOAPIC tells its resamplers" },
	},
	setup = function(p)
		local vm = machine {}
		irq = vm:irq("nic", { pin = 10 })
		local trigger, resample = eventfd("vfio.trigger"), eventfd("vfio.resample")
		local ready, served = flag("handler registered"), flag("what was told last to be served")
		local host_masked = false

		local function host_line()
			if not host_masked and irq:events() > 0 then
				host_masked = true
				trigger:signal()
			end
		end

		if p.split then
			vm:split_irqchip()
		end
		vm:irqfd(trigger, 10, resample)
		vm:actor("driver", function()
			irq:request()
			ready:set()
			for i = 1, p.events do
				irq:wait(i)
				served:set()
			end
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
			for _ = 1, p.events do
				irq:post()
				host_line()
				served:wait()
				served:clear()
			end
		end)
	end,
	check = function()
		expect(irq:events() == 0, "lost-interrupt", "irq=nic",
		       "the device has something to tell, and its line is masked in the host for ever")
	end,
}
