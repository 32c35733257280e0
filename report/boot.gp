# SPDX-License-Identifier: GPL-2.0-only
# Exits so far while the guest boots, stacked by reason.
stats data using 1 name "TIME" nooutput
height = 380
load "style.gp"
set xlabel "seconds of the host's clock since the first reading"
set ylabel "exits so far"
set xrange [0:TIME_max]
set yrange [0:most]
plot for [i = bands:1:-1] data using 1:(column(i + 1)) with filledcurves y1=0 lc rgb colour(i)
