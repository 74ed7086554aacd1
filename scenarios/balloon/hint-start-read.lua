-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver looks at the command id again when the configuration changed, whatever changed in it.  QEMU answers with
-- the id while it waits for a round, and with 0, which is STOP, as soon as the round has begun:
--
--	device    REQUESTED: id | START: 0      num_pages changes
--	driver                id, page, page               looks at the id: STOP, so the round is over
--
-- The rest of the free memory is sent, which it need not be.  Nothing else is lost.

local common = include("common.inc")

return {
	name = "hint-start-read",
	title = "a balloon target that changes during a round of hints ends it",
	evidence = {
		"QEMU c13c4153f7: virtio_balloon_get_config() has a case for REQUESTED, STOP and DONE",
		"Linux 86a559787e6f: VIRTIO_BALLOON_CONFIG_READ_CMD_ID is set by each configuration change",
	},
	variants = {
		reads_stop = { expect = "state-lost", faults = { "qemu.fph.start_reads_stop" }, runs = 3000,
			       doc = "as QEMU" },
		reads_id = { expect = "ok", runs = 2000, doc = "the id, as long as the round is under way" },
	},
	setup = function()
		local w = common.world { pages = 6 }

		common.guest(w, function() end)
		actor("monitor", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1, slow_link = true })
			if common.active(w) and common.wait_hints(w) then
				w.dev:balloon_target(1)
				common.quiet()

				local info = w.balloon:info()

				expect(info.free == 0 or w.migration:state() ~= "active", "state-lost", "balloon0",
				       string.format("%d pages are free, and were not hinted", info.free))
			end
			common.finish(w)
		end)
	end,
}
