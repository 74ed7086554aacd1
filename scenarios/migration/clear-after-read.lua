-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- With manual protect a page's bit stays set in KVM until KVM_CLEAR_DIRTY_LOG, and the page stays writable.
--
--	migration   sync ── read page 0 ──────────────────── CLEAR chunk 0 ── send
--	vcpu0                            write page 0
--
-- The write finds the page writable and its bit set, so nobody notes it; the clear then takes the bit away.  Clear
-- first, and the write faults and sets the bit again for the next sync.  Block migration had it the other way.

return {
	name = "clear-after-read",
	title = "a page's dirty log is cleared after the page was read",
	evidence = {
		"QEMU c0bad49946 (2017): block migration: reset the dirty bitmap before reading",
		"QEMU ff4aa11419 (4.1): KVM_CLEAR_DIRTY_LOG, a step of its own between sync and send",
		"Linux 2a31b9db1535: KVM_CLEAR_DIRTY_LOG",
	},
	params = {
		writes = { default = 3, min = 1, max = 8, doc = "of the vCPU" },
		manual_protect = { default = true, doc = "or KVM_GET_DIRTY_LOG clears" },
	},
	buffers = "writes",
	variants = {
		clear_after_read = { expect = "dirty-page-lost", faults = { "qemu.migrate.clear_after_read" },
				     runs = 8000, doc = "read, clear, send" },
		clear_first = { expect = "ok", runs = 6000, doc = "clear, read, send" },
		no_manual_protect = { expect = "ok", set = { manual_protect = false }, runs = 3000,
				      doc = "KVM_GET_DIRTY_LOG protects at once: two writes, two rounds" },
	},
	setup = function(p)
		local vm = source_vm { pages = 3, manual_protect = p.manual_protect }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(0)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
