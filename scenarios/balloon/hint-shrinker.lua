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

local common = include("common.inc")

return {
	name = "hint-shrinker",
	title = "a hinted page is freed for want of memory before the device has seen the hint",
	evidence = {
		"QEMU 3143577d6a: migration: clear the memory region dirty bitmap when skipping free pages",
		"Linux 71994620bb25: virtio_balloon: replace oom notifier with shrinker",
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
		used_only = { expect = "ok", runs = 3000, doc = "only pages that the device has come to" },
	},
	setup = function(p)
		local w = common.world { pages = 2, manual_protect = p.manual_protect }
		local dirty = flag("page was written and freed")

		common.guest(w, function(balloon)
			local page = common.alloc(w, 1)

			w.logging:wait()
			balloon:write(page, 2)
			common.free(w, page)
			dirty:set()
			for _ = 1, 60 do
				if balloon:info().held == w.pages then
					break
				end
				yield()
			end
			common.alloc(w, 3)
		end)
		w.logging = flag("dirty logging is on")
		actor("migration", function()
			local m = w.migration

			w.ready:wait()
			m:begin()
			w.logging:set()
			dirty:wait()
			m:sync()
			common.wait_hints(w, 40)
			w.vm:stop()
			m:sync()
			while m:send() do
			end
			common.compare(w)
			m:finish()
			w.vm:start()
		end)
	end,
}
