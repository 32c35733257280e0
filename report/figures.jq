# SPDX-License-Identifier: GPL-2.0-only
# Every figure of the report, from what exitstat and debugfs said.
#   jq -n --slurpfile machine machine.json --slurpfile runs runs.json -f figures.jq
# A run is {id, title, samples, phases: [{name, what, report}], host}.

def colours: [
	"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2",
	"#edc948", "#b07aa1", "#9c755f", "#ff9da7"];
# The states of the ledger, in the order of their bands
def states: [
	["guest", "#59a14f"], ["exits", "#e15759"], ["VMM", "#f28e2b"], ["halted", "#c9c5bd"],
	["waiting", "#edc948"], ["asleep", "#b07aa1"]] | map({name: .[0], colour: .[1]});
# Of the ledger, the states' shares in percent; null if the host does not tell
def shares: .ledger as $of
	| if $of == null then null
	  else [states[].name | $of["\(ascii_downcase)_ns"]] | add as $all
		| if $all == 0 then null else map(100 * . / $all) end end;
# How many exits, for whichever reason, are in each bucket; null if the host does not tell
def buckets: [.reasons[].histogram | select(.)]
	| if . == [] then null else transpose | map(add) end;
# Of which bucket is the exit that is as long as so many per mille of all, or longer?
def quantile($per_mille): . as $of | (add * $per_mille / 1000 | ceil) as $exit
	| first(range(length) | select($of[:. + 1] | add >= $exit));
# How long exits took: the buckets with the quantiles, and the longest one
def durations: buckets as $buckets
	| if $buckets == null then null else {
		quantiles: [500, 990, 999 | . as $per_mille | $buckets | quantile($per_mille)],
		longest: (.reasons | max_by(.max_cycles) | {name, cycles: .max_cycles})} end;
def own_name: "CPUID by exitstat";
def rest_name: "other reasons";

def sum(f): reduce .[] as $x (0; . + ($x | f));

# [{name, exits, cycles}] of all reports, most frequent first
def by_reason: map(.reasons[]) | group_by(.name)
	| map({name: .[0].name, exits: sum(.exits), cycles: sum(.cycles)})
	| sort_by(-.exits, .name);

def happened: map(select(.exits > 0));

# What debugfs said: [{time, exits, reasons: {NAME: exits}}].  A file that was cut short,
# its VM being gone, has no total.
def snapshots: split("time ")[1:] | map(split("\n")
	| (.[1:] | map(split(" ") | select(length == 4))) as $lines
	| {time: (.[0] | tonumber),
	   exits: ($lines | map(select(.[1] == "total")[2] | tonumber) | add),
	   reasons: ($lines | map(select(.[1] != "total") | {(.[1]): (.[2] | tonumber)})
		| add // {})}
	| select(.exits))
	| (.[0].time // 0) as $start | map(.time -= $start);

# How many of the exits came in each quarter of the time: at its ends, the last reading
def quarters: . as $all | if . == [] then [] else
	[range(5) | (. / 4 * $all[-1].time) as $time | [$all[] | select(.time <= $time)][-1].exits]
	| . as $at | [range(4) | $at[. + 1] - $at[.]] end;

def run: . as $run
	| if any(.samples[], .phases[].report; .restarted)
	  then error("\(.id): the counters were restarted") else . end
	| (.samples[0].time - .samples[0].elapsed) as $start
	| (.samples | map({begin: (.time - .elapsed - $start), end: (.time - $start), elapsed,
		own: .own_cpuids, exits: .total.exits, reasons, shares: shares,
		buckets: buckets})) as $samples
	| (.host | snapshots) as $boot
	| {id, title, vcpus: [.samples[].vcpus | select(.)][0],
	   interval: ([.samples[1:][].elapsed] | sort | .[length / 2 | floor]),
	   whole: {samples: (.samples | length), exits: (.samples | sum(.total.exits)),
		cycles: (.samples | sum(.total.cycles)), own: (.samples | sum(.own_cpuids)),
		reasons: (.samples | by_reason), seconds: $samples[-1].end},
	   phases: [.phases[] | .report as $r
		| ($r.time - $start) as $to | ($to - $r.elapsed) as $from
		| [$samples[] | select(.end > $from and .end <= $to)] as $in
		# The first one is since boot: its rate is an average, and no interval.
		| [$in[1:][] | .exits / .elapsed] as $rates
		| ($r.own_cpuids + ($in | sum(.own))) as $own
		| {name, what, begin: $from, end: $to, elapsed: $r.elapsed,
		   exits: $r.total.exits, cycles: $r.total.cycles, $own,
		   without_own: (([$r.total.exits - $own, 0] | max) / $r.elapsed),
		   defined: ($r.reasons | length), reasons: ([$r] | by_reason | happened),
		   shares: ($r | shares), durations: ($r | durations),
		   rate: ($r.total.exits / $r.elapsed),
		   lowest: ($rates | min), highest: ($rates | max)}],
	   samples: $samples[1:], boot: $boot, quarters: ($boot | quarters)};

$runs | map(run) as $runs
# The same colour for a reason everywhere: those that matter anywhere get one.
| [$runs[] | (.whole, .phases[]) | . as $of | .reasons[]
	| {name, weight: ([.exits / $of.exits, .cycles / $of.cycles] | max)}]
	| group_by(.name) | map({name: .[0].name, weight: (map(.weight) | add)})
	| sort_by(-.weight) | .[:colours | length]
	| [., colours] | transpose | map({name: .[0].name, colour: .[1]})
| [{name: own_name, colour: "#6b7280"}] + . + [{name: rest_name, colour: "#d0c9b8"}]
| {machine: $machine[0], colours: ., states: states, runs: $runs}
