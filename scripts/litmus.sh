#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run the litmus tests of a folder under sc, tso and weak, and compare the verdicts with the table
# tests/litmus/expected.tsv; of a test that the table does not have, with the comment of the test.
#
#	RINGSIDE=./ringside scripts/litmus.sh FOLDER
#
# The last line is "N passed, N failed, N skipped"; the status is 1 if anything failed, 77 if
# nothing was run.
set -u
table=$(dirname "$0")/../tests/litmus/expected.tsv
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

for memory in sc tso weak; do
	"${RINGSIDE:-./ringside}" litmus --quiet --expect --memory $memory "$1"/*.litmus \
		>"$tmp/out" 2>"$tmp/err"
	sed "s/^/$memory: /" "$tmp/err"
	sed "s/^/$memory /" "$tmp/out" >>"$tmp/all"
	sed "s/^/$memory /" "$tmp/err" >>"$tmp/errors"
done

awk -F '\t' -v skips="$(grep -c ': skipped: \|no C compiler' "$tmp/errors")" \
	-v errors="$(grep -v -c ': skipped: \|no C compiler' "$tmp/errors")" '
	FNR == NR {
		if (!/^#/) {
			want[$1, "sc"] = $2
			want[$1, "tso"] = $3
			want[$1, "weak"] = $4
		}
		next
	}
	{
		split($0, word, " ")
		got = /\(broken dependency\)$/ ? "dependency" : word[4]
		if (/\(incomplete\)/)
			got = "incomplete"
		if (!((word[3], word[1]) in want)) {
			printf "%s: %s: %s (not in the table)\n", word[1], word[3], got
			unknown++
		} else if (got != want[word[3], word[1]]) {
			printf "%s: %s: %s, not %s\n", word[1], word[3], got, want[word[3], word[1]]
			failed++
			next
		}
		passed++
	}
	END {
		failed += errors
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skips
		exit failed ? 1 : passed ? 0 : 77
	}' "$table" "$tmp/all"
