-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A posted interrupt does not wake the vCPU that is on its way to sleep.
--
-- An assigned device's interrupt is posted: PIR gets the bit, and the target vCPU is told only if it is not
-- running.  "Running" was taken to include the case that the sender runs on the vCPU's own CPU, in its own task's
-- context.  But a softirq can interrupt that task after it has checked for interrupts for the last time and before
-- it sleeps:
--
--	vcpu0        HLT: nothing pending ─────────────────────────── sleeps
--	host softirq                       PIR := vector; "the target is me, so it runs": no wake-up
--
-- The shortcut was dropped; the wake-up costs nothing where it is not needed.

local irq

return {
	name = "posted-irq-self-wake",
	title = "a vCPU goes to sleep with a posted interrupt in its PIR",
	evidence = { "Linux fdba608f15e2: KVM: VMX: wake vCPU when delivering posted IRQ even if vCPU == this vCPU" },
	variants = {
		no_self_wake = { expect = "lost-interrupt", faults = { "kvm.vcpu.posted_self_wake" }, runs = 4000,
				 doc = "the sender on the target's CPU wakes nobody" },
		always_wake = { expect = "ok", runs = 8000, doc = "after the fix" },
		not_posted = { expect = "ok", faults = { "kvm.vcpu.posted_self_wake" }, set = { posting = false },
			       runs = 8000, doc = "without posting there is no shortcut to take" },
	},
	params = { posting = { default = true, doc = "the device's interrupts are posted" } },
	setup = function(p)
		local vm = machine {}
		irq = vm:irq("nic")
		local ready = flag("handler registered")

		vm:vcpu(0):posting { posting = p.posting, apicv = p.posting }
		vm:actor("task", function()
			irq:request()
			ready:set()
			irq:wait(1)
		end, { cpu = 0 })
		actor("assigned-device", function()
			ready:wait()
			irq:post()
			irq:send()
		end)
	end,
	check = function()
		expect(irq:events() == 0, "lost-interrupt", "irq=nic", "posted, and the vCPU sleeps")
	end,
}
