# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # all but what is local here is scripts/test's
# Sourced by scripts/test: the kernel's own checkers, for which one kernel is enough, and
# all gates, for maintainers look at the newest series.
gates=()

# The debug kernel, on which all takes some ten times as long, and kmemleak looks at all
# memory.
debug_cmdline="slower=20 mem=768M"
# The devices' clocks go with the TSC, or timer ticks would take most of the time.
debug_ips=400000000
"$top/scripts/kernel" debug
# It has taken half an hour, on a slow machine.
debug_timeout=$((2 * MACHINE_TIMEOUT))
MACHINE_TIMEOUT=$debug_timeout MACHINE_IPS=$debug_ips L1_CMDLINE=$debug_cmdline \
	boot debug "$out/debug/arch/x86/boot/bzImage" "parameter debug selftest paths leaks" \
	parameter cpuid-tool contract-vm exitstat contract-host absent selftest-vm selftest-host stimuli leaks

# Errors that only this kernel can find: each of these splats.
# shellcheck disable=SC2317 # start calls it
found_by_splat() {
	local mutation=$1 dir=$results/mutation-$1 splat splats
	mkdir -p "$dir"
	"$top/scripts/kernel" "debug-mutation-$mutation" && pack_job "$dir" "cpuid leaks" || return
	! MACHINE_TIMEOUT=$debug_timeout MACHINE_IPS=$debug_ips L1_CMDLINE=$debug_cmdline \
		"$top/scripts/machine" "$dir" "$out/debug-mutation-$mutation/arch/x86/boot/bzImage" "$dir/job.cpio" "$system" || return
	mapfile -t splats < <(sed -n 's/^Splat: //p' "$top/kvm-tests/mutations/debug/$mutation.patch")
	[ ${#splats[@]} -gt 0 ] && for splat in "${splats[@]}"; do grep "$splat" "$dir/splats.log" || return; done
}
for mutation in "$top"/kvm-tests/mutations/debug/*.patch; do
	start "finds-$(basename "$mutation" .patch)" found_by_splat "$(basename "$mutation" .patch)"
done
