# SPDX-License-Identifier: GPL-2.0-only
# What the charts over time share: they line up, and @marks, at the end of a plot whose axis goes
# from "bottom" to "top", is where the phases begin and end, and their names.
set tmargin 6
set lmargin 9
set rmargin 8
set xlabel "seconds since the guest's kernel has had a clock"
set style arrow 1 nohead lt 1 lw 1 lc rgb "#8c959f"
marks = "phases using 1:(bottom):(0):(top - bottom) with vectors arrowstyle 1 notitle," \
	."phases using 2:(bottom):(0):(top - bottom) with vectors arrowstyle 1 notitle," \
	."phases using (($1 + $2) / 2):(top):3 with labels left rotate by 35 offset 0,0.6 notitle"
