-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Dirty logging of a vhost-user backend is switched on by a message.
--
--	migration   SET_FEATURES with VHOST_F_LOG_ALL ── fill the bitmap ── sync ── read page 1 ── send
--	backend                     (has not read it yet)                                    write page 1   handle it
--
-- The backend writes a page after it was copied and before it knows that it should log.  With REPLY_ACK the VMM waits
-- for the answer before it copies anything.

return {
	name = "log-async",
	title = "a backend writes a page that was copied before it heard that it should log",
	evidence = { "QEMU 699f2e535d (6.2): SET_VRING_ADDR and SET_FEATURES are waited for" },
	params = {
		writes = { default = 2, min = 1, max = 8, doc = "of the backend" },
	},
	buffers = "writes",
	variants = {
		not_awaited = { expect = "dirty-page-lost", faults = { "qemu.vhost_user.log_async" }, runs = 4000,
				doc = "the message is sent and not waited for" },
		reply_ack = { expect = "ok", runs = 6000, doc = "the backend has answered" },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local backend = vm:writer("vhost", "vhost-user-blk0")
		local m

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("backend", function()
			for _ = 1, p.writes do
				backend:write(1)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
