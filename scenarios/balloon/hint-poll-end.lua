-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- While hints come the iothread polls the queue, with kicks turned off.  When a look finds nothing and no round is
-- under way, it turns them on and leaves:
--
--	iothread   pop: nothing                   kicks on
--	driver                   id, pages, stop            (no kick was wanted)
--
-- Nobody looks at what came in between.  A ring's rule is to look once more after kicks are on.  What is left behind
-- is the end of a round or a whole one: a round of hints is of no use then, and no page is lost, since kicks are wanted
-- from then on and the next round's first brings the device back.

local common = include("common.inc")

return {
	name = "hint-poll-end",
	title = "hints that come while the device ends its polling stay in the queue",
	evidence = {
		"QEMU c13c4153f7, and hw/virtio/virtio-balloon.c since: virtio_queue_set_notification(vq, 1) comes last",
		"Linux drivers/vhost/vhost.c: vhost_enable_notify() says whether something came, and its callers go on",
		"found by exploring hint-precopy.lua; not reported upstream as far as is known",
	},
	variants = {
		no_recheck = { expect = "lost-kick", faults = { "qemu.fph.poll_no_recheck" }, runs = 20000,
			       doc = "kicks on, and gone" },
		recheck = { expect = "ok", runs = 2000, doc = "one more look" },
	},
	setup = function()
		local w = common.world { pages = 4 }

		common.guest(w, function() end)
		actor("monitor", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1, slow_link = true })
			common.finish(w)
		end)
	end,
}
