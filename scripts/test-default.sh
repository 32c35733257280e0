# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # all but what is local here is scripts/test's
# Sourced by scripts/test: what one kernel is enough for.

# What one kernel has the time for: the feature compiled out, of which a gate says on each
# kernel that KVM's code is then the unpatched one's, and what costs are compared with.
if [ "$alone" = yes ]; then
	"$top/scripts/kernel" compiled-out
	boot compiled-out "$out/compiled-out/arch/x86/boot/bzImage" absent absent supported
	costs=exits
fi

# Shadow paging, of which the hooks know nothing
CPUS=1 L1_CMDLINE=kvm_intel.ept=0 boot ept0 "$patched" stimuli stimuli

# KVM as modules
"$top/scripts/kernel" modules
"$top/scripts/image" tree "$out/modules.cpio" "$out/modules/root"
FILES=$out/modules.cpio boot modules "$out/modules/arch/x86/boot/bzImage" modules cpuid-tool modules
start module-exports "$top/scripts/module-exports" "$out/modules"

# The kernel's own tests of KVM say the same as without the series.
selftests=$(dirname "$("$top/scripts/kvm-tests" selftests)")
"$top/scripts/image" tree "$out/selftests.cpio" "$selftests"
settings=(unpatched vm)
[ "$alone" = no ] || settings=(unpatched off vm host)
for setting in "${settings[@]}"; do
	image=$patched cmdline=kvm.exit_stats=$setting
	[ "$setting" != unpatched ] || image=$unpatched cmdline=
	FILES=$out/selftests.cpio L1_CMDLINE="kvm.force_emulation_prefix=1 $cmdline" \
		boot "selftests-$setting" "$image" selftests
done
# shellcheck disable=SC2317 # scripts/test calls it
compare_selftests() {
	local same=()
	for setting in "${settings[@]}"; do
		cut_out "selftests-$setting" selftests
		same+=("$setting=$results/selftests-$setting/selftests.ktap")
	done
	# 37 pass on this CPU; most of them have to, or the comparison would say little.
	"$top/scripts/same-results" 30 "${same[@]}" >"$results/selftests.ktap"
}

# Errors that the tests have to find, else they would prove nothing.  They are kernels of
# their own, for which one kernel has the time, too.
# shellcheck disable=SC2317 # start calls it
header() { sed -n "s/^$2: //p" "$top/kvm-tests/mutations/$1.patch"; }
# Job: the job that finds it and, if that is enough, the one test of it to run; or
# exit-path, which needs no machine.
# shellcheck disable=SC2317 # start calls it
found() {
	local mutation=$1 dir=$results/mutation-$1 job=cycles only=
	[ -z "$(header "$1" Job)" ] || read -r job only <<<"$(header "$1" Job)"
	mkdir -p "$dir"
	if [ "$job" = exit-path ]; then
		"$top/scripts/exit-path" "mutation-$mutation" >"$dir/console.log"
	else
		"$top/scripts/kernel" "mutation-$mutation" &&
			pack_job "$dir" "$job" &&
			CPUS=${cpus_for[$job]:-1} L1_CMDLINE="${cmdline_for[$job]:-}${only:+ only=$only}" \
				"$top/scripts/machine" "$dir" "$out/mutation-$mutation/arch/x86/boot/bzImage" "$dir/job.cpio" "$system"
	fi && tr -d '\r' <"$dir/console.log" | grep "^not ok [0-9]* $(header "$mutation" Found-by)"
}
if [ "$alone" = yes ]; then
	for mutation in "$top"/kvm-tests/mutations/*.patch; do
		start "finds-$(basename "$mutation" .patch)" found "$(basename "$mutation" .patch)"
	done
fi
