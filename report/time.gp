# SPDX-License-Identifier: GPL-2.0-only
# Exits per second over time, stacked by reason, or shares of the vCPUs' time, stacked by state,
# with the phases named above.
stats data using 1 name "TIME" nooutput
height = alone ? 500 : 440
load style
set tmargin 6
if (alone) set rmargin 27; else set rmargin 8
set xlabel "seconds since the guest's kernel has had a clock"
if (shares) set format y "%.0f %%"
set ylabel shares ? "of the vCPUs' time" : "exits per second"
set xrange [TIME_min:TIME_max]
set yrange [0:most]
set style arrow 1 nohead lt 1 lw 1 lc rgb "#8c959f"
plot for [i = bands:1:-1] data using 1:(column(i + 1)) with fillsteps lc rgb colour(i) \
		title name(i) noenhanced, \
	phases using 1:(0):(0):(most) with vectors arrowstyle 1 notitle, \
	phases using 2:(0):(0):(most) with vectors arrowstyle 1 notitle, \
	phases using (($1 + $2) / 2):(most):3 with labels left rotate by 35 offset 0,0.6 notitle
