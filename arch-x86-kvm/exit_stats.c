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

static_assert(sizeof(struct kvm_exit_stats) ==
	      2 * sizeof(u64) * (KVM_EXIT_STATS_TOTAL + 1));

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

static u32 kvm_exit_stats_slot(struct kvm_vcpu_exit_stats *es)
{
	return min_t(u32, (u16)*es->reason, KVM_EXIT_STATS_OTHER);
}

/* More cycles of an exit that has been counted. */
static void kvm_exit_stats_add_resumed(struct kvm_vcpu_exit_stats *es)
{
	u32 slot = kvm_exit_stats_slot(es);
	u64 cycles = es->loaded - rdtsc();

	es->stats.cycles[slot] += cycles;
	es->stats.cycles[KVM_EXIT_STATS_TOTAL] += cycles;
	this_cpu_add(kvm_cpu_exit_stats.cycles[slot], cycles);
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
		kvm_exit_stats_account(es, kvm_exit_stats_slot(es),
				       start ? start - rdtsc() : 0);
		WRITE_ONCE(es->start, KVM_EXIT_STATS_RESUMED);
	} else if (kvm_exit_stats_is_resumed(start)) {
		kvm_exit_stats_add_resumed(es);
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
		kvm_exit_stats_account(es, kvm_exit_stats_slot(es), 0);
	} else if (kvm_exit_stats_is_resumed(start)) {
		/* Else it may have been put and loaded unnoticed. */
		if (static_key_enabled(&kvm_exit_stats_clock))
			kvm_exit_stats_add_resumed(es);
	}
	WRITE_ONCE(es->start, KVM_EXIT_STATS_CLOSED);
	preempt_enable();
}

void __kvm_exit_stats_stop_other(struct kvm_vcpu *vcpu, u64 cycles)
{
	kvm_exit_stats_account(&vcpu->arch.exit_stats, KVM_EXIT_STATS_OTHER, cycles);
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

/* What of the slot is asked for. */
enum kvm_exit_stats_what {
	EXITS,
	CYCLES,
};

static const u64 *kvm_exit_stats_counters(const struct kvm_exit_stats *stats,
					  enum kvm_exit_stats_what what)
{
	return what == EXITS ? stats->exits : stats->cycles;
}

static u64 kvm_exit_stats_vcpu_sum(const struct kvm_vcpu_exit_stats *es,
				   enum kvm_exit_stats_what what, u32 slot)
{
	return READ_ONCE(kvm_exit_stats_counters(&es->stats, what)[slot]);
}

/* CPUs keep no totals: that would cost each exit what only few reads save. */
static u64 kvm_exit_stats_cpu_total(int cpu, enum kvm_exit_stats_what what)
{
	const u64 *counters = kvm_exit_stats_counters(&per_cpu(kvm_cpu_exit_stats, cpu), what);
	u64 sum = 0;
	int i;

	/* Including the total itself, which is zero. */
	BUILD_BUG_ON(KVM_EXIT_STATS_NR_SLOTS % 11);
	for (i = 0; i < KVM_EXIT_STATS_NR_SLOTS; i += 11, counters += 11)
		sum = data_race(sum + counters[0] + counters[1] + counters[2] +
				counters[3] + counters[4] + counters[5] +
				counters[6] + counters[7] + counters[8] +
				counters[9] + counters[10]);

	return sum;
}

static u64 kvm_exit_stats_cpu_sum(int cpu, enum kvm_exit_stats_what what, u32 slot)
{
	if (slot == KVM_EXIT_STATS_TOTAL)
		return kvm_exit_stats_cpu_total(cpu, what);

	return READ_ONCE(kvm_exit_stats_counters(&per_cpu(kvm_cpu_exit_stats, cpu), what)[slot]);
}

/* Sums are no snapshot: vCPUs and CPUs go on counting meanwhile. */
static u64 kvm_exit_stats_vm_sum(struct kvm *kvm, enum kvm_exit_stats_what what, u32 slot)
{
	struct kvm_vcpu_exit_stats *es;
	u64 sum = 0;

	llist_for_each_entry(es, READ_ONCE(kvm->arch.exit_stats.first), node)
		sum += kvm_exit_stats_vcpu_sum(es, what, slot);

	return sum;
}

static u64 kvm_exit_stats_host_sum(enum kvm_exit_stats_what what, u32 slot)
{
	u64 sum = 0;
	int cpu;

	/* Cheaper than for_each_possible_cpu() unless the mask is sparse. */
	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		if (cpu_possible(cpu))
			sum += kvm_exit_stats_cpu_sum(cpu, what, slot);
	}

	return sum;
}

static u64 kvm_exit_stats_read(struct kvm_vcpu *vcpu, int scope,
			       enum kvm_exit_stats_what what, u32 slot)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u64 start, sum;

	do {
		start = READ_ONCE(es->start);
		sum = scope == SCOPE_VM ? kvm_exit_stats_vm_sum(vcpu->kvm, what, slot) :
					  kvm_exit_stats_host_sum(what, slot);
		/* Or has the vCPU been put meanwhile? */
	} while (unlikely(READ_ONCE(es->start) != start));

	if (what == CYCLES)
		return -sum;

	/* The exit being handled is counted only at its end, or when put. */
	if (kvm_exit_stats_is_open(start) &&
	    (slot == KVM_EXIT_STATS_TOTAL || slot == kvm_exit_stats_slot(es)))
		sum++;

	return sum;
}

/* One of the leaves is always served, if not by KVM then by user space's entry. */
bool kvm_exit_stats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
			  u32 *ecx, u32 *edx)
{
	u32 leaf = *eax, index = *ecx, slot = KVM_EXIT_STATS_TOTAL;
	int scope = READ_ONCE(exit_stats_served);
	struct kvm_cpuid_entry2 regs = {};
	struct kvm_cpuid_entry2 *entry;
	u64 value;

	if (unlikely(vcpu->arch.exit_stats.has_entry)) {
		entry = kvm_find_cpuid_entry_index(vcpu, leaf, index);
		if (entry) {
			regs = *entry;
			goto out;
		}
	}

	switch (leaf) {
	case KVM_EXIT_STATS_LEAF_SIGNATURE:
		regs.eax = KVM_EXIT_STATS_VERSION |
			   kvm_exit_stats_isa << KVM_EXIT_STATS_ISA_SHIFT |
			   scope << KVM_EXIT_STATS_SCOPE_SHIFT;
		regs.ebx = KVM_EXIT_STATS_SIGNATURE_EBX;
		regs.ecx = KVM_EXIT_STATS_SIGNATURE_ECX;
		regs.edx = KVM_EXIT_STATS_SIGNATURE_EDX;
		goto out;
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		if (!vmx_exit_reason_is_defined(index)) {
			regs.edx = KVM_EXIT_STATS_UNDEFINED;
			goto out;
		}
		slot = array_index_nospec(index, KVM_EXIT_STATS_REASON_MAX + 1);
		break;
	}

	switch (leaf) {
	case KVM_EXIT_STATS_LEAF_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
		value = kvm_exit_stats_read(vcpu, scope, EXITS, slot);
		regs.eax = lower_32_bits(value);
		regs.ebx = upper_32_bits(value);
		break;
	case KVM_EXIT_STATS_LEAF_CYCLES:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		value = kvm_exit_stats_read(vcpu, scope, CYCLES, slot);
		regs.ecx = lower_32_bits(value);
		regs.ebx = upper_32_bits(value);
		break;
	}

out:
	*eax = regs.eax;
	*ebx = regs.ebx;
	*ecx = regs.ecx;
	*edx = regs.edx;
	trace_kvm_cpuid(leaf, index, *eax, *ebx, *ecx, *edx, true, false);

	return true;
}
