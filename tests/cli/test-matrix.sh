#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The conformance matrix: cells, those that cannot be, what is recorded, TAP and JUnit.
. "$(dirname "$0")/lib.sh"

scenario pair.lua <<'END'
return {
	name = "pair",
	title = "three buffers",
	evidence = { "test" },
	matrix = true,
	variants = {
		holds = { expect = "ok", runs = 50 },
		no_recheck = { expect = "lost-interrupt", faults = { "driver.enable.no_recheck" }, runs = 4000 },
		stale = { expect = "ok", faults = { "driver.get.stale_used_event" }, runs = 50 },
	},
	setup = function()
		machine {}
		raw { buffers = 3, features = { "VIRTIO_RING_F_EVENT_IDX" } }
	end,
}
END
only="native,native"

# Every cell is there: 3 variants, 16 kinds of rings, and all pairs of ring code.
status 0 "$RINGSIDE" test --matrix --memory sc --db m.db pair.lua
says "  holds                  $only      sc          ++++++++ ++++++++"
says "  no_recheck             $only      sc          ++++++++ ++++++++"
says "  stale                  $only      sc          -+------ --------"
says "impossible: pair:stale holds with its faults, and says so of its own rings only"
says "impossible: fault driver.get.stale_used_event does nothing to rings of this kind"
cells=$(sed -n 's/^\([0-9]*\) impossible$/\1/p; s/^\([0-9]*\) passed, 0 failed, \([0-9]*\) skipped$/\1+\2/p' out | tr '\n' '+')
[ "$((${cells}0))" -eq $((3 * 16 * 4)) ] || fail "cells are missing: $cells"
grep -q "linux" out || fail "linux is passed over in silence"
[ "$(sqlite3 m.db "SELECT count(*) FROM run JOIN param ON run_id = id WHERE name = '--ring' AND
	value = 'packed,event_idx,indirect,in_order' AND datapath = 'native,native'")" = 2 ] ||
	fail "what cells were run with is not recorded"

# What a scenario sets itself, it keeps.
sed 's/matrix = true/matrix = { "ring", "event_idx" }/' pair.lua >own.lua
status 0 "$RINGSIDE" test --matrix --memory sc --db none own.lua
says "  holds                  $only      sc          -+-+-+-+ --------"
says "pair sets its own ring"
sed 's/matrix = true/matrix = { "rings" }/' pair.lua >wrong.lua
status 2 "$RINGSIDE" run --db none wrong.lua
complains "matrix"
complains "event_idx"

# In a folder only those that take part; one that names its ring code is about that.
mkdir some
sed 's/matrix = true/matrix = false/' pair.lua >some/out.lua
sed '/matrix = true/d' pair.lua >some/unsaid.lua
status 2 "$RINGSIDE" test --matrix --db none some
complains "matrix"
sed 's/machine {}/machine { datapath = "native,native" }/' pair.lua >some/in.lua
status 0 "$RINGSIDE" test --matrix --memory sc --db none some
says "pair names datapath native,native"
status 2 "$RINGSIDE" test
complains "PATH"

# A cell that should hold and does not: F, its command, status 1; and the command finds it.
cat >fails.lua <<'END'
return {
	name = "fails", title = "a driver that dislikes rings", evidence = { "test" }, matrix = true,
	variants = {
		holds = { expect = "ok", runs = 20 },
		fails = { expect = "state-lost", runs = 20, set = { always = true } },
	},
	params = { always = { default = false, doc = "whatever the rings are" } },
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk" }
		local core = dev:core { name = "vda" }
		vm:actor("task", function()
			core:start()
			local packed = false
			for _, f in ipairs(core:info().features) do
				packed = packed or f == "VIRTIO_F_RING_PACKED"
			end
			expect(not packed and not p.always, "state-lost", "vda", "packed, or always")
		end, { cpu = 0 })
	end,
}
END
status 1 "$RINGSIDE" test --matrix --memory sc --runs 5 --db none fails.lua
says "  holds                  $only      sc          ++++++++ FFFFFFFF"
command=$(sed -n 's/^ *ringside explore/explore/p' out | head -n 1)
# shellcheck disable=SC2086
status 1 "$RINGSIDE" $command --db none
says "verdict: state-lost"

# TAP counts every cell; JUnit is well-formed and has as many cases.
status 0 "$RINGSIDE" test --matrix --memory sc --tap --junit m.xml --db none pair.lua
says "1..192"
[ "$(grep -c '^ok ' out)" -eq 192 ] || fail "TAP has $(grep -c '^ok ' out) lines"
says "# SKIP impossible: "
[ "$(grep -c '<testcase' m.xml)" -eq 192 ] || fail "JUnit has $(grep -c '<testcase' m.xml) cases"
grep -q 'holds \[native,native packed,event_idx sc\]' m.xml || fail "JUnit does not name the cell"
finish
