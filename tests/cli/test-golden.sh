#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Golden digests: tests/golden/digests.txt has the seed in its first line and then a scenario, its
# verdict, steps and digest a line.  A change that moves one changes what some model does: say in the
# commit why that is right, and make the file anew with GOLDEN_UPDATE=1.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
golden=$root/tests/golden/digests.txt
seed=$(sed -n 's/^seed: //p' "$golden" | head -n 1)
[ -n "$seed" ] || { fail "$golden: the first line is not 'seed: N'"; finish; }

cd "$root" || exit 2
sed 1d "$golden" | while read -r name verdict steps digest; do
	"$RINGSIDE" run "$name" --seed "$seed" --db none 2>&1 | awk -v name="$name" '
		/^verdict: / { v = $2 } /^steps: / { s = $2 } /^digest: / { d = $2 }
		END { print name, v, s, d }'
done >"$work/now"
if [ -n "${GOLDEN_UPDATE:-}" ]; then
	{ echo "seed: $seed"; cat "$work/now"; } >"$golden"
	exit 0
fi
sed 1d "$golden" >"$work/then"
[ -s "$work/then" ] || fail "$golden lists nothing"
cmp -s "$work/then" "$work/now" || {
	fail "runs differ from $golden"
	diff "$work/then" "$work/now"
}
finish
