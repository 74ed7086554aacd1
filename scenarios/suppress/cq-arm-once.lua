-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hardware reports one completion for each time it is asked, and the guest is told before anything is in its ring.
--
-- A vDPA driver polls a completion queue and writes used elements for the guest.  The queue is armed: at the next
-- completion it fires an event, once.  That event woke the vDPA driver, and by a second eventfd the guest:
--
--	hardware      completes 1: event ──┬──────────────────────────────────── completes 2: not armed, no event
--	guest                              └─▶ nothing is used yet: sleeps
--	vDPA driver                                                   used 1 … used 2, arms again
--
-- Everything is in the ring and nobody tells the guest.  The guest must be told by who publishes, when that is done.
return {
	name = "cq-arm-once",
	title = "the guest is notified by the event that only says that there is something to publish",
	evidence = {
		"DPDK d76a17f7b8: vdpa/mlx5: fix guest notification timing",
		"DPDK ca4cc612d7: vdpa/mlx5: fix notification timing",
	},
	params = {
		who = { default = "hardware", values = { "hardware", "driver" }, doc = "signals the guest's call fd" },
		completions = { default = 3, min = 1, max = 16, doc = "in all" },
	},
	variants = {
		with_the_event = { expect = "hang", runs = 200 },
		after_the_poll = { expect = "ok", set = { who = "driver" }, runs = 10000 },
	},
	setup = function(p)
		local completed, used, armed = 0, 0, true
		local event, call = eventfd("cq event"), eventfd("guest call")

		actor("hardware", function()
			for _ = 1, p.completions do
				point()
				completed = completed + 1
				if armed then
					armed = false
					event:write(1)
					if p.who == "hardware" then
						call:write(1)
					end
				end
			end
		end)
		actor("vdpa", function()
			while true do
				event:read()
				repeat
					used = completed
					point() -- arming is a doorbell write
					armed = true
				until used == completed
				if p.who == "driver" then
					call:write(1)
				end
			end
		end, { daemon = true })
		actor("guest", function()
			while used < p.completions do
				call:read()
			end
		end)
	end,
}
