# SPDX-License-Identifier: GPL-2.0-or-later
# The indices of a split ring over the steps of one run, and below them who slept and who notified
# whom.
#	gnuplot -e "data='ring.dat'; out='ring.svg'" analysis/ring-indices.gp
# data is the output of ring-indices.sql; out ends in .svg, .png, or anything else for plain text.
set encoding utf8
load "< sed -n 's/^#= //p' '" . data . "'"
if (!found) {
	print "ring-indices: no stores to the indices of a split ring were recorded in this run"
	exit status 1
}

ending = strlen(out) > 4 ? out[strlen(out) - 3:] : ""
plain = 0
if (ending eq ".svg") {
	set terminal svg size 1000,640 font "Helvetica,14" background "white" noenhanced
} else { if (ending eq ".png") {
	set terminal pngcairo size 1500,960 font "Helvetica,15" background "white" noenhanced \
		linewidth 1.5
} else {
	set terminal dumb noenhanced size 100,28
	plain = 1
} }
set output out

# The driver's fields are black, the device's blue; solid is an index, dashed an event index.
set style line 1 lc rgb "#000000" lw 2.2 dt 1
set style line 2 lc rgb "#0072b2" lw 2.2 dt 1
set style line 3 lc rgb "#0072b2" lw 1.6 dt (1.5,3)
set style line 4 lc rgb "#000000" lw 1.6 dt (9,5)
set style line 5 lc rgb "#0072b2" lw 1.6 dt (9,5)
set style line 6 lc rgb "#d55e00" lw 1.6 dt (12,4)
fields = "avail_idx used_idx last_avail_idx used_event avail_event"
writers = "driver device device driver device"
marks = "kick kick_taken kick_suppressed interrupt interrupt_taken interrupt_suppressed"
says = "'kick' 'kick seen' 'kick suppressed' 'interrupt' 'interrupt seen' 'interrupt suppressed'"

set border 3 lc rgb "#444444"
set tics nomirror out
set xrange [first_step : last_step]
bottom_share = 0.22 + 0.055 * (lanes < 8 ? lanes : 8)
if (!plain) {
	set lmargin at screen 0.105; set rmargin at screen 0.785
	set multiplot
	set tmargin at screen 0.87; set bmargin at screen bottom_share + 0.02
	set size 1, 1 - bottom_share; set origin 0, bottom_share
	set label 1 title_text at screen 0.105, 0.965 left font ",18"
	set label 2 subtitle_text at screen 0.105, 0.928 left textcolor rgb "#555555"
	set format x ""
} else {
	set title title_text . (broken ? "\n" . broken_text : "")
	set xlabel "step of the run"
}

# --- the indices
set ylabel "ring index (free-running, modulo 65536)"
high = highest > lowest ? highest : lowest + 1
# Curves that coincide stand a little apart, so that none hides another; never by half an index.
gap = 0.0075 * (high - lowest) < 0.2 ? 0.0075 * (high - lowest) : 0.2
apart(i) = plain ? 0 : (3 - i) * gap
set yrange [lowest - 0.04 * (high - lowest) : high + 0.08 * (high - lowest)]
if (high - lowest <= 10) { set ytics 1 }
set key left Left reverse samplen 3 spacing 1.25
if (plain) { set key outside right top } else { set key at screen 0.80, 0.87 left top }
set grid y lc rgb "#e2e2e2" lw 0.8 dt 1
if (broken) {
	set arrow 1 from broken_step, graph 0 to broken_step, graph 1 nohead ls 6 back
	if (!plain) {
		set label 3 broken_text at screen 0.785, 0.885 right \
			textcolor rgb "#d55e00" font ",13"
	}
}
plot for [s in fields_shown] i = s + 0, data index word(fields, i) using 1:($2 + apart(i)) \
	with steps ls i title word(fields, i) . " (" . word(writers, i) . ")"

# --- the actors
unset title; unset label 1; unset label 2; unset label 3; unset grid; unset ylabel
if (!plain) {
	set size 1, bottom_share; set origin 0, 0
	set tmargin at screen bottom_share - 0.03; set bmargin at screen 0.1
	set key at screen 0.80, bottom_share - 0.005 left top samplen 2 spacing 1.05 maxcols 1
}
set format x "%g"
set xlabel "step of the run"
set yrange [lanes + 0.7 : 0.3]
set ytics ()
do for [i = 1:lanes] { set ytics add (value("lane_" . i) i) }
if (plain) { set terminal dumb noenhanced size 100, 8 + 2 * lanes }
array shape[6] = [9, 8, 2, 11, 10, 2]
if (plain) { array shape[6] = [11, 12, 19, 9, 10, 24] }
do for [i = 1:6] {
	set style line (10 + i) pt shape[i] ps (i % 3 ? 1.6 : 1.1) \
		lc rgb (i < 4 ? "#000000" : "#0072b2")
}
set style arrow 1 nohead lw (plain ? 1 : 9) lc rgb "#cccccc"
# The first curve draws nothing: a plot command needs one.  A run may have no notification at all,
# and a loop over an empty list runs once: curves are added as text.
curves = "-1 notitle lc rgb '#ffffff', for [k = 1:sleeps] data index 'asleep' " . \
	"using 1:3:($2 - $1):(0) with vectors as 1 title 'asleep'"
do for [s = 1:words(marks)] {
	if (strstrt(" " . marks_shown . " ", sprintf(" %d ", s))) {
		curves = curves . sprintf(", data index '%s' using 1:2 with points ls %d " . \
			"title '%s'", word(marks, s), 10 + s, word(says, s))
	}
}
eval("plot " . curves)
if (!plain) { unset multiplot }
set output
