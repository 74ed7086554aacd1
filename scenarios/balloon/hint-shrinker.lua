-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Memory gets short while hints are out.  Linux's shrinker frees hinted pages, also those whose buffer the device has
-- not come to yet.  Since 6.1 a hint has QEMU clear KVM's dirty log as well as its own bitmap, or else the hint would
-- be of no use (QEMU 3143577d6a, hint-log-clear.lua).  With manual protection a page that was handed out by the last
-- KVM_GET_DIRTY_LOG is still writable, and its bit still set, so:
--
--	guest      write p | free p | queue hint of p | shrink: p is free | allocate p, write p (noted nowhere)
--	QEMU               sync: p is dirty                                                     hint: both bits are 0
--
-- p is neither sent nor ever dirty again.  Where GET itself protects, the second write is noted for the next sync.  A
-- driver that gives back only what the device has used is safe with both.
--
-- The guest's memory is three chunks of KVM_CLEAR_DIRTY_LOG, and a hint is of one: p is in the second, the first and
-- the last are in use.  So the walk is at the first while the hint of the second is under way, as it is for seconds in
-- a guest of gigabytes.

local common = include("common.inc")

local ORDER = 6 -- blocks of one chunk of KVM_CLEAR_DIRTY_LOG each
local BLOCK = 1 << ORDER

return {
	name = "hint-shrinker",
	title = "a hinted page is freed for want of memory before the device has seen the hint",
	evidence = {
		"QEMU 3143577d6a: migration: clear the memory region dirty bitmap when skipping free pages",
		"Linux 86a559787e6f: virtio-balloon: VIRTIO_BALLOON_F_FREE_PAGE_HINT (shrink_free_pages())",
		"Linux 6.1 drivers/virtio/virtio_balloon.c: return_free_pages_to_mm() asks nothing of the queue",
		"Firecracker 1a431856d: Add free page hinting, whose text names the window",
		"VIRTIO-5.5.6.5.1-R7, VIRTIO-5.5.6.5.2-D4",
	},
	params = {
		manual_protect = { default = true, doc = "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2" },
	},
	variants = {
		unused_freed = { expect = "memory-divergence", faults = { "guest.balloon.shrinks_hinted" }, runs = 60000,
				 doc = "any hinted page may be freed" },
		get_protects = { expect = "ok", faults = { "guest.balloon.shrinks_hinted" }, set = { manual_protect = false },
				 runs = 3000, doc = "the same without manual protection" },
		unprotected = { expect = "dirty-page-lost", faults = { "kvm.clear_dirty_log.no_protect" }, runs = 3000,
				doc = "such a driver, and a hint that clears the log without protecting the page" },
		used_only = { expect = "ok", runs = 3000, doc = "only pages that the device has come to" },
	},
	setup = function(p)
		local w = common.world { pages = 3 * BLOCK, manual_protect = p.manual_protect, hint_order = ORDER }
		local used = flag("the guest has its memory")
		local dirty = flag("page was written and freed")

		common.guest(w, function(balloon)
			for _ = 1, w.pages do
				balloon:alloc()
			end
			used:set()
			w.logging:wait()
			common.quiet() -- the walk is at the end of RAM
			w.live[0] = true
			balloon:write(0, 1)
			balloon:write(BLOCK, 2)
			for page = 2 * BLOCK - 1, BLOCK, -1 do
				balloon:free(page)
			end
			dirty:set()
			for _ = 1, 60 do
				if balloon:info().held == BLOCK then
					break
				end
				yield()
			end
			common.alloc(w, 3)
		end)
		actor("monitor", function()
			w.ready:wait()
			used:wait()
			common.begin(w, { budget_pages = w.pages, slow_link = true })
			common.active(w)
			dirty:wait()
			w.migration:set_parameters { budget_pages = 1 }
			common.finish(w)
		end)
	end,
}
