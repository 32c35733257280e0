# SPDX-License-Identifier: GPL-2.0-only
# A phase of the recorded demo, held for half an hour, as what Prometheus' rules are tested on.
#   jq --arg phase NAME --argjson ledger true|false --arg alerts "NAME..." -f demo.jq \
#      recordings/RUN.json
# In recordings/, a line is what "exitstat --json" said of a phase of make report.
# With ledger false, the host is an older one, which tells no time.  "alerts" are those that have to
# fire, and no others.
def states: ["guest", "exits", "vmm", "halted", "waiting", "asleep"];
def labelled: to_entries | map("\(.key)=\"\(.value)\"") | join(",");
def series($metric; $labels; $values):
	{series: "\($metric){\({instance: "guest"} + $labels | labelled)}", $values};
def ratio($by; $metric): "instance_\($by):kvm_guest_\($metric):ratio_rate5m";
# In the end, EXPR has these samples
def then_has($expr; $exp_samples): {eval_time: "25m", $expr, $exp_samples};
# or is a number, but for what binary fractions lack
def then_is($expr; $number):
	then_has("abs(sum(\($expr)) - \($number)) < bool 1e-6"; [{labels: "{}", value: 1}]);

first(inputs, . | select(.name == $phase)) | .report
| . as {$scope, $reasons, ledger: $times, $total}
# A scrape every 15 seconds, with what came together in each second of the one vCPU
| ($times.elapsed_ns / 1e9) as $seconds
| ([states[] | $times["\(.)_ns"]] | add) as $whole
| def counted($metric; $labels; $count): series("kvm_guest_\($metric)_total"; {$scope} + $labels;
	"0+\($count / $seconds * 15)x120");
  def by_reason($metric; count): $reasons[] | counted($metric; {reason: .name}; count);
{
	rule_files: ["exitstat.rules.yml"],
	tests: [{
		name: $phase,
		interval: "15s",
		input_series: [
			series("kvm_guest_exit_stats_up"; {}; "1x120"),
			series("node_cpu_seconds_total"; {cpu: "0", mode: "idle"}; "0x120"),
			by_reason("exits"; .exits),
			by_reason("exit_cycles"; .cycles),
			if $ledger then
				by_reason("vmm_seconds"; (.vmm_ns // 0) / 1e9),
				(states[] | counted("vcpu_seconds"; {state: .};
					$times["\(.)_ns"] / 1e9))
			else empty end
		],
		promql_expr_test: [
			then_has("count by (alertname) (ALERTS{alertstate=\"firing\"})"; $alerts
				| split(" ") | map({labels: "{alertname=\"\(.)\"}", value: 1})),
			then_is("instance:kvm_guest_exits:rate5m"; $total.exits / $seconds),
			if $ledger then
				(states[] | then_is(
					"\(ratio("state"; "vcpu_seconds")){state=\"\(.)\"}";
					$times["\(.)_ns"] / $whole)),
				then_is(ratio("reason"; "exit_cycles"); $times.exits_ns / $whole),
				then_is(ratio("reason"; "vmm_seconds");
					([$reasons[].vmm_ns // 0] | add) / $whole)
			else
				then_has("{__name__=~\"instance_(state|reason):.+\"}"; [])
			end
		]
	}]
}
