-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Firmware rewrites a memory region while the guest is being migrated.
--
-- A PAM or SMRAM register changes what an address range is, so the VMM deletes the range's KVM slot and makes
-- others, in the vCPU's own exit.  Which pages of the slot were written since the migration last asked is known
-- only to the bitmap in that slot, and the bitmap is freed with it.  Whether the VMM fetches it first decides
-- whether those pages are ever sent:
--
--	vcpu0        write gfn 0xca (bit set in slot 2) ── PAM write ── delete slot 2 ── make slots again
--	migration    sync ── send ──────────────────────────────────────────────────── final sync: nothing
--
-- No second vCPU is needed: the writer is the one that smashes the slot.  What a second vCPU adds is in
-- slot-window.lua.  The recording of 2015 is this, with three pages; see traces/README.md.

local pages = { 0xca, 0xcb, 0xcc }

return {
	name = "slot-smash",
	title = "a memory slot is deleted with dirty bits that nobody fetched",
	evidence = {
		"QEMU 4cc856faba (2.3.0): the dirty log is fetched before a slot goes while migration logs",
		"QEMU 3fbffb628c (1.1): the same for a slot that logs for itself, a display",
		"qemu-devel, March 2015: \"Occasionally, the content of VM's memory is inconsistent\"",
	},
	params = {
		smashes = { default = 1, min = 1, max = 8, doc = "how often the firmware moves the region" },
	},
	variants = {
		no_sync = { expect = "dirty-page-lost", faults = { "qemu.slot_removal.no_sync" }, runs = 1000,
			    doc = "before 1.1: never fetched" },
		slot_log_only = { expect = "dirty-page-lost", faults = { "qemu.slot_removal.slot_log_only" },
				  runs = 1000, doc = "1.1 to 2.2: fetched for a display, not for migration" },
		delete_first = { expect = "dirty-page-lost", faults = { "qemu.slot_removal.delete_first" },
				 runs = 1000, doc = "fetched when there is no bitmap any more" },
		sync_first = { expect = "ok", runs = 4000, doc = "since 2.3" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200 }
		local bql = semaphore("bql", 1)
		local source, destination = {}, {}
		local slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }
		local vcpu0

		local function lock()
			point()
			bql:acquire()
		end

		for _, gfn in ipairs(pages) do
			source[gfn], destination[gfn] = 0, 0
		end

		vcpu0 = actor("vcpu0", function()
			for _ = 1, p.smashes do
				for _, gfn in ipairs(pages) do
					k:write_page(gfn)
					source[gfn] = source[gfn] + 1
				end
				-- The exit of the PAM write: a memory transaction under the big lock.
				lock()
				k:region_del(slot)
				slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }
				bql:release()
			end
		end)

		local function send(list)
			for _, gfn in ipairs(list) do
				if k:page_sent(gfn) and source[gfn] then
					destination[gfn] = source[gfn]
				end
				point()
			end
		end

		actor("migration", function()
			lock()
			k:log_global(true)
			bql:release()
			-- The bulk pass sends everything; what is written from here on is the log's to tell.
			for _, gfn in ipairs(pages) do
				destination[gfn] = source[gfn]
				point()
			end
			lock()
			local list = k:migration_sync()
			bql:release()
			send(list)
			vcpu0:join() -- the guest stops
			send(k:migration_sync())
			for _, gfn in ipairs(pages) do
				expect(destination[gfn] == source[gfn], "dirty-page-lost",
				       string.format("gfn=0x%x", gfn),
				       "the destination has an old version: its dirty bit died with the slot")
			end
		end)
	end,
}
