-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Two threads of a VMM set a bit each in ISR status, and one bit goes.
--
-- Say a VMM has a worker for the queues and a thread that changes the configuration; both do `isr_status |= bit` and
-- raise the line, and the vCPU's read of the register returns the bits and clears them.  As a plain load, an OR and a
-- store that loses what another one stores in between:
--
--	worker    0 ─────────────────── isr := 0 | 1
--	config           isr := 0 | 2                  bit 2 is gone, and so is who waits for it
--
-- The same with the reader: a bit set between its load and its clearing was never there.  An atomic OR and an atomic
-- exchange mend it.
return {
	name = "isr-lost-update",
	title = "ISR status is updated by a load, an OR and a store",
	evidence = { "sysprog21/kvm-host pull request 50: isr_status, shared by two workers, was no atomic" },
	params = {
		how = { default = "plain", values = { "plain", "atomic_or", "atomic" },
			doc = "load and store everywhere, an atomic OR but a plain read and clear, or both atomic" },
	},
	variants = {
		plain = { expect = "hang", runs = 400 },
		reader_plain = { expect = "hang", set = { how = "atomic_or" }, runs = 400,
				 doc = "a bit set between the register's load and its clearing" },
		atomic = { expect = "ok", set = { how = "atomic" }, runs = 10000 },
	},
	setup = function(p)
		local isr, line = 0, eventfd("intx")

		local function raise(bit)
			local was = isr
			if p.how == "plain" then
				point()
			end
			isr = was | bit
			line:write(1)
		end

		actor("worker", function()
			point()
			raise(1)
		end)
		actor("config", function()
			point()
			raise(2)
		end)
		actor("vcpu0", function()
			local seen = 0
			while seen ~= 3 do
				line:read()
				local bits = isr
				if p.how ~= "atomic" then
					point()
				end
				isr = 0
				seen = seen | bits
			end
		end)
	end,
}
