-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- All of the guest's free memory is in the balloon, and the guest needs a page.  With VIRTIO_BALLOON_F_DEFLATE_ON_OOM
-- the driver takes some back; without, the allocation fails, and a real guest starts to kill.

local common = include("common.inc")

return {
	name = "oom",
	title = "an allocation fails although the balloon is full of pages",
	evidence = { "VIRTIO-5.5.6.1-R1", "Linux 5a10b7dbf904: virtio_balloon: free some memory from balloon on OOM" },
	params = {
		deflate_on_oom = { default = true, doc = "VIRTIO_BALLOON_F_DEFLATE_ON_OOM is offered" },
	},
	variants = {
		not_offered = { expect = "state-lost", set = { deflate_on_oom = false }, runs = 500,
				doc = "the driver may not touch the balloon" },
		offered = { expect = "ok", runs = 1000, doc = "it deflates" },
	},
	setup = function(p)
		local features = { "VIRTIO_BALLOON_F_MUST_TELL_HOST", "VIRTIO_BALLOON_F_STATS_VQ", "VIRTIO_RING_F_EVENT_IDX" }

		if p.deflate_on_oom then
			features[#features + 1] = "VIRTIO_BALLOON_F_DEFLATE_ON_OOM"
		end

		local w = common.world { pages = 4, features = features }

		common.guest(w, function(balloon)
			while balloon:info().inflated < w.pages do
				yield()
			end
			expect(common.alloc(w, 1) ~= nil, "state-lost", "balloon0",
			       string.format("no page to be had, and %d are in the balloon", balloon:info().inflated))
		end)
		actor("monitor", function()
			w.ready:wait()
			w.dev:balloon_target(w.pages)
		end)
	end,
}
