# SPDX-License-Identifier: GPL-2.0-or-later
# One panel a figure of `ringside compare`, which sets what is used here and loads it: $data (a line
# a value, a column a figure), figures, values, runs (how many of these were run: what comes after
# stands beside and has a colour of its own), beside (its name, or nothing), heading[], param, out.
set encoding utf8
ending = strlen(out) > 4 ? out[strlen(out) - 3:] : ""
columns = figures < 3 ? figures : figures == 4 ? 2 : 3
rows = (figures + columns - 1) / columns
if (ending eq ".png") {
	set terminal pngcairo size 480 * columns, 320 * rows font "Helvetica,11" \
		background "white" noenhanced
} else {
	set terminal svg size 400 * columns, 270 * rows font "Helvetica,12" background "white" \
		noenhanced
}
set output out
set border 3 lc rgb "#444444"
set tics nomirror out
set grid y lc rgb "#e2e2e2" lw 0.8 dt 1
set datafile separator "\t"
set datafile missing "?"
set key off
set xlabel param.(beside eq "" ? "" : " (orange: ".beside.")")
set xrange [-0.5:values - 0.5]
set yrange [0:*]
set format y "%.1s%c"
set style fill solid 0.85 noborder
set boxwidth 0.6
set multiplot layout rows, columns
do for [i = 1:figures] {
	set title heading[i]
	plot $data using 0:(column(0) < runs ? column(i + 1) : NaN):xtic(1) with boxes \
			lc rgb "#0072b2", \
		$data using 0:(column(0) < runs ? NaN : column(i + 1)) with boxes lc rgb "#d55e00"
}
unset multiplot
