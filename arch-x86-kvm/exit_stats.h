/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_X86_KVM_EXIT_STATS_H
#define ARCH_X86_KVM_EXIT_STATS_H

#include <linux/kvm_host.h>

#include <asm/kvm_exit_stats.h>

#ifdef CONFIG_KVM_EXIT_STATS

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>

#include <asm/rmwcc.h>
#include <asm/tsc.h>

#define KVM_EXIT_STATS_LEAF_FIRST	KVM_EXIT_STATS_LEAF_SIGNATURE
#define KVM_EXIT_STATS_LEAF_LAST	KVM_EXIT_STATS_LEAF_REASON_CYCLES

/* One slot for all reasons above the highest known one. */
#define KVM_EXIT_STATS_OTHER		(KVM_EXIT_STATS_REASON_MAX + 1)

/*
 * The life of an interval, which lasts from a VM exit until KVM has handled it.
 * Each vCPU has one.  Its state is what "start" holds:
 *
 *   closed   CLOSED, or negated cycles: there is nothing to account.
 *   open     The TSC at the VM exit, which is below bit 62.
 *   resumed  RESUMED: the vCPU was put before KVM had handled the exit.  The
 *            exit is counted, and its cycles up to the put are accounted.  The
 *            rest starts at "loaded", the TSC when the vCPU was last loaded.
 *
 * These functions, named kvm_exit_stats_*(), change the state:
 *
 *   closed -> open      start(), right after the VM exit, interrupts still off
 *   open -> closed      stop(), when KVM has handled the exit: counts the exit
 *                       and accounts its cycles
 *   open -> resumed     vcpu_put(), when the thread is scheduled out: likewise
 *   resumed -> resumed  vcpu_put(): adds the cycles since the vCPU was loaded
 *   resumed -> closed   stop(): likewise
 *   any -> closed       cancel(), if VM entry failed without a VM exit, and
 *                       drop_intervals(), when accounting is switched on or
 *                       off: account nothing
 *
 * stop() subtracts the TSC from "start" before it knows the state.  The top two
 * bits still tell: 00 is open, 10 is RESUMED, 11 is CLOSED or negated cycles.
 * 10 and 11 may have a TSC subtracted.  If the TSC has stood still or gone back
 * since the exit, the difference looks open, although it is no start.
 */
#define KVM_EXIT_STATS_CLOSED		(~0ULL)
#define KVM_EXIT_STATS_RESUMED		(~0ULL - BIT_ULL(62))

/*
 * "starting" lets intervals begin; "enabled" lets them end, and lets guests
 * read.  Code is patched CPU by CPU: if an interval began on a CPU that has the
 * new code, a CPU that has the old code could miss its end.  Hence "enabled"
 * goes on first and off last.
 */
DECLARE_STATIC_KEY_FALSE(kvm_exit_stats_starting);
DECLARE_STATIC_KEY_FALSE(kvm_exit_stats_enabled);
DECLARE_PER_CPU_ALIGNED(struct kvm_exit_stats, kvm_cpu_exit_stats);

/*
 * KVM_EXIT_STATS_ISA_*, or zero if no vendor module that accounts is loaded.
 * Constant while there are VMs, as these pin the vendor module.
 */
extern u32 kvm_exit_stats_isa;

void kvm_exit_stats_set_isa(u32 isa);
void kvm_exit_stats_vcpu_publish(struct kvm_vcpu *vcpu);
void kvm_exit_stats_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu);
void kvm_exit_stats_create_host_debugfs(void);
void kvm_exit_stats_create_vm_debugfs(struct kvm *kvm);
void kvm_exit_stats_create_vcpu_debugfs(struct kvm_vcpu *vcpu,
					struct dentry *dentry);
void __kvm_exit_stats_stop(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_stop_other(struct kvm_vcpu *vcpu, u64 neg_cycles);
void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu);
struct kvm_cpuid_entry2 *__kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu,
						      u32 function, u32 index);

/* Zeroed memory would be an open interval. */
static inline void kvm_exit_stats_vcpu_init(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.start = KVM_EXIT_STATS_CLOSED;
}

/* Vendor modules store the exit reason in different places. */
static inline void kvm_exit_stats_set_reason(struct kvm_vcpu *vcpu,
					     const u32 *reason)
{
	vcpu->arch.exit_stats.reason = reason;
}

static __always_inline void kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
	if (static_branch_likely(&kvm_exit_stats_starting))
		vcpu->arch.exit_stats.start = rdtsc();
}

static __always_inline void kvm_exit_stats_cancel(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		WRITE_ONCE(vcpu->arch.exit_stats.start, KVM_EXIT_STATS_CLOSED);
}

static __always_inline u32 kvm_exit_stats_basic_reason(struct kvm_vcpu *vcpu)
{
	return (u16)*vcpu->arch.exit_stats.reason;
}

/*
 * Nothing else writes the vCPU's counters meanwhile: either the interval is
 * closed, so that kvm_exit_stats_vcpu_put() leaves them alone, or preemption is
 * disabled.  But the thread may be preempted by another vCPU's, or migrate, so
 * write the CPU's counters with this_cpu operations.
 */
static __always_inline void kvm_exit_stats_account(struct kvm_vcpu *vcpu,
						   unsigned long slot,
						   u64 neg_cycles)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;

	es->total.exits++;
	es->total.neg_cycles += neg_cycles;
	es->stats.reasons[slot].exits++;
	es->stats.reasons[slot].neg_cycles += neg_cycles;
	this_cpu_inc(kvm_cpu_exit_stats.reasons[slot].exits);
	this_cpu_add(kvm_cpu_exit_stats.reasons[slot].neg_cycles, neg_cycles);
}

/*
 * Subtract the TSC from the start.  If that borrows, the interval was open: it
 * is closed now, "start" holds its negated cycles, and the result is true.
 *
 * This is a single instruction on memory, which C can't guarantee, hence RMWcc.
 * Therefore preemption needn't be disabled: if the vCPU is put before it, the
 * interval isn't open any more, and if after it, vcpu_put() finds it closed.
 */
static __always_inline bool kvm_exit_stats_close(struct kvm_vcpu *vcpu)
{
	return GEN_BINARY_RMWcc("subq", vcpu->arch.exit_stats.start, c, "r",
				rdtsc());
}

static __always_inline void kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
	u64 neg_cycles;
	u32 reason;

	if (!static_branch_likely(&kvm_exit_stats_enabled))
		return;

	if (unlikely(!kvm_exit_stats_close(vcpu))) {
		__kvm_exit_stats_stop(vcpu);
		return;
	}

	/* This is CLOSED, i.e. one cycle, if drop_intervals() just wrote it. */
	neg_cycles = READ_ONCE(vcpu->arch.exit_stats.start);
	reason = kvm_exit_stats_basic_reason(vcpu);
	if (unlikely(reason > KVM_EXIT_STATS_REASON_MAX)) {
		__kvm_exit_stats_stop_other(vcpu, neg_cycles);
		return;
	}

	kvm_exit_stats_account(vcpu, reason, neg_cycles);
}

static __always_inline void kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_vcpu_load(vcpu);
}

static __always_inline void kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_vcpu_put(vcpu);
}

/* NULL if the leaf isn't one of the statistics, or they aren't served. */
static __always_inline struct kvm_cpuid_entry2 *
kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	if (unlikely(function >= KVM_EXIT_STATS_LEAF_FIRST &&
		     function <= KVM_EXIT_STATS_LEAF_LAST))
		return __kvm_exit_stats_cpuid_entry(vcpu, function, index);

	return NULL;
}
#else
static inline void kvm_exit_stats_set_isa(u32 isa)
{
}

static inline void kvm_exit_stats_vcpu_init(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_set_reason(struct kvm_vcpu *vcpu,
					     const u32 *reason)
{
}

static inline void kvm_exit_stats_vcpu_publish(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_create_host_debugfs(void)
{
}

static inline void kvm_exit_stats_create_vm_debugfs(struct kvm *kvm)
{
}

static inline void
kvm_exit_stats_create_vcpu_debugfs(struct kvm_vcpu *vcpu, struct dentry *dentry)
{
}

static inline void kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_cancel(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
}

static inline struct kvm_cpuid_entry2 *
kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	return NULL;
}
#endif /* CONFIG_KVM_EXIT_STATS */

#endif /* ARCH_X86_KVM_EXIT_STATS_H */
