# What the charts share.  Black becomes the colour of the page's text.
set encoding utf8
set terminal svg size 960,height dynamic font "sans-serif,15" background "#ffffff00"
set style fill solid 1 noborder
set border 3 lw 0.7
set tics nomirror scale 0.5
set grid y lt 1 lc rgb "gray" lw 0.5
set format y "%.0s%c"
unset key
colour(n) = system(sprintf("sed -n %dp %s", n, colours))
bands = int(system("wc -l <".colours))
