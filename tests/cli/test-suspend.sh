#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Designs of suspending a device, side by side: figures, and the rules that each breaks.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
suspend="$root/scenarios/suspend"

# cell ROW COLUMN: of the table in out; columns are counted from 1, without the row's name.
cell() {
	sed -n "s/^$1  *//p" out | awk -v c="$2" '{ print $c }'
}

status 1 "$RINGSIDE" compare --over design --set queues=64 --db none "$suspend/scale.lua:register"
grep -q '^design  *v1.4  *zhu-2023  *stevens-2024  *pci-pm  *admin-stop  *vdpa-suspend  *pci-pm-reset  *reset$' out ||
	fail "designs: $(head -n 1 out)"
[ "$(cell verdict 1) $(cell verdict 4)" = "ok lost-interrupt" ] || fail "verdicts: $(cat out)"
# The owner's command takes no exit of the guest, setting up again many for each queue.
[ "$(cell exits 5)" -eq 0 ] || fail "exits of a command: $(cell exits 5)"
[ "$(cell exits 1)" -lt 20 ] || fail "exits of a status bit: $(cell exits 1)"
[ "$(cell exits 8)" -gt $((64 * 15)) ] || fail "exits of a reset: $(cell exits 8)"
# Notifications: sent before by 1.4, kept by 2024, lost in D3hot.
[ "$(cell interrupts 1) $(cell kept 1) $(cell lost 1)" = "2 0 0" ] || fail "notifications of 1.4: $(cat out)"
[ "$(cell kept 3) $(cell lost 3)" = "2 0" ] || fail "notifications of 2024: $(cat out)"
[ "$(cell kept 4) $(cell lost 4)" = "0 2" ] || fail "notifications in D3hot: $(cat out)"
# 72 bytes a queue, and what is there once.
[ "$(cell 'parts (bytes)' 5)" -eq $((64 * 72 + 101)) ] || fail "parts: $(cell 'parts (bytes)' 5)"
# Rules that are counted: v1.4 breaks none, 2024 touches queues.
[ "$(cell 'VIRTIO-3.4.2-D4 (broken)' 1)" = - ] || fail "1.4 touches a queue: $(cat out)"
[ "$(cell 'VIRTIO-3.4.2-D4 (broken)' 3)" -gt 0 ] || fail "2024 touches none: $(cat out)"

# run says the same of one design.
status 0 "$RINGSIDE" run --set design=stevens-2024 --db none "$suspend/scale.lua:register"
grep -q '^broken: VIRTIO-3.4.2-D4 [1-9]' out || fail "broken: $(cat out)"

# One by one the device's time is the sum over its queues, all at once that of one.
status 0 "$RINGSIDE" compare --over queues=32,64 --set queue_us=1000 --db none "$suspend/scale.lua:register"
[ "$(cell 'downtime (ns)' 2)" -gt $(($(cell 'downtime (ns)' 1) + 60000000)) ] || fail "not a sum: $(cat out)"
status 0 "$RINGSIDE" compare --over queues=32,64 --set queue_us=1000 --set parallel=true --db none \
	"$suspend/scale.lua:register"
[ "$(cell 'downtime (ns)' 2)" -lt 10000000 ] || fail "not at once: $(cat out)"

# What is not of a design is said.
scenario bad.lua <<'END'
return {
	name = "bad", title = "asks a device that cannot", evidence = { "none" },
	variants = { fails = { expect = "hang", runs = 1 }, holds = { expect = "ok", runs = 1 } },
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", suspend = "v1.4" }
		actor("host", function() dev:suspend() end)
	end,
}
END
status 2 "$RINGSIDE" run --db none bad.lua:holds
complains "backend = 'vdpa' or suspend = 'vdpa-suspend'"
scenario bad.lua <<'END'
return {
	name = "bad", title = "asks for a design that there is not", evidence = { "none" },
	variants = { fails = { expect = "hang", runs = 1 }, holds = { expect = "ok", runs = 1 } },
	setup = function()
		machine {}:device { name = "blk0", type = "virtio-blk", suspend = "later" }
	end,
}
END
status 2 "$RINGSIDE" run --db none bad.lua:holds
complains "suspend must be one of: none v1.4 zhu-2023 stevens-2024 pci-pm pci-pm-reset admin-stop vdpa-suspend"
finish
