-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- An event loop clears its own wake-up after it has looked, and eats the one that came in between.
--
-- aio_notify() writes the loop's eventfd to get it out of ppoll().  The loop clears that eventfd in each turn.  If it
-- clears after dispatching, this happens, here with two threads in one context as with a nested aio_poll() in a vCPU
-- thread:
--
--	main loop                    vCPU thread, nested aio_poll()     somebody
--	ppoll                        dispatches: nothing to do
--	                                                                schedules a bottom half, aio_notify()
--	                             clears the eventfd
--	nothing readable: sleeps on
--
-- The bottom half waits for the next event.  The hang of the commit before looked the same (until the next key press,
-- on aarch64 only, and not with tracing on), and had to do with aio_notify(): it asked whether somebody is dispatching,
-- where the question is whether somebody is going to wait (`waiters`).
return {
	name = "aio-notify-eaten",
	title = "a nested aio_poll() clears the notification that the main loop needs",
	evidence = {
		"QEMU 21a03d17f2: the event notifier is cleared before dispatching, not after",
		"QEMU eabc977973: the hang mended just before, which stopped as this one does: notify_me counts who may block",
		"QEMU 05e514b1d4: the fast path that makes clearing cheap; docs/spin/aio_notify*.promela model all three",
	},
	params = {
		clear = { default = "after", values = { "after", "before" }, doc = "when a turn clears the eventfd" },
		waiters = { default = true, doc = "aio_notify() asks whether anybody is about to block" },
	},
	variants = {
		cleared_after_dispatch = { expect = "hang", runs = 4000 },
		holds = { expect = "ok", set = { clear = "before" }, runs = 20000 },
		holds_always_notify = { expect = "ok", set = { clear = "before", waiters = false }, runs = 20000 },
	},
	setup = function(p)
		local notifier = eventfd("ctx notifier", { nonblock = true })
		local scheduled = semaphore("bottom halves")
		local ran = flag("the bottom half has run")
		local notify_me = 0

		local function notify()
			point() -- smp_mb() lies here
			if not p.waiters or notify_me > 0 then
				notifier:write()
			end
		end

		local function dispatch()
			local did = false

			if p.clear == "before" then
				notifier:read()
			end
			point()
			while scheduled:try() do
				did = true
				ran:set()
			end
			point()
			if p.clear == "after" then
				notifier:read()
			end
			return did
		end

		actor("main loop", function()
			repeat
				notify_me = notify_me + 1
				point()
				if scheduled:value() == 0 then
					notifier:wait() -- ppoll()
				end
				notify_me = notify_me - 1
				dispatch()
			until ran:test()
		end, { daemon = true })
		actor("vcpu0", dispatch) -- a synchronous request: aio_poll(ctx, false)
		actor("iothread", function()
			scheduled:release()
			notify()
			ran:wait()
		end)
	end,
}
