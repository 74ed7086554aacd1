#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands without what they need, with what is not there or of another kind, and outputs that cannot be written.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua
ulimit -c 0

# refused TEXT command…: exit status 2, nothing on standard output, one line of errors that has the text.
refused() {
	text=$1
	shift
	status 2 timeout 20 "$@"
	complains "$text"
	[ -s out ] && fail "something on standard output: $*" && head -n 3 out
	[ "$(wc -l <err)" -eq 1 ] || { fail "not one line of errors: $*"; head -n 5 err; }
	grep -q '^ringside: ' err || { fail "who says it? $*"; cat err; }
}

refused "usage: ringside merge" "$RINGSIDE" merge x.db
for c in run explore replay show test diagnose import merge; do
	refused "usage: ringside $c" "$RINGSIDE" $c
	refused "--frobnicate" "$RINGSIDE" $c --frobnicate x
	refused "-z" "$RINGSIDE" $c -z x
done
for c in faults oracles scenarios api man; do
	refused "--frobnicate" "$RINGSIDE" $c --frobnicate
	[ $c = scenarios ] && set -- "$s"
	status 0 timeout 20 "$RINGSIDE" $c "$@"
	set --
	[ -s err ] && fail "errors of $c" && cat err
	[ -s out ] || fail "$c says nothing"
done
mkdir folder.lua folder.failure folder.db folder.yaml
for f in no-such folder.failure "$s" /dev/null no-such.db#1 folder.db#1 "$s#1" no-such.db#latest "#1" ""; do
	refused "" "$RINGSIDE" replay "$f"
	refused "" "$RINGSIDE" show "$f"
done
for f in no-such.lua folder.lua /dev/null "$s:" "$s:no" "" ":" ":fails" "$s/x"; do
	refused "" "$RINGSIDE" run --db none "$f"
	refused "" "$RINGSIDE" explore --db none "$f"
	refused "" "$RINGSIDE" diagnose "$f"
done
for f in no-such /dev/null "" "$s"; do
	refused "" "$RINGSIDE" import --db none "$f"
done
refused "no-such" "$RINGSIDE" test --db none no-such
refused "no scenario" "$RINGSIDE" test --db none folder.yaml
for f in no-such.yaml folder.yaml /dev/null "$s"; do
	refused "" "$RINGSIDE" run --db none --machine "$f" "$s"
	refused "" "$RINGSIDE" explore --db none --sweep "$f" "$s"
done

# Values.
for v in rounds rounds= =1 = "" rounds=0 rounds=9 rounds=1x rounds=99999999999999999999 rounds=0x rounds=nan \
	rounds=-1 recheck=1 recheck=TRUE recheck= nothing=1 "rounds=1 " "$(printf 'rounds=\0331\n2')"; do
	refused "--set" "$RINGSIDE" run --db none --set "$v" "$s"
done
for v in -1 x 1x "" 18446744073709551616 1.5 " 1" +1; do
	refused "--runs" "$RINGSIDE" explore --db none --runs="$v" "$s"
	refused "--seed" "$RINGSIDE" explore --db none --seed="$v" "$s"
	refused "--jobs" "$RINGSIDE" test --db none --jobs="$v" "$s"
done
for v in 1/1 2/1 0/0 -1/2 1 1/ /1 a/b 0/2x 0/4294967297 "" 4294967296/4294967297; do
	refused "--shard" "$RINGSIDE" explore --db none --shard="$v" "$s"
done
for v in 0 -1 x 1y nan inf 1e30h 0.0000001ms "" s; do
	refused "--time" "$RINGSIDE" explore --db none --time="$v" "$s"
done
refused "strategy" "$RINGSIDE" explore --db none --strategy "" "$s"
refused "--memory" "$RINGSIDE" run --db none --memory x "$s"
refused "--datapath" "$RINGSIDE" run --db none --datapath ./x.so "$s"
refused "" "$RINGSIDE" run --db none --schedule rs1 "$s"
refused "" "$RINGSIDE" run --db none --schedule "$(printf 'rs1:\n\n\n')" "$s"
status 0 "$RINGSIDE" run --db none --seed 18446744073709551615 "$s"

# A long argument is quoted, cut, in one line.
long=$(head -c 100000 /dev/zero | tr '\0' x)
status 2 "$RINGSIDE" "$long"
refused "" "$RINGSIDE" run "$long"
refused "" "$RINGSIDE" run --db none --set "rounds=$long" "$s"
refused "" "$RINGSIDE" explore --strategy "$long" "$s"

# Places that cannot be written.
refused "/dev/full" "$RINGSIDE" run --db /dev/full "$s"
refused "no/x.db" "$RINGSIDE" run --db no/x.db "$s"
refused "folder.db" "$RINGSIDE" explore --db folder.db "$s"
refused "lost-wakeup.lua" "$RINGSIDE" explore --db "$s" "$s"
refused "" "$RINGSIDE" run --db "" "$s"
refused "no/x.failure" "$RINGSIDE" explore --db none --out no/x.failure "$s"
refused "folder.db" "$RINGSIDE" explore --db none --out folder.db "$s"
status 1 "$RINGSIDE" explore --db none --quiet --out x.failure "$s"
# What is no file is written to, and stays what it is.
ln -s x.failure link
mkfifo pipe
cat pipe >from-pipe &
for o in link pipe; do
	status 1 timeout 20 "$RINGSIDE" explore --db none --quiet --out $o "$s"
done
wait
{ [ -L link ] && [ -p pipe ]; } || fail "--out replaces a link or a pipe by a file"
cmp -s x.failure from-pipe || fail "the failure did not go through the pipe"
refused "no/x.html" "$RINGSIDE" show --format html --out no/x.html x.failure
refused "/dev/full" "$RINGSIDE" show --format html --out /dev/full x.failure
status 2 "$RINGSIDE" test --db none --junit no/x.xml "$s"
complains "no/x.xml"
status 2 "$RINGSIDE" test --db none --junit /dev/full "$s"
complains "/dev/full"
if [ "$(id -u)" -ne 0 ]; then
	cp "$s" hidden.lua
	chmod 0 hidden.lua
	refused "hidden.lua" "$RINGSIDE" run --db none hidden.lua
fi

# Standard output that is full, closed, or read no more.
for c in "run --db none $s" "explore --db none --out y.failure $s" "show x.failure" "replay --db none x.failure" "faults" \
	"api" "man" "--help" "--version" "show --help" "test --db none $s"; do
	# shellcheck disable=SC2086
	"$RINGSIDE" $c >/dev/full 2>err
	got=$?
	[ $got -eq 2 ] || [ $got -eq 1 ] || fail "exit $got with a full standard output: $c"
	complains "cannot write the output"
	# shellcheck disable=SC2086
	"$RINGSIDE" $c >&- 2>err
	got=$?
	[ $got -eq 2 ] || [ $got -eq 1 ] || fail "exit $got with a closed standard output: $c"
	# shellcheck disable=SC2086
	timeout 20 "$RINGSIDE" $c 2>err | head -n 1 >/dev/null
	if grep -q BUG err; then fail "a bug is reported with a closed pipe: $c"; fi
done
# With no standard descriptors at all, files of the program must not become them.
status 1 sh -c '"$1" explore --db closed.db --out z.failure "$2" <&- >&- 2>&-; exit $?' sh "$RINGSIDE" "$s"
cmp -s x.failure z.failure || fail "the failure written without standard descriptors differs"
[ "$(sqlite3 closed.db 'PRAGMA integrity_check' 2>&1)" = ok ] || fail "the database has text of the output in it"

# Whole files of the wrong kind.
head -c 2000000 /dev/urandom >noise
for c in "replay noise" "show noise" "run --db none noise" "explore --db none noise" "import --db none noise" \
	"run --db none --machine noise $s" "explore --db none --sweep noise $s" "merge m.db noise" "replay noise#1"; do
	# shellcheck disable=SC2086
	refused "noise" "$RINGSIDE" $c
done
finish
