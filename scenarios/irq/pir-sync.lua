-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Devices post into a vCPU whose own APIC virtualisation is off, and entry does not look.
--
-- Posting is a decision of the VM (or of the IOMMU), APIC virtualisation one of each vCPU: it may be inhibited
-- there, for a while or for good.  Then no hardware moves PIR to IRR at entry, and software must, each time.  Two
-- hypervisors had paths to the guest that did not: one because which interrupts were pending decided whether the
-- function with the sync in it was called, one because the sync was thought to be needed with APICv only.
--
-- It needs no race at all.  A vector that is posted stays in PIR until somebody looks there.

local irq

return {
	name = "pir-sync",
	title = "a posted interrupt stays in PIR: entry to the guest does not move it to IRR",
	evidence = {
		"Xen 56348df32b: x86/vmx: always sync PIR to IRR before vmentry",
		"Linux 7e1901f6c86c: KVM: VMX: prepare sync_pir_to_irr for running with APICv disabled",
	},
	params = {
		apicv = { default = false, doc = "the vCPU runs with APIC virtualisation" },
		sleeps = { default = true, doc = "the task sleeps until the interrupt; else it polls memory" },
	},
	variants = {
		no_sync = { expect = "lost-interrupt", faults = { "kvm.vmentry.no_pir_sync" }, runs = 1000,
			    doc = "APICv inhibited here, devices post" },
		always_sync = { expect = "ok", runs = 4000, doc = "after the fixes" },
		apicv_on = { expect = "ok", faults = { "kvm.vmentry.no_pir_sync" }, set = { apicv = true }, runs = 4000,
			     doc = "with APICv active the hardware looks, and the bug hides" },
	},
	setup = function(p)
		local vm = machine {}
		irq = vm:irq("nic")
		local ready = flag("handler registered")

		vm:vcpu(0):posting { posting = true, apicv = p.apicv }
		vm:actor("task", function()
			irq:request()
			ready:set()
			if p.sleeps then
				irq:wait(1)
			end
		end, { cpu = 0 })
		actor("assigned-device", function()
			ready:wait()
			irq:post()
			irq:send()
		end)
	end,
	check = function()
		expect(irq:events() == 0, "lost-interrupt", "irq=nic", "posted, and still in PIR")
	end,
}
