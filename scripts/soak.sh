#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make soak` adds to `make check`: long fuzzing with fresh seeds, scenarios that hold with 20
# times their budget, a thousand kills, valgrind.  Hours.  The last line sums up: "N passed,
# N failed, N skipped".
# SOAK_SEED repeats a run; FACTOR (50), BUDGET (20) and KILLS (1000) make it shorter.
set -u
cd "$(dirname "$0")/.." || exit 2
: "${SOAK_SEED:=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
: "${FACTOR:=50}" "${BUDGET:=20}" "${KILLS:=1000}"
export KILLS
build=build/release
RINGSIDE=$(pwd)/$build/ringside
export RINGSIDE
passed=0 failed=0 skipped=0
started=$(date +%s)
log=$(mktemp) || exit 2
trap 'rm -f "$log" "$log.list" "$log.failure"' EXIT
echo "repeat with: SOAK_SEED=$SOAK_SEED scripts/soak.sh"

# one NAME command…: a test; what it says is shown if it fails.
one() {
	name=$1
	shift
	"$@" >"$log" 2>&1
	status=$?
	case $status in
	0) passed=$((passed + 1)); echo "ok $name ($(($(date +%s) - started)) s)" ;;
	77) skipped=$((skipped + 1)); echo "SKIP $name: $(tail -n 1 "$log")" ;;
	*) failed=$((failed + 1)); echo "FAIL $name (exit $status)"; tail -n 40 "$log" ;;
	esac
}

# A fuzzer says how many rounds it makes by default, or with 77 why it cannot.
fuzz() {
	said=$("$1")
	status=$?
	if [ $status -eq 77 ]; then
		echo "$said"
		return 77
	fi
	rounds=$(echo "$said" | sed -n 's/.*: \([0-9]*\) rounds .*/\1/p')
	[ -n "$rounds" ] || return 1
	"$1" $((rounds * FACTOR)) "$SOAK_SEED"
}

# Variants that hold: path:variant and its budget.
holding() {
	"$RINGSIDE" scenarios scenarios | awk '/^[^ ]/ { path = $1 }
		$1 ~ /^:/ && $2 == "expects" && $3 == "ok," && $4 ~ /^[0-9]+$/ {
			print path $1, $4
		}'
}

# A stack is switched, and a page that is written for the first time traps: valgrind must keep all
# registers.
memcheck() {
	valgrind -q --error-exitcode=9 --px-default=allregs-at-mem-access "$@"
}

"${MAKE:-make}" -s -j"${JOBS:-2}" all unit fuzz >"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }
for f in "$build"/fuzz/fuzz_*; do
	[ -x "$f" ] && one "$(basename "$f") x $FACTOR, seed $SOAK_SEED" fuzz "$f"
done

holding >"$log.list"
while read -r variant runs; do
	one "$variant x $BUDGET, seed $SOAK_SEED" \
		"$RINGSIDE" explore --quiet --db none --out "$log.failure" \
		--seed "$SOAK_SEED" --runs $((runs * BUDGET)) "$variant"
done <"$log.list"
[ -s "$log.list" ] || one "there are scenarios that hold" false

one "$KILLS kills" tests/cli/test-db-kill.sh

if command -v valgrind >/dev/null; then
	for t in schedule ring_split record; do
		one "valgrind test_$t" memcheck "$build/unit/test_$t"
	done
	one "valgrind explore" memcheck \
		"$RINGSIDE" explore --quiet --db none --runs 50 --out "$log.failure" \
		tests/cli/data/lost-wakeup.lua:holds
else
	one "valgrind" sh -c 'echo there is no valgrind; exit 77'
fi

echo "in $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
