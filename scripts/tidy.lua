-- SPDX-License-Identifier: GPL-2.0-or-later
-- Style rules that are tests (make tidy): reads the source tree, prints file:line: rule, exits 1 on any.
--
--	rooms      a room includes only itself and rooms before it (list below, as in the Makefile)
--	layout     lines of at most 100 columns (shell tests 140; of Lua luacheck judges), no white space at the end,
--	           no comment that clang-format has run together
--	functions  at most 70 lines
--	headers    guard named after the path; SPDX line first in every file
--	tables     a folder's README names each file of a room, and each scenario; what it names as one is there
--	words      no unfinished business in comments, no banned functions (the replacement is named)

local rooms = {}
for i, room in ipairs {
	"base", "engine", "memory", "explore", "notify", "kvm", "virtio", "datapath", "guest", "vhost",
	"vmm", "migration", "oracle", "record", "trace", "script", "cli",
} do
	rooms[room] = i
end

-- These stand alone: they are the contract with ring code, which is below them.
local stands_alone = { ["datapath/datapath.h"] = true, ["datapath/barrier.h"] = true, ["datapath/plugin.h"] = true }

local banned = {
	{ "%f[%w_]strcpy%s*%(", "strcpy: use snprintf" },
	{ "%f[%w_]strcat%s*%(", "strcat: use snprintf" },
	{ "%f[%w_]sprintf%s*%(", "sprintf: use snprintf" },
	{ "%f[%w_]gets%s*%(", "gets: use fgets" },
	{ "%f[%w_]strtok%s*%(", "strtok keeps global state: use strcspn" },
	{ "%f[%w_]rand%s*%(", "rand: use base/prng.h" },
	{ "%f[%w_]assert%s*%(", "assert: use must()" },
	{ "%f[%w_]setlocale%s*%(", "setlocale: nothing may depend on the locale" },
}

local unfinished = {
	{ "TO" .. "DO", "unfinished" },
	{ "FIX" .. "ME", "unfinished" },
}
for _, u in ipairs(unfinished) do
	banned[#banned + 1] = u
end

local failures = 0
local function fail(file, line, fmt, ...)
	failures = failures + 1
	io.stderr:write(("%s:%d: %s\n"):format(file, line, fmt:format(...)))
end

local function files(pattern)
	local list = {}
	local p = assert(io.popen("git ls-files --cached --others --exclude-standard " .. pattern ..
		" 2>/dev/null"))
	for f in p:lines() do
		list[#list + 1] = f
	end
	p:close()
	table.sort(list)
	return list
end

local function columns(text)
	local n = 0
	for _, c in utf8.codes(text, true) do
		n = c == 9 and n + 8 - n % 8 or n + 1
	end
	return n
end

local function check_include(file, number, line)
	local room = file:match("^sim/(%w+)/")
	local included = line:match('^%s*#%s*include%s+"([^"]+)"')
	if not room or not included or stands_alone[included] then
		return
	end
	local other = included:match("^(%w+)/")
	if not other or not rooms[other] then
		fail(file, number, "include by the path from sim/: %s", included)
	elseif rooms[other] > rooms[room] then
		fail(file, number, "%s/ may not include %s: the room is above it", room, included)
	end
end

local function check_layout(file, number, line)
	if not utf8.len(line) then
		fail(file, number, "not UTF-8")
	elseif columns(line) > (file:find("^tests/cli/") and 140 or 100) and not file:find("%.lua$") then
		fail(file, number, "%d columns, too many", columns(line))
	end
	if line:find("[ \t]$") then
		fail(file, number, "white space at the end")
	end
	for _, b in ipairs(file:find("^sim/.*%.[ch]$") and banned or unfinished) do
		if line:find(b[1]) then
			fail(file, number, "%s", b[2])
		end
	end
end

local function check_c(file)
	local number, start, comment = 0, nil, nil
	for line in io.lines(file) do
		number = number + 1
		if number == 1 and not line:find("SPDX-License-Identifier: GPL-2.0-or-later", 1, true) then
			fail(file, 1, "the first line is the SPDX line")
		end
		check_layout(file, number, line)
		check_include(file, number, line)
		if comment and line:find("^\t* %*%w") then
			fail(file, number, "a comment's line that the formatter has glued together")
		end
		comment = (comment or line:find("/%*")) and not line:find("%*/")
		if line == "{" then
			start = number
		elseif line:find("^}") and start then
			if number - start - 1 > 70 then
				fail(file, start, "a function of %d lines, at most 70", number - start - 1)
			end
			start = nil
		end
	end
end

local function check_guard(file)
	local path = file:match("^sim/(.+)%.h$")
	if not path or stands_alone[path .. ".h"] then
		return
	end
	local want = "RINGSIDE_" .. path:upper():gsub("[/%-]", "_") .. "_H"
	for line in io.lines(file) do
		if line:find("^#ifndef") then
			if line ~= "#ifndef " .. want then
				fail(file, 1, "guard should be %s", want)
			end
			return
		end
	end
	fail(file, 1, "no include guard")
end

for _, f in ipairs(files("'*.c' '*.h' '*.def'")) do
	check_c(f)
end
for _, f in ipairs(files("'sim/*.h'")) do
	check_guard(f)
end
for _, f in ipairs(files("'*.lua' '*.sh' 'Makefile' '*.gp' '*.sql'")) do
	local number = 0
	for line in io.lines(f) do
		number = number + 1
		if f ~= "scripts/tidy.lua" then
			check_layout(f, number, line)
		end
	end
end
for room in pairs(rooms) do
	if #files("'sim/" .. room .. "/*.c'") > 0 and #files("'sim/" .. room .. "/README.md'") == 0 then
		fail("sim/" .. room, 0, "a room explains itself: README.md is missing")
	end
end

-- What stands in backquotes in a folder's README, as patterns of files' names without their ends: `suspend`,
-- `qemu.{c,h}`, `ring_packed*`, `export_*.{c,h}`.
local function readme_names(folder)
	local patterns, literal = {}, {}
	local readme = io.open(folder .. "/README.md")
	if not readme then
		return patterns, literal
	end
	for quoted in readme:read("a"):gmatch("`([^`]+)`") do
		for word in quoted:gmatch("[^%s,]+") do
			literal[#literal + 1] = word
			local stem = word:gsub("%.[{%a][%a,}]*$", ""):gsub("{[^}]*$", "")
			patterns[#patterns + 1] = "^" .. stem:gsub("[^%w*]", "%%%0"):gsub("%*", ".*") .. "$"
		end
	end
	readme:close()
	return patterns, literal
end

-- Files that only their room's own files include, and what is printed for an API, go without.
local function check_named(folder, glob)
	local patterns, literal = readme_names(folder)
	for _, f in ipairs(files(("'%s/%s'"):format(folder, glob))) do
		local base = f:match("^" .. folder:gsub("%-", "%%-") .. "/([^/]+)%.%a+$")
		local named = not base or base:match("_impl$") or base:match("_api$")
		for _, pattern in ipairs(patterns) do
			named = named or base:match(pattern)
		end
		if not named then
			fail(f, 1, "%s/README.md does not name it", folder)
		end
	end
	for _, word in ipairs(literal) do
		if glob == "*.lua" and word:match("^[%w-]+%.lua$") and not io.open(folder .. "/" .. word) then
			fail(folder .. "/README.md", 1, "names %s, which is not there", word)
		end
	end
end

for room in pairs(rooms) do
	check_named("sim/" .. room, "*.[ch]")
end
local folders = {}
for _, f in ipairs(files("'scenarios/*/*.lua'")) do
	folders[f:match("^scenarios/[^/]+")] = true
end
for folder in pairs(folders) do
	check_named(folder, "*.lua")
end
if failures > 0 then
	io.stderr:write(failures, " places\n")
	os.exit(1)
end
