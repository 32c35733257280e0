#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# scripts/scan-console finds each kind of splat, forgives none it should not, and
# never takes "could not scan" for clean.  A result that the kernel breaks into is whole.
#
# usage: host-tests/scan.sh
. "$(dirname "$0")/lib.sh"
ktap_begin

splats=(
	'[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008'
	'[    1.0] BUG: unable to handle page fault for address: ffffc90000a54000'
	'[    1.0] kernel BUG at arch/x86/kvm/x86.c:123!'
	'[    1.0] WARNING: CPU: 0 PID: 87 at arch/x86/kvm/vmx/vmx.c:7291 vmx_vcpu_run+0x5/0x10'
	'[    1.0] WARNING: arch/x86/kvm/vmx/vmx.c:7291 at vmx_vcpu_run+0x5/0x10, CPU#0: qemu/87'
	'[    1.0] WARNING: at vmx_vcpu_run+0x5/0x10, CPU#0: qemu/87'
	'[    1.0] Oops: 0000 [#1] PREEMPT SMP'
	'[    1.0] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]'
	'[    1.0] BUG: KASAN: slab-out-of-bounds in kvm_cpuid+0x1/0x2'
	'[    1.0] UBSAN: array-index-out-of-bounds in arch/x86/kvm/exit_stats.c:100:2'
	'[    1.0] WARNING: possible circular locking dependency detected'
	'[    1.0] WARNING: suspicious RCU usage'
	'[    1.0] rcu: INFO: rcu_sched self-detected stall on CPU'
	'[    1.0] INFO: task qemu-system-x86:80 blocked for more than 120 seconds.'
	'[    1.0] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580'
	'[    1.0] BUG: scheduling while atomic: qemu/80/0x00000002'
	'[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [qemu:80]'
	'[    1.0] Kernel panic - not syncing: Attempted to kill init!'
	'[    1.0] WARNING: lock held when returning to user space!'
	'unreferenced object 0xffff888006a2c000 (size 1408):'
	'[    1.0] kmemleak: Kernel memory leak detector disabled'
)
# As machine/splats-allowed has it.
apic=../../tree/6.1/arch/x86/kernel/apic/apic_flat_64.c:101:25
allowed=(
	"[    1.0] UBSAN: shift-out-of-bounds in $apic"
	'[    1.0] shift exponent -1 is negative'
	'[    1.0] CPU: 0 PID: 0 Comm: swapper/0 Not tainted'
	'[    1.0] Call Trace:'
	'[    1.0]  <TASK>'
)
harmless=(
	'[    1.0] Warning: unable to open an initial console.'
	'[    1.0] debug: unmapping init memory'
	'L1: job ended'
)

# scan STATUS NAME
scan() {
	local status=0
	"$top/scripts/scan-console" "$dir/log" >/dev/null 2>&1 || status=$?
	is "$2" "status $status" "status $1"
}
for line in "${splats[@]}"; do
	printf '%s\r\n' "${harmless[@]}" "$line" "${harmless[@]}" >"$dir/log"
	scan 1 "found: $(tr -d '#' <<<"${line#*] }")"
done
printf '%s\r\n' "${harmless[@]}" >"$dir/log"
scan 0 "a clean console is clean"
printf '%s\r\n' "${allowed[@]}" >"$dir/log"
scan 0 "what is allowed is forgiven, with its trace"
printf '%s\r\n' "${allowed[@]}" "${allowed[3]}" >"$dir/log"
scan 1 "another trace behind it is not"
printf '%s\0\377\n' "${splats[0]}" >"$dir/log"
scan 1 "found in a console with bytes that are no text"
: >"$dir/log"
scan 2 "an empty console is not clean"
rm "$dir/log"
scan 2 "no console is not clean"

. "$top/scripts/lib/boot.sh"
slow='hrtimer: interrupt took 15478632 ns'
printf '%s\r\n' "### be$slow" 'gin cut 1' "ok 1 CP$slow" 'UID' "### end $slow" 'cut 0' \
	>"$dir/console.log"
cut_sections "$dir"
is "a kernel's warning of slow clocks breaks no result" "$(cat "$dir/cut.section")" 'ok 1 CPUID'
ktap_end
