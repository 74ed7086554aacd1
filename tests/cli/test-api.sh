#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Lists come from the tables that the code uses; .luacheckrc knows the same globals.
. "$(dirname "$0")/lib.sh"
status 0 "$RINGSIDE" api
says "vm:device{}"
says "q:submit" || true
says "actor(name, fn"
status 0 "$RINGSIDE" api sleep
says "sleep(ns"
status 2 "$RINGSIDE" api no-such-function
status 0 "$RINGSIDE" api --globals
sort -u out >ours
if command -v luacheck >/dev/null; then
	{ echo 'return {'; sed 's/.*/	&,/' ours; echo '}'; } >globals.lua
	rc=$here/../../.luacheckrc
	luacheck --config "$rc" --filename tests/cli/x.lua - <globals.lua >checked ||
		{ fail ".luacheckrc lacks globals of the API"; grep undefined checked; }
fi
tr ',' '\n' <"$here/../../.luacheckrc" | sed -n 's/^[ \t]*"\([a-z_]*\)".*/\1/p' | sort -u >theirs
comm -13 ours theirs >gone
[ -s gone ] && { fail ".luacheckrc has globals that are gone:"; cat gone; }

status 0 "$RINGSIDE" faults
says "qemu.slot_removal.no_sync"
says "stands for: "
status 2 "$RINGSIDE" faults no-such-fault
status 0 "$RINGSIDE" oracles
says "lost-kick"
status 1 "$RINGSIDE" explore --quiet "$data/lost-wakeup.lua"
status 0 "$RINGSIDE" oracles hang
says "tripped by $data/lost-wakeup.lua:fails"
status 2 "$RINGSIDE" oracles --db "$data/lost-wakeup.lua"
status 0 "$RINGSIDE" scenarios "$data"
says "a flag is checked, then slept on"
says ":holds expects ok"
# Of two methods of one name the one that is registered last would win.
status 0 "$RINGSIDE" api
[ -z "$(grep -oE '^  [a-z_]+:[a-z_]+\(?' out | sort | uniq -d)" ] || fail "a method is there twice"
status 0 "$RINGSIDE" man
says ".TH RINGSIDE 1"
if command -v man >/dev/null && command -v groff >/dev/null; then
	groff -ww -man -Tutf8 out >page 2>warnings || fail "groff does not take the manual"
	[ -s warnings ] && { fail "warnings in the manual"; cat warnings; }
fi
finish
