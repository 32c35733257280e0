/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_X86_KVM_EXIT_STATS_H
#define _ASM_X86_KVM_EXIT_STATS_H

#include <linux/cache.h>
#include <linux/llist.h>
#include <linux/types.h>

#include <asm/kvm.h>
#include <uapi/asm/kvm_exit_stats.h>

/*
 * SVM's 173 exit reasons, which are more than VMX's, and one slot for all
 * others, rounded up to cache lines.
 */
#define KVM_EXIT_STATS_NR_SLOTS		176

struct kvm_exit_stat {
	u64 exits;
	/* Negated: subtracting the TSC from the start yields negated cycles. */
	u64 neg_cycles;
} __aligned(2 * sizeof(u64));

struct kvm_exit_stats {
	struct kvm_exit_stat reasons[KVM_EXIT_STATS_NR_SLOTS];
};

struct kvm_vcpu_exit_stats {
	/* Every exit uses these. */

	/* If open, the TSC at the VM exit; else a state, see exit_stats.h. */
	u64 start;
	/* The vendor module's exit reason, or "snapshot" */
	const u32 *reason;
	/* Reasons below this are their own slots. */
	u32 nr_direct;
	/* The exit reason, if the vendor module may overwrite its own */
	u32 snapshot;
	/* Written only by the thread that has the vCPU loaded. */
	struct kvm_exit_stats stats;

	/* Few exits use these. */

	/* If resumed, the TSC since when cycles count, or zero. */
	u64 resumed;
	/* What kvm_cpuid() returns to a guest that reads. */
	struct kvm_cpuid_entry2 cpuid_entry;

	/* Readers on all of the VM's vCPUs use these; seldom written. */

	struct llist_node node ____cacheline_aligned;
	/* The TSC when the vCPU came to its CPU or, if unstable, was loaded. */
	u64 new_tsc;
	/* User space has set an entry for at least one of the leaves. */
	bool has_cpuid_entry;
	/* It says that there is a hypervisor. */
	bool has_hypervisor;
};

struct kvm_vm_exit_stats {
	/* The vCPUs' statistics.  None is removed while the VM lives. */
	struct llist_head vcpus;
	/* User space asked for a scope; constant once there are vCPUs. */
	bool asked;
	u8 scope;
};

#endif /* _ASM_X86_KVM_EXIT_STATS_H */
