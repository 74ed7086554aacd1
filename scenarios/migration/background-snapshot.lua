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
		"QEMU eeccb99c9d (6.0): pages are populated first",
		"QEMU ecb23efea0 (6.0): the buffer with the devices' state is flushed",
		"QEMU 1a8e44a89f (2021): the balloon is inhibited meanwhile",
	},
	params = {
		kind = { default = "vcpu", values = { "vcpu", "qemu", "vhost" }, doc = "who writes" },
		writes = { default = 2, min = 0, max = 8, doc = "of it" },
		page = { default = 1, min = 0, max = 3, doc = "which; 3 was never touched before" },
		rings = { default = false, doc = "a device writes page 0 when the machine starts" },
		balloon = { default = false, doc = "page 2 goes into the balloon meanwhile" },
	},
	variants = {
		unprotect_first = { expect = "memory-divergence", faults = { "qemu.snapshot.unprotect_first" },
				    runs = 4000, doc = "the protection goes before the stream is flushed" },
		not_populated = { expect = "memory-divergence", faults = { "qemu.snapshot.no_prefault" },
				  set = { page = 3 }, runs = 2000, doc = "a page that is not there is not protected" },
		balloon = { expect = "memory-divergence", faults = { "qemu.snapshot.balloon" },
			    set = { balloon = true }, runs = 2000, doc = "a page is discarded before it is saved" },
		state_not_flushed = { expect = "state-lost", faults = { "qemu.snapshot.state_not_flushed" }, runs = 1000,
				      doc = "what fills no buffer of 32 KiB is not in the file" },
		state_late = { expect = "state-lost", faults = { "qemu.snapshot.state_late" }, runs = 2000,
			       doc = "devices of one moment, memory of another" },
		started_by_thread = { expect = "hang", faults = { "qemu.snapshot.started_by_thread" },
				      set = { rings = true }, runs = 2000, doc = "the thread waits for itself" },
		started_by_loop = { expect = "ok", set = { rings = true }, runs = 3000,
				    doc = "the main loop waits, and the thread saves the page" },
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
		s = background_snapshot { vm = vm, file = vm:destination(), ring_page = p.rings and 0 or nil }
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
