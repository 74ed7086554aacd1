#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# trace.dat: its import is that of its text, from trace-cmd's own hand where that is installed.
. "$(dirname "$0")/lib.sh"
recording=$here/../../traces/kvm-firmware.ftrace.txt
make="lua5.4 $here/make-trace-dat.lua $recording"

if ! "$RINGSIDE" --version | grep -q '^with libtracecmd'; then
	printf '\027\010Dtracing6' >trace.dat
	status 2 "$RINGSIDE" import --db none trace.dat
	complains "libtracecmd-dev"
	complains "trace-cmd report -t trace.dat >trace.txt"
	[ "$failures" -eq 0 ] || exit 1
	echo "built without libtracecmd"
	exit 77
fi

# Records alone, without the lines in front.
imported() {
	status 0 "$RINGSIDE" import --db "${2:-none}" "$1"
	grep '^[0-9#]' out
}

$make a.dat text=a.txt || exit 1
imported a.dat a.db >dat
imported a.txt b.db >txt
[ "$(wc -l <dat)" -eq 4288 ] || fail "$(wc -l <dat) records"
cmp dat txt || fail "the file's records are not the text's"
if command -v sqlite3 >/dev/null; then
	for db in a b; do
		sqlite3 $db.db "select name, value from metric order by name" >$db.rows
	done
	[ -s a.rows ] || fail "no figures are recorded"
	cmp a.rows b.rows || fail "the file's figures are not the text's"
fi
status 0 "$RINGSIDE" run --db none a.dat
says "format tracedat, 4288 lines"

# Beside QEMU's log of the same run it lies as its text does.
for of in dat txt; do
	status 0 "$RINGSIDE" import --db none "$here/../../traces/kvm-firmware.qemu.log" a.$of
	says "lines, 4360 records"
	grep '^[0-9]*[.]' out | sed 's, tracedat/, ftrace/,' >both.$of
done
cmp both.dat both.txt || fail "merged with QEMU's log the file is not the text"

# What is not in the records is said.
$make b.dat instance=virtio lost=17
imported b.dat >virtio
says "b.dat: the recorder lost 17 events"
says "b.dat: the buffer virtio is read beside the main one, by time"
cmp dat virtio || fail "another buffer's events are not between the main one's"
$make b.dat lost=unknown
imported b.dat >/dev/null
says "b.dat: the recorder lost events without a number: 1 times"
status 0 "$RINGSIDE" run --db none b.dat
says "events_lost_unknown"

# Damage.
head -c 100000 a.dat >cut.dat
status 2 "$RINGSIDE" import --db none cut.dat
complains "cut.dat: damaged or cut off: the events of CPU 0 are"
complains "and the file ends at byte 100000"
printf '\027\010Dtracing6' >cut.dat
status 2 "$RINGSIDE" import --db none cut.dat
complains "it ends at byte 11 within the first bytes"
status 2 "$RINGSIDE" import --db none --format tracedat a.txt
complains "does not begin as a trace.dat does"

if ! command -v trace-cmd >/dev/null; then
	[ "$failures" -eq 0 ] || exit 1
	echo "there is no trace-cmd to compare with"
	exit 77
fi

# The file is what trace-cmd takes it for, but for a negative errno, which its library does not see.
report() {
	trace-cmd report -N -t "$1" 2>/dev/null | grep -v '^cpus=' | sed 's/^ *//; s/  */ /g; s/ $//'
}
sed 's/reason restart (4)/reason KVM_EXIT_UNKNOWN (0)/' a.txt >expected
for how in "" endian=big lost=17; do
	$make b.dat $how
	report b.dat | sed 's/reason restart (4)/reason KVM_EXIT_UNKNOWN (0)/' >b.report
	grep -v DROPPED b.report >b.events
	cmp expected b.events || fail "trace-cmd reads other events $how"
done
grep -qx 'CPU:0 \[17 EVENTS DROPPED\]' b.report || fail "trace-cmd sees nothing lost"

# Its text with its heading, as anybody has it.
trace-cmd report -N -t b.dat >report.txt 2>/dev/null
imported report.txt >rep
says "the recorder lost 17 events"
sed 's/reason=restart code=4/reason=KVM_EXIT_UNKNOWN code=0/' dat | cmp - rep ||
	fail "the file's records are not those of trace-cmd's text"

$make b.dat instance=virtio
trace-cmd report -N -t b.dat >report.txt 2>/dev/null
grep -q '^virtio: ' report.txt || fail "trace-cmd sees no other buffer"
imported report.txt >both
cmp rep both || fail "another buffer's events have other threads in trace-cmd's text"

# Version 7, where this trace-cmd can make it: compressed or not.
for how in zstd zlib none; do
	trace-cmd convert -i a.dat -o v7.dat --file-version 7 --compression $how >/dev/null 2>&1 && [ -s v7.dat ] ||
		continue
	imported v7.dat >seven
	cmp dat seven || fail "version 7, compression $how: other records"
	for part in 20 200 $(($(wc -c <v7.dat) / 2)); do
		head -c "$part" v7.dat >cut.dat
		status 2 "$RINGSIDE" import --db none cut.dat
		complains "cut.dat: damaged or cut off"
	done
	rm v7.dat
done
finish
