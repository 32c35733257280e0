# SPDX-License-Identifier: GPL-2.0-only
# The data of one chart, tab-separated, from the figures.
#   jq -r --arg chart boot|time|ledger|heat|phases|exits|cycles --arg run ID -f chart-data.jq \
#      figures.json
def bands: .colours | map(.name);
# How often each band's reasons, from {NAME: exits}, and exitstat's own CPUIDs
def banded($bands; $own): . as $of | ($bands[1:-1] | map($of[.] // 0)) as $named
	| ([$bands | index("CPUID", "cpuid")] | map(select(.))) as $cpuid
	| [$own] + ($named | if $cpuid != [] then .[$cpuid[0] - 1] -= $own else . end)
		+ [([$of[]] | add // 0) - ($named | add) - (if $cpuid == [] then $own else 0 end)];
def cumulated: . as $of | [range(length) | $of[:. + 1] | add];
def exits_by_name: map({(.name): .exits}) | add // {};

bands as $bands | .colours as $colours
| if $chart == "exits" or $chart == "cycles" then
	# A line per reason: name, colour, then a figure per run
	[.runs[].whole] as $of
	| [$of[].reasons[].name] | unique | map(. as $name | {name: $name,
		colour: ([$colours[] | select(.name == $name)][0] // $colours[-1]).colour,
		figures: [$of[] | [.reasons[] | select(.name == $name)][0][$chart] // 0]})
	| sort_by(-(.figures | max), .name) | .[:12] | .[] | [.name, .colour] + .figures
  else
	.runs[] | select(.id == $run)
	| if $chart == "phases" then .phases[1:][] | [.begin, .end, .name]
	  elif $chart == "boot" then .boot[] | [.time] + (.reasons | banded($bands; 0) | cumulated)
	  elif $chart == "ledger" then
		[.samples[] | select(.shares)]
		| (.[] | [.begin] + (.shares | cumulated)),
		  (.[-1:][] | [.end] + (.shares | map(0)))
	  elif $chart == "heat" then
		# A line per bucket with exits: its time, up to the next sample's lest there be a
		# gap, its cycles, for the logarithm at least 1, and exits per second
		[.samples, .samples[1:]] | transpose[] | (.[1].begin // .[0].end) as $until
		| .[0] | select(.buckets) | .buckets as $buckets
		| range($buckets | length) as $i | select($buckets[$i] > 0)
		| [.begin, $until, ($i | exp2), ($i + 1 | exp2), $buckets[$i] / .elapsed]
	  else
		(.samples[] | .elapsed as $s | .own as $own | [.begin] + (.reasons | exits_by_name
			| banded($bands; $own) | map(. / $s) | cumulated)),
		(.samples[-1] | [.end] + ($bands | map(0)))
	  end
  end
| @tsv
