-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Predicted migrations beside the recorded ones, figure by figure:
--
--	lua5.4 analysis/predictions.lua limits|hints [-m] [RINGSIDE]
--
-- Each recording of traces/migrate-WHAT is run, and its figures stand beside those of the scenario with the recording's
-- parameters, which are in its name; `limits` has eight phases of the guest, so a range is predicted.  What is printed,
-- separated by tabs: recording, figure, predicted from, to, recorded, by how many percent that is outside of what was
-- predicted, and from what to what the repetitions went that were not kept (traces/migrate-WHAT/all.tsv).  With -m, a
-- table of Markdown.

local what = arg[1]
local markdown = arg[2] == "-m"
local ringside = arg[markdown and 3 or 2] or "./ringside"
local root = arg[0]:match("^(.*)/analysis/") or "."

-- The parameters of scenario and `compare` for a recording's name; nil: not one.
local kind = ({
	limits = function(name)
		local rewrite, pause, bandwidth, downtime = name:match("^(%d+)mib(%-?%a*)%-(%d+)m%-(%d+)ms$")

		return rewrite and string.format("predict-tcg-limits.lua:as_calibrated --over phase --set rewrite_mib=%s " ..
			"--set pause_ms=%d --set bandwidth_mib_s=%s --set downtime_ms=%s --set cancel_ms=8000", rewrite,
			pause == "" and 0 or 200, bandwidth, downtime)
	end,
	hints = function(name)
		local mib, load, hint = name:match("^(%d+)%-(%a+)%-(%a+)$")

		return mib and string.format("predict-hinting-tcg.lua:calibrated --over hint=%s --set mib=%s --set load=%s",
					     hint == "on", mib, load)
	end,
})[what]
if not kind then
	io.stderr:write("usage: predictions.lua limits|hints [-m] [RINGSIDE]\n")
	os.exit(2)
end

local folder = root .. "/traces/migrate-" .. what .. "/"
local FIGURES = {
	{ "bitmap_syncs", "rounds", "syncs", 1 },
	{ "total_time_ns", "total time, ms", "total_ms", 1e6 },
	{ "downtime_ns", "downtime, ms", "downtime_ms", 1e6 },
	{ "pages_sent", "pages sent", "normal_pages", 1 },
}

-- all[name][column] = { least, most }
local all, columns = {}, nil
for line in io.lines(folder .. "all.tsv") do
	local field = {}

	for value in line:gmatch("[^\t]+") do
		table.insert(field, value)
	end
	if not columns then
		columns = field
	else
		local of = all[field[1]] or {}

		all[field[1]] = of
		of.names = (of.names or 0) + 1
		of.ended = (of.ended or 0) + (field[3] == "completed" and 1 or 0)
		for i = 4, #field do
			local value, range = tonumber(field[i]), of[columns[i]] or { math.huge, -math.huge }

			of[columns[i]] = { math.min(range[1], value), math.max(range[2], value) }
		end
	end
end

local names = {}
for name in pairs(all) do
	table.insert(names, name)
end
table.sort(names, function(a, b)
	local x, y = tonumber(a:match("^%d+")), tonumber(b:match("^%d+"))

	return x < y or x == y and a < b
end)

local function text(low, high, unit)
	low, high = math.floor(low / unit + 0.5), math.floor(high / unit + 0.5)
	return low == high and tostring(low) or low .. "–" .. high
end

if markdown then
	print("| recording | " .. "rounds | total time, ms | downtime, ms | pages sent |\n|---|---|---|---|---|")
end
for _, name in ipairs(names) do
	local command = string.format("%s compare %s/scenarios/migration/%s --beside %s%s.log --db none 2>&1", ringside, root,
				      assert(kind(name), name), folder, name)
	local pipe = assert(io.popen(command))
	local figure, cells = {}, {}

	for line in pipe:lines() do
		local row = {}

		for word in line:gmatch("%S+") do
			table.insert(row, word)
		end
		figure[row[1] or ""] = row
	end
	pipe:close()
	assert(figure.verdict, command)
	-- The scenario says 1 where it ended; what was recorded stands behind, and has no such figure.
	local total = figure.total_time_ns
	local endless = figure.completed and not table.concat(figure.completed, " ", 2):find("1") and
		total and (tonumber(total[#total]) or 0) > 0

	for _, f in ipairs(FIGURES) do
		local row, low, high = figure[f[1]], math.huge, -math.huge
		local first = row and row[2]:find("^%(") and 3 or 2
		local recorded = row and tonumber(row[#row])

		for i = first, row and #row - 1 or 0 do
			low, high = math.min(low, tonumber(row[i])), math.max(high, tonumber(row[i]))
		end
		local again = all[name][f[3]]
		if recorded and recorded > 0 then
			local off = recorded < low and recorded - low or recorded > high and recorded - high or 0

			off = 100 * off / (off < 0 and low or high)
			if not markdown then
				print(string.format("%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%g\t%g", name, f[1], low, high, recorded, off,
						    again[1], again[2]))
			end
			local how_far = off == 0 and "" or f[1] == "downtime_ns" and
				string.format(" **%+.0f ms**", (recorded - (off < 0 and low or high)) / 1e6) or
				string.format(" **%+.0f %%**", off)

			table.insert(cells, string.format("%s / %s (%s)%s", endless and "no end" or text(low, high, f[4]),
							  text(recorded, recorded, f[4]), text(again[1], again[2], 1),
							  endless and "" or how_far))
		else
			table.insert(cells, "no end / no end")
		end
	end
	if markdown then
		print("| " .. name .. " | " .. table.concat(cells, " | ") .. " |")
	end
end
