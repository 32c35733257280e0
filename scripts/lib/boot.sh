# shellcheck shell=bash
# shellcheck disable=SC2154 # top and kernel are the verb's
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the verbs that boot: pack what the machine runs, boot it, cut out what it said.
#
# L1 runs jobs, one after the other.  A job is
#   NAME          the script kvm-tests/jobs/NAME, or another script if NAME has a slash
#   l1:PROGRAM    a program, which is a test
#   l2:JOB        a guest, which runs guest-tests/jobs/JOB, or the program JOB as a test
# Jobs are sourced by L1's and L2's first processes (machine/l1-init, machine/l2-init), which have
# what they call.  What they hand back are sections of the console (machine/sections).

# variant_image VARIANT: where scripts/kernel puts that kernel
variant_image() {
	if [ "$1" = patched ]; then set -- .; fi
	realpath -m "$top/build/$kernel/$1/arch/x86/boot/bzImage"
}

# job_script JOB
job_script() {
	case $1 in
	l1:*) echo "section ${1#l1:} /bin/${1#l1:}" ;;
	l2:*) echo "guest_test ${1#l2:}" ;;
	*/*) cat "$top/$1" ;;
	*) cat "$top/kvm-tests/jobs/$1" ;;
	esac
}

# boot DIR VARIANT "JOB..." "ARGUMENTS" [PROGRAM...]: boot L1 with that kernel.  ARGUMENTS is for
# its kernel's command line; behind " -- " in it come parameters, NAME=VALUE, for the jobs.  A
# PROGRAM is a path; if it is a directory, what is beside it is the root of more files for L1.
# DIR gets the console, and each section of it as NAME.section.
boot() {
	local dir=$1 variant=$2 jobs=$3 arguments=$4 job image status=0 unpacked=() more=()
	local out=$top/build/$kernel
	shift 4
	image=$(variant_image "$variant")
	mkdir -p "$dir"
	: >"$dir/console.log"
	rm -f "$dir"/*.{section,status}
	for program; do
		if [ ! -d "$program" ]; then
			unpacked+=("$program")
			continue
		fi
		more+=("$dir/$(basename "$program").cpio")
		"$top/scripts/image" tree "${more[-1]}" "$(dirname "$program")" || return
	done
	if [ -d "$out/$variant/root" ]; then
		more+=("$dir/modules.cpio")
		"$top/scripts/image" tree "$dir/modules.cpio" "$out/$variant/root" || return
	fi
	for job in $jobs; do job_script "$job"; done >"$dir/job"
	"$top/scripts/image" job "$dir/job.cpio" "$dir/job" "$(variant_image patched)" \
		"$out/l2.cpio" "${unpacked[@]}" || return
	L1_CMDLINE=$arguments "$top/scripts/machine" "$dir" "$image" "$dir/job.cpio" "${more[@]}" \
		"$("$top/scripts/image" l1-system)" || status=$?
	rm -f "$dir"/*.cpio
	cut_sections "$dir"
	return $status
}

# cut_sections DIR: each section of the console to a file.  Without the marker at its end it is
# truncated, and there is none.  NAME.status is what the command that printed it ended with.
#
# The kernel warns of slow clocks at any time, also amid a line: that is taken out first.
cut_sections() {
	tr -d '\r' <"$1/console.log" |
		sed -Ez 's/(hrtimer: interrupt took|clocksource:) [^\n]*\n//g' | awk -v dir="$1" '
		index($0, "### begin ") == 1 { name = $3; body = ""; on = 1; next }
		on && index($0, "### end " name " ") == 1 {
			printf "%s", body >(dir "/" name ".section")
			print $4 >(dir "/" name ".status")
			on = 0
			next
		}
		on { body = body $0 "\n" }'
}
