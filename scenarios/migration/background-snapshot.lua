-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A snapshot is saved while the guest runs on: each page is write-protected until it was saved.
--
--	snapshot   stop ── protect all ── start ── save page 0 ── flush ── unprotect ── save page 1 …
--	vcpu0                                  write page 1: fault, wait ··· saved, unprotected ── written
--
-- A page whose protection goes before the stream was flushed, one that was not there when all were protected, one that
-- a balloon discards: each can be written or be gone before it is saved.

return {
	name = "background-snapshot",
	title = "a snapshot of a running guest: copy before write",
	evidence = {
		"QEMU 8518278a6a, 278e2f551a (6.0): the thread, and the flush before un-protecting",
		"QEMU 8.2 ram_write_tracking_prepare(): pages are populated first",
		"QEMU 1a8e44a89f (2021): the balloon is inhibited meanwhile",
	},
	params = {
		kind = { default = "vcpu", values = { "vcpu", "qemu", "vhost" }, doc = "who writes" },
		writes = { default = 2, min = 0, max = 8, doc = "of it" },
		page = { default = 1, min = 0, max = 3, doc = "which; 3 was never touched before" },
		balloon = { default = false, doc = "page 2 goes into the balloon meanwhile" },
	},
	variants = {
		unprotect_first = { expect = "memory-divergence", faults = { "qemu.snapshot.unprotect_first" },
				    runs = 4000, doc = "the protection goes before the stream is flushed" },
		not_populated = { expect = "memory-divergence", faults = { "qemu.snapshot.no_prefault" },
				  set = { page = 3 }, runs = 2000, doc = "a page that is not there is not protected" },
		balloon = { expect = "memory-divergence", faults = { "qemu.snapshot.balloon" },
			    set = { balloon = true }, runs = 2000, doc = "a page is discarded before it is saved" },
		protected = { expect = "ok", runs = 4000, doc = "as QEMU 8.2" },
		populated = { expect = "ok", set = { page = 3 }, runs = 2000 },
		inhibited = { expect = "ok", set = { balloon = true }, runs = 2000, doc = "nothing is discarded" },
		emulated = { expect = "ok", set = { kind = "qemu" }, runs = 2000, doc = "a device waits as well" },
		vhost = { expect = "ok", set = { kind = "vhost" }, runs = 2000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local writer = vm:writer(p.kind, p.kind .. "0")
		local s

		vm:fill(0, 3)
		s = background_snapshot { vm = vm, file = vm:destination() }
		actor("writer", function()
			for _ = 1, p.writes do
				writer:write(p.page)
			end
		end, { daemon = true })
		if p.balloon then
			actor("balloon", function()
				point()
				s:discard(2)
			end, { daemon = true })
		end
		actor("monitor", function()
			s:wait()
		end)
	end,
}
