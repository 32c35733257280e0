#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The table "boots" runs all tests there are, and a mistake in it, or in what is asked of it, gets
# one sentence with the choices.
#
# usage: host-tests/matrix.sh
# shellcheck disable=SC2317 # holds calls these
. "$(dirname "$0")/lib.sh"
. "$top/scripts/lib/matrix.sh"
ktap_begin
unset KERNEL KERNELS TESTS LINUX EXIT_STATS_MATRIX

# A checkout of its own, but for the table.
copy=$dir/copy
mkdir "$copy"
ln -s "$top"/{kernels,scripts,machine,kvm-tests,guest-tests,host-tests,patches} "$copy/"
rm "$copy/scripts" && cp -r "$top/scripts" "$copy/"

# used COLUMN: the words in it
used() { matrix_rows | cut -d'|' -f"$1" | tr ' ' '\n' | sort -u; }
# all_used COLUMN WORD...: are they?
all_used() {
	comm -13 <(used "$1") <(printf '%s\n' "${@:2}" | sort -u) >"$dir/unused" &&
		cat "$dir/unused" && [ ! -s "$dir/unused" ]
}
# refuses NAME PATTERN ROW: as the only row of the table
refuses() {
	local status=0
	printf '%b\n' "$3" >"$copy/boots"
	"$copy/scripts/list" >"$dir/said" 2>&1 || status=$?
	is "$1" "$([ $status -ne 0 ] && grep -cE "^list: error: .*$2" "$dir/said")" 1
}
# selects NAME "PATTERN..." EXPECTED: rows with the results that are asked for
selects() {
	is "$1" "$(kernel_rows "$(default_kernel)" "$(default_kernel)" | select_rows "$2" |
		cut -d'|' -f1,2 | paste -sd ' ')" "$3"
}

cd "$top"
holds "the table is right" "$top/scripts/list"
mapfile -t tests < <(find host-tests -maxdepth 1 -name '*.sh' ! -name lib.sh)
# host-tests/shell.sh runs the job "shell".
mapfile -t jobs < <(ls -I shell kvm-tests/jobs)
mapfile -t programs < <(cd kvm-tests && printf '%s\n' *.c)
mapfile -t mutations < <(cd kvm-tests/mutations && printf 'finds-%s\n' *.patch &&
	cd debug && printf 'finds-%s\n' *.patch)
holds "every host test has a row" all_used 6 "${tests[@]}"
holds "every job of L1 is run" all_used 6 "${jobs[@]}"
holds "every mutation is built" all_used 1 "${mutations[@]%.patch}"
holds "every program of kvm-tests is run" all_used 7 "${programs[@]%.c}"
row="a | every | patched | - | - |"
good() {
	echo "$row l1:stimuli | stimuli | stimuli" >"$copy/boots" && "$copy/scripts/list"
}
holds "a good row is taken" good
refuses "a missing column" "row 'a' has 7 columns.* instead of 8: name when" \
	"a | every | patched | - | - | l1:stimuli | stimuli"
refuses "an empty column" "row 'a' has 8 columns, or an empty one" \
	"a | every | patched | | - | l1:stimuli | stimuli | stimuli"
refuses "an unknown word in when" "for 'often'; choose from: every first" \
	"a | often | patched | - | - | l1:stimuli | stimuli | x"
refuses "an unknown kernel" "boots the kernel 'pached'; choose from: patched unpatched" \
	"a | every | pached | - | - | l1:stimuli | stimuli | x"
refuses "an unknown job" "has the job 'parrity'; choose from: .*parity" "$row parrity | stimuli | x"
refuses "an unknown job of a guest" "has the job 'l2:contrakt'; choose from: .*l2:contract-vm" \
	"$row l2:contrakt | - | x"
refuses "an unknown program" "needs the program 'stimulli'; choose from: .*stimuli" \
	"$row parity | stimulli | x"
refuses "a program that L1 lacks" "has a job for the program 'cycles'; choose from: stimuli" \
	"$row l1:cycles | stimuli | x"
refuses "a command that is not there" "calls scripts/nothing" \
	"a | every | - | host | - | scripts/nothing | - | x"
refuses "after a row that is not there" "comes after 'b'; choose from:" \
	"a | every | - | after b | - | scripts/bounds | - | x"
selects "a row" "ept0" "-|ept0"
selects "a result is the first row's that has it" "contract-vm" "contract-vm|patched"
selects "another row's" "unpatched-absent" "absent|unpatched"
selects "several" "selftest-vm races" "selftest-vm|patched -|races"
selects "a glob" "finds-*-edx" "-|finds-leaked-edx"
nothing() {
	! TESTS="contract-vm nonsense" "$top/scripts/test" 2>"$dir/said" &&
		grep "error: TESTS names nonsense, .* choose from: .*parity" "$dir/said"
}
holds "TESTS that names nothing" nothing
# in_time SECONDS ROW COMMAND...: run it as if the time were over in so many
in_time() {
	(cd "$copy" && mkdir -p build/test &&
		EXIT_STATS_DEADLINE=$(($(date +%s) + $1)) scripts/lib/in-time "6.1/$2" "${@:3}")
}
# is_skipped ROW
is_skipped() {
	grep -qx "6.1/$1" "$copy/build/test/no-time" &&
		[ "$(cat "$copy/build/6.1/test/$1/verdict")" = "0 0 1" ]
}
begins_too_late() {
	! in_time 0 late touch "$dir/began" && [ ! -e "$dir/began" ] && is_skipped late
}
ends_too_late() { ! in_time 1 long sh -c "sleep 2; exit 1" && is_skipped long; }
fails_in_time() { ! in_time 99 fails false && [ ! -e "$copy/build/6.1/test/fails" ]; }
holds "a row that would begin too late is skipped" begins_too_late
holds "so is one that comes to nothing too late" ends_too_late
holds "one that fails in time is not" fails_in_time
holds "one that ends in time is run" in_time 99 runs true
ktap_end
