#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# --datapath linux: the kernel's own ring code under scenarios that were written without it.
. "$(dirname "$0")/lib.sh"

scenario pair.lua <<'END'
return {
	name = "pair",
	title = "three buffers",
	evidence = { "test" },
	params = { packed = { default = false, doc = "the other layout" } },
	variants = {
		holds = { expect = "ok", runs = 300 },
		packed = { expect = "ok", runs = 300, set = { packed = true } },
		fault = { expect = "lost-interrupt", faults = { "driver.enable.no_recheck" }, runs = 300 },
	},
	setup = function(p)
		raw { buffers = 3, features = p.packed and { "VIRTIO_F_RING_PACKED" } or {} }
	end,
}
END

"$RINGSIDE" run --db none --datapath linux pair.lua:holds >out.txt 2>&1
if grep -q 'not built in' out.txt; then
	echo "no kernel source: install linux-source-6.1, or set LINUX_SRC"
	exit 77
fi

status 0 "$RINGSIDE" --version
says "with the ring code of Linux "

# One run is the same twice, and not the native ring's.
digest() {
	"$RINGSIDE" run --db none "$@" | sed -n 's/^digest: //p'
}
[ "$(digest --datapath linux pair.lua:holds)" = "$(digest --datapath linux pair.lua:holds)" ] ||
	fail "two runs differ"
[ "$(digest --datapath linux pair.lua:holds)" != "$(digest pair.lua:holds)" ] ||
	fail "linux makes the same accesses as native"

for datapath in linux linux,native native,linux; do
	for variant in holds packed; do
		status 0 "$RINGSIDE" explore --db x.db --datapath "$datapath" pair.lua:$variant
	done
done
# Linux's code has no place for the fault.
status 1 "$RINGSIDE" explore --db none --out x.failure pair.lua:fault
status 0 "$RINGSIDE" explore --db none --datapath linux pair.lua:fault
[ "$(sqlite3 x.db 'SELECT count(DISTINCT datapath) FROM run')" = 3 ] ||
	fail "run.datapath: $(sqlite3 x.db 'SELECT group_concat(datapath) FROM run')"
finish
