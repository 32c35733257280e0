/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * CPUID leaves through which a guest reads what its VM exits cost.  Constants
 * only, this header is shared with the guest's user space.
 *
 * Leaf		ECX in	EAX		EBX		ECX		EDX
 * SIGNATURE	-	version, ISA,	"KVME"		"xitS"		"tats"
 *			scope
 * EXITS	-	exits, low	exits, high	0		0
 * CYCLES	-	0		cycles, high	cycles, low	0
 * REASON_*	reason	as EXITS or CYCLES, but for one exit reason.  A reason
 *			that the SDM does not define yields EDX = UNDEFINED and
 *			zeros elsewhere.
 *
 * Cycles are TSC ticks of the host.  Counters are 64 bits wide.  They start
 * over when the VM does or when it moves to another host, and change their
 * meaning when the host changes the scope: treat a decrease as a restart.
 */
#ifndef ARCH_X86_KVM_EXIT_STATS_ABI_H
#define ARCH_X86_KVM_EXIT_STATS_ABI_H

#define KVM_EXIT_STATS_LEAF_SIGNATURE		0x4ffffffb
#define KVM_EXIT_STATS_LEAF_EXITS		0x4ffffffc
#define KVM_EXIT_STATS_LEAF_CYCLES		0x4ffffffd
#define KVM_EXIT_STATS_LEAF_REASON_EXITS	0x4ffffffe
#define KVM_EXIT_STATS_LEAF_REASON_CYCLES	0x4fffffff

#define KVM_EXIT_STATS_LEAF_FIRST	KVM_EXIT_STATS_LEAF_SIGNATURE
#define KVM_EXIT_STATS_LEAF_LAST	KVM_EXIT_STATS_LEAF_REASON_CYCLES

/* SIGNATURE, EAX */
#define KVM_EXIT_STATS_VERSION			1
#define KVM_EXIT_STATS_VERSION_MASK		0x000000ff
/* ISA: whose exit reasons these are, values as in the kvm_exit tracepoint. */
#define KVM_EXIT_STATS_ISA_SHIFT		8
#define KVM_EXIT_STATS_ISA_MASK			0x0000ff00
#define KVM_EXIT_STATS_ISA_VMX			1
#define KVM_EXIT_STATS_ISA_SVM			2
#define KVM_EXIT_STATS_SCOPE_SHIFT		16
#define KVM_EXIT_STATS_SCOPE_MASK		0x00ff0000
#define KVM_EXIT_STATS_SCOPE_VM			1
#define KVM_EXIT_STATS_SCOPE_HOST		2

/* SIGNATURE, EBX, ECX, EDX: "KVMExitStats" */
#define KVM_EXIT_STATS_SIGNATURE_EBX		0x454d564b
#define KVM_EXIT_STATS_SIGNATURE_ECX		0x53746978
#define KVM_EXIT_STATS_SIGNATURE_EDX		0x73746174

/* REASON_*, EDX: the SDM does not define the reason in ECX. */
#define KVM_EXIT_STATS_UNDEFINED		0xffffffff

/* The highest basic exit reason that the SDM defines. */
#define KVM_EXIT_STATS_REASON_MAX		85

#endif /* ARCH_X86_KVM_EXIT_STATS_ABI_H */
