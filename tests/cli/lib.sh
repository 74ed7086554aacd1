# SPDX-License-Identifier: GPL-2.0-or-later
# For tests/cli/test-*.sh: sourced first.  RINGSIDE names the program; each test works in a folder
# of its own.
set -u
: "${RINGSIDE:=$(pwd)/ringside}"
here=$(cd "$(dirname "$0")" && pwd)
data=$here/data
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# status N command…: run it with output in out and err, and want this exit status.
status() {
	want=$1
	shift
	"$@" >out 2>err
	got=$?
	[ "$got" -eq "$want" ] || {
		fail "exit $got, not $want: $*"
		head -n 5 out err
	}
}

# What the last command must have said, as a fixed string.
says() {
	grep -qF -- "$1" out || { fail "output lacks: $1"; head -n 5 out; }
}
complains() {
	grep -qF -- "$1" err || { fail "errors lack: $1"; head -n 5 err; }
}

# The schedule that the last command printed, which is folded for mail.
schedule_said() {
	awk '/^schedule: / { line = substr($0, 11); next }
		line != "" && /^  / { line = line substr($0, 3); next }
		line != "" { exit }
		END { print line }' out
}

# scenario NAME: a Lua file from standard input.
scenario() {
	cat >"$1"
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
	exit 0
}
