-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A background snapshot saves the machine as it was at one moment, while it runs on: a page is copied before the
-- guest's next write to it, which userfaultfd holds up.  A discard is no write.  So while a snapshot is taken the
-- balloon discards nothing.

local common = include("common.inc")

return {
	name = "snapshot",
	title = "a page that is inflated during a background snapshot is saved as zeros",
	evidence = { "QEMU 1a8e44a89f: migration: Inhibit virtio-balloon for the duration of background snapshot" },
	params = {
		inhibit = { default = false, doc = "the snapshot inhibits the balloon" },
	},
	variants = {
		discarded = { expect = "memory-divergence", runs = 2000, doc = "the balloon does as always" },
		inhibited = { expect = "ok", set = { inhibit = true }, runs = 1000, doc = "nothing is discarded meanwhile" },
	},
	setup = function(p)
		local w = common.world { pages = 2 }
		local filled, snapshot = flag("memory has content"), flag("snapshot has begun")

		common.guest(w, function(balloon)
			while not balloon:info().idle do
				yield()
			end

			local mine = { common.alloc(w, 11), common.alloc(w, 12) }

			filled:set()
			snapshot:wait()
			for i = 2, 1, -1 do
				common.free(w, mine[i])
			end
			balloon:inflate(2)
		end)
		actor("snapshot", function()
			local at, saved = {}, {}

			filled:wait()
			if p.inhibit then
				w.dev:balloon_inhibit(true)
			end
			for page = 0, w.pages - 1 do
				at[page] = w.balloon:read(page)
			end
			snapshot:set()
			for page = 0, w.pages - 1 do
				point()
				saved[page] = w.balloon:read(page)
				expect(saved[page] == at[page], "memory-divergence", string.format("page=%d", page),
				       "the snapshot has something else than the page held when it began")
			end
			if p.inhibit then
				w.dev:balloon_inhibit(false)
			end
		end)
	end,
}
