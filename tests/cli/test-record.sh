#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# record-qemu.sh: a recording is made, says how, and is understood. Skipped without QEMU.
. "$(dirname "$0")/lib.sh"
record=$here/../../scripts/record-qemu.sh

status 2 "$record" nothing
complains "scripts/record-qemu.sh WHAT [OUT]"
status 77 env QEMU=no-such-qemu "$record" firmware out.log
complains "skipped: no no-such-qemu"
command -v qemu-system-x86_64 >/dev/null || {
	[ "$failures" -eq 0 ] || exit 1
	echo "skipped: no qemu-system-x86_64"
	exit 77
}
status 0 env ACCEL=tcg SECONDS_MAX=2 "$record" firmware fw.log
head -n 2 fw.log | grep -q '^# firmware: recorded by scripts/record-qemu.sh' || fail "its origin is not said"
grep -q '^# QEMU emulator version .* accel tcg$' fw.log || fail "of which QEMU is not said"
status 0 "$RINGSIDE" run --db none fw.log
says "format qemu"
says "the models disagree with 0 lines"
grep -q '  status_writes ' out || fail "no status write in $(wc -l <fw.log) lines"
finish
