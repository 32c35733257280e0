#!/usr/bin/env bash
# The figures that people read are those that were measured: the documents' tables and the
# cover letters' are made from bench/figures/.
#
# usage: host-tests/figures.sh
. "$(dirname "$0")/cases"

# shellcheck disable=SC2317 # holds calls these
is_made() { "$top/scripts/figures" "$1" | diff "$top/$1" -; }
# shellcheck disable=SC2317
has_tables() {
	local lines
	lines=$(jq -r --arg form mail -f "$top/bench/table.jq" "$1") && [ "$(wc -l <<<"$lines")" -gt 15 ] &&
		! grep -E '.{76}|null' <<<"$lines"
}
# shellcheck disable=SC2317
in_bounds() { jq -e .exits "$1" | jq -r -f "$top/bench/bounds.jq" >"$dir/bounds" && ! grep '^not ok' "$dir/bounds"; }

figures=("$top"/bench/figures/*.json)
echo "TAP version 13"
echo "1..$((2 + 2 * ${#figures[@]}))"
for document in README.md docs/security.md; do
	holds "$document has the tables of the figures" is_made "$document"
done
for f in "${figures[@]}"; do
	holds "$(basename "$f" .json): the cover letter's tables are whole and fit a mail" has_tables "$f"
	holds "$(basename "$f" .json): the figures are within the bounds" in_bounds "$f"
done
