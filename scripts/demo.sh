#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make demo` shows: a real failure of 2015 replayed through the models, a lost notification
# found, shrunk and replayed, both in one SQLite file, and a picture of the ring over a failing run.
# Everything it makes is in demo/.
set -eu
cd "$(dirname "$0")/.."
rm -rf demo
mkdir -p demo
db=demo/ringside.db
scenario=scenarios/kick/smallest.lua:lost_kick

say() {
	printf '\n=== %s\n\n' "$*"
}

# Exit status 1 says that a property was broken, which is what these runs are for.
broken() {
	status=0
	"$@" || status=$?
	if [ "$status" -ne 1 ]; then
		echo "demo: expected exit status 1 (a property was broken), got $status: $*" >&2
		exit 1
	fi
}

say "A syslog of 2015 (qemu-devel, March 2015): which dirtied pages died with their memslot?"
broken ./ringside run traces/colo-memslot-2015.syslog --db "$db"

say "The same with the order of today: fetch the dirty log, then delete the slot"
./ringside run traces/colo-memslot-2015.syslog --set removal=sync_first --db "$db"

say "A lost notification: found among random schedules, shrunk, shown"
broken ./ringside explore "$scenario" --seed 1 --db "$db" --out demo/lost.failure

say "The failure file replays to the same digest"
grep '^schedule:' demo/lost.failure
broken ./ringside replay demo/lost.failure --db "$db" >demo/replay.txt
grep -E '^(verdict|steps|digest):' demo/replay.txt

if ./ringside --version | grep -q Linux; then
	say "Linux's own virtio_ring.c and vringh.c, as they are, under TSO: all states"
	./ringside explore scenarios/kick/smallest.lua:holds --datapath linux --memory tso \
		--strategy states --set buffers=2 --db "$db"

	say "The same code without the full barrier of vringh's notify_enable: a kick is lost"
	broken ./ringside explore scenarios/ring/enable-notify-sb.lua:flags --datapath linux \
		--set buffers=1 --seed 1 --db "$db" --out demo/linux.failure
fi

say "All of it is in $db, which the plain sqlite3 shell reads"
sqlite3 -header -column "$db" \
	"SELECT id, scenario, strategy, verdict, schedules, steps, digest FROM run"
sqlite3 -header -column "$db" "SELECT run_id, oracle, subject, message FROM violation LIMIT 6"

if command -v gnuplot >/dev/null 2>&1; then
	say "The same bug with six buffers and the event index: demo/ring-indices.png and .svg"
	broken ./ringside explore "$scenario" --set buffers=6 --set event_idx=true --seed 1 \
		--db none --quiet --out demo/six.failure >/dev/null
	broken ./ringside replay demo/six.failure --quiet --db "$db" >/dev/null
	run=$(sqlite3 "$db" "SELECT max(id) FROM run")
	for type in svg png txt; do
		analysis/plot.sh "$db" "$run" "demo/ring-indices.$type"
	done
	cat demo/ring-indices.txt
fi
say "Next: ./ringside --help, scenarios/README.md, sqlite3 $db"
