-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The host's pages are larger than the balloon's: A and B are two halves of one.
--
--	inflate A     half of the page is in the balloon
--	deflate A     and is not: the guest uses it
--	inflate B     "both halves are": the page is discarded, with what the guest has in A

local common = include("common.inc")

return {
	name = "subpage",
	title = "a page that left the balloon is discarded with its neighbour",
	evidence = {
		"QEMU b27b323914: virtio-balloon: Fix possible guest memory corruption with inflates & deflates",
		"QEMU a8cd64d488: virtio-balloon: Use temporary PBP only",
	},
	params = {
		host_page = { default = 8192, min = 4096, max = 65536, doc = "bytes of a page of the host" },
	},
	variants = {
		remembered = { expect = "memory-divergence", faults = { "qemu.balloon.pbp_across_requests" }, runs = 500,
			       doc = "what was inflated is remembered, what was deflated is not forgotten" },
		remembered_64k = { expect = "ok", faults = { "qemu.balloon.pbp_across_requests" }, set = { host_page = 65536 },
				   runs = 300, doc = "two of sixteen parts: not all of the host's page" },
		one_request = { expect = "ok", runs = 500, doc = "remembered within one request" },
	},
	setup = function(p)
		local w = common.world { pages = 16, host_page_bytes = p.host_page }

		common.guest(w, function(balloon)
			while not balloon:info().idle do
				yield()
			end
			balloon:inflate(1)
			balloon:deflate(1)

			local page = common.alloc(w, 0x1234)

			balloon:inflate(1)
			expect(balloon:read(page) == 0x1234, "memory-divergence", string.format("page=%d", page),
			       "the page is the guest's, and what it wrote is gone")
		end)
	end,
}
