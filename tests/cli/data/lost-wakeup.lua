-- SPDX-License-Identifier: GPL-2.0-or-later
-- The oldest lost wake-up: a condition is checked, then slept on, and between the two it came true.
return {
	name = "lost-wakeup",
	title = "a flag is checked, then slept on; the wake-up comes in between",
	evidence = { "the rule that wait_event() follows: prepare, check, sleep" },
	params = {
		recheck = { default = false, doc = "check again after getting into the queue" },
		rounds = { default = 1, min = 1, max = 8, doc = "wake-ups" },
	},
	variants = {
		fails = { expect = "hang", runs = 1000 },
		holds = { expect = "ok", set = { recheck = true }, runs = 2000 },
	},
	setup = function(p)
		local q = waitq("the wake-up")
		local answer = semaphore("the answer")
		local sent = 0

		actor("waiter", function()
			for round = 1, p.rounds do
				while sent < round do
					if not p.recheck then
						-- Here it may come true: nobody waits yet.
						point()
					end
					q:wait()
				end
				note("round " .. round .. " seen")
				answer:release()
			end
		end)
		actor("waker", function()
			for round = 1, p.rounds do
				sent = round
				point()
				q:wake()
				answer:acquire()
			end
		end)
		metric("rounds", p.rounds)
	end,
}
