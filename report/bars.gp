# SPDX-License-Identifier: GPL-2.0-only
# A figure per reason: in full colour with EPT, and beneath it, pale, without.
stats data using 3 name "ROWS" nooutput
rows = ROWS_records
height = 40 + 42 * rows
load "style.gp"
set grid noy x lt 1 lc rgb "gray" lw 0.5
unset border
set lmargin 25
set xrange [0:most * 1.07]
set yrange [rows - 0.4:-0.6]
unset xtics
unset ytics
number(n) = n >= 1e5 ? gprintf("%.1s%c", n) : gprintf("%.0f", n)
rgb(s) = int(system("printf %d 0x".s[2:7]))
pale(s) = rgb(s) + 0x90000000
plot data using (0):0:(0):3:($0 - 0.36):($0 - 0.02):(rgb(strcol(2))) \
		with boxxyerror lc rgb variable, \
	data using (0):0:(0):4:($0 + 0.02):($0 + 0.36):(pale(strcol(2))) \
		with boxxyerror lc rgb variable, \
	data using 3:($0 - 0.19):(number($3)) with labels left offset 0.5,0 font ",12.5", \
	data using 4:($0 + 0.19):(number($4)) with labels left offset 0.5,0 font ",12.5", \
	data using (0):0:1 with labels right offset -1,0 noenhanced
