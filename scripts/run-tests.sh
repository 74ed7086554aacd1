#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run each test program named, one line a program; 77 means skipped and the program has said why.
# The last line is "N passed, N failed, N skipped"; the status is 1 if anything failed.
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
for t in "$@"; do
	"$t" >"$out" 2>&1
	status=$?
	case $status in
	0) passed=$((passed + 1)) ;;
	77) skipped=$((skipped + 1)); echo "SKIP $(basename "$t"): $(tail -n 1 "$out")" ;;
	*)
		failed=$((failed + 1))
		echo "FAIL $(basename "$t") (exit $status)"
		cat "$out"
		;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
