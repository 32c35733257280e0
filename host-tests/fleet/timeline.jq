# SPDX-License-Identifier: GPL-2.0-only
# The recorded demo in OpenMetrics, for promtool to make Prometheus' blocks of: three guests, two of
# which do its phases one after the other, each for 20 minutes, and one that idles.
#   jq -rn --argjson begin SECONDS --slurpfile ept recordings/ept.json \
#      --slurpfile no_ept recordings/no-ept.json -f timeline.jq
# The counters go on as fast as in the recording, and are there every 15 seconds.
def guests: [
	{name: "with EPT", phases: $ept},
	{name: "without EPT", phases: $no_ept},
	{name: "idle", phases: ($ept | map($ept[] | select(.name == "idle")))}];
def ticks: 80;
# {NAME: per second}, of a report
def rates(names; count): .report | (.ledger.elapsed_ns / 1e9) as $seconds
	| [names | {(.name): (count / $seconds)}] | add;
def family($name; $by; names; count):
	"# TYPE kvm_guest_\($name) counter",
	(guests[] | .name as $guest | [.phases[] | rates(names; count)] as $rates
	| ([$rates[] | keys_unsorted[]] | unique[]) as $key
	| foreach range($rates | length * ticks) as $tick (0;
		. + 15 * ($rates[$tick / ticks | floor][$key] // 0);
		"kvm_guest_\($name)_total{instance=\"\($guest)\",job=\"guests\",scope=\"vm\","
			+ "\($by)=\"\($key)\"} \(.) \($begin + 15 * $tick)"));
def constant($name; $labels; $value):
	"# TYPE \($name) unknown",
	(guests[] | .name as $guest | range(.phases | length * ticks)
	| "\($name){instance=\"\($guest)\",job=\"guests\"\($labels)} \($value) \($begin + 15 * .)");
family("exits"; "reason"; .reasons[]; .exits),
family("exit_cycles"; "reason"; .reasons[]; .cycles),
family("vmm_seconds"; "reason"; .reasons[]; (.vmm_ns // 0) / 1e9),
family("vcpu_seconds"; "state"; .ledger | to_entries[] | select(.key != "elapsed_ns")
	| {name: (.key | rtrimstr("_ns")), value}; .value / 1e9),
constant("kvm_guest_exit_stats_up"; ""; 1),
constant("node_cpu_seconds_total"; ",cpu=\"0\",mode=\"idle\""; 0),
"# EOF"
