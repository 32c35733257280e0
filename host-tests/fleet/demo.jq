# SPDX-License-Identifier: GPL-2.0-only
# A phase of the recorded demo, held for half an hour, as what Prometheus' rules are tested on.
#   jq -L . --arg phase NAME --argjson ledger true|false --arg alerts "NAME..." -f demo.jq \
#      recordings/RUN.json
# In recordings/, a line is what "exitstat --json -m --histogram" said of a phase of make report.
# With ledger false, the host is an older one, which tells no time, nor how long exits take.
# "alerts" are those that have to fire, and no others.
include "buckets";
def states: ["guest", "exits", "vmm", "halted", "waiting", "asleep"];
def labelled: to_entries | map("\(.key)=\"\(.value)\"") | join(",");
def series($metric; $labels; $values):
	{series: "\($metric){\({instance: "guest"} + $labels | labelled)}", $values};
def ratio($by; $metric): "instance_\($by):kvm_guest_\($metric):ratio_rate5m";
def durations: "instance_reason:kvm_guest_exit_duration_cycles:quantile_rate5m";
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
| def counted($metric; $labels; $count): series("kvm_guest_\($metric)"; {$scope} + $labels;
	"0+\($count / $seconds * 15)x120");
  def by_reason($metric; count): $reasons[] | counted($metric; {reason: .name}; count);
  def occurred: $reasons[] | select(.exits > 0);
  def quantiles: [occurred | {name} + ({q: "0.5", bound: .p50_cycles},
		{q: "0.99", bound: .p99_cycles}, {q: "0.999", bound: .p999_cycles})];
{
	rule_files: ["exitstat.rules.yml"],
	tests: [{
		name: $phase,
		interval: "15s",
		input_series: [
			series("kvm_guest_exit_stats_up"; {}; "1x120"),
			series("node_cpu_seconds_total"; {cpu: "0", mode: "idle"}; "0x120"),
			by_reason("exits_total"; .exits),
			by_reason("exit_cycles_total"; .cycles),
			if $ledger then
				by_reason("vmm_seconds_total"; (.vmm_ns // 0) / 1e9),
				(states[] | counted("vcpu_seconds_total"; {state: .};
					$times["\(.)_ns"] / 1e9)),
				(occurred | .name as $reason | buckets
				| counted("exit_duration_cycles_bucket"; {$reason, le}; .count))
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
					([$reasons[].vmm_ns // 0] | add) / $whole),
				# The same bucket as in exitstat, by its bound; and no others
				then_is("count(\(durations))"; quantiles | length),
				(quantiles[] | then_is("count(\(durations){reason=\"\(.name)\","
					+ "quantile=\"\(.q)\"} <= \(.bound)"
					+ " > \((.bound - 1) / 2))"; 1))
			else
				then_has("{__name__=~\"instance_(state|reason):.+\"}"; [])
			end
		]
	}]
}
