-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A page comes out of the balloon.  With VIRTIO_BALLOON_F_MUST_TELL_HOST the driver may not use it before the device
-- has taken the deflate request: the host may have locked the page away.

local common = include("common.inc")

return {
	name = "deflate-untold",
	title = "a page is used before the device knows that it left the balloon",
	evidence = { "VIRTIO-5.5.6.1-R3", "VIRTIO_BALLOON_F_MUST_TELL_HOST" },
	variants = {
		untold = { expect = "spec-violation", faults = { "guest.balloon.reuse_untold" }, runs = 3000,
			   doc = "free for use first, then told" },
		told = { expect = "ok", runs = 1000, doc = "told first, as Linux does" },
	},
	setup = function()
		local w = common.world { pages = 2 }
		local filled = flag("balloon is full")

		common.guest(w, function(balloon)
			filled:wait()
			balloon:deflate(2)
		end)
		w.vm:actor("user", function()
			w.ready:wait()
			while not w.balloon:info().idle do
				yield()
			end
			w.balloon:inflate(2)
			filled:set()
			for i = 1, 20 do
				if common.alloc(w, i) then
					break
				end
				yield()
			end
		end, { cpu = 1 })
	end,
}
