-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A recorded migration made small: of pages that were sent one after the other without anything else in between there
-- is one line instead of one each,
--
--	THREAD@TIME:ram_save_pages BLOCK: offset: 0x… pages: N us: from the first to the last
--
-- which is no event of QEMU's; `ringside import` and analysis/fit-migration.lua know it.
--
--	lua5.4 scripts/record-compact.lua <RECORDING >SMALL

local run -- of pages: where it ends, and what is to be said of it

local function finish()
	if run then
		print(string.format("%s@%s:ram_save_pages %s: offset: 0x%x pages: %d us: %.0f", run.thread, run.time, run.block,
				    run.offset, run.pages, (tonumber(run.last) - tonumber(run.time)) * 1e6))
		run = nil
	end
end

for line in io.lines() do
	local thread, time, block, text = line:match("^(%d+)@([%d.]+):ram_save_page (%S+): offset: 0x(%x+)")
	local offset = text and tonumber(text, 16)

	if not block then
		finish()
		print(line)
	elseif run and run.thread == thread and run.block == block and offset == run.offset + run.pages * 4096 then
		run.pages, run.last = run.pages + 1, time
	else
		finish()
		run = { thread = thread, time = time, last = time, block = block, offset = offset, pages = 1 }
	end
end
finish()
