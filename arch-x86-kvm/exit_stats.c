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
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "exit_stats.h"

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

static DEFINE_MUTEX(kvm_exit_stats_lock);
static int exit_stats_scope __read_mostly = SCOPE_VM;
u32 kvm_exit_stats_isa __read_mostly;

static void kvm_exit_stats_drop_intervals(void)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	struct kvm *kvm;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		kvm_for_each_vcpu(i, vcpu, kvm)
			WRITE_ONCE(vcpu->arch.exit_stats->slot, KVM_EXIT_STATS_NONE);
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
	 * From the start of the clock to the count, interrupts are off.  Hence
	 * no interval begins with a clock that was not started, and none begins
	 * any more when the open ones are dropped.
	 */
	if (enable) {
		static_branch_enable(&kvm_exit_stats_clock);
		synchronize_rcu();
		static_branch_enable(&kvm_exit_stats_count);
	} else {
		static_branch_disable(&kvm_exit_stats_count);
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

int kvm_exit_stats_vcpu_create(struct kvm_vcpu *vcpu)
{
	if (!kvm_exit_stats_isa)
		return 0;

	vcpu->arch.exit_stats = kzalloc(sizeof(*vcpu->arch.exit_stats),
					GFP_KERNEL_ACCOUNT);

	return vcpu->arch.exit_stats ? 0 : -ENOMEM;
}

void kvm_exit_stats_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kfree(vcpu->arch.exit_stats);
}

void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats->start = rdtsc();
}

void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
	__kvm_exit_stats_account(vcpu->arch.exit_stats);
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

static void kvm_exit_stat_add(struct kvm_exit_stat *sum,
			      const struct kvm_exit_stats *stats, u32 slot)
{
	sum->exits += READ_ONCE(stats->stat[slot].exits);
	sum->cycles += READ_ONCE(stats->stat[slot].cycles);
}

/* Sums are no snapshot: vCPUs and CPUs go on counting meanwhile. */
static struct kvm_exit_stat kvm_exit_stats_sum_vm(struct kvm *kvm, u32 slot)
{
	struct kvm_exit_stat sum = {};
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		kvm_exit_stat_add(&sum, &vcpu->arch.exit_stats->stats, slot);

	return sum;
}

static struct kvm_exit_stat kvm_exit_stats_sum_host(u32 slot)
{
	struct kvm_exit_stat sum = {};
	int cpu;

	for_each_possible_cpu(cpu)
		kvm_exit_stat_add(&sum, &per_cpu(kvm_cpu_exit_stats, cpu), slot);

	return sum;
}

bool __kvm_exit_stats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
			    u32 *ecx, u32 *edx)
{
	u32 leaf = *eax, reason = *ecx, slot = KVM_EXIT_STATS_TOTAL;
	int scope = READ_ONCE(exit_stats_scope);
	struct kvm_exit_stat stat;

	if (scope == SCOPE_OFF)
		return false;

	*eax = *ebx = *ecx = *edx = 0;

	switch (leaf) {
	case KVM_EXIT_STATS_LEAF_SIGNATURE:
		*eax = KVM_EXIT_STATS_VERSION |
		       kvm_exit_stats_isa << KVM_EXIT_STATS_ISA_SHIFT |
		       scope << KVM_EXIT_STATS_SCOPE_SHIFT;
		*ebx = KVM_EXIT_STATS_SIGNATURE_EBX;
		*ecx = KVM_EXIT_STATS_SIGNATURE_ECX;
		*edx = KVM_EXIT_STATS_SIGNATURE_EDX;
		return true;
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		if (!vmx_exit_reason_is_defined(reason)) {
			*edx = KVM_EXIT_STATS_UNDEFINED;
			return true;
		}
		slot = array_index_nospec(reason, KVM_EXIT_STATS_NR_REASONS) + 1;
		break;
	}

	if (scope == SCOPE_VM)
		stat = kvm_exit_stats_sum_vm(vcpu->kvm, slot);
	else
		stat = kvm_exit_stats_sum_host(slot);

	switch (leaf) {
	case KVM_EXIT_STATS_LEAF_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
		*eax = lower_32_bits(stat.exits);
		*ebx = upper_32_bits(stat.exits);
		break;
	case KVM_EXIT_STATS_LEAF_CYCLES:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		*ecx = lower_32_bits(stat.cycles);
		*ebx = upper_32_bits(stat.cycles);
		break;
	}

	return true;
}
