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
#include "trace.h"

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

DEFINE_STATIC_KEY_FALSE(kvm_exit_stats_clock);
EXPORT_SYMBOL_GPL(kvm_exit_stats_clock);

DEFINE_STATIC_KEY_FALSE(kvm_exit_stats_count);
EXPORT_SYMBOL_GPL(kvm_exit_stats_count);

DEFINE_PER_CPU_ALIGNED(struct kvm_exit_stats, kvm_cpu_exit_stats);
EXPORT_PER_CPU_SYMBOL_GPL(kvm_cpu_exit_stats);

static_assert(KVM_EXIT_STATS_NR_SLOTS == KVM_EXIT_STATS_OTHER + 1);

static DEFINE_MUTEX(kvm_exit_stats_lock);
static int exit_stats_scope __read_mostly = SCOPE_VM;
/* What guests are served, also for the moment that it takes to switch it off */
static int exit_stats_served __read_mostly = SCOPE_VM;
u32 kvm_exit_stats_isa __read_mostly;

static void kvm_exit_stats_drop_intervals(void)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	struct kvm *kvm;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		kvm_for_each_vcpu(i, vcpu, kvm)
			WRITE_ONCE(vcpu->arch.exit_stats.start, KVM_EXIT_STATS_CLOSED);
	}
	mutex_unlock(&kvm_lock);
}

static void kvm_exit_stats_update(void)
{
	bool enable = kvm_exit_stats_isa && exit_stats_scope != SCOPE_OFF;

	lockdep_assert_held(&kvm_exit_stats_lock);

	if (enable == static_key_enabled(&kvm_exit_stats_clock))
		return;

	/*
	 * Intervals begin with interrupts off.  Hence none begins any more when
	 * the open ones are dropped.  Drop them twice: a vCPU that is put just
	 * then may overwrite it, but only turns open into resumed, once.
	 */
	if (enable) {
		static_branch_enable(&kvm_exit_stats_clock);
		synchronize_rcu();
		static_branch_enable(&kvm_exit_stats_count);
	} else {
		static_branch_disable(&kvm_exit_stats_count);
		synchronize_rcu();
		kvm_exit_stats_drop_intervals();
		synchronize_rcu();
		kvm_exit_stats_drop_intervals();
		static_branch_disable(&kvm_exit_stats_clock);
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
	return sysfs_emit(buffer, "%s\n", scope_names[READ_ONCE(exit_stats_scope)]);
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
EXPORT_SYMBOL_GPL(kvm_exit_stats_set_isa);

/* From now on its counters are in the VM's sums.  The VM must have the vCPU for good. */
void kvm_exit_stats_vcpu_publish(struct kvm_vcpu *vcpu)
{
	llist_add(&vcpu->arch.exit_stats.node, &vcpu->kvm->arch.exit_stats);
}

/* Spare the guest's reads the search for an entry that is hardly ever there. */
void kvm_exit_stats_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	bool has_entry = false;
	int i;

	for (i = 0; i < vcpu->arch.cpuid_nent; i++) {
		u32 function = vcpu->arch.cpuid_entries[i].function;

		has_entry |= function >= KVM_EXIT_STATS_LEAF_FIRST &&
			     function <= KVM_EXIT_STATS_LEAF_LAST;
	}

	vcpu->arch.exit_stats.has_entry = has_entry;
}

/* A TSC does not get to bit 62. */
static bool kvm_exit_stats_is_open(u64 start)
{
	return start < BIT_ULL(62);
}

static bool kvm_exit_stats_is_resumed(u64 start)
{
	return start >= BIT_ULL(63) && start <= KVM_EXIT_STATS_RESUMED;
}

static u32 kvm_exit_stats_slot(struct kvm_vcpu *vcpu)
{
	u16 reason = *vcpu->arch.exit_stats.reason;

	return KVM_EXIT_STATS_SLOT(min_t(u32, reason, KVM_EXIT_STATS_NR_REASONS));
}

/* More cycles of an exit that has been counted. */
static void kvm_exit_stats_add_resumed(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 i = KVM_EXIT_STATS_CYCLES(kvm_exit_stats_slot(vcpu));
	u64 cycles = es->loaded - rdtsc();

	es->stats.counters[KVM_EXIT_STATS_CYCLES(KVM_EXIT_STATS_TOTAL)] += cycles;
	es->stats.counters[i] += cycles;
	this_cpu_add(kvm_cpu_exit_stats.counters[i], cycles);
}

void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.loaded = rdtsc();
}

void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u64 start = READ_ONCE(es->start);

	if (kvm_exit_stats_is_open(start)) {
		/* It is zero if stop() found that not one tick had passed. */
		kvm_exit_stats_account(vcpu, kvm_exit_stats_slot(vcpu),
				       start ? start - rdtsc() : 0);
		WRITE_ONCE(es->start, KVM_EXIT_STATS_RESUMED);
	} else if (kvm_exit_stats_is_resumed(start)) {
		kvm_exit_stats_add_resumed(vcpu);
	}
}

/*
 * The subtraction in kvm_exit_stats_stop() did not borrow: the vCPU has been put
 * meanwhile, there is no interval, or it didn't last for one tick.
 */
void __kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u64 start;

	/* Being put also accounts, don't let it in halfway. */
	preempt_disable();
	start = READ_ONCE(es->start);
	if (kvm_exit_stats_is_open(start)) {
		kvm_exit_stats_account(vcpu, kvm_exit_stats_slot(vcpu), 0);
	} else if (kvm_exit_stats_is_resumed(start)) {
		/* Else it may have been put and loaded unnoticed. */
		if (static_key_enabled(&kvm_exit_stats_clock))
			kvm_exit_stats_add_resumed(vcpu);
	}
	WRITE_ONCE(es->start, KVM_EXIT_STATS_CLOSED);
	preempt_enable();
}

void __kvm_exit_stats_stop_other(struct kvm_vcpu *vcpu, u64 cycles)
{
	kvm_exit_stats_account(vcpu, KVM_EXIT_STATS_OTHER, cycles);
}

/* The SDM leaves gaps, which the uapi's list of names can't tell from the rest. */
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

/* CPUs keep no totals: that would cost each exit what only few reads save. */
static u64 kvm_exit_stats_cpu_total(int cpu, u32 counter)
{
	const u64 *c = per_cpu(kvm_cpu_exit_stats, cpu).counters + counter;
	u64 sum = 0;
	int i;

	/* Including the total itself, which is zero. */
	BUILD_BUG_ON(KVM_EXIT_STATS_NR_SLOTS % 11);
	for (i = 0; i < KVM_EXIT_STATS_NR_SLOTS; i += 11, c += 22)
		sum = data_race(sum + c[0] + c[2] + c[4] + c[6] + c[8] + c[10] +
				c[12] + c[14] + c[16] + c[18] + c[20]);

	return sum;
}

/* Sums are no snapshot: vCPUs and CPUs go on counting meanwhile. */
static u64 kvm_exit_stats_vm_sum(struct kvm *kvm, u32 counter)
{
	struct kvm_vcpu_exit_stats *es;
	u64 sum = 0;

	llist_for_each_entry(es, READ_ONCE(kvm->arch.exit_stats.first), node)
		sum += READ_ONCE(es->stats.counters[counter]);

	return sum;
}

static u64 kvm_exit_stats_host_sum(u32 counter)
{
	u64 sum = 0;
	int cpu;

	/* Cheaper than for_each_possible_cpu() unless the mask is sparse. */
	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		if (!cpu_possible(cpu))
			continue;
		if (counter <= KVM_EXIT_STATS_CYCLES(KVM_EXIT_STATS_TOTAL))
			sum += kvm_exit_stats_cpu_total(cpu, counter);
		else
			sum += READ_ONCE(per_cpu(kvm_cpu_exit_stats, cpu).counters[counter]);
	}

	return sum;
}

static u64 kvm_exit_stats_sum(struct kvm_vcpu *vcpu, int scope, u32 counter)
{
	return scope == SCOPE_VM ? kvm_exit_stats_vm_sum(vcpu->kvm, counter) :
				   kvm_exit_stats_host_sum(counter);
}

/*
 * The exit that is being handled, i.e. the CPUID that reads, gets counted only when
 * that is done, or when the vCPU is put.
 */
static u64 kvm_exit_stats_read_exits(struct kvm_vcpu *vcpu, int scope, u32 slot)
{
	u32 counter = KVM_EXIT_STATS_EXITS(slot);
	u64 start, sum;

	do {
		start = READ_ONCE(vcpu->arch.exit_stats.start);
		sum = kvm_exit_stats_sum(vcpu, scope, counter);
		/* Or has the vCPU been put meanwhile? */
	} while (unlikely(READ_ONCE(vcpu->arch.exit_stats.start) != start));

	if (kvm_exit_stats_is_open(start) &&
	    (slot == KVM_EXIT_STATS_TOTAL || slot == kvm_exit_stats_slot(vcpu)))
		sum++;

	return sum;
}

static void kvm_exit_stats_fill_entry(struct kvm_vcpu *vcpu, u32 function,
				      u32 index, struct kvm_cpuid_entry2 *entry)
{
	int scope = READ_ONCE(exit_stats_served);
	u32 slot = KVM_EXIT_STATS_TOTAL;
	u64 value;

	entry->eax = entry->ebx = entry->ecx = entry->edx = 0;

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
		slot = KVM_EXIT_STATS_SLOT(array_index_nospec(index, KVM_EXIT_STATS_NR_REASONS));
		break;
	}

	switch (function) {
	case KVM_EXIT_STATS_LEAF_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
		value = kvm_exit_stats_read_exits(vcpu, scope, slot);
		entry->eax = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	case KVM_EXIT_STATS_LEAF_CYCLES:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		value = -kvm_exit_stats_sum(vcpu, scope, KVM_EXIT_STATS_CYCLES(slot));
		entry->ecx = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	}
}

/* Stands in for an entry of user space, unless there is one. */
struct kvm_cpuid_entry2 *kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu,
						    u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *entry = NULL;

	if (unlikely(vcpu->arch.exit_stats.has_entry))
		entry = kvm_find_cpuid_entry_index(vcpu, function, index);

	if (likely(!entry)) {
		entry = &vcpu->arch.exit_stats.entry;
		kvm_exit_stats_fill_entry(vcpu, function, index, entry);
	}

	trace_kvm_cpuid(function, index, entry->eax, entry->ebx, entry->ecx,
			entry->edx, true, false);
	return entry;
}
