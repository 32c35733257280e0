/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_X86_KVM_EXIT_STATS_H
#define ARCH_X86_KVM_EXIT_STATS_H

#include <linux/kvm_host.h>

#include "exit_stats_abi.h"

#ifdef CONFIG_KVM_EXIT_STATS

#include <linux/jump_label.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include <asm/msr.h>

/*
 * Slot 0 holds the totals, one slot follows for each reason, and the last one
 * takes the reasons beyond the table.  As no exit has slot 0, a vCPU has it while
 * it is not handling an exit.
 */
#define KVM_EXIT_STATS_TOTAL		0
#define KVM_EXIT_STATS_NONE		KVM_EXIT_STATS_TOTAL
#define KVM_EXIT_STATS_NR_REASONS	(KVM_EXIT_STATS_REASON_MAX + 1)
#define KVM_EXIT_STATS_NR_SLOTS		(KVM_EXIT_STATS_NR_REASONS + 2)

struct kvm_exit_stat {
	u64 exits;
	u64 cycles;
};

struct kvm_exit_stats {
	struct kvm_exit_stat stat[KVM_EXIT_STATS_NR_SLOTS];
};

struct kvm_vcpu_exit_stats {
	/* TSC at the VM exit, or when the vCPU was last loaded since. */
	u64 start;
	/* Slot of the exit being handled, reset by others if counting stops. */
	u32 slot;
	/* Written only by the CPU that has the vCPU loaded. */
	struct kvm_exit_stats stats;
};

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

int kvm_exit_stats_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_exit_stats_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_exit_stats_set_isa(u32 isa);
void kvm_exit_stats_create_host_debugfs(void);
void kvm_exit_stats_create_vm_debugfs(struct kvm *kvm);
void kvm_exit_stats_create_vcpu_debugfs(struct kvm_vcpu *vcpu,
					struct dentry *dentry);
void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu);
bool __kvm_exit_stats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
			    u32 *ecx, u32 *edx);

/* Read the clock, as close to the VM exit as instrumentation may be. */
static __always_inline void kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_clock))
		vcpu->arch.exit_stats->start = rdtsc();
}

/* Count the exit, from here on it is the one being handled. */
static __always_inline void kvm_exit_stats_exit(struct kvm_vcpu *vcpu,
						u16 reason)
{
	struct kvm_vcpu_exit_stats *es;
	u32 slot;

	if (!static_branch_unlikely(&kvm_exit_stats_count))
		return;

	es = vcpu->arch.exit_stats;
	slot = min_t(u32, reason, KVM_EXIT_STATS_NR_REASONS) + 1;
	WRITE_ONCE(es->slot, slot);
	es->stats.stat[slot].exits++;
	es->stats.stat[KVM_EXIT_STATS_TOTAL].exits++;
	__this_cpu_inc(kvm_cpu_exit_stats.stat[slot].exits);
	__this_cpu_inc(kvm_cpu_exit_stats.stat[KVM_EXIT_STATS_TOTAL].exits);
}

/* Account the time since the start to the exit being handled, if any. */
static __always_inline bool __kvm_exit_stats_account(struct kvm_vcpu_exit_stats *es)
{
	u32 slot = READ_ONCE(es->slot);
	u64 cycles;

	if (slot == KVM_EXIT_STATS_NONE)
		return false;

	cycles = rdtsc() - es->start;
	es->stats.stat[slot].cycles += cycles;
	es->stats.stat[KVM_EXIT_STATS_TOTAL].cycles += cycles;
	__this_cpu_add(kvm_cpu_exit_stats.stat[slot].cycles, cycles);
	__this_cpu_add(kvm_cpu_exit_stats.stat[KVM_EXIT_STATS_TOTAL].cycles, cycles);
	return true;
}

/* The exit has been handled, unless there was none, e.g. if VM entry failed. */
static __always_inline void kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es;

	if (!static_branch_unlikely(&kvm_exit_stats_clock))
		return;

	es = vcpu->arch.exit_stats;

	/* Being scheduled out also accounts, don't let it in halfway. */
	preempt_disable();
	if (__kvm_exit_stats_account(es))
		WRITE_ONCE(es->slot, KVM_EXIT_STATS_NONE);
	preempt_enable();
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
	return static_branch_unlikely(&kvm_exit_stats_clock) &&
	       *eax >= KVM_EXIT_STATS_LEAF_FIRST &&
	       *eax <= KVM_EXIT_STATS_LEAF_LAST &&
	       __kvm_exit_stats_cpuid(vcpu, eax, ebx, ecx, edx);
}
#else
static inline int kvm_exit_stats_vcpu_create(struct kvm_vcpu *vcpu)
{
	return 0;
}

static inline void kvm_exit_stats_vcpu_destroy(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_set_isa(u32 isa)
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

static inline void kvm_exit_stats_exit(struct kvm_vcpu *vcpu, u16 reason)
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
