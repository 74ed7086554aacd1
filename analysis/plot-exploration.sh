#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Draw how one exploration went on: classes seen, new ones a second, schedules a second, over time.
#	analysis/plot-exploration.sh DB RUN_ID OUT.svg|OUT.png|OUT.txt
# The numbers that were drawn stay beside the picture as OUT.dat.  Needs sqlite3 and gnuplot only.
set -eu

if [ $# -ne 3 ]; then
	echo "usage: analysis/plot-exploration.sh DB RUN_ID OUT.svg|OUT.png|OUT.txt" >&2
	exit 2
fi
db=$1 run=$2 out=$3
here=$(dirname "$0")
data=${out%.*}.dat

case $run in
'' | *[!0-9]*) echo "plot-exploration.sh: $run: not the id of a run" >&2; exit 2 ;;
esac
if [ ! -f "$db" ]; then
	echo "plot-exploration.sh: $db: no such file" >&2
	exit 2
fi
if [ "$(sqlite3 -readonly "$db" "SELECT count(*) FROM run WHERE id = $run")" != 1 ]; then
	echo "plot-exploration.sh: $db: there is no run $run" >&2
	exit 2
fi
sqlite3 -readonly -bail -cmd ".parameter init" -cmd ".parameter set :run $run" \
	-cmd ".read '$here/views.sql'" -cmd ".read '$here/exploration.sql'" "$db" "" >"$data"
gnuplot -e "data='$data'; out='$out'" "$here/exploration.gp"
