#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# --datapath: names, what is recorded, what a replay uses.
. "$(dirname "$0")/lib.sh"

scenario pair.lua <<'END'
return {
	name = "pair",
	title = "two buffers",
	evidence = { "test" },
	variants = {
		holds = { expect = "ok", runs = 50 },
		fails = { expect = "lost-interrupt", faults = { "driver.enable.no_recheck" }, runs = 2000 },
	},
	setup = function()
		machine { datapath = "native,native" }
		raw { buffers = 2 }
	end,
}
END

for name in nativ "" native, ,native native,native,native ./no-such.so; do
	status 2 "$RINGSIDE" run --db none --datapath "$name" pair.lua:holds
	complains "--datapath"
done
sed 's/native,native/nativ/' pair.lua >wrong.lua
status 2 "$RINGSIDE" run --db none wrong.lua:holds
complains "datapath nativ: there are native, linux"

# QEMU's shadow virtqueue is a driver, and no device; all its orders with a device under tso.
status 2 "$RINGSIDE" run --db none --datapath native,svq pair.lua:holds
complains "svq has no device side"
sed 's/native,native/svq,native/' pair.lua >svq.lua
status 0 "$RINGSIDE" explore --db none --memory tso --strategy states --time 60s svq.lua:holds
says "complete"

# What the scenario says is recorded; the command line overrides it; a replay is with the same.
status 0 "$RINGSIDE" run --db x.db pair.lua:holds
status 0 "$RINGSIDE" run --db x.db --datapath native pair.lua:holds
status 1 "$RINGSIDE" explore --db x.db --out x.failure pair.lua:fails
status 1 "$RINGSIDE" replay --db x.db x.failure
[ "$(sqlite3 x.db 'SELECT group_concat(datapath, " ") FROM run')" = "native,native native native,native native,native" ] ||
	fail "run.datapath: $(sqlite3 x.db 'SELECT group_concat(datapath, " ") FROM run')"
grep -q '^datapath: native,native$' x.failure || fail "the failure file does not say the datapath"
sed 's/^datapath: .*/datapath: .\/gone.so/' x.failure >gone.failure
status 2 "$RINGSIDE" replay --db none gone.failure
complains "./gone.so"

# --ring: another kind of ring than the scenario's, kept in the failure and recorded.
for words in "" split,packed event_idx packed,x; do
	status 2 "$RINGSIDE" run --db none --ring "$words" pair.lua:holds
	complains "--ring"
done
status 1 "$RINGSIDE" explore --db y.db --out y.failure --ring packed,event_idx pair.lua:fails
grep -q '^ring: packed,event_idx$' y.failure || fail "the failure file does not say the ring"
status 1 "$RINGSIDE" replay --db y.db --quiet y.failure
[ "$(sqlite3 y.db "SELECT group_concat(value, ' ') FROM param WHERE name = '--ring'")" = \
	"packed,event_idx packed,event_idx" ] || fail "the ring is not recorded"
sed '/^ring: /d' y.failure >z.failure
status 3 "$RINGSIDE" replay --db none z.failure
finish
