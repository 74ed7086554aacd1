-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Everybody who writes guest memory, and where it is noted.
--
--	vCPU				KVM: protection, PML or ring
--	KVM itself (steal time)		KVM: mark_page_dirty()
--	a device in QEMU		QEMU's own bitmap
--	a vhost worker			its own log, which the sync fetches, and once more when it stops
--	VFIO or vDPA without tracking	nobody knows
--
-- The vhost worker writes until it is stopped, which is after the last sync of the vCPUs' memory: what its log has by
-- then must still be fetched.

return {
	name = "writers",
	title = "each writer of guest memory has a log of its own, and the last one to stop is forgotten",
	evidence = {
		"QEMU 5c0ba1be37 (2017): the log is given up before the final sync",
		"QEMU docs/devel/migration/vfio.rst: without dirty tracking all that is mapped is called dirty",
	},
	params = {
		tracks = { default = true, doc = "the device has a log" },
	},
	variants = {
		final_sync_skipped = { expect = "dirty-page-lost", faults = { "qemu.vhost.final_sync_skipped" },
				       runs = 4000, doc = "the size of the log is zero by then" },
		no_tracking = { expect = "dirty-page-lost", set = { tracks = false }, runs = 500,
				doc = "a device that tells nobody" },
		all_logs = { expect = "ok", runs = 6000, doc = "each log is fetched after its last write" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, host = "x86-pml" }
		local cpu = k:vcpu()
		local vhost = k:device_log(p.tracks)
		local source, destination = {}, {}

		k:region_add { base_gfn = 0, npages = 0x200 }
		local function wrote(page)
			source[page] = (source[page] or 0) + 1
			note(string.format("writes page 0x%x, version %d", page, source[page]))
		end
		local vcpu = actor("vcpu", function()
			for _ = 1, 2 do
				if cpu:write(0x10) == "ram" then
					wrote(0x10)
				end
				cpu:exit()
				wrote(0x11) -- an exit and an entry: steal time
				cpu:mark(0x11)
			end
		end)
		local device = actor("main", function()
			for _ = 1, 2 do
				wrote(0x12)
				k:device_write(0x12)
			end
		end)
		local worker = actor("vhost", function()
			for _ = 1, 3 do
				wrote(0x13)
				vhost:write(0x13)
			end
		end)
		local function send(list)
			for _, page in ipairs(list) do
				if k:page_sent(page) and source[page] then
					destination[page] = source[page]
					note(string.format("sends page 0x%x, version %d", page, source[page]))
				end
			end
		end
		actor("migration", function()
			k:log_global(true)
			k:all_dirty()
			send(k:migration_sync())
			point()
			vcpu:join()
			device:join()
			send(k:migration_sync()) -- vCPUs and devices in QEMU have stopped, vhost has not
			worker:join()
			vhost:stop()
			send(k:last_sync())
			for page = 0x10, 0x13 do
				expect(destination[page] == source[page], "dirty-page-lost",
				       string.format("page=0x%x", page), "its writer's log was not fetched")
			end
		end)
	end,
}
