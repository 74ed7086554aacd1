#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# COLO: which scenarios are explored to the end, the published figures, and what a script may not do.
. "$(dirname "$0")/lib.sh"
colo=$(cd "$here/../../scenarios/migration" && pwd)/colo

# All orders.
for variant in failover:primary failover:error failover:failover compare:tcp compare:wrap compare:udp; do
	status 0 "$RINGSIDE" explore --strategy states --db none "$colo-${variant%%:*}.lua:${variant##*:}"
	says ", complete"
done
for variant in failover:received_before_loading compare:newest_first compare:flush_takes_new; do
	status 1 "$RINGSIDE" explore --strategy states --db none "$colo-${variant%%:*}.lua:${variant##*:}"
done

# Figures stay where scenarios/migration/colo-multifd.lua says they are: mean and 99 %, in us.
figures() {
	status 0 "$RINGSIDE" run --db none "$colo-multifd.lua:$1"
	got=$(sed -n 's/^metric: checkpoint_ram_[mp][a-z0-9]*_ns \([0-9]*\)... ns$/\1/p' out | tr '\n' ' ')
	[ "$got" = "$2 $3 " ] || fail "$1: $got, not $2 $3"
}
figures idle 4514 10209
figures load 24361 74926
figures idle_multifd 6485 8684
figures load_multifd 14147 33667

# A phase each, in one table.
status 0 "$RINGSIDE" compare --db none --over ahead=0,10 "$colo-ahead.lua:none"
for phase in request stop save ram state load stopped; do
	says "checkpoint_${phase}_p99_ns"
done

# A packet that nobody answers to: compare_timeout, a scan, and what a checkpoint takes.
status 0 "$RINGSIDE" run --db none "$colo-timeout.lua:primary"
says "metric: packet_held_most_ns 4002700024 ns"

# bad TEXT LINES: a script that says LINES in an actor is refused with TEXT.
bad() {
	cat >bad.lua <<END
return {
	name = "bad", title = "what COLO refuses", evidence = { "none" },
	variants = {
		fails = { expect = "hang", runs = 1 },
		holds = { expect = "ok", runs = 1 },
	},
	setup = function()
		local vm = source_vm { pages = 2 }
		local c = colo { vm = vm, disk_sectors = 4 }
		local plain = $2
		actor("script", function()
			$3
		end)
	end,
}
END
	status 2 "$RINGSIDE" run --db none bad.lua:holds
	complains "bad.lua:"
	complains "$1"
}
bad "failover: the primary lives" c "plain:failover()"
bad "failover: the secondary lives" c "plain:failover('primary')"
bad "the primary is dead, too" c "c:primary_dies() c:secondary_dies() plain:failover('primary')"
bad "the secondary is dead, too" c "c:primary_dies() c:secondary_dies() plain:failover()"
bad "was not opened with tcp_open()" c "plain:tcp_send('primary', 1, 'x')"
bad "connection 1 is in use" c "c:tcp_open(1, {}) plain:tcp_open(1, {})"
bad "connection 2 is udp" c "c:send('primary', 'udp', 2, 'x') plain:send('primary', 'icmp', 2, 'x')"
bad "a packet has at most 64 bytes" c "plain:send('primary', 'udp', 2, string.rep('x', 65))"
bad "a connection has room for 65536 bytes" c \
	"c:tcp_open(1, {}) plain:tcp_send('primary', 1, string.rep('x', 65537))"
bad "argument 3 must be from 0 to 3, not 4" c "plain:disk_write('primary', 4)"
bad "invalid option 'third'" c "plain:step('third', 0)"
bad "was made without disk_sectors" "colo { vm = source_vm { pages = 1 } }" "plain:disk_write('primary', 0)"
bad "loaders" "colo { vm = source_vm { pages = 1 }, loaders = 17 }" "point()"
finish
