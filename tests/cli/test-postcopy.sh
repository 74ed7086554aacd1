#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Postcopy and background snapshots: all orders of the small scenarios, what a page costs, and what is refused.
. "$(dirname "$0")/lib.sh"
migration=$(cd "$here/../../scenarios/migration" && pwd)

# All orders.
for variant in postcopy-huge:rounded postcopy-preempt:waits background-snapshot:started_by_loop \
	background-snapshot:protected background-snapshot:populated; do
	status 0 "$RINGSIDE" explore --strategy states --db none "$migration/${variant%%:*}.lua:${variant##*:}"
	says ", complete"
done

# What a page takes on average, in us: scenarios/migration/postcopy-latency.lua says where these come from.  A build with
# small limits (CONFIG=hostile) cannot keep so many choices, and says so.
page() {
	"$RINGSIDE" run --db none "$migration/postcopy-latency.lua:$1" >out 2>err
	got=$?
	grep -q "choices, of which only 65536 are kept" err && return
	[ "$got" -eq 0 ] || { fail "exit $got: $1"; cat err; return; }
	requests=$(sed -n 's/^metric: postcopy_faults \([0-9]*\) .*/\1/p' out)
	time=$(sed -n 's/^metric: postcopy_blocktime_ns \([0-9]*\) .*/\1/p' out)
	got=$((time / requests / 1000))
	[ "$got" = "$2" ] || fail "$1: $got us, not $2"
}
page one_channel 10544
page preempt 614
page preempt_7_1 1314
page hint 463
page huge 15070
page huge_preempt 6724

# The half that explains a hang over two halves.
status 1 "$RINGSIDE" explore --seed 1 --db none "$migration/postcopy-huge.lua:no_overlap_check"
says "comes by the main channel, 1 of 2"

# bad TEXT LINES: a script that says LINES is refused with TEXT.
bad() {
	cat >bad.lua <<END
return {
	name = "bad", title = "what is refused", evidence = { "none" },
	variants = {
		fails = { expect = "hang", runs = 1 },
		holds = { expect = "ok", runs = 1 },
	},
	setup = function()
		local vm = source_vm { pages = 4, host_pages = 2 }
		local to = vm:destination()
		$2
	end,
}
END
	status 2 "$RINGSIDE" run --db none bad.lua:holds
	complains "bad.lua:"
	complains "$1"
}
bad "host_pages: the block's pages must be a multiple of it" "source_vm { pages = 4, host_pages = 3 }"
bad "host_pages: the block's pages must be a multiple of it" \
	"source_vm { blocks = { { name = 'a', pages = 7, host_pages = 2 } } }"
bad "not with multifd_channels" "migrate { vm = vm, destination = to, multifd_channels = 2 }:postcopy_ram()"
bad "preempt_as" "migrate { vm = vm, destination = to }:postcopy_ram { preempt_as = '7.0' }"
bad "call postcopy_ram() first" "migrate { vm = vm, destination = to }:pause()"
bad "from 1 to 1, not 2" \
	"local m = migrate { vm = vm, destination = to } m:postcopy_ram() m:resize_block(2, 1)"
bad "must be from 0 to 3, not 4" "migrate { vm = vm, destination = to }:postcopy_ram { load_page = 4 }"
bad "Background-snapshot is not compatible with multifd" \
	"background_snapshot { vm = vm, file = to, capabilities = { 'events', 'multifd' } }"
bad "not compatible with guest memory configuration" \
	"background_snapshot { vm = vm, file = to, memory = 'hugetlbfs', linux = '5.18' }"
bad "not supported by host kernel" "background_snapshot { vm = vm, file = to, linux = '5.6' }"
bad "linux: 'five' is no version" "background_snapshot { vm = vm, file = to, linux = 'five' }"
bad "capabilities: must be a list of words" "background_snapshot { vm = vm, file = to, capabilities = { 1 } }"
bad "capabilities: must be a list" "background_snapshot { vm = vm, file = to, capabilities = 'multifd' }"
finish
