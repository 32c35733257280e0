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

/* Reasons that are beyond those known share one slot. */
#define KVM_EXIT_STATS_OTHER		(KVM_EXIT_STATS_REASON_MAX + 1)

/*
 * An interval lasts from the VM exit until KVM has handled it.  Its start also
 * says what state it is in:
 *
 *   open     the TSC at the VM exit, which is below bit 62
 *   resumed  RESUMED: the vCPU was put, the exit and the cycles until then were
 *            accounted, and the rest counts from when the vCPU was loaded
 *   closed   CLOSED: there is no interval
 *
 * Ending an interval subtracts the TSC, see kvm_exit_stats_stop(), which leaves
 * RESUMED and CLOSED in ranges of their own: 62 bits each, the top two are 10
 * and 11.  So does an open one, its cycles negated are in the range of CLOSED.
 */
#define KVM_EXIT_STATS_CLOSED		(~0ULL)
#define KVM_EXIT_STATS_RESUMED		(~0ULL - BIT_ULL(62))

/*
 * "starting" lets intervals begin; "enabled" lets them be accounted and guests
 * read.  Code is patched CPU by CPU, hence the latter is enabled first and
 * disabled last: no interval may begin whose end could be missed.
 */
DECLARE_STATIC_KEY_FALSE(kvm_exit_stats_starting);
DECLARE_STATIC_KEY_FALSE(kvm_exit_stats_enabled);
DECLARE_PER_CPU_ALIGNED(struct kvm_exit_stats, kvm_cpu_exit_stats);

/* Whose exits are counted, zero if the vendor module doesn't.  VMs pin it. */
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

/* Before the vCPU is ever loaded, for all zeros is an open interval. */
static inline void kvm_exit_stats_vcpu_init(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.start = KVM_EXIT_STATS_CLOSED;
}

/* Where the vendor module has the reason of the exit that is being handled. */
static inline void kvm_exit_stats_set_reason(struct kvm_vcpu *vcpu,
					     const u32 *reason)
{
	vcpu->arch.exit_stats.reason = reason;
}

/* Begin an interval, as close to the VM exit as instrumentation may be. */
static __always_inline void kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
	if (static_branch_likely(&kvm_exit_stats_starting))
		vcpu->arch.exit_stats.start = rdtsc();
}

/* There was no VM exit after all, i.e. VM entry failed. */
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
 * The vCPU's counters are safe from kvm_exit_stats_vcpu_put() meanwhile: the
 * interval is closed, or else preemption is disabled.  The CPU's are not safe
 * from another vCPU that preempts this one, or from a migration, hence the
 * this_cpu operations.
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
 * The exit has been handled: count it and account its cycles.
 *
 * Subtracting the TSC from the start of an open interval closes it and leaves
 * the negated cycles, in one instruction, which borrows only if the interval
 * was open.  Hence there is no need to disable preemption: a vCPU that is put
 * before then has no open interval any more, nor one that is put afterwards.
 */
static __always_inline void kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
	u64 neg_cycles;
	u32 reason;

	if (!static_branch_likely(&kvm_exit_stats_enabled))
		return;

	if (unlikely(!GEN_BINARY_RMWcc("subq", vcpu->arch.exit_stats.start, c,
				       "r", rdtsc()))) {
		__kvm_exit_stats_stop(vcpu);
		return;
	}

	/* CLOSED, i.e. one cycle, if just then the interval is dropped. */
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

/* Returns the entry that answers a read of the statistics, else NULL. */
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
