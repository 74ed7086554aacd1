-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- An interrupt comes while the kernel polls its line, and is dropped.
--
-- A kernel that saw interrupts nobody wanted polls the handlers of shared lines now and then.  The poller calls the
-- very handler that the interrupt would; so when the real one comes meanwhile it finds the line "in progress" on
-- another CPU and leaves it to that run.  But the poller may have read the device's status before the device had
-- anything to say:
--
--	cpu1 (poller)    handler reads status: nothing ────────────────────── handler returns
--	device                                          post, send MSI
--	cpu0                                                  line is in progress: drop
--
-- Nobody looks at the device again.  The mail thread this project comes from quotes the fix as its example of a
-- lost interrupt: the real handler is deferred until the poll is over.

local irq

return {
	name = "polled-irq-not-redelivered",
	title = "an interrupt that comes while its line is polled is never handled",
	evidence = { "Linux fe200ae48ef5: genirq: mark polled irqs and defer the real handler" },
	params = { events = { default = 1, min = 1, max = 4, doc = "things the device has to tell" } },
	variants = {
		dropped = { expect = "lost-interrupt", faults = { "linux.genirq.polled_irq_dropped" }, runs = 4000,
			    doc = "before the fix" },
		deferred = { expect = "ok", runs = 8000, doc = "the real handler waits for the poll to end" },
	},
	setup = function(p)
		local vm = machine { vcpus = 2 }
		irq = vm:irq("dev", { cpu = 0, shared = true })
		local ready = flag("handler registered")

		vm:actor("driver", function()
			irq:request()
			ready:set()
			irq:wait(p.events)
		end, { cpu = 0 })
		vm:actor("poller", function()
			ready:wait()
			irq:poll()
		end, { cpu = 1 })
		actor("device", function()
			ready:wait()
			for _ = 1, p.events do
				irq:post()
				irq:send()
			end
		end)
	end,
	check = function()
		expect(irq:events() == 0, "lost-interrupt", "irq=dev",
		       "the device has something to tell, has sent its message, and no handler will look")
	end,
}
