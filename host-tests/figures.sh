#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The figures that people read are those that were measured: the documents' tables and the
# cover letters' are made from bench/figures/.
#
# usage: host-tests/figures.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2317 # holds calls these
is_made() { "$top/scripts/figures" "$1" | diff "$top/$1" -; }
# shellcheck disable=SC2317
has_tables() {
	local lines
	lines=$(jq -r --arg form mail -f "$top/bench/table.jq" "$1") &&
		[ "$(wc -l <<<"$lines")" -gt 15 ] && ! grep -E '.{76}|null' <<<"$lines"
}
# shellcheck disable=SC2317
in_bounds() {
	jq -e ".$2" "$1" | jq -r --argjson gcc 120000 -f "$top/bench/bounds.jq" >"$dir/bounds" &&
		! grep '^not ok' "$dir/bounds"
}

figures=("$top"/bench/figures/*.json)
documents=$("$top/scripts/figures" --list)
ktap_begin
for document in $documents; do
	holds "$document has the tables of the figures" is_made "$document"
done
for f in "${figures[@]}"; do
	kernel=$(basename "$f" .json)
	holds "$kernel: the cover letter's tables are whole and fit a mail" has_tables "$f"
	holds "$kernel: the figures of VMX are within the bounds" in_bounds "$f" exits
	holds "$kernel: the figures of SVM are within the bounds" in_bounds "$f" svm
done
ktap_end
