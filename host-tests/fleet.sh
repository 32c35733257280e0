#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What operators get in fleet/: Prometheus' rules, on guests that were recorded; the dashboard, by
# a Prometheus that scrapes a node_exporter which reads what exitstat writes; systemd's units.
#
# usage: host-tests/fleet.sh
. "$(dirname "$0")/lib.sh"
. "$top/scripts/lib/prometheus.sh"
# It takes up to a minute; what hangs, fails.
[ -n "${LIMITED:-}" ] || LIMITED=1 exec timeout -k 5 240 "$0"
here=$top/host-tests/fleet
fleet=$top/fleet
exitstat=$top/build/fleet-test/exitstat

ktap_begin
cleanup() { stop_servers; }
export TZ=UTC LC_ALL=C EXITSTAT_RECORDING=$dir/recording
for tool in jq prometheus prometheus-node-exporter promtool python3 systemd-analyze; do
	command -v $tool >/dev/null || die "$tool is not on the PATH; run scripts/deps test"
done
make -s -C "$top/tools/exitstat" O="$top/build/fleet-test" STATIC=0 NCURSES=0 \
	MACHINE="$top/host-tests/exitstat/recorded.c" >&2
cp "$fleet"/*.yml "$dir/"

# The rules
holds "promtool accepts the rules" promtool check rules "$fleet/exitstat.rules.yml"
holds "what happens to guests" promtool test rules "$fleet/exitstat.rules.test.yml"
# phase RUN NAME LEDGER ALERT...: these fire, and no others
phase() {
	jq -L "$here" --arg phase "$2" --argjson ledger "$3" --arg alerts "${*:4}" \
		-f "$here/demo.jq" "$here/recordings/$1.json" >"$dir/demo.test.yml" &&
		promtool test rules "$dir/demo.test.yml"
}
phases=0
while read -r run name alerts; do
	# shellcheck disable=SC2086 # words are wanted
	holds "$run, $name: ${alerts:-silent}" phase "$run" "$name" true $alerts
	# An older host does not tell where time goes.
	rate=$(grep -o KvmGuestExitRate <<<"$alerts" || true)
	# shellcheck disable=SC2086 # one word, or none
	holds "$run, $name, without the ledger: ${rate:-silent}" phase "$run" "$name" false $rate
	phases=$((phases + 1))
done <<-END
	ept boot KvmGuestTimeLostToExits KvmGuestTimeTakenByVmm KvmGuestWaitsForCpu
	ept idle
	ept cpu
	ept disk KvmGuestTimeTakenByVmm
	ept serial KvmGuestTimeTakenByVmm
	ept timers
	ept fresh-pages KvmGuestTimeLostToExits
	ept used-pages KvmGuestTimeLostToExits
	no-ept boot KvmGuestTimeLostToExits KvmGuestWaitsForCpu KvmGuestExitRate
	no-ept idle
	no-ept cpu
	no-ept disk KvmGuestTimeTakenByVmm
	no-ept serial KvmGuestTimeTakenByVmm
	no-ept timers
	no-ept fresh-pages KvmGuestTimeLostToExits KvmGuestExitRate
	no-ept used-pages KvmGuestTimeLostToExits KvmGuestExitRate
END
is "these are all phases" $phases "$(cat "$here"/recordings/*.json | wc -l)"

# The units
sed "s|/usr/local/bin/exitstat|$exitstat|" "$fleet/exitstat.service" >"$dir/exitstat.service"
cp "$fleet/exitstat.timer" "$dir/"
mkdir "$dir/exitstat.service.d"
cp "$fleet/histogram.conf" "$dir/exitstat.service.d/"
# silent COMMAND...
silent() { "$@" >"$dir/said" 2>&1 && [ ! -s "$dir/said" ] || { cat "$dir/said" && return 1; }; }
# Of the man page that they name, the tests of exitstat see that it is installed.
holds "systemd has nothing to say about the units" silent \
	systemd-analyze verify --man=no "$dir/exitstat.service" "$dir/exitstat.timer"
holds "the service may do little: an exposure of 1.0 at most, of 10" systemd-analyze security \
	--offline=yes --no-pager --threshold=10 "$dir/exitstat.service"

# From exitstat to the dashboard.  What it writes and the link to it are where the unit and
# README.md have them, but in $dir.
mkdir -p "$dir/run/exitstat" "$dir/textfiles"
ln -s "$dir/run/exitstat/exitstat.prom" "$dir/textfiles/"
# written COUNT: the file, as the unit has it written, with options, COUNT moments after the guest
# began
options=
written() {
	local command
	read -ra command < <(sed -n "s/^ExecStart=//; T; s/\$OPTIONS/$options/p" \
		"$dir/exitstat.service")
	unset "command[-1]"
	"${command[@]/#\/run/$dir/run}" 0.01 "$1" 2>"$dir/exitstat.err"
}
# An ordinary second after boot, on a host that has histograms on: what comes later is as it was.
recordings=$top/host-tests/exitstat/recordings
sed -n '/^# sample/,/^# sample tsc=84/{/0x4ffffff5/p}' "$recordings/vmx-histogram" >"$dir/later"
{
	cat "$recordings/vmx-boot"
	sed '/^# sample/,$d' "$recordings/vmx-histogram"
	sed -e 's/eax=0x85/eax=0x86/' -e '/^# sample tsc=84/,$d' -e "/^# sample/r $dir/later" \
		"$recordings/vmx-ledger"
} >"$dir/recording"
holds "exitstat writes the textfile, as its unit has it" written 1
asks() { grep -E 'kvm_guest_exit_(duration|max)_cycles' "$dir/run/exitstat/exitstat.prom"; }
holds "it does not ask how long exits take" eval '! asks'
options=$(sed -n 's/^Environment="OPTIONS=\(.*\)"$/\1/p' "$fleet/histogram.conf")
holds "with histogram.conf, it does" eval 'written 1 && asks'
# on EAX: what is written on a host whose signature says that of further leaves
on() {
	sed "s/eax=0x86/eax=$1/" "$dir/recording" >"$dir/older"
	EXITSTAT_RECORDING=$dir/older written 1
}
holds "on a host without histograms, it has the longest exits" eval 'on 0x85 &&
	asks >"$dir/asked" && ! grep duration "$dir/asked"'
holds "on a host without either, it has the others" eval 'on 0x84 && ! asks &&
	grep kvm_guest_vcpu_seconds "$dir/run/exitstat/exitstat.prom"'
written 1

server exporter prometheus-node-exporter --web.listen-address=127.0.0.1:0 \
	--collector.disable-defaults --collector.cpu --collector.textfile \
	--collector.textfile.directory="$dir/textfiles"
holds "node_exporter listens" await address exporter
cat >"$dir/prometheus.yml" <<END
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [exitstat.rules.yml]
scrape_configs:
  - job_name: guests
    static_configs: [{targets: ["$(address exporter)"]}]
END
holds "Prometheus reads the rules, and listens" start_prometheus
ready || die "there is no Prometheus to ask"
# answers EXPRESSION [FILTER]: it has data, for which the filter holds
answers() {
	ask ".data.result | length > 0 and all(.[].value[1]; . != \"NaN\") and (${2:-true})" \
		query query "$1"
}
# tells NAME EXPRESSION [FILTER]: so it does soon
tells() { holds "$1" await answers "${@:2}"; }
tells "Prometheus has scraped what was written" 'kvm_guest_exit_stats_up == 1'
written 2

# The dashboard, for this one guest; the window that Grafana would choose here is too short.
jq -r '.panels[] | .title as $title | .targets[]? | "\($title), \(.refId)\t\(.expr)"' \
	"$fleet/dashboard.json" |
	sed -e "s/\\\$instance/$(address exporter)/g" -e 's/\$__rate_interval/1m/g' >"$dir/queries"
all_answered() {
	while IFS=$'\t' read -r _ expression; do
		answers "$expression" || return
	done <"$dir/queries"
}
holds "the dashboard has data" await all_answered
while IFS=$'\t' read -r title expression; do
	holds "$title" answers "$expression"
done <"$dir/queries"
is "that was all there is in it to ask" "$(wc -l <"$dir/queries")" \
	"$(grep -c '"expr"' "$fleet/dashboard.json")"
read -r metric label < <(jq -r '.templating.list[] | select(.type == "query").query.query
	| capture("^label_values\\((?<metric>.*), (?<label>.*)\\)$") | "\(.metric) \(.label)"' \
	"$fleet/dashboard.json")
holds "the guest can be chosen" ask ".data == [\"$(address exporter)\"]" \
	"label/$label/values" 'match[]' "$metric"
# shellcheck disable=SC2317 # holds calls it
portable() {
	jq -e '[.. | .datasource? // empty | select(.type == "prometheus").uid] | length > 10
		and all(. == "${datasource}")' "$fleet/dashboard.json"
}
holds "it reads whichever Prometheus is chosen" portable
# shellcheck disable=SC2317 # holds calls it
honest() {
	jq -e '[.panels[] | select(.type | IN("timeseries", "heatmap")).fieldConfig.defaults]
		| length == 6 and all(.noValue | startswith("The host does not tell"))' \
		"$fleet/dashboard.json"
}
holds "panels say so of hosts that do not tell" honest
# The picture of it is what it shows of the recorded demo.
# shellcheck disable=SC2317 # holds calls it
pictured() {
	"$top/scripts/fleet-picture" "$dir/picture.svg" &&
		python3 -c 'import re, sys, xml.etree.ElementTree as tree
def of(picture):
    lines = "".join(tree.parse(picture).getroot().itertext()).split("\n")
    return sorted(l for l in map(str.strip, lines) if re.fullmatch(r"[\d.]+( %|k)|KvmGuest.*", l))
drawn, kept = map(of, sys.argv[1:])
print(drawn, kept, sep="\n")
assert len(drawn) > 5 and drawn == kept' "$dir/picture.svg" "$top/docs/dashboard.svg"
}
holds "docs/dashboard.svg has the figures that are drawn today" pictured

# What Prometheus says is what exitstat says of that second: the first line of its report.
states='instance_state:kvm_guest_vcpu_seconds:ratio_rate5m'
shares=$(sed -n '/1.000 s/{x;p;q}; h' "$top/host-tests/exitstat/expected/ledger.txt")
for state in guest exits VMM halted waiting asleep; do
	share=$(sed -n "s/.*$state \([0-9.]*\).*/\1/p" <<<"$shares")
	tells "$state: $share %" "$states{state=\"${state,,}\"} * 100" \
		".[0].value[1] | tonumber - ${share:-0} | fabs < 0.051"
done
tells "what reasons take comes to all exits'" \
	"sum(instance_reason:kvm_guest_exit_cycles:ratio_rate5m) / sum($states{state=\"exits\"})" \
	'.[0].value[1] | tonumber - 1 | fabs < 1e-6'

# The alerts
holds "all rules can be evaluated" ask '[.data.groups[].rules[]] | length == 15
	and all(.health == "ok")' rules
holds "each alert says what it means, what to do, and how bad it is" ask \
	'[.data.groups[].rules[] | select(.type == "alerting")] | length == 6 and
	all((.annotations | .summary and (.description | length > 100)) and .labels.severity)' rules
# pending NAME SUMMARY: it would fire if that went on
pending() {
	ask ".data.alerts | any(.labels.alertname == \"$1\" and .annotations.summary ==
		\"$(address exporter) $2\")" alerts
}
holds "this second would raise one" await pending KvmGuestTimeLostToExits \
	"loses 14.1% of its time to VM exits"
cp "$recordings/absent" "$dir/recording"
written 1 || true
tells "the host stops to serve" 'kvm_guest_exit_stats_up == 0'
tells "which would raise one, too" 'ALERTS{alertname="KvmGuestExitStatsGone"}'
ktap_end
