-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A one-shot timer that expired in a snapshot never fires after loading it.
--
-- KVM_SET_LAPIC with a deadline that has passed fires the timer at once, in the call.  With APICv that means: the
-- vector is posted into PIR.  Later in the same call the APICv state is brought in line with the new registers,
-- and to that end PIR is cleared.  Each step is right by itself, and together they lose the only interrupt that
-- would have started the guest again: after loadvm it sits there, on every host with APICv, never on others.
--
--	KVM_SET_LAPIC    registers ── timer has expired: PIR := vector ── PIR := 0
--
-- No race: the order of two statements.

local tick

return {
	name = "lapic-timer-snapshot",
	title = "an expired timer's interrupt is lost while the APIC state is loaded",
	evidence = { "Linux 9cfec6d097c6: KVM: x86: fix lapic timer interrupt lost after loading a snapshot" },
	params = { apicv = { default = true, doc = "the host has APICv: interrupts are posted" } },
	variants = {
		clears_last = { expect = "lost-interrupt", faults = { "kvm.lapic.restore_clears_pir" }, runs = 1000,
				doc = "PIR is cleared at the end of the call" },
		clears_first = { expect = "ok", runs = 4000, doc = "at its beginning" },
		no_apicv = { expect = "ok", faults = { "kvm.lapic.restore_clears_pir" }, set = { apicv = false },
			     runs = 4000, doc = "enable_apicv=0: the vector goes to IRR and stays" },
	},
	setup = function(p)
		local vm = machine {}
		tick = vm:irq("lapic-timer")
		local ready = flag("guest idle")
		local vcpu = vm:vcpu(0)

		vcpu:posting { posting = p.apicv, apicv = p.apicv }
		vm:actor("swapper", function()
			tick:request()
			ready:set()
			tick:wait(1)
		end, { cpu = 0 })
		actor("loadvm", function()
			ready:wait()
			vcpu:pause()
			tick:post() -- the deadline passed while the snapshot lay on disk
			vcpu:set_lapic { timer_vector = tick:info().vector, timer_expired = true }
			vcpu:resume()
		end)
	end,
	check = function()
		expect(tick:events() == 0, "lost-interrupt", "irq=lapic-timer",
		       "the deadline has passed and no tick will come: the guest is frozen")
	end,
}
