# SPDX-License-Identifier: GPL-2.0-only
# Exits per second over time, stacked by reason, or shares of the vCPUs' time, stacked by state,
# with the phases named above.
stats data using 1 name "TIME" nooutput
height = alone ? 500 : 440
load "style.gp"
load "phases.gp"
if (alone) set rmargin 27
if (shares) set format y "%.0f %%"
set ylabel shares ? "of the vCPUs' time" : "exits per second"
set xrange [TIME_min:TIME_max]
set yrange [0:most]
bottom = 0
top = most
plot for [i = bands:1:-1] data using 1:(column(i + 1)) with fillsteps lc rgb colour(i) \
		title name(i) noenhanced, \
	@marks
