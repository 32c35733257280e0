/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_X86_KVM_EXIT_STATS_H
#define ARCH_X86_KVM_EXIT_STATS_H

#include <linux/kvm_host.h>

#include "exit_stats_abi.h"

#ifdef CONFIG_KVM_EXIT_STATS

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>

#include <asm/msr.h>
#include <asm/rmwcc.h>

/* Slot 0 is the total, one follows for each reason, one for all reasons beyond. */
#define KVM_EXIT_STATS_TOTAL		0
#define KVM_EXIT_STATS_NR_REASONS	(KVM_EXIT_STATS_REASON_MAX + 1)
#define KVM_EXIT_STATS_SLOT(reason)	((reason) + 1)
#define KVM_EXIT_STATS_OTHER		KVM_EXIT_STATS_SLOT(KVM_EXIT_STATS_NR_REASONS)

/* Of a slot, the index of each of its two counters. */
#define KVM_EXIT_STATS_EXITS(slot)	(2 * (slot))
#define KVM_EXIT_STATS_CYCLES(slot)	(2 * (slot) + 1)

/*
 * An interval lasts from the VM exit until KVM has handled it.  Its start also says
 * what state it is in:
 *
 *   open     the TSC at the VM exit, which is below bit 62
 *   resumed  RESUMED: the vCPU was put, when the exit was counted and the cycles so
 *            far were accounted, and what follows began when it was loaded
 *   closed   CLOSED: there is none
 *
 * or RESUMED or CLOSED less a TSC or a number of cycles, see kvm_exit_stats_stop().
 */
#define KVM_EXIT_STATS_CLOSED		(~0ULL)
#define KVM_EXIT_STATS_RESUMED		(~0ULL - BIT_ULL(62))

/*
 * The count begins intervals, the clock measures and ends them.  Two keys because
 * patching code reaches CPUs one by one: an interval must not begin on a CPU that
 * already runs the new code if its end may be missed by one that doesn't.
 */
DECLARE_STATIC_KEY_FALSE(kvm_exit_stats_clock);
DECLARE_STATIC_KEY_FALSE(kvm_exit_stats_count);
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
void __kvm_exit_stats_stop_other(struct kvm_vcpu *vcpu, u64 cycles);
void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu);
struct kvm_cpuid_entry2 *kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu,
						    u32 function, u32 index);

static inline void kvm_exit_stats_vcpu_init(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.start = KVM_EXIT_STATS_CLOSED;
}

/* Where the vendor module keeps the reason of the exit that is being handled. */
static inline void kvm_exit_stats_set_reason(struct kvm_vcpu *vcpu,
					     const u32 *reason)
{
	vcpu->arch.exit_stats.reason = reason;
}

/* Begin an interval, as close to the VM exit as instrumentation may be. */
static __always_inline void kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
	if (static_branch_likely(&kvm_exit_stats_count))
		vcpu->arch.exit_stats.start = rdtsc();
}

/* There was no VM exit after all, i.e. VM entry failed. */
static __always_inline void kvm_exit_stats_cancel(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_clock))
		vcpu->arch.exit_stats.start = KVM_EXIT_STATS_CLOSED;
}

/*
 * Cycles are negative, as closing an interval leaves them.  The vCPU's counters are
 * no business of anybody else meanwhile, not even of kvm_exit_stats_vcpu_put(), for
 * the interval is closed.  The CPU's are, if this is preempted by another vCPU.
 */
static __always_inline void kvm_exit_stats_account(struct kvm_vcpu *vcpu,
						   unsigned long slot, u64 cycles)
{
	u64 *counters = vcpu->arch.exit_stats.stats.counters;
	unsigned long i = KVM_EXIT_STATS_EXITS(slot);

	counters[KVM_EXIT_STATS_EXITS(KVM_EXIT_STATS_TOTAL)]++;
	counters[KVM_EXIT_STATS_CYCLES(KVM_EXIT_STATS_TOTAL)] += cycles;

	/* Don't compute addresses that instructions can have for free. */
	OPTIMIZER_HIDE_VAR(i);
	counters[i]++;
	OPTIMIZER_HIDE_VAR(i);
	counters[i + 1] += cycles;
	this_cpu_inc(kvm_cpu_exit_stats.counters[i]);
	OPTIMIZER_HIDE_VAR(i);
	this_cpu_add(kvm_cpu_exit_stats.counters[i + 1], cycles);
}

/*
 * The exit has been handled: count it and account its cycles.
 *
 * Subtracting the TSC from the start of an open interval closes it and leaves the
 * cycles, all in one instruction.  Hence there is no need to disable preemption: a
 * vCPU that is put before has no open interval any more, and the subtraction does
 * not borrow.  If it is put afterwards, kvm_exit_stats_vcpu_put() has nothing to do.
 */
static __always_inline void kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
	unsigned long reason;
	u64 cycles;

	if (!static_branch_likely(&kvm_exit_stats_clock))
		return;

	/* A single instruction, and true if it borrows. */
	if (unlikely(!GEN_BINARY_RMWcc("subq", vcpu->arch.exit_stats.start, c,
				       "r", rdtsc()))) {
		__kvm_exit_stats_stop(vcpu);
		return;
	}

	cycles = vcpu->arch.exit_stats.start;
	reason = (u16)*vcpu->arch.exit_stats.reason;
	if (unlikely(reason > KVM_EXIT_STATS_REASON_MAX)) {
		__kvm_exit_stats_stop_other(vcpu, cycles);
		return;
	}

	kvm_exit_stats_account(vcpu, KVM_EXIT_STATS_SLOT(reason), cycles);
}

static __always_inline void kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_clock))
		__kvm_exit_stats_vcpu_load(vcpu);
}

static __always_inline void kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_clock))
		__kvm_exit_stats_vcpu_put(vcpu);
}

/* Returns true if the leaf in EAX is one of the statistics and was served. */
static __always_inline bool kvm_exit_stats_cpuid(struct kvm_vcpu *vcpu,
						 u32 *eax, u32 *ebx,
						 u32 *ecx, u32 *edx)
{
	struct kvm_cpuid_entry2 *entry;
	u32 function = *eax;

	/* All other leaves pay for one comparison, don't let it be merged. */
	if (likely(function < KVM_EXIT_STATS_LEAF_FIRST))
		return false;
	OPTIMIZER_HIDE_VAR(function);
	if (function > KVM_EXIT_STATS_LEAF_LAST ||
	    !static_branch_likely(&kvm_exit_stats_clock))
		return false;

	entry = kvm_exit_stats_cpuid_entry(vcpu, function, *ecx);
	*eax = entry->eax;
	*ebx = entry->ebx;
	*ecx = entry->ecx;
	*edx = entry->edx;
	return true;
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

static inline bool kvm_exit_stats_cpuid(struct kvm_vcpu *vcpu, u32 *eax,
					u32 *ebx, u32 *ecx, u32 *edx)
{
	return false;
}
#endif /* CONFIG_KVM_EXIT_STATS */

#endif /* ARCH_X86_KVM_EXIT_STATS_H */
