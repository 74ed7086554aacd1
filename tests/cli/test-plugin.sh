#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A plugin from its source to a replay, and all that can be wrong with one.
. "$(dirname "$0")/lib.sh"

root=$(cd "$here/../.." && pwd)
lua=$root/scenarios/plugin/lossy-ring.lua
for c in gcc clang; do command -v $c >/dev/null && compilers="${compilers:-} $c"; done
[ -n "${compilers:-}" ] || { echo "skipped: there is no compiler"; exit 77; }
cc=${compilers# }
cc=${cc%% *}

# The line that plugin.h and the READMEs give, with other names.
build() {
	out=$1
	shift
	"$cc" -O2 -g -fPIC -shared -fsanitize=thread -nodefaultlibs -I"$root/sim" -I"$root/scenarios/plugin" "$@" -o "$out"
}
for f in README.md scenarios/plugin/README.md sim/datapath/plugin.h; do
	grep -q -e 'cc -O2 -g -fPIC -shared -fsanitize=thread -nodefaultlibs -Isim [a-z/_]*ring.c -o [a-z_]*ring.so' "$root/$f" ||
		fail "$f has another line"
done

# The example, by each compiler: found, replayed, recorded; without a warning.
for cc in $compilers; do
	build lossy_ring.so "$root/scenarios/plugin/lossy_ring.c" || fail "$cc does not compile the example"
	status 1 "$RINGSIDE" explore --quiet --db x.db --out x.failure --datapath ./lossy_ring.so "$lua:holds"
	says "verdict: lost-interrupt"
	says "lossy_ring.c:"
	[ -s err ] && fail "a word about the example: $(cat err)"
	grep -q '^datapath: ./lossy_ring.so$' x.failure || fail "the failure file does not say the plugin"
	status 1 "$RINGSIDE" replay --db x.db x.failure
	says "verdict: lost-interrupt"
	[ "$(sqlite3 x.db 'SELECT DISTINCT datapath FROM run')" = ./lossy_ring.so ] || fail "run.datapath"
	status 0 "$RINGSIDE" explore --quiet --db none --runs 200 --datapath native,native "$lua:holds"
	status 2 "$RINGSIDE" run --db none --datapath native,./lossy_ring.so "$lua:holds"
	complains "has no device side"
	rm x.db x.failure
done
cc=${compilers# }
cc=${cc%% *}
build lossy_ring.so "$root/scenarios/plugin/lossy_ring.c"
cp lossy_ring.so other.so
status 1 "$RINGSIDE" explore --quiet --db none --datapath other.so "$lua:holds"
status 1 "$RINGSIDE" explore --quiet --db none --datapath "$work/other.so,native" "$lua:holds"

# The native ring as a plugin, both sides: the same runs, digest by digest.  Its names are those of
# functions in the program, which must not stand in for them.
build native_ring.so "$here/data/native_ring.c" "$root"/sim/virtio/ring_split_*.c
[ "$(nm -D --defined-only "$RINGSIDE" | grep -c ring_split_driver_ops)" -eq 0 ] || fail "the program exports ring_split_driver_ops"
digests() {
	for seed in 1 2 3; do
		"$RINGSIDE" run --db none --datapath "$1" --seed $seed --ring split,event_idx,indirect "$2" | grep -e digest -e verdict
	done
}
for s in plugin/lossy-ring.lua:holds suppress/net-txburst.lua:holds suppress/refill-no-kick.lua:no_kick; do
	[ "$(digests native "$root/scenarios/$s")" = "$(digests ./native_ring.so "$root/scenarios/$s")" ] ||
		fail "$s runs in another way with the same ring as a plugin"
done

# No plugin at all.
refused() {
	file=$1
	status 2 "$RINGSIDE" run --db none --datapath "$file" "$lua:holds"
	complains "$file"
	complains "$2"
	[ "$(wc -l <err)" -eq 1 ] || fail "more than one line for $file"
}
echo text >text.so
: >empty.so
mkdir folder.so
head -c 3000 lossy_ring.so >cut.so
head -c 40 lossy_ring.so >short.so
"$cc" -I"$root/sim" -O2 -fPIC -shared "$root/scenarios/plugin/lossy_ring.c" -o plain.so
"$cc" -I"$root/sim" -O2 -fPIC -c "$root/scenarios/plugin/lossy_ring.c" -o object.so
refused ./missing.so "No such file"
refused ./text.so "no ELF"
refused ./empty.so "no ELF"
refused ./folder.so "no ELF"
refused ./cut.so ""
refused ./short.so "no ELF"
refused ./plain.so "-fsanitize=thread"
refused ./object.so "no shared object"
if gcc -I"$root/sim" -O2 -fPIC -shared -fsanitize=thread "$root/scenarios/plugin/lossy_ring.c" -o tsan.so 2>/dev/null; then
	refused ./tsan.so "libtsan"
fi

# One that is wrong in one way.
bad() {
	build bad.so -w "$@" "$here/data/bad_ring.c" || fail "bad_ring.c $*"
}
rejected() {
	bad "$1"
	refused ./bad.so "$2"
}
rejected -DBAD_SYMBOL "no symbol ringside_datapath"
rejected -DBAD_EMPTY "neither a driver side nor a device side"
rejected -DABI=7 "abi_version 7"
rejected -DNAME=NULL "no name"
rejected -DGET=NULL "no get()"
rejected -DBAD_UNDEFINED "undefined symbol: nowhere"
rejected -DBAD_INIT_NULL "init() returned 0 and no object"
rejected -DBAD_INIT_POSITIVE "init() returned 3"
rejected -DBAD_INIT_CRASH "segmentation fault"

# One that goes wrong when it runs: named with operation and actor, and the run is kept.
dies() {
	bad "$1"
	rm -f x.db
	status 2 "$RINGSIDE" explore --db x.db --runs 20 --datapath ./bad.so "$lua:holds"
	complains "./bad.so: $2"
	complains "$3"
	[ "$(sqlite3 x.db 'SELECT count(*) FROM run WHERE datapath = "./bad.so"')" = 1 ] || fail "$1: no run is recorded"
}
dies -DBAD_ADD_SEGV "segmentation fault at address 0x8, bad_add at bad_ring.c:" "in the driver's add(), called by actor driver"
dies -DBAD_ADD_CALL_NULL "segmentation fault" "in the driver's add(), called by actor driver"
dies -DBAD_ADD_FPE "division by zero" "in the driver's add(), called by actor driver"
dies -DBAD_ADD_ABORT "abort()" "in the driver's add(), called by actor driver"
dies -DBAD_ADD_ILL "illegal instruction" "in the driver's add(), called by actor driver"
dies -DBAD_ADD_RECURSION "segmentation fault" "in the driver's add(), called by actor driver"
dies -DBAD_STATE "segmentation fault" "in the driver's state()"
dies -DBAD_INTERRUPT "segmentation fault" "in the driver's interrupt(), called by actor driver"
dies -DBAD_ADD_LOOP "endless loop" "in the driver's add(), called by actor driver"

# A token that nobody gave it is the ring's error, not ours.
bad -DBAD_TOKEN
status 1 "$RINGSIDE" explore --quiet --db none --runs 20 --datapath ./bad.so "$lua:holds"
says "a token that is not outstanding comes back"

# `test` has a failed case, and goes on.
bad -DBAD_ADD_SEGV
status 1 "$RINGSIDE" test --db none --jobs 2 --datapath ./bad.so "$lua"
says "0 passed, 2 failed"
says "segmentation fault"

# Barriers that nobody can see: a warning with file and line, when it is loaded and when objects of ours are built.
for kind in mfence lock xchg; do
	bad "-DBAD_$(echo $kind | tr '[:lower:]' '[:upper:]')"
	line=$(grep -n "LINE $kind" "$here/data/bad_ring.c" | cut -d: -f1)
	"$RINGSIDE" run --quiet --db none --datapath ./bad.so "$lua:holds" 2>err >out
	complains "WARNING: ./bad.so"
	complains "bad_ring.c:$line: $kind in bad_kick_prepare()"
	"$cc" -w -O2 -g -fsanitize=thread -I"$root/sim" -I"$root/scenarios/plugin" \
		"-DBAD_$(echo $kind | tr '[:lower:]' '[:upper:]')" -c "$here/data/bad_ring.c" -o bad.o
	status 1 "$root/scripts/check-barriers.sh" bad.o
	complains "bad_ring.c:$line: $kind in bad_kick_prepare()"
done
"$cc" -w -O2 -g -fsanitize=thread -I"$root/sim" -I"$root/scenarios/plugin" -c "$here/data/bad_ring.c" -o good.o
status 0 "$root/scripts/check-barriers.sh" good.o
bad -DBAD_MFENCE
PATH=/nowhere "$RINGSIDE" run --quiet --db none --datapath ./bad.so "$lua:holds" 2>err >out
complains "could not be looked through"

# Memory models: with its barriers it holds under each; without one, or with one that nobody sees, it loses a kick.
bad -DFIXED
for memory in sc tso weak; do
	status 0 "$RINGSIDE" explore --quiet --db none --runs 300 --memory $memory --datapath ./bad.so "$lua:holds"
done
for kind in NO_MB MFENCE; do
	bad -DFIXED -DBAD_$kind
	status 0 "$RINGSIDE" explore --quiet --db none --runs 300 --memory sc --datapath ./bad.so "$lua:holds"
	status 1 "$RINGSIDE" explore --quiet --db none --runs 20000 --memory tso --out t.failure --datapath ./bad.so "$lua:holds"
	says "verdict: lost-kick"
	status 1 "$RINGSIDE" replay --quiet --db none t.failure
done

# The three headers are all that it takes.
mkdir -p include/datapath
for h in plugin.h datapath.h barrier.h; do cp "$root/sim/datapath/$h" include/datapath/; done
"$cc" -Wall -Wextra -Werror -O2 -g -fPIC -shared -fsanitize=thread -nodefaultlibs -Iinclude \
	"$root/scenarios/plugin/lossy_ring.c" -o alone.so || fail "the headers do not stand alone"

# A static variable is outside of the world.
bad -DBAD_STATIC
"$RINGSIDE" run --quiet --db none --datapath ./bad.so "$lua:holds" 2>err >out
complains "WARNING: ./bad.so: kicks is a variable outside of the world"
[ "$(wc -l <err)" -eq 1 ] || fail "more than one warning: $(cat err)"

# Copies are accesses, whoever makes the call.
bad -DBAD_COPY
"$RINGSIDE" run --db none --quiet --trace load,store --datapath ./bad.so "$lua:holds" >out 2>err
says "load: gpa=0x1000 size=16"
says "store: gpa=0x1010 size=16"
says "store: gpa=0x1020 size=16"
finish
