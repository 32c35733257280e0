#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What no compiler sees: every file says its licence, no line is too long, and the version of
# this software is said in one place.
#
# usage: host-tests/habits.sh
# shellcheck disable=SC2317 # holds calls what seems not to be called
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/lib/ktap.sh"
ktap_begin
cd "$top"

# Not ours to write: the licence itself, what is kept in the kernel's form, and what was recorded
# or generated
others=(':!COPYING' ':!patches/cover-letter' ':!*.patch' ':!*.json' ':!*.svg'
	':!*/expected/*' ':!*/recordings/*' ':!host-tests/report/')
# tracked PATHSPEC...: of the files that are there, zero-terminated
tracked() {
	git ls-files -z -- "$@" "${others[@]}" | while read -rd '' f; do
		[ ! -f "$f" ] || printf '%s\0' "$f"
	done
}

# Those of the kernel have what their neighbours there have.
licensed() {
	tracked ':!*.md' ':!VERSION' | xargs -0 awk '
		FNR == 1 { files[n++] = FILENAME }
		FNR <= 3 && sub(/^.*SPDX-License-Identifier: /, "") {
			sub(/ (\*\/|-->)$/, "")
			says[FILENAME] = $0
		}
		END {
			for (i = 0; i < n; i++) {
				f = files[i]
				said = f in says ? says[f] : "no SPDX-License-Identifier on top"
				sub(/ WITH Linux-syscall-note$/, "", said)
				if (said == "GPL-2.0-only")
					continue
				if (said == "GPL-2.0" && f ~ /^(arch-x86-kvm|patches\/files)\//)
					continue
				bad = bad f ": " said "\n"
			}
			printf "%s", bad
			exit !n || bad != ""
		}'
}
holds "every file says its licence, which is GPL-2.0-only" licensed

# A tab counts 8; tables, of Markdown or of their own, are as wide as they have to be.
narrow() {
	local f lines bad=0
	while read -rd '' f; do
		lines=$(expand "$f" | LC_ALL=C.UTF-8 grep -nE '.{101}') || continue
		[[ $f != *.md ]] || lines=$(grep -vE '^[0-9]+:\|' <<<"$lines") || continue
		echo "$f: $(wc -l <<<"$lines"), the first one is line ${lines%%:*}"
		bad=1
	done < <(tracked ':!kernels' ':!boots' ':!*.html')
	return $bad
}
holds "no line has more than 100 columns" narrow

version=$(cat VERSION)
one_line() { [[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]]; }
holds "VERSION is a version, and nothing else" one_line
newest() { [[ $(grep -m 1 '^## ' NEWS.md) =~ ^"## $version"(,|$) ]]; }
holds "NEWS.md begins with this version" newest
nowhere_else() {
	local number=${version//./\\.}
	! git grep -niE "(version|exitstat|exit-stats)[^0-9]{0,12}$number([^0-9.]|\$)" -- \
		':!VERSION' ':!NEWS.md' "${others[@]}"
}
holds "no other file says it" nowhere_else

ktap_end
