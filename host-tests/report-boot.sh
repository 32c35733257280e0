#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The verb report, from the boots to the page.  What the page makes of samples is the test report's.
#
# usage: [KERNEL=X.Y] host-tests/report-boot.sh
. "$(dirname "$0")/lib.sh"
kernel=$(selected_kernel)
export KERNEL=$kernel
report=$top/build/report

# exits FILE: of all reports in it
exits() { jq -s 'map(.total.exits) | add' "$report/$1"; }
# phases RUN: as many as the job has, and each with exits
phases() {
	local name
	grep -cE '^(describe|phase) ' "$top/report/jobs/l2" >"$dir/n"
	[ "$(wc -l <"$report/$1/phases")" = "$(cat "$dir/n")" ] || return 1
	while read -r name _; do
		[ "$(exits "$1/$name.json")" -gt 0 ] || return 1
	done <"$report/$1/phases"
}
# more REASON RUN THAN: exits for a reason in one run than in the other
more() {
	local run of=()
	for run in "$2" "$3"; do
		of+=("$(jq -s --arg reason "$1" \
			'[.[].reasons[] | select(.name == $reason).exits] | add // 0' \
			"$report/$run/samples.json")")
	done
	echo "$1: ${of[*]}"
	[ "${of[0]}" -gt "${of[1]}" ]
}

ktap_begin
holds "two boots make a page" "$top/scripts/report"
for run in ept no-ept; do
	holds "$run: each phase has its report" phases $run
	holds "$run: there are samples from the start to the end" \
		[ "$(wc -l <"$report/$run/samples.json")" -gt 10 ]
	holds "$run: with histograms of all reasons" \
		jq -se 'all(.[].reasons[]; .name == "OTHER" or .histogram)' \
		"$report/$run/samples.json"
done
holds "only with EPT are there EPT violations" more EPT_VIOLATION ept no-ept
holds "without EPT there are more page faults" more EXCEPTION_NMI no-ept ept
# shellcheck disable=SC2317 # holds calls it
named() {
	grep -o '<th scope="row">[^<]*</th>' "$report/index.html" | sort -u >"$dir/rows"
	cut -f1 "$report/ept/phases" | while read -r name; do
		grep -F ">$name<" "$dir/rows" || exit 1
	done
}
holds "the page has a row for each phase" named
ktap_end
