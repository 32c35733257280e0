/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_X86_KVM_EXIT_STATS_H
#define _ASM_X86_KVM_EXIT_STATS_H

#include <linux/cache.h>
#include <linux/llist.h>
#include <linux/seqlock.h>
#include <linux/types.h>

#include <asm/kvm.h>
#include <uapi/asm/kvm_exit_stats.h>

#ifdef CONFIG_KVM_EXIT_STATS
#define __KVM_HAVE_ARCH_STATS_READ
#endif

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

/* A vCPU has the longest exit beside these, so that an exit takes one line. */
struct kvm_vcpu_exit_stat {
	struct kvm_exit_stat stat;
	/* Its cycles, negated, too: since a guest has read it, and ever */
	s64 neg_recent;
	s64 neg_longest;
} __aligned(4 * sizeof(u64));

/* Of each reason, how many exits took as many cycles as the bucket says */
struct kvm_exit_stats_histogram {
	u64 buckets[KVM_EXIT_STATS_NR_SLOTS][KVM_EXIT_STATS_NR_BUCKETS];
};

/* What user space takes on account of an exit reason */
struct kvm_exit_stats_vmm {
	u64 returns;
	u64 ns;
};

/* Where a vCPU's time goes; written by the thread that is in KVM_RUN. */
struct kvm_exit_stats_ledger {
	seqcount_t seq;
	/* KVM_EXIT_STATS_STATE_*, or 0, unknown; GUEST has EXITS in it. */
	u32 state;
	/* local_clock() when it began */
	u64 since;
	/* The thread then, only to be compared, and how long it had waited. */
	const void *thread;
	u64 run_delay;
	u64 ns[KVM_EXIT_STATS_NR_STATES];
	/* The exits' cycles when accounting was switched off */
	u64 cycles_known;
	/* Those while it was on again, but the state not yet known */
	u64 cycles_unknown;
	/* An exit makes KVM_RUN return. */
	bool by_exit;
	/* In VMM, the slot of its reason, or -1 */
	int vmm_slot;
	struct kvm_exit_stats_vmm vmm[KVM_EXIT_STATS_NR_SLOTS];
};

struct kvm_vcpu_exit_stats {
	/* Every exit uses these. */

	/* If open, the TSC at the VM exit; else a state, see exit_stats.h. */
	u64 start;
	/* The vendor module's exit reason, or "snapshot" */
	const u32 *reason;
	/*
	 * Reasons below this are their own slots, and accounted inline.  Zero if
	 * the vCPU has its histogram on.
	 */
	u32 nr_direct;
	/* The exit reason, if the vendor module may overwrite its own */
	u32 snapshot;
	struct kvm_exit_stats_histogram *histogram;
	/*
	 * Written only by the thread that has the vCPU loaded.  But readers take
	 * "neg_recent" away.
	 */
	struct kvm_vcpu_exit_stat reasons[KVM_EXIT_STATS_NR_SLOTS];

	/* Few exits use these. */

	/* If resumed, the TSC since when cycles count, or zero. */
	u64 resumed;
	/* If resumed or COUNTED, the exit's negated cycles so far */
	s64 neg_parts;
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

	/* Changes when the vCPU doesn't just run on. */

	struct kvm_exit_stats_ledger ledger ____cacheline_aligned;
};

struct kvm_vm_exit_stats {
	/* The vCPUs' statistics.  None is removed while the VM lives. */
	struct llist_head vcpus;
	/* On the list of VMs, if it has had a vCPU */
	struct hlist_node node;
	/* User space asked for a scope; constant once there are vCPUs. */
	bool asked;
	u8 scope;
	/* and for histograms */
	bool histogram;
};

#endif /* _ASM_X86_KVM_EXIT_STATS_H */
