#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Draw the ring indices of one run, or of its steps FROM to TO.  QUEUE '' is the first one.
#	analysis/plot.sh DB RUN_ID OUT.svg|OUT.png|OUT.txt [QUEUE [FROM TO]]
# The numbers that were drawn stay beside the picture as OUT.dat.  Needs sqlite3 and gnuplot only.
set -eu

if [ $# -lt 3 ] || [ $# -gt 6 ] || [ $# -eq 5 ]; then
	echo "usage: analysis/plot.sh DB RUN_ID OUT.svg|OUT.png|OUT.txt [QUEUE [FROM TO]]" >&2
	exit 2
fi
db=$1 run=$2 out=$3 queue=${4:-} from=${5:-0} to=${6:-0}
here=$(dirname "$0")
data=${out%.*}.dat

case $run in
'' | *[!0-9]*) echo "plot.sh: $run: not the id of a run" >&2; exit 2 ;;
esac
case $from,$to in
,* | *, | *[!0-9,]*) echo "plot.sh: $from to $to: not numbers of steps" >&2; exit 2 ;;
esac
case $queue in
*[!A-Za-z0-9_.-]*) echo "plot.sh: $queue: not the name of a queue" >&2; exit 2 ;;
esac
if [ ! -f "$db" ]; then
	echo "plot.sh: $db: no such file" >&2
	exit 2
fi
if [ "$(sqlite3 -readonly "$db" "SELECT count(*) FROM run WHERE id = $run")" != 1 ]; then
	echo "plot.sh: $db: there is no run $run" >&2
	exit 2
fi
sqlite3 -readonly -bail \
	-cmd ".parameter init" -cmd ".parameter set :run $run" \
	-cmd ".parameter set :queue \"'$queue'\"" \
	-cmd ".parameter set :from $from" -cmd ".parameter set :to $to" \
	-cmd ".read '$here/views.sql'" -cmd ".read '$here/ring-indices.sql'" "$db" "" >"$data"
gnuplot -e "data='$data'; out='$out'" "$here/ring-indices.gp"
