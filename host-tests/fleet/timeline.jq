# SPDX-License-Identifier: GPL-2.0-only
# The recorded demo in OpenMetrics, for promtool to make Prometheus' blocks of: three guests, two of
# which do its phases one after the other, each for 20 minutes, and one that idles.
#   jq -rn -L . --argjson begin SECONDS --slurpfile ept recordings/ept.json \
#      --slurpfile no_ept recordings/no-ept.json -f timeline.jq
# The counters go on as fast as in the recording, and are there every 15 seconds.  Only the first
# guest, which is shown, has histograms, and every minute, for buckets are many.
include "buckets";
def guests: [
	{name: "with EPT", phases: $ept},
	{name: "without EPT", phases: $no_ept},
	{name: "idle", phases: ($ept | map($ept[] | select(.name == "idle")))}];
def ticks: 80;
def labelled($name; $value): "\($name)=\"\($value)\"";
def reasons: .reasons[] | select(.exits > 0) | .key = labelled("reason"; .name);
# Of each .key of a report, the value at every so many scrapes, which is NEXT of that before and the
# phase's
def family(guests; $type; $series; $every; keys; value; next):
	"# TYPE kvm_guest_\($series | sub("_(total|bucket)$"; "")) \($type)",
	(guests | .name as $guest
	| [.phases[].report | (.ledger.elapsed_ns / 15e9 / $every) as $scrapes
		| [keys | {(.key): (value / if $type == "gauge" then 1 else $scrapes end)}] | add]
		as $phases
	| ([$phases[] | keys_unsorted[]] | unique[]) as $key
	| foreach range(0; ($phases | length) * ticks; $every) as $tick (0;
		[., $phases[$tick / ticks | floor][$key] // 0] | next;
		"kvm_guest_\($series){instance=\"\($guest)\",job=\"guests\",scope=\"vm\","
			+ "\($key)} \(.) \($begin + 15 * $tick)"));
def counter($series; keys; value): family(guests[]; "counter"; $series; 1; keys; value; add);
def constant($name; $labels; $value):
	"# TYPE \($name) unknown",
	(guests[] | .name as $guest | range(.phases | length * ticks)
	| "\($name){instance=\"\($guest)\",job=\"guests\"\($labels)} \($value) \($begin + 15 * .)");
counter("exits_total"; reasons; .exits),
counter("exit_cycles_total"; reasons; .cycles),
counter("vmm_seconds_total"; reasons; (.vmm_ns // 0) / 1e9),
counter("vcpu_seconds_total"; .ledger | to_entries[] | select(.key != "elapsed_ns")
	| .key |= labelled("state"; rtrimstr("_ns")); .value / 1e9),
family(guests[0]; "histogram"; "exit_duration_cycles_bucket"; 4; reasons | .key as $key | buckets
	| .key = "\($key),\(labelled("le"; .le))"; .count; add),
family(guests[0]; "gauge"; "exit_max_cycles"; 4; reasons; .max_cycles; max),
constant("kvm_guest_exit_stats_up"; ""; 1),
constant("node_cpu_seconds_total"; ",cpu=\"0\",mode=\"idle\""; 0),
"# EOF"
