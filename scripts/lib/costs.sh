# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by scripts/bench and scripts/bounds: the figures of a boot whose job was "bench".

# cost_lines DIR BUILD: build, setting, exit and instructions, a line for each that was measured
cost_lines() {
	local section setting
	for section in "$1"/bench-*.section; do
		[ -e "$section" ] || die "nothing was measured in $1; see $1/console.log"
		setting=$(basename "$section" .section)
		[ "$(cat "$1/$setting.status")" = 0 ] ||
			die "measuring the $2 kernel: ${setting#bench-} failed, see $1/console.log"
		awk -v build="$2" -v setting="${setting#bench-}" -v OFS='\t' '
			$1 == "bench" { print build, setting, $2, $3 }' "$section"
	done
}

# cost_results: such lines as JSON
cost_results() {
	jq -R 'split("\t")
		| { build: .[0], setting: .[1], exit: .[2], instructions: (.[3] | tonumber) }' |
		jq -s .
}

# cost_figures DIR: results as JSON, with the kernel and the machine, which DIR's boot tells
cost_figures() {
	jq --arg kernel "$(sed -n 's/^L1: Linux \([^ ]*\)-exit-stats,.*/\1/p' "$1/console.log")" \
		--arg machine "$(cat "$1/backend")" '{ $kernel, $machine, results: . }'
}
