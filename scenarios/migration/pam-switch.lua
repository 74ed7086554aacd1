-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Firmware of QEMU's `pc` locks its shadow RAM in the middle of precopy, and the slot around it is split.
--
--	before   [ 0 … 0x9f ] [ 0xc0 ──────────────────────────────── end of RAM ]
--	after    [ 0 … 0x9f ] [ 0xc0 … 0xef: read-only ] [ 0xf0 ─ end of RAM ]
--
-- vcpu0 writes a page far above, then the PAM registers.  The slot of both pages goes and three others come: what KVM
-- had noted of it dies with it, unless QEMU fetched it before.  vcpu1 goes on writing meanwhile.  What each QEMU loses:
--
--	1.0        all that was noted since the last sync
--	1.1        the same: only a slot that logs for itself is fetched
--	2.3        what vcpu1 writes between the fetch and the deletion
--	4.1        the guest: KVM_CLEAR_DIRTY_LOG of a slot that appeared under logging fails an assertion
--	5.0        as 2.3
--	8.0, 8.1   nothing: new slots overlap the old one, so vCPUs are kept out for the whole of it
--
-- Until 2.3 that was what a mail thread of 2015 found: memory differs after a migration that ran while a guest booted.

return {
	name = "pam-switch",
	title = "a PAM switch splits a slot in mid-precopy, by each version of QEMU that mended something there",
	evidence = {
		"qemu-devel, March 2015: memory inconsistent between source and destination; slots from 0xc0 on",
		"QEMU 3fbffb628c (1.1), 4cc856faba (2.3): fetch before deleting",
		"QEMU ff4aa11419, 9f4bf4baa8 (4.1), 9b3a31c745 (5.0): a bitmap for a slot that appears under logging",
		"QEMU f39b7d2b96, a27dd2de68 (8.0): vCPUs are stopped if old and new sections overlap",
	},
	params = {
		version = { default = "8.0", values = { "1.0", "1.1", "2.3", "4.1", "5.0", "6.1", "8.0", "8.1" },
			    doc = "which QEMU" },
		writes = { default = 0, min = 0, max = 32, doc = "of vcpu1 meanwhile" },
		pml = { default = false, doc = "the processor has PML" },
		switches = { default = 4, min = 1, max = 16, doc = "locked, open, locked …" },
		segments = { default = 12, min = 1, max = 12, doc = "that are locked" },
	},
	buffers = "switches",
	variants = {
		qemu_1_0 = { expect = "dirty-page-lost", set = { version = "1.0" }, runs = 2000,
			     doc = "nothing is fetched" },
		qemu_1_1 = { expect = "dirty-page-lost", set = { version = "1.1" }, runs = 2000,
			     doc = "not for a migration" },
		qemu_2_3 = { expect = "ok", set = { version = "2.3" }, runs = 1500, doc = "fetched, one vCPU" },
		qemu_2_3_window = { expect = "dirty-page-lost", set = { version = "2.3", writes = 16 }, runs = 20000,
				    doc = "vcpu1 writes after the fetch" },
		qemu_4_1 = { expect = "state-lost", set = { version = "4.1" }, runs = 2000,
			     doc = "the new slots have no bitmap to clear" },
		qemu_5_0_window = { expect = "dirty-page-lost", set = { version = "5.0", writes = 16 }, runs = 20000,
				    doc = "they have; the window is still there" },
		qemu_6_1_pml = { expect = "dirty-page-lost", set = { version = "6.1", writes = 16, pml = true },
				 runs = 6000, doc = "vcpu1 wrote before the fetch: the note was in its buffer" },
		qemu_8_0 = { expect = "ok", set = { version = "8.0", writes = 16 }, runs = 10000,
			     doc = "vCPUs are kept out meanwhile" },
		qemu_8_1_pml = { expect = "ok", set = { version = "8.1", writes = 16, pml = true }, runs = 3000,
				 doc = "and their buffers are empty" },
	},
	setup = function(p)
		oracle("C-O10", false) -- pages are asked for here; scenarios/kvm/slot-mmio.lua asks for exits
		local vm = source_vm { layout = "pc", pages = 0x140, vram_pages = 16, version = p.version,
				       host = p.pml and "x86-pml" or "x86" }
		local vcpu0, vcpu1 = vm:writer("vcpu", "vcpu0"), vm:writer("vcpu", "vcpu1")
		local ready = semaphore("shadow", 0)
		local m

		vm:fill(0, 0x140)
		vm:watch(0x110, 2)
		actor("vcpu0", function()
			vcpu0:pam(0, "ram", 13) -- to copy ROM into it, which is done before anything migrates
			ready:release()
			for i = 1, p.switches do
				vcpu0:write(0x110)
				vcpu0:pam(1, i % 2 == 1 and "read" or "ram", p.segments)
			end
		end, { daemon = true })
		actor("vcpu1", function()
			for _ = 1, p.writes do
				vcpu1:write(0x111)
			end
		end, { daemon = true })
		actor("monitor", function()
			ready:acquire()
			m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 8192,
				      announce_rounds = 0 }
			expect(m:wait() == "completed", "state-lost", "migration",
			       "QEMU has failed an assertion: mem->dirty_bmap")
		end)
	end,
}
