// SPDX-License-Identifier: GPL-2.0
/*
 * Guest-visible VM-exit accounting
 *
 * Counts VM exits by reason together with the cycles KVM spends on them, per
 * vCPU and per CPU, and serves the sums to the guest through CPUID.
 */
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/jump_label.h>
#include <linux/kvm_host.h>
#include <linux/llist.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "cpuid.h"
#include "exit_stats.h"

/* Pseudo-slot: the sum of all slots */
#define TOTAL	KVM_EXIT_STATS_NR_SLOTS

enum kvm_exit_stats_scope {
	SCOPE_OFF  = 0,
	SCOPE_VM   = KVM_EXIT_STATS_SCOPE_VM,
	SCOPE_HOST = KVM_EXIT_STATS_SCOPE_HOST,
};

static const char * const scope_names[] = {
	[SCOPE_OFF]  = "off",
	[SCOPE_VM]   = "vm",
	[SCOPE_HOST] = "host",
};

DEFINE_STATIC_KEY_FALSE(kvm_exit_stats_starting);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_starting);

DEFINE_STATIC_KEY_FALSE(kvm_exit_stats_enabled);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_enabled);

DEFINE_PER_CPU_ALIGNED(struct kvm_exit_stats, kvm_cpu_exit_stats);

static_assert(KVM_EXIT_STATS_OTHER + 1 <= KVM_EXIT_STATS_NR_SLOTS);

static DEFINE_MUTEX(kvm_exit_stats_lock);
static int exit_stats_scope __read_mostly = SCOPE_VM;
/* The last scope other than "off".  Guests read it until "enabled" goes off. */
static int exit_stats_served __read_mostly = SCOPE_VM;
u32 kvm_exit_stats_isa __read_mostly;

/*
 * This may miss an interval: kvm_for_each_vcpu() skips vCPUs that are not
 * online yet, and a vCPU that is being put, or is in stop(), may overwrite
 * CLOSED.  Also clear "resumed", which goes stale while accounting is off.
 */
static void kvm_exit_stats_drop_intervals(void)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	struct kvm *kvm;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			WRITE_ONCE(vcpu->arch.exit_stats.start,
				   KVM_EXIT_STATS_CLOSED);
			WRITE_ONCE(vcpu->arch.exit_stats.resumed, 0);
		}
	}
	mutex_unlock(&kvm_lock);

	/* Wait for those who saw an open interval, with preemption disabled. */
	synchronize_rcu();
}

static void kvm_exit_stats_update(void)
{
	bool enable = kvm_exit_stats_isa && exit_stats_scope != SCOPE_OFF;

	lockdep_assert_held(&kvm_exit_stats_lock);

	if (enable == static_key_enabled(&kvm_exit_stats_enabled))
		return;

	/*
	 * Intervals begin with interrupts or preemption disabled, so none
	 * begins after the first synchronize_rcu().  Drop them twice: a vCPU
	 * that is put during the first pass may turn open into resumed, but
	 * only once.  An interval that is missed all the same ends before
	 * "enabled" goes off, or is dropped when accounting is switched on
	 * again.
	 */
	if (enable) {
		kvm_exit_stats_drop_intervals();
		static_branch_enable(&kvm_exit_stats_enabled);
		static_branch_enable(&kvm_exit_stats_starting);
	} else {
		static_branch_disable(&kvm_exit_stats_starting);
		synchronize_rcu();
		kvm_exit_stats_drop_intervals();
		kvm_exit_stats_drop_intervals();
		static_branch_disable(&kvm_exit_stats_enabled);
	}
}

static int exit_stats_param_set(const char *val, const struct kernel_param *kp)
{
	int scope = sysfs_match_string(scope_names, val);

	if (scope < 0)
		return scope;

	mutex_lock(&kvm_exit_stats_lock);
	WRITE_ONCE(exit_stats_scope, scope);
	if (scope != SCOPE_OFF)
		WRITE_ONCE(exit_stats_served, scope);
	kvm_exit_stats_update();
	mutex_unlock(&kvm_exit_stats_lock);

	return 0;
}

static int exit_stats_param_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n",
			  scope_names[READ_ONCE(exit_stats_scope)]);
}

static const struct kernel_param_ops exit_stats_param_ops = {
	.set = exit_stats_param_set,
	.get = exit_stats_param_get,
};

module_param_cb(exit_stats, &exit_stats_param_ops, NULL, 0644);
MODULE_PARM_DESC(exit_stats,
		 "VM exits a guest sees via CPUID: vm (own, default), host (all guests'), off");

void kvm_exit_stats_set_isa(u32 isa)
{
	mutex_lock(&kvm_exit_stats_lock);
	kvm_exit_stats_isa = isa;
	kvm_exit_stats_update();
	mutex_unlock(&kvm_exit_stats_lock);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_set_isa);

/* Add a fully created vCPU to its VM's sums. */
void kvm_exit_stats_vcpu_publish(struct kvm_vcpu *vcpu)
{
	llist_add(&vcpu->arch.exit_stats.node,
		  &vcpu->kvm->arch.exit_stats_vcpus);
}

/*
 * User space hardly ever sets entries for the leaves.  Note here whether it
 * did, so that reads need not search for one.
 */
void kvm_exit_stats_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	bool has_entry = false;
	int i;

	for (i = 0; i < vcpu->arch.cpuid_nent; i++) {
		u32 function = vcpu->arch.cpuid_entries[i].function;

		has_entry |= function >= KVM_EXIT_STATS_LEAF_FIRST &&
			     function <= KVM_EXIT_STATS_LEAF_LAST;
	}

	vcpu->arch.exit_stats.has_cpuid_entry = has_entry;
}

static u32 kvm_exit_stats_slot(struct kvm_vcpu *vcpu)
{
	return min_t(u32, kvm_exit_stats_basic_reason(vcpu),
		     KVM_EXIT_STATS_OTHER);
}

/*
 * Return zero if the TSC went back, and if @start is zero, i.e. unknown:
 * drop_intervals() has cleared "resumed", or the vCPU was put in the middle of
 * stop(), which had found that the TSC had stood still or gone back.
 */
static u64 kvm_exit_stats_neg_cycles_since(u64 start)
{
	u64 now = rdtsc();

	return start && start < now ? start - now : 0;
}

/* The exit is counted already: add its cycles since it was resumed. */
static void kvm_exit_stats_add_resumed(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 slot = kvm_exit_stats_slot(vcpu);
	u64 neg_cycles;

	/* If accounting is being switched off, "resumed" may be stale. */
	if (!static_key_enabled(&kvm_exit_stats_enabled))
		return;

	neg_cycles = kvm_exit_stats_neg_cycles_since(READ_ONCE(es->resumed));
	es->stats.reasons[slot].neg_cycles += neg_cycles;
	this_cpu_add(kvm_cpu_exit_stats.reasons[slot].neg_cycles, neg_cycles);
}

void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->arch.exit_stats.resumed, rdtsc());
}

/*
 * Disable preemption, or the vCPU could be put and loaded in between, and check
 * the key again: accounting may have been switched off since.
 */
void __kvm_exit_stats_reopen(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;

	preempt_disable();
	if (static_key_enabled(&kvm_exit_stats_starting) &&
	    READ_ONCE(es->start) != KVM_EXIT_STATS_CLOSED) {
		WRITE_ONCE(es->resumed, rdtsc());
		WRITE_ONCE(es->start, KVM_EXIT_STATS_RESUMED);
	}
	preempt_enable();
}

void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u64 start = READ_ONCE(es->start);

	if (kvm_exit_stats_is_open(start)) {
		/*
		 * Below any TSC that the vCPU can have started with, this is
		 * no start, but what stop() left when it found that the TSC
		 * had gone back.  After suspend, only last_host_tsc is right,
		 * and on another CPU, only "new_tsc".
		 */
		if (start < es->new_tsc && start < vcpu->arch.last_host_tsc)
			start = 0;
		kvm_exit_stats_account(vcpu, kvm_exit_stats_slot(vcpu),
				       kvm_exit_stats_neg_cycles_since(start));
		WRITE_ONCE(es->start, KVM_EXIT_STATS_RESUMED);
	} else if (kvm_exit_stats_is_resumed(start)) {
		kvm_exit_stats_add_resumed(vcpu);
	}
}

/*
 * The interval is resumed or closed, or stop()'s subtraction did not borrow, as
 * the TSC stood still or went back.
 */
void __kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u64 start, closed = KVM_EXIT_STATS_COUNTED;

	/* Disable preemption, or vcpu_put() could account the exit again. */
	preempt_disable();
	start = READ_ONCE(es->start);
	if (kvm_exit_stats_is_open(start))
		kvm_exit_stats_account(vcpu, kvm_exit_stats_slot(vcpu), 0);
	else if (kvm_exit_stats_is_resumed(start))
		kvm_exit_stats_add_resumed(vcpu);
	else
		closed = KVM_EXIT_STATS_CLOSED;
	WRITE_ONCE(es->start, closed);
	preempt_enable();
}

void __kvm_exit_stats_stop_other(struct kvm_vcpu *vcpu, u64 neg_cycles)
{
	kvm_exit_stats_account(vcpu, KVM_EXIT_STATS_OTHER, neg_cycles);
}

/*
 * The SDM skips these numbers.  VMX_EXIT_REASONS can't tell: it also lacks
 * reasons that the SDM defines.
 */
static bool vmx_exit_reason_is_defined(u32 reason)
{
	switch (reason) {
	case 35:
	case 38:
	case 42:
	case 71:
	case 82:
	case 83:
		return false;
	default:
		return reason <= KVM_EXIT_STATS_REASON_MAX;
	}
}

static u64 kvm_exit_stats_counter(const struct kvm_exit_stat *stat, bool cycles)
{
	return cycles ? -READ_ONCE(stat->neg_cycles) : READ_ONCE(stat->exits);
}

/* There are no counters of totals: every exit would pay for few reads. */
static u64 kvm_exit_stats_slot_or_total(const struct kvm_exit_stats *stats,
					u32 slot, bool cycles)
{
	u64 sum = 0;

	if (slot != TOTAL)
		return kvm_exit_stats_counter(&stats->reasons[slot], cycles);

	for (slot = 0; slot < KVM_EXIT_STATS_NR_SLOTS; slot++)
		sum += kvm_exit_stats_counter(&stats->reasons[slot], cycles);

	return sum;
}

/*
 * Sums are no snapshot: vCPUs and CPUs keep counting meanwhile.  There may be
 * thousands of them, so don't hold the CPU for all.
 */
#define SUMS_PER_RESCHED	64

static u64 kvm_exit_stats_vm_sum(struct kvm *kvm, u32 slot, bool cycles)
{
	struct llist_node *first = READ_ONCE(kvm->arch.exit_stats_vcpus.first);
	struct kvm_vcpu_exit_stats *es;
	unsigned int n = 0;
	u64 sum = 0;

	llist_for_each_entry(es, first, node) {
		sum += kvm_exit_stats_slot_or_total(&es->stats, slot, cycles);
		if (!(++n % SUMS_PER_RESCHED))
			cond_resched();
	}

	return sum;
}

static u64 kvm_exit_stats_host_sum(u32 slot, bool cycles)
{
	const struct kvm_exit_stats *stats;
	unsigned int n = 0;
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		stats = &per_cpu(kvm_cpu_exit_stats, cpu);
		sum += kvm_exit_stats_slot_or_total(stats, slot, cycles);
		if (!(++n % SUMS_PER_RESCHED))
			cond_resched();
	}

	return sum;
}

static u64 kvm_exit_stats_sum(struct kvm_vcpu *vcpu, int scope, u32 slot,
			      bool cycles)
{
	return scope == SCOPE_VM ?
	       kvm_exit_stats_vm_sum(vcpu->kvm, slot, cycles) :
	       kvm_exit_stats_host_sum(slot, cycles);
}

/*
 * The CPUID exit that reads is not counted until KVM has handled it or the vCPU
 * is put.  Add it to the sum.
 */
static u64 kvm_exit_stats_sum_exits(struct kvm_vcpu *vcpu, int scope, u32 slot)
{
	u64 start, sum;

	/*
	 * Retry if the vCPU was put meanwhile, which counts the exit.  The sum
	 * must stay between these loads, so it has to use READ_ONCE(), too.
	 */
	do {
		start = READ_ONCE(vcpu->arch.exit_stats.start);
		sum = kvm_exit_stats_sum(vcpu, scope, slot, false);
	} while (unlikely(READ_ONCE(vcpu->arch.exit_stats.start) != start));

	if (kvm_exit_stats_is_open(start) &&
	    (slot == TOTAL || slot == kvm_exit_stats_slot(vcpu)))
		sum++;

	return sum;
}

static void kvm_exit_stats_fill_entry(struct kvm_vcpu *vcpu, u32 function,
				      u32 index, struct kvm_cpuid_entry2 *entry)
{
	int scope = READ_ONCE(exit_stats_served);
	u32 slot = TOTAL;
	u64 value;

	entry->eax = 0;
	entry->ebx = 0;
	entry->ecx = 0;
	entry->edx = 0;

	switch (function) {
	case KVM_EXIT_STATS_LEAF_SIGNATURE:
		entry->eax = KVM_EXIT_STATS_VERSION |
			     kvm_exit_stats_isa << KVM_EXIT_STATS_ISA_SHIFT |
			     scope << KVM_EXIT_STATS_SCOPE_SHIFT;
		entry->ebx = KVM_EXIT_STATS_SIGNATURE_EBX;
		entry->ecx = KVM_EXIT_STATS_SIGNATURE_ECX;
		entry->edx = KVM_EXIT_STATS_SIGNATURE_EDX;
		return;
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		if (!vmx_exit_reason_is_defined(index)) {
			entry->edx = KVM_EXIT_STATS_UNDEFINED;
			return;
		}
		slot = array_index_nospec(index, KVM_EXIT_STATS_NR_SLOTS);
		break;
	}

	switch (function) {
	case KVM_EXIT_STATS_LEAF_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
		value = kvm_exit_stats_sum_exits(vcpu, scope, slot);
		entry->eax = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	case KVM_EXIT_STATS_LEAF_CYCLES:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		value = kvm_exit_stats_sum(vcpu, scope, slot, true);
		entry->ecx = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	}
}

struct kvm_cpuid_entry2 *__kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu,
						      u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *entry;

	if (!static_branch_likely(&kvm_exit_stats_enabled))
		return NULL;

	if (unlikely(vcpu->arch.exit_stats.has_cpuid_entry)) {
		entry = kvm_find_cpuid_entry_index(vcpu, function, index);
		if (entry)
			return entry;
	}

	entry = &vcpu->arch.exit_stats.cpuid_entry;
	kvm_exit_stats_fill_entry(vcpu, function, index, entry);
	return entry;
}
