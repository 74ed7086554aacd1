#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `shell`: picks, looks, acts and takes back, from a pipe; the same run as any other.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
kick=$root/scenarios/kick/smallest.lua
hung=$root/scenarios/debug/hung-doorbell.lua

# shell STATUS WORLD [option…]: commands from standard input.
shell() {
	want=$1
	shift
	status "$want" "$RINGSIDE" shell "$@"
}

# Untouched, it is the plain run.
"$RINGSIDE" run --db none "$kick:lost_kick" >plain
shell 0 "$kick:lost_kick" <<END
choices
run
schedule
END
says "*  0  driver"
says "   1  device"
says "vq0.avail.idx = 1"
says "verdict: ok"
grep -q "^schedule: rs1:-:" out || fail "the plain run is not all zeros"
digest=$(sed -n 's/^digest: //p' plain)
grep -q "^schedule: .*:$digest\$" out || fail "not the digest of the plain run: $digest"

# Picking, looking, taking back: the words of the ring go back, too.
shell 0 "$kick:lost_kick" <<END
run step 7
words vq0.avail.idx
1
choices
back 3
words vq0.avail.idx
restart
words vq0.desc[[]0].len
END
says "vq0.avail.idx = 1"
says "vq0.avail.idx = 0"
says "vq0.desc[0].len = 0"
says "back: 3, step 5"

# A failure's schedule is followed; what it comes to can be saved, and replays.
status 1 "$RINGSIDE" explore --quiet --db f.db --out f.failure --memory tso "$kick:lost_kick"
shell 1 f.failure <<END
run event store
run
schedule
save again.failure
END
says "verdict: lost-kick: "
says "blocked: driver waits for call"
grep -q "^schedule: $(sed -n 's/^schedule: \(rs1:[^:]*\):.*/\1/p' f.failure):" out ||
	fail "another schedule than the failure's"
status 1 "$RINGSIDE" replay --db none again.failure
shell 1 "f.db#latest" <<END
run
END
# Left at the first question, it is another run.
shell 0 f.failure <<END
0
restart
back
0
step 1000000
END
says "back: 0"

# Stores in buffers: their flush is somebody who can go on.
shell 0 "$kick:lost_kick" --memory tso <<END
run event store
choices
END
says "flush of driver: stores vq0.desc[0].addr"

# Outcomes within a step are done again with the step.
scenario draws.lua <<'END'
return {
	name = "draws", title = "asks for outcomes", evidence = { "none" },
	params = { n = { default = 3, min = 1, max = 9, doc = "how often" } },
	variants = { fails = { expect = "state-lost", runs = 99 }, holds = { expect = "ok", runs = 1, set = { n = 1 } } },
	setup = function(p)
		for _, name in ipairs { "a", "b" } do
			actor(name, function()
				for _ = 1, p.n do
					note("draws " .. choice(3))
					sleep(1)
				end
			end)
		end
	end,
}
END
shell 0 draws.lua:holds <<END
1
back
0
run
END
says "draws 1"
says "verdict: ok"

# Acts: what is lost can be brought back by hand, and that can be taken back.
status 1 "$RINGSIDE" explore --quiet --db none --out h.failure "$hung"
shell 0 h.failure <<END
run
kick blk0.vq0
run
END
says "blocked: task waits for"
says "kick on purpose, eventfd"
says "nobody is blocked"
shell 1 h.failure <<END
run
kick blk0.vq0
back
END
says "verdict: lost-kick"
shell 0 h.failure <<END
run
notifiers
queues
write 1
run
lua 6 * 7
END
says "notifier: id=1 blk0.kick0 role=host"
says "queue: name=blk0 queue_index=0"
says "writes blk0.kick0, count 1"
says "42"
shell 2 h.failure <<END
run
lua error("no")
END
says "error: shell:1: no"

# A script of commands ends at the first that fails, and says which.
shell 2 "$kick" <<END
# a comment

step
frobnicate
step
END
complains "line 4: frobnicate: no such command"
for bad in "pick 9" "9" "step x" "run to 5" "back x" "kick" "queues" "actors now" "schedule x" "save" "lua x y z" \
	"words nothing" "write 1" "events x" "s"; do
	echo "$bad" >in
	shell 2 "$kick" <in
done
printf 'run\nstep\n' >in
shell 2 "$kick" <in
complains "the run has ended"
for bad in "kick blk1.vq0" "kick blk0.vq7" "kick blk0" "kick blk0.vq0 loud" "write 99" "write x"; do
	echo "$bad" >in
	shell 2 "$hung" <in
done
printf 'run\nlua 1\nschedule\n' >in
shell 2 "$hung" <in
complains "by hand"
head -c 100000 /dev/zero | tr '\0' 'x' >in
shell 2 "$kick" <in
status 2 "$RINGSIDE" shell nothing.lua </dev/null
status 2 "$RINGSIDE" shell </dev/null
shell 0 "$kick" </dev/null
finish
