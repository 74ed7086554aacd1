-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Devices with logs of their own: a log counts if the sync knows of it, and a page if the log has it.
--
--	vhost-user, vhost	each kind of backend has a logger, and a sync asks one that was made last
--	DMA region		what is mapped while a migration runs has to be tracked from then on, too
--
-- A huge page that the IOMMU has marked dirty is one bit there and many here.  The reader has a part of the bitmap
-- pinned at a time: what does not fit it must go on into the next part, since the IOMMU's own bit is cleared by then.

return {
	name = "log-unread",
	title = "a device's log that the sync does not ask, or reads in part",
	evidence = {
		"QEMU 51d59a64ee (2024): vhost: dirty log should be per backend type",
		"libvfio-user 6037d88 (2021): log dirty pages for new DMA regions as well",
		"Linux 2780025e01e2 (2024): iommufd/iova_bitmap: handle recording beyond the mapped pages",
	},
	params = {
		loggers = { default = "each", values = { "each", "last" }, doc = "which kinds of backend are asked" },
		new_region = { default = true, doc = "a region that is mapped while logging is on is tracked" },
		carries = { default = true, doc = "a huge page goes on into the next part of the bitmap" },
		writes = { default = 2, min = 1, max = 6, doc = "of each device" },
	},
	buffers = "writes",
	variants = {
		one_logger = { expect = "dirty-page-lost", set = { loggers = "last" }, runs = 2000,
			       doc = "vhost and vhost-user in one QEMU" },
		region_untracked = { expect = "dirty-page-lost", set = { new_region = false }, runs = 2000 },
		cut_off = { expect = "dirty-page-lost", set = { carries = false }, runs = 2000,
			    doc = "a huge page at the end of a part" },
		holds = { expect = "ok", runs = 6000 },
	},
	setup = function(p)
		local part = 512 -- pages of bitmap that are pinned at a time
		local logs = { kernel = {}, user = {}, iommu = {} }
		local regions = { [0] = true } -- DMA regions that are tracked, by first page
		local source, destination = {}, {}
		local mapped = flag("a DMA region was mapped")

		local function write(log, page, pages)
			for i = page, page + pages - 1 do
				source[i] = (source[i] or 0) + 1
			end
			log[page] = pages
			note(string.format("page 0x%x is written, %d in all", page, pages))
			point()
		end
		local function take(log, wanted)
			local list = {}

			for page, pages in pairs(log) do
				log[page] = nil
				for i = page, wanted and page + pages - 1 or 0 do
					local cut = not p.carries and i // part ~= page // part

					list[#list + 1] = not cut and i or nil
				end
			end
			return list
		end
		local function sync()
			for _, kind in ipairs { "kernel", "user", "iommu" } do
				local asked = kind ~= "kernel" or p.loggers == "each"

				for _, page in ipairs(take(logs[kind], asked)) do
					point()
					destination[page] = source[page]
					note(string.format("page 0x%x is sent, version %d", page, source[page]))
				end
			end
		end
		local devices = {
			actor("vhost", function()
				for _ = 1, p.writes do
					write(logs.kernel, 0x13, 1)
				end
			end),
			actor("vhost-user", function()
				for _ = 1, p.writes do
					write(logs.user, 0x14, 1)
				end
				regions[0x1000] = p.new_region or nil
				mapped:set()
				for _ = 1, p.writes do
					write(regions[0x1000] and logs.user or {}, 0x1000, 1)
				end
			end),
			actor("vfio", function()
				for _ = 1, p.writes do
					write(logs.iommu, part - 8, 16)
				end
			end),
		}
		actor("migration", function()
			mapped:wait()
			sync()
			point()
			for _, device in ipairs(devices) do
				device:join()
			end
			sync()
			for _, page in ipairs { 0x13, 0x14, 0x1000, part - 8, part + 7 } do
				expect(destination[page] == source[page], "dirty-page-lost",
				       string.format("page=0x%x", page), "its write was in a log that was not read")
			end
		end)
	end,
}
