-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a scenario that predicts a migration needs to know of a recorded one (scenarios/migration/predict-tcg-linux.lua)
--
--	lua5.4 analysis/fit-migration.lua traces/qemu-migrate-tcg-linux.src.log
--
-- The recording is QEMU's trace of the source with time stamps: migrat* ram_save_page savevm_state_*.

local PAGE = 4096
local GAP = 400 -- pages without content that do not end a range

local records = {}
local path = assert(arg[1], "which recording?")
for line in io.lines(path) do
	local time, event, rest = line:match("^%d+@(%d+%.%d+):(%S+) ?(.*)")

	if time then
		table.insert(records, { us = tonumber(time) % 100000 * 1e6, event = event, rest = rest })
	end
end

-- Rounds, each from the end of one sync on, with the pages that it sent; passes of ram_save_iterate() in the first.
local rounds, passes, total, stopped = {}, {}, nil, nil
local pass, slept
for _, r in ipairs(records) do
	local round = rounds[#rounds]

	if r.event == "migration_bitmap_sync_end" then
		table.insert(rounds, { us = r.us, dirty = tonumber(r.rest:match("(%d+)$")), sent = {} })
	elseif r.event == "ram_save_page" then
		local block, offset = r.rest:match("^(%S+): offset: 0x(%x+)")

		table.insert(round.sent, { us = r.us, ram = block == "pc.ram", page = tonumber(offset, 16) // PAGE })
	elseif r.event == "migration_rate_limit_pre" then
		slept = r.us
	elseif r.event == "migration_rate_limit_post" and pass then
		pass.slept = pass.slept + r.us - slept
	elseif r.event == "migration_bitmap_sync_start" and #rounds == 1 or r.event == "migrate_pending" and #rounds == 1 then
		local left = r.event == "migrate_pending" and tonumber(r.rest:match("size (%d+)")) // PAGE

		total = total or left
		if pass then
			local content = #round.sent - pass.sent

			table.insert(passes, { us = r.us - pass.us - pass.slept, content = content,
					       zeros = left and pass.left - left - content or 0 })
		end
		pass = { us = r.us, left = left, sent = #round.sent, slept = 0 }
	elseif r.event == "savevm_state_complete_precopy" then
		stopped = #rounds + 1
	end
end
assert(#rounds >= 3 and stopped == #rounds and #rounds[stopped].sent > 1, "not a whole precopy of three syncs or more")

local function print_ranges(what, pages)
	local from, last, count

	table.sort(pages)
	for _, page in ipairs(pages) do
		if last and page <= last + GAP then
			count = page == last and count or count + 1
		else
			if last then
				print(string.format("%s\t%d\t%d", what, from, count))
			end
			from, count = page, 1
		end
		last = page
	end
	print(string.format("%s\t%d\t%d", what, from, count))
end

-- The first walk over memory, which goes on after the second sync until it comes to the end of RAM.
local content, end_of_walk = {}, rounds[1].sent[#rounds[1].sent].page
for _, p in ipairs(rounds[1].sent) do
	table.insert(content, p.page)
end
for _, p in ipairs(rounds[2].sent) do
	if p.ram and p.page > end_of_walk then
		table.insert(content, p.page)
	end
end
print("pages\t" .. total)
print_ranges("content", content)

-- Least squares, weighted by what the fit itself says of each pass: then the fitted times add up to the recorded ones.
local page_us, zero_us = 20, 2
for _ = 1, 100 do
	local cc, cz, zz, ct, zt = 0, 0, 0, 0, 0

	for _, p in ipairs(passes) do
		local weight = 1 / math.max(page_us * p.content + zero_us * p.zeros, 1)

		cc, cz, zz = cc + weight * p.content ^ 2, cz + weight * p.content * p.zeros, zz + weight * p.zeros ^ 2
		ct, zt = ct + weight * p.us * p.content, zt + weight * p.us * p.zeros
	end
	page_us, zero_us = (ct * zz - cz * zt) / (cc * zz - cz * cz), (cc * zt - ct * cz) / (cc * zz - cz * cz)
end
local last = rounds[stopped].sent
local stopped_us = (last[#last].us - last[1].us) / (#last - 1)
print(string.format("content_us\t%.1f\nzero_us\t%.1f\nstopped_us\t%.1f", page_us, zero_us, stopped_us))
print(string.format("thread_percent\t%.0f", 100 * stopped_us / page_us))

-- What was dirtied; of that what the second round sent, and the last pass again: how soon was it dirty once more?
local again, sent_last, hot = {}, nil, {}
for _, p in ipairs(last) do
	again[p.page] = p.ram
	table.insert(hot, p.page)
end
for _, p in ipairs(rounds[2].sent) do
	sent_last = again[p.page] and p.us or sent_last
end
print("dirtied\t" .. rounds[2].dirty)
print_ranges("hot", hot)
if sent_last then
	print(string.format("dirtied_a_second_at_least\t%.0f", rounds[2].dirty / (rounds[3].us - sent_last) * 1e6))
end
