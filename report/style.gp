# SPDX-License-Identifier: GPL-2.0-only
# What the charts share.  Black becomes the colour of the page's text, which also has the
# key; a picture of its own has both itself.
set encoding utf8
set terminal svg size 960,height dynamic font "sans-serif,15" background "#ffffff00"
set style fill solid 1 noborder
set border 3 lw 0.7
set tics nomirror scale 0.5
set grid y lt 1 lc rgb "gray" lw 0.5
set format y "%.0s%c"
if (alone) {
	set terminal svg size 1100,height dynamic font "sans-serif,15" background "#ffffff"
	set key at graph 1.02, graph 1 left top Left reverse samplen 1 maxcols 1 noenhanced
} else {
	unset key
}
colour(n) = system(sprintf("sed -n %dp %s | cut -f1", n, colours))
name(n) = system(sprintf("sed -n %dp %s | cut -f2", n, colours))
bands = int(system("wc -l <".colours))
