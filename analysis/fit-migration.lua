-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- From a recorded migration to what a scenario needs to predict others of the same guest on the same host: a table of
-- Lua, which scenarios/migration/predict-tcg-*.lua have in them.
--
--	lua5.4 analysis/fit-migration.lua traces/qemu-migrate-tcg-linux.src.log [NAME]
--
-- The recording is QEMU's trace of the source with time stamps: migrat* ram_save_page savevm_state_*, and the comments
-- of scripts/record-qemu.sh if it has any (how much the guest rewrites, and how fast it was before).  Nothing else is
-- read.
--
--	content, file, others	{ first page, pages }: what is not zeros; what the guest rewrites; what else it dirties
--	zero_ns			a page of zeros: looked at, sent as nine bytes, looked at on the destination
--	again_ns		a page of content that the destination has had before
--	first_ns		what it takes more if it has not, and must be allocated there
--	rewrite_s		pages a second: as the guest said, else at least that

local PAGE = 4096
local GAP = 400 -- pages without content that do not end a range
local RANGE = 64 -- pages of a range that is taken for a part of the file

local records, said = {}, {}
local path = assert(arg[1], "which recording?")
for line in io.lines(path) do
	local time, event, rest = line:match("^%d+@(%d+%.%d+):(%S+) ?(.*)")

	if time then
		table.insert(records, { us = tonumber(time) % 100000 * 1e6, event = event, rest = rest })
	end
	said.idle = said.idle or line:find("^# .*guest idle")
	said.mib = said.mib or tonumber(line:match("^# .*rewrites (%d+) of %d+ MiB"))

	local times, from, to = line:match("^# before: ringside%-rewritten (%d+) times, uptime ([%d.]+) to ([%d.]+) s")
	if times then
		said.seconds = (tonumber(to) - tonumber(from)) / tonumber(times)
	end
end

-- Rounds, each from the end of one sync on, with the pages that it sent; iterations, each with what it took.
local rounds, iterations, seen = {}, {}, {}
local total, now, setup_us, active_us, sync_us, completed_us, stopped
for _, r in ipairs(records) do
	local round = rounds[#rounds]

	if r.event == "migrate_set_state" then
		setup_us = r.rest:find("setup") and r.us or setup_us
		active_us = r.rest:find("active") and r.us or active_us
		completed_us = r.rest:find("completed") and r.us or completed_us
	elseif r.event == "migration_bitmap_sync_start" then
		sync_us = r.us
	elseif r.event == "migration_bitmap_sync_end" then
		table.insert(rounds, { us = r.us, took = r.us - sync_us, dirty = tonumber(r.rest:match("(%d+)$")), sent = {} })
	elseif r.event == "ram_save_page" or r.event == "ram_save_pages" then
		local block, offset = r.rest:match("^(%S+): offset: 0x(%x+)")
		local pages, us = r.rest:match("pages: (%d+) us: (%d+)")

		pages, us = tonumber(pages) or 1, tonumber(us) or 0
		for i = 0, pages - 1 do
			local page = tonumber(offset, 16) // PAGE + i
			local key = block .. page

			table.insert(round.sent, { us = r.us + us * i / math.max(pages - 1, 1), page = page,
						   ram = block == "pc.ram", first = not seen[key] })
			if now then
				now.first = now.first + (seen[key] and 0 or 1)
				now.again = now.again + (seen[key] and 1 or 0)
			end
			seen[key] = true
		end
	elseif r.event == "migrate_pending" then
		local left = tonumber(r.rest:match("size (%d+)")) // PAGE
		local last = iterations[#iterations]

		total = total or left
		if last and last.round == #rounds then
			last.zeros = last.left - left - last.first - last.again
		end
		now = { round = #rounds, left = left, first = 0, again = 0, zeros = 0, us = r.us }
	elseif now and (r.event == "migration_rate_limit_pre" or r.event == "ram_save_iterate_big_wait") then
		now.us = r.us - now.us
		table.insert(iterations, now)
		now = nil
	elseif r.event == "savevm_state_complete_precopy" then
		stopped, now = #rounds + 1, nil
	end
end
assert(#rounds >= 3 and stopped == #rounds and #rounds[stopped].sent > 1, "not a whole precopy of three syncs or more")

local function ranges_of(pages)
	local ranges, last = {}, nil

	table.sort(pages)
	for _, page in ipairs(pages) do
		if not last or page > last + GAP then
			table.insert(ranges, { page, 0 })
		end
		if page ~= last then
			ranges[#ranges][2] = ranges[#ranges][2] + 1
		end
		last = page
	end
	return ranges
end

local function integer(x)
	return string.format("%.0f", x)
end

-- Content is what was sent once at least; what was sent again had been dirtied.  The file is where most of that is.
local content, dirtied, last_again, twice, sent_first = {}, {}, {}, 0, nil
for _, p in ipairs(rounds[stopped].sent) do
	last_again[p.page] = p.ram and not p.first
end
for number, round in ipairs(rounds) do
	for _, p in ipairs(round.sent) do
		if p.ram and p.first then
			table.insert(content, p.page)
		elseif p.ram then
			table.insert(dirtied, p.page)
			if number == 2 and last_again[p.page] then
				sent_first = sent_first or p.us
				twice = twice + 1
			end
		end
	end
end
local hot = ranges_of(dirtied)
table.sort(hot, function(a, b) return a[2] > b[2] end)
local file, others, left = {}, {}, (said.mib or 16) * 256
for _, range in ipairs(hot) do
	if left > 0 and range[2] >= RANGE then
		local pages = math.min(range[2], left)

		table.insert(file, { range[1], pages })
		left = left - pages
		range = { range[1] + pages, range[2] - pages }
	end
	if range[2] > 0 then
		table.insert(others, range)
	end
end

-- A page that is sent again, from the last pass: there it is most of them.
local passed, first = rounds[stopped].sent, 0
for _, p in ipairs(passed) do
	first = first + (p.first and 1 or 0)
end
local again_us = (passed[#passed].us - passed[1].us) / (#passed - 1)

-- The others from the first round's iterations.  Least squares, weighted by what the fit itself says of each: then the
-- fitted times add up to the recorded ones.
local first_us, zero_us = 20, 2
for _ = 1, 100 do
	local cc, cz, zz, ct, zt = 0, 0, 0, 0, 0

	for _, p in ipairs(iterations) do
		if p.round == 1 then
			local weight = 1 / math.max(first_us * p.first + zero_us * p.zeros, 1)

			cc, cz, zz = cc + weight * p.first ^ 2, cz + weight * p.first * p.zeros, zz + weight * p.zeros ^ 2
			ct, zt = ct + weight * p.us * p.first, zt + weight * p.us * p.zeros
		end
	end
	first_us, zero_us = (ct * zz - cz * zt) / (cc * zz - cz * cz), (cc * zt - ct * cz) / (cc * zz - cz * cz)
end
if first > #passed // 10 then -- they are not: what the first ones took more is taken off
	again_us = (again_us * #passed - first_us * first) / (#passed - first)
end

-- If the guest did not say: as many as the second round sent were dirty once more at the end of it.
local rewrite
if said.seconds then
	rewrite = said.mib * 256 / said.seconds
elseif not said.idle then
	assert(twice > 0, "nothing says how fast the guest writes")
	rewrite = twice / (rounds[3].us - sent_first) * 1e6
end
-- A sync, but for the first, in which the log was switched on.
local syncs = 0
for number, r in ipairs(rounds) do
	syncs = syncs + (number > 1 and r.took / (#rounds - 1) or 0)
end

local function print_ranges(name, ranges)
	table.sort(ranges, function(a, b) return a[1] < b[1] end)
	print("\t" .. name .. " = {")
	for _, range in ipairs(ranges) do
		print(string.format("\t\t{ %d, %d },", range[1], range[2]))
	end
	print("\t},")
end

print("local " .. (arg[2] or "CALIBRATION") .. " = {")
print("\tpages = " .. total .. ",")
print_ranges("content", ranges_of(content))
if not said.idle then
	print_ranges("file", file)
	print_ranges("others", others)
end
print("\tzero_ns = " .. integer(1000 * zero_us) .. ",")
if said.idle then -- hardly anything is sent again
	print("\tcontent_ns = " .. integer(1000 * first_us) .. ",")
else
	print("\tagain_ns = " .. integer(1000 * again_us) .. ",")
	print("\tfirst_ns = " .. integer(1000 * (first_us - again_us)) .. ",")
	print("\trewrite_s = " .. integer(rewrite) .. ",")
end
print("\tsetup_ns = " .. integer(1000 * (active_us - setup_us - syncs)) .. ",")
print("\tsync_ns = " .. integer(1000 * syncs) .. ",")
print("\tdevice_state_ns = " .. integer(1000 * (completed_us - passed[#passed].us)) .. ",")
print("}")
