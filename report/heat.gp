# SPDX-License-Identifier: GPL-2.0-only
# How many exits per second took how many cycles, over time, with the phases named above.
stats data using 1 name "BEGIN" nooutput
stats data using 2 name "END" nooutput
# Charts that are to be compared have the same scales.
if (alone) heats = data
stats "<cat ".heats using 3 name "SHORT" nooutput
stats "<cat ".heats using 4 name "LONG" nooutput
stats "<cat ".heats using 5 name "RATE" nooutput
bottom = SHORT_min
top = LONG_max
height = alone ? 500 : 440
load "style.gp"
load "phases.gp"
set ylabel "cycles of an exit"
set logscale y
set ytics ()
steps = "1 4 16 64 256 1K 4K 16K 64K 256K 1M 4M 16M 64M 256M 1G 4G"
set for [i = 1:words(steps)] ytics add (word(steps, i) 4 ** (i - 1))
set logscale cb
set format cb "%.0s%c"
set xrange [BEGIN_min:END_max]
set yrange [bottom:top]
set cbrange [RATE_min:most]
set palette defined (0 "#8297ad", 1 "#5f7fc4", 2 "#8e5fb8", \
	3 "#cf4f86", 4 "#ee6149", 5 "#f79a35", 6 "#f2cb3d")
set colorbox horizontal user origin graph 0.18, graph 1.4 size graph 0.3, graph 0.03
set cbtics scale 0.5
set label "exits per second" at graph 0, graph 1.41
plot data using 1:3:1:2:3:4:5 with boxxyerror lc palette notitle, \
	@marks
