-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Firmware makes a page of its RAM read-only in the middle of precopy: the slot goes, and its dirty bits with it.
--
--	vcpu0       write page 1 ── PAM write: [GET_DIRTY_LOG] ── delete slot ── make two slots
--	migration                       read page 1 before, sync after: nothing there
--
-- scenarios/kvm/slot-smash.lua is about the listener alone.  Here the whole of precopy is behind it, and the verdict
-- comes when the slot dies, not at the end.  What a second vCPU writes between fetching and deleting is lost today.

return {
	name = "slot-replaced",
	title = "a memory slot is replaced during precopy, with dirty bits in it",
	evidence = {
		"QEMU 3fbffb628c (1.1), 4cc856faba (2.3): fetch before deleting",
		"QEMU b4420f198d (6.1): the comment that names the window that is left",
	},
	params = {
		others = { default = 0, min = 0, max = 3, doc = "writes of a second vCPU meanwhile" },
		manual_protect = { default = true, doc = "KVM_CLEAR_DIRTY_LOG is used" },
	},
	variants = {
		no_sync = { expect = "dirty-page-lost", faults = { "qemu.slot_removal.no_sync" }, runs = 4000,
			    doc = "before 1.1" },
		slot_log_only = { expect = "dirty-page-lost", faults = { "qemu.slot_removal.slot_log_only" },
				  runs = 4000, doc = "1.1 to 2.2" },
		window = { expect = "dirty-page-lost", set = { others = 2 }, runs = 20000,
			   doc = "today, with another vCPU: no fault" },
		sync_first = { expect = "ok", runs = 6000, doc = "since 2.3, one vCPU" },
		sync_first_legacy = { expect = "ok", set = { manual_protect = false }, runs = 3000,
				      doc = "the same without KVM_CLEAR_DIRTY_LOG" },
	},
	setup = function(p)
		oracle("C-O10", false) -- pages are asked for here; scenarios/kvm/slot-mmio.lua asks for exits
		local vm = source_vm {
			blocks = { { name = "pc.ram", pages = 3 } },
			manual_protect = p.manual_protect,
			layout = {
				{ name = "ram", block = "pc.ram" },
				{ name = "shadow", block = "pc.ram", gfn = 0, pages = 1, priority = 1,
				  readonly = true, disabled = true },
			},
		}
		local vcpu0, vcpu1 = vm:writer("vcpu", "vcpu0"), vm:writer("vcpu", "vcpu1")
		local m

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("vcpu0", function()
			vcpu0:write(1)
			vcpu0:map { name = "shadow", enabled = true }
			vcpu0:write(1)
		end, { daemon = true })
		actor("vcpu1", function()
			for _ = 1, p.others do
				vcpu1:write(2)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
