# SPDX-License-Identifier: GPL-2.0-only
# A gnuplot script that draws the dashboard, from what Prometheus answered to its queries.
#   jq -rn --argjson begin SECONDS --argjson last SECONDS --arg guest NAME \
#      --arg terminal svg|pngcairo --slurpfile phases recordings/ept.json \
#      --slurpfile answers answers -f dashboard.jq
# An answer is {type, title, refId, result}.
def width: 1240;
def height: 1598;
# In pixels from the top left, as gnuplot has them
def x_at($x): "screen \($x / width)";
def y_at($y): "screen \(1 - $y / height)";
def at($x; $y): "\(x_at($x)), \(y_at($y))";
def quoted: tojson;
def rgb: "rgb \"#\(.)\"";
def alarm: "c4162a" | rgb;
def text($x; $y; $says; $more):
	"set label \($says | quoted) at \(at($x; $y)) noenhanced \($more)";
def box($x; $y; $w; $h; $title):
	"set object rectangle from \(at($x; $y)) to \(at($x + $w; $y + $h)) behind"
		+ " fs solid 1 border lc \("d8d9dd" | rgb) fc \("ffffff" | rgb)",
	text($x + 12; $y + 17; $title; "font \"sans-serif Bold,12\"");
def tenths: . * 10 | round / 10;
def short: tonumber | if . >= 1000 then "\(. / 1000 | tenths)k" else "\(tenths)" end;
def percent: "\(tonumber * 100 | tenths) %";
def answered($title; $ref):
	first($answers[] | select(.title == $title and .refId == $ref)).result;
def titles($type): [$answers[] | select(.type == $type).title]
	| reduce .[] as $title ([]; if index($title) then . else . + [$title] end);

# The panels that are a number, and the two tables
def stat($n; $title): (16 + 304 * $n) as $x
	| box($x; 16; 296; 84; $title),
	  (answered($title; "A")[0].value[1]
	| (if $title == "Alerts firing" and . != "0" then " tc \(alarm)" else "" end) as $colour
	| text($x + 148; 68; short; "center font \"sans-serif,30\"" + $colour));
# Cells are [X, TEXT, HOW...]
def cells($y; $more): .[] | text(.[0]; $y; .[1]; $more + (.[2:] | join(" ")));
def head: "tc \("6e7077" | rgb) ";
def over($limit): if tonumber > $limit then "tc \(alarm)" else "" end;
def guests($title): box(16; 108; 736; 126; $title),
	([[28, "Guest"], [330, "Exits", "right"], [450, "VMM", "right"],
		[570, "Waiting", "right"], [735, "Exits/s per vCPU", "right"]] | cells(152; head)),
	(answered($title; "A") | sort_by(-(.value[1] | tonumber)) | to_entries[]
	| .key as $row | .value.metric.instance as $instance
	| def value($ref): first(answered($title; $ref)[]
		| select(.metric.instance == $instance)).value[1];
	  [[28, $instance],
	   [330, (value("A") | percent), "right", (value("A") | over(0.1))],
	   [450, (value("B") | percent), "right", (value("B") | over(0.2))],
	   [570, (value("C") | percent), "right", (value("C") | over(0.1))],
	   [735, (value("D") | short), "right", (value("D") | over(50000))]]
	| cells(174 + 20 * $row; ""));
def alerts($title): box(760; 108; 464; 126; $title),
	([[772, "State"], [842, "Alert"], [1096, "Guest"]] | cells(152; head)),
	(answered($title; "A") | map(.metric) | sort_by(.alertname, .instance) | to_entries[]
	| .key as $row | .value
	| [[772, .alertstate], [842, .alertname], [1096, .instance]] | cells(174 + 20 * $row; ""));

# Eight reasons, for which Grafana has room, too, those with the greatest p99.9
def durations($title): ["A", "B", "C", "D"] as $refs
	| box(16; 1360; 1208; 222; $title),
	([[28, "Reason"], [450, "p50", "right"], [650, "p99", "right"], [850, "p99.9", "right"],
		[1050, "Longest", "right"]] | cells(1404; head)),
	([answered($title; "D")[].metric.reason | . as $reason
		| {$reason, values: [$refs[] as $ref | [answered($title; $ref)[]
			| select(.metric.reason == $reason).value[1]][0]]}]
	| sort_by(-(.values[2] // 0 | tonumber))[:8] | to_entries[]
	| .key as $row | .value
	| [[28, .reason], (.values | to_entries[]
		| [450 + 200 * .key, (.value // "-" | if . == "-" then . else short end), "right"])]
	| cells(1426 + 20 * $row; ""));

# The panels over time: bands, the one with the greatest mean at the bottom, as many of them as
# have a name in the key.  A reason has the same colour in each.
def bands: 8;
def states: {guest: "59a14f", exits: "e15759", vmm: "f28e2b", halted: "c9c5bd", waiting: "edc948",
	asleep: "b07aa1"};
def reasons: {IO_INSTRUCTION: "4e79a7", EPT_VIOLATION: "f28e2b", EXTERNAL_INTERRUPT: "59a14f",
	EPT_MISCONFIG: "e15759", CPUID: "76b7b2", MSR_WRITE: "edc948", PREEMPTION_TIMER: "b07aa1",
	INTERRUPT_WINDOW: "9c755f", HLT: "ff9da7"};
def colour: (states + reasons)[.] // "bab0ac" | rgb;
# [{name, values: {TIME: number}}]
def series($title): (states | keys_unsorted) as $order
	| answered($title; "A")
	| map({name: (.metric.state // .metric.reason),
		values: ([.values[] | {"\(.[0])": (.[1] | tonumber)}] | add)})
	| sort_by((.name as $name | $order | index($name)), -([.values[]] | add));
def frame($x; $y; $width):
	"set lmargin at \(x_at($x + 68)); set rmargin at \(x_at($x + $width))",
	"set tmargin at \(y_at($y + 40)); set bmargin at \(y_at($y + 276))",
	"set key at \(at($x + 400; $y + 36)) left top Left reverse noenhanced font \",11\""
		+ " samplen 0.7 width -2 maxcols 1";
# Values are multiplied by SCALE, written as UNIT, and up to MOST.
def panel($x; $y; $title; $scale; $unit; $most; $line):
	series($title) as $all
	| ($all[:bands] + if ($all | length) > bands
		then [{name: "other reasons", rest: $all[bands:]}] else [] end) as $shown
	| "$data << END",
	  (range($begin; $last + 1; 60) as $time
	| [($time - $begin) / 60, foreach $shown[] as $one (0;
		. + $scale * ([($one.rest // [$one])[].values["\($time)"] // 0] | add))]
	| map(tostring) | join(" ")),
	  "END",
	  frame($x; $y; 390),
	  "set format y \($unit | quoted)",
	  "set yrange [0:\($most)]",
	  "plot \([$shown | to_entries[]
		| (.value.name | if . == "vmm" then "VMM" else . end) as $name
		| "$data using 1:\(.key + 2) with filledcurves y1=0 lc \(.value.name | colour)"
			+ " title \($name | quoted)"] | reverse | join(", "))"
		+ if $line then ", \($line) with lines dt 2 lw 1.5 lc \(alarm) notitle" else "" end;

# Of cycles, logarithms are drawn.
def powers: "set ytics (\([range(0; 32; 2)
	| "\"\(pow(2; . % 10))\(["", "K", "M", "G"][. / 10 | floor])\" \(.)"] | join(", ")))";
# A line for each reason, of which those that have no colour of their own are "other reasons"
def lines($x; $y; $title):
	series($title) as $all
	| "$data << END",
	  (range($begin; $last + 1; 60) as $time
	| [($time - $begin) / 60, ($all[].values["\($time)"] | if . then log2 else "NaN" end)]
	| map(tostring) | join(" ")),
	  "END",
	  frame($x; $y; 390),
	  powers,
	  "set yrange [*:*]",
	  "plot \([$all | to_entries[]
		| "$data using 1:\(.key + 2) with lines lw 2 lc \(.value.name | colour)"
			+ if reasons[.value.name] then " title \(.value.name | quoted)"
			else " notitle" end] | join(", ")), NaN lw 2 lc \("other" | colour)"
		+ " title \"other reasons\"";
# Of each bucket, the exits per second in 5 minutes: those up to its bound, without those up to that
# of the one below
def heat($x; $y; $title):
	[answered($title; "A")[] | {values, top: (.metric.le | if . == "+Inf" then 32
		else tonumber + 1 | log2 end)}] | sort_by(.top) as $bounds
	| [$bounds[0].values | keys[] as $i
		| foreach $bounds[] as {$top, $values} ({};
			{$top, time: $values[$i][0], sum: ($values[$i][1] | tonumber),
				before: .sum})
		| .rate = .sum - (.before // 0)
		| select(.rate > 1e-9)]
	| "$data << END",
	  (.[] | ((.time - $begin) / 60) as $minute
	| "\($minute - 2.5) \(.top - 0.5) \($minute - 5) \($minute) \(.top - 1) \(.top) \(.rate)"),
	  "END",
	  frame($x; $y; 500),
	  powers,
	  text($x + 512; $y + 26; "exits/s"; "font \",11\""),
	  "set yrange [*:*]; set logscale cb; set format cb \"%.0s%c\"",
	  "set palette defined (0 \"#fff0e0\", 1 \"#fd8d3c\", 2 \"#7f2704\")",
	  "set colorbox user origin \(at($x + 512; $y + 276)) size \(16 / width), \(236 / height)",
	  "plot $data using 1:2:3:4:5:6:7 with boxxyerror lc palette notitle",
	  "unset label";

[$phases[].name] as $names
| (titles("timeseries") | .[:4] + titles("heatmap") + .[4:] | to_entries
	| map({title: .value, line: {"2": 10, "3": 20}["\(.key)"],
	x: (16 + 608 * (.key % 2)), y: (280 + 360 * (.key / 2 | floor))})) as $panels
| "set terminal \($terminal) size \(width),\(height) background \"#f4f5f5\" font \"sans-serif,13\"",
  "set encoding utf8",
  "set multiplot",
  "unset border; unset tics; unset key; set xrange [0:1]; set yrange [0:1]",
  "set lmargin at screen 0; set rmargin at screen 1",
  "set tmargin at screen 1; set bmargin at screen 0",
  (titles("stat") | to_entries[] | stat(.key; .value)),
  (titles("table") | guests(.[0]), alerts(.[1]), durations(.[2])),
  text(16; 258; "Guest \($guest)"; "font \"sans-serif Bold,15\""),
  ($panels[] | box(.x; .y; 600; 352; .title)),
  "plot -1 notitle",
  "unset label; unset object",
  "set border 3 lw 0.7 lc \("9a9ca3" | rgb); set style fill solid 1 noborder",
  "set grid y front lt 1 lw 0.4 lc \("d8d9dd" | rgb)",
  "set tics nomirror scale 0.4; set ytics autofreq",
  "set xrange [0:\($names | length * 20)]",
  "set xtics (\([$names | to_entries[] | "\(.value | quoted) \(.key * 20 + 10)"] | join(", ")))"
	+ " rotate by 35 right font \",12\" noenhanced",
  ($panels[] | if .title | startswith("Exits per") then
	panel(.x; .y; .title; 1; "%.0s%c"; "*"; null)
  elif .title | startswith("Where") then
	panel(.x; .y; .title; 100; "%.0f %%"; 100; null)
  elif .title | startswith("How long") then
	heat(.x; .y; .title)
  elif .title | startswith("Cycles") then
	lines(.x; .y; .title)
  else
	panel(.x; .y; .title; 100; "%.0f %%"; "*"; .line)
  end),
  "unset multiplot"
