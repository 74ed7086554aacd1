-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Pages that are dirtied while no vCPU runs, under a dirty ring.
--
-- A ring belongs to a vCPU.  On arm64 KVM writes the tables of the interrupt controller (ITS) into guest memory when
-- userspace asks for it, after the vCPUs were stopped.  Such pages are noted in a bitmap beside the rings, and that
-- bitmap has to be fetched after the last write of the kind:
--
--	vCPUs stop ── KVM_DEV_ARM_ITS_SAVE_TABLES: bitmap ── last sync: rings ── and the bitmap

return {
	name = "ring-backup",
	title = "the bitmap beside the dirty ring is forgotten",
	evidence = {
		"QEMU b20cc77692 (8.1): collect the backup bitmap, in the last stage and on slot removal",
		"QEMU 1e493be587: log_sync_global() is told which stage is the last; 856e23a0fb enables the bitmap on arm64",
		"Linux 86bdf3ebcfe1 (6.2): KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP",
	},
	params = {
		version = { default = "8.1", values = { "8.0", "8.1" }, doc = "which QEMU" },
		early = { default = false, doc = "the last fetch comes before the tables are saved" },
	},
	variants = {
		qemu_8_0 = { expect = "dirty-page-lost", set = { version = "8.0" }, runs = 200,
			     doc = "does not enable it: such a write is noted nowhere" },
		not_fetched = { expect = "dirty-page-lost", faults = { "qemu.dirty_ring.no_backup_sync" }, runs = 200,
				doc = "enabled, and never asked for" },
		fetched_too_early = { expect = "dirty-page-lost", set = { early = true }, runs = 200,
				      doc = "asked for once, before the last such write" },
		fetched_last = { expect = "ok", runs = 2000, doc = "in the last stage" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, host = "arm64", ring = 4096, version = p.version }
		local cpu = k:vcpu()
		local its, data = 0x80, 0x10
		local source, destination = { [its] = 0, [data] = 0 }, { [its] = 0, [data] = 0 }

		k:region_add { base_gfn = 0, npages = 0x200 }

		local vcpu = actor("vcpu", function()
			for _ = 1, 2 do
				if cpu:write(data) == "ram" then
					source[data] = source[data] + 1
				end
			end
			cpu:exit()
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) and source[page] then
					destination[page] = source[page]
				end
			end
		end
		local function save_tables()
			k:mark_page_dirty(its)
			source[its] = source[its] + 1
		end
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync())
			vcpu:join()
			point()
			if p.early then
				send(k:last_sync())
				save_tables()
			else
				save_tables()
				send(k:last_sync())
			end
			for page, version in pairs(source) do
				expect(destination[page] == version, "dirty-page-lost",
				       string.format("page=0x%x", page), "it is in the bitmap beside the ring, or nowhere")
			end
		end)
	end,
}
