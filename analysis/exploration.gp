# SPDX-License-Identifier: GPL-2.0-or-later
# How one exploration went on: above, the classes seen; below, new ones and schedules a second.
#	gnuplot -e "data='run.dat'; out='run.svg'" analysis/exploration.gp
# data is the output of exploration.sql; out ends in .svg, .png, or anything else for plain text.
set encoding utf8
load "< sed -n 's/^#= //p' '" . data . "'"
if (points < 2) {
	print "exploration: this run was over before its progress was noted twice"
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
	set terminal dumb noenhanced size 100,24
	plain = 1
} }
set output out

set style line 1 lc rgb "#0072b2" lw 2.2 dt 1
set style line 2 lc rgb "#000000" lw 1.6 dt 1
set style line 3 lc rgb "#d55e00" lw 1.6 dt (12,4)
set border 3 lc rgb "#444444"
set tics nomirror out
set grid y lc rgb "#e2e2e2" lw 0.8 dt 1
set key bottom right Left reverse samplen 3
set yrange [0 : *]
if (plain) {
	set title title_text
	set xlabel "seconds"
	plot data using 1:2 with lines ls 1 title "classes seen"
	exit
}
set lmargin at screen 0.11; set rmargin at screen 0.89
set multiplot
set label 1 title_text at screen 0.11, 0.965 left font ",18"
set label 2 subtitle_text at screen 0.11, 0.928 left textcolor rgb "#555555"
set tmargin at screen 0.88; set bmargin at screen 0.48
set format x ""
set ylabel "classes seen"
if (estimated > 0) {
	set arrow 1 from graph 0, first estimated to graph 1, first estimated nohead ls 3
	plot data using 1:2 with lines ls 1 title "seen", \
		estimated with lines ls 3 title "at least so many in all (Chao)"
} else {
	plot data using 1:2 with lines ls 1 title "seen"
}
unset label 1; unset label 2; unset arrow 1
set tmargin at screen 0.42; set bmargin at screen 0.10
set format x "%g"
set xlabel "seconds"
set ylabel "new classes a second"
set y2label "schedules a second"
set y2range [0 : *]
set y2tics nomirror out
set border 11
set key top right
plot data using 1:3 with lines ls 1 title "new classes", \
	data using 1:4 axes x1y2 with lines ls 2 title "schedules"
unset multiplot
