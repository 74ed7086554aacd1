#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run each test program or script named; 77 means skipped, and the last line printed is the reason.
# The last line is "N passed, N failed, N skipped"; the status is 1 if anything failed.
# With TALLY set to a file the three numbers are appended to it as a line: scripts/check.sh sums.
# JOBS programs run at a time.
: "${JOBS:=$(nproc 2>/dev/null || echo 2)}"
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT

run_one() {
	name=$(basename "$1")
	start=$(date +%s)
	"$1" >"$2/$name.out" 2>&1 </dev/null
	status=$?
	took=$(($(date +%s) - start))
	case $status in
	0) echo passed >"$2/$name.result" ;;
	77) echo skipped >"$2/$name.result"; echo "SKIP $name: $(tail -n 1 "$2/$name.out")" ;;
	*) echo failed >"$2/$name.result"; echo "FAIL $name (exit $status)"; cat "$2/$name.out" ;;
	esac
	[ "$took" -lt 20 ] || echo "     $name took $took s"
}

if [ "${1:-}" = --one ]; then
	trap - EXIT
	rm -rf "$dir"
	run_one "$2" "$3"
	exit 0
fi
printf '%s\0' "$@" | xargs -0 -r -P "$JOBS" -I '{}' "$0" --one '{}' "$dir"

count() {
	find "$dir" -name '*.result' -exec cat {} + | grep -c "^$1\$"
}
passed=$(count passed) failed=$(count failed) skipped=$(count skipped)
[ -z "${TALLY:-}" ] || echo "$passed $failed $skipped" >>"$TALLY"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
