#!/usr/bin/env bash
# Every script is clean to shellcheck, and executable if it is to be run.
. "$(dirname "$0")/cases"

# Jobs are sourced by L1's and L2's init, which have the functions that they call.
mapfile -t scripts < <(cd "$top" && git ls-files scripts host-tests machine guest-tests .ci | while read -r f; do
	! head -n 1 "$f" | grep -qE '^#(!.*\b(ba)?sh$| shellcheck shell=)' || echo "$f"
done)
echo "TAP version 13"
echo "1..$((1 + ${#scripts[@]}))"
holds "there are scripts" [ ${#scripts[@]} -gt 20 ]
for f in "${scripts[@]}"; do
	# shellcheck disable=SC2317 # holds calls it
	clean() { shellcheck -x "$top/$f" && { [ -x "$top/$f" ] || ! head -n 1 "$top/$f" | grep '^#!'; }; }
	holds "$f" clean
done
