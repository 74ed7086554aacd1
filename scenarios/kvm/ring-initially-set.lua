-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- INITIALLY_SET and the dirty ring exclude each other.
--
-- With INITIALLY_SET a new log calls all pages dirty and protects none: each is protected when its bit is cleared.
-- A dirty ring has no bits.  A page that was mapped before logging began stays writable, no write to it faults, and
-- no entry is ever made for it.

return {
	name = "ring-initially-set",
	title = "INITIALLY_SET is asked for beside a dirty ring",
	evidence = { "QEMU a81a592698: disable manual dirty log when the dirty ring is enabled" },
	params = {
		emulated = { default = false, doc = "the writes are emulated by KVM, which notes each" },
	},
	variants = {
		both = { expect = "dirty-page-lost", faults = { "qemu.dirty_ring.initially_set" }, runs = 500,
			 doc = "a page that was mapped is never noted" },
		both_emulated = { expect = "ok", set = { emulated = true }, faults = { "qemu.dirty_ring.initially_set" },
				  runs = 1000, doc = "what the emulator writes does not need a fault" },
		ring_only = { expect = "ok", runs = 3000, doc = "logging begins by protecting all pages" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, ring = 4096 }
		local cpu = k:vcpu()
		local bql = semaphore("bql", 1)
		local source, destination = 0, 0

		k:region_add { base_gfn = 0, npages = 0x200 }
		local vcpu = actor("vcpu", function()
			for _ = 1, 3 do
				local how = p.emulated and cpu:emulated_write(0xca) or cpu:write(0xca)
				if how == "ram" then
					source = source + 1
				end
			end
			cpu:exit()
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) and page == 0xca then
					destination = source
				end
			end
		end
		actor("migration", function()
			point()
			bql:acquire()
			k:log_global(true)
			k:all_dirty()
			bql:release()
			send(k:migration_sync())
			vcpu:join()
			point()
			send(k:last_sync())
			expect(destination == source, "dirty-page-lost", "page=0xca",
			       "it was mapped when logging began, and no write to it faulted since")
		end)
	end,
}
