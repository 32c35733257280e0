// SPDX-License-Identifier: GPL-2.0
/*
 * Guest-visible VM-exit accounting
 *
 * Counts VM exits by reason together with the cycles KVM spends on them, per
 * vCPU and per CPU, and serves the sums to the guest through CPUID.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
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
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include <asm/svm.h>

#include "cpuid.h"
#include "exit_stats.h"
#include "x86.h"

/* How many leaves there are below SIGNATURE */
#define NR_FURTHER_LEAVES	(KVM_EXIT_STATS_LEAF_SIGNATURE - \
				 KVM_EXIT_STATS_LEAF_HISTOGRAM)

/* Pseudo-slot: the sum of all slots */
#define TOTAL	KVM_EXIT_STATS_NR_SLOTS

#define SCOPE_OFF	KVM_EXIT_STATS_SCOPE_OFF
#define SCOPE_VM	KVM_EXIT_STATS_SCOPE_VM
#define SCOPE_HOST	KVM_EXIT_STATS_SCOPE_HOST
#define SCOPE_VCPU	KVM_EXIT_STATS_SCOPE_VCPU

/* Scope "vm", but only for VMs whose user space asked for it */
#define POLICY_ASK	(SCOPE_HOST + 1)

static const char * const policies[] = {
	[SCOPE_OFF]	= "off",
	[SCOPE_VM]	= "vm",
	[SCOPE_HOST]	= "host",
	[POLICY_ASK]	= "ask",
};

DEFINE_STATIC_KEY_FALSE(kvm_exit_stats_starting);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_starting);

DEFINE_STATIC_KEY_FALSE(kvm_exit_stats_enabled);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_enabled);

DEFINE_PER_CPU_ALIGNED(struct kvm_exit_stats, kvm_cpu_exit_stats);

static DEFINE_MUTEX(kvm_exit_stats_lock);
static int exit_stats_policy __read_mostly = SCOPE_VM;
static bool exit_stats_fold __read_mostly;
const struct kvm_exit_stats_isa *kvm_exit_stats_isa __read_mostly;
static bool kvm_exit_stats_has_vendor;

/* Guests that read by these parameters, which may take a while */
DEFINE_STATIC_SRCU(kvm_exit_stats_srcu);

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
	bool enable = kvm_exit_stats_has_vendor &&
		      exit_stats_policy != SCOPE_OFF;

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
		kvm_exit_stats_end_ledgers();
	}
}

/*
 * There are readers only while there is a vendor module.  Don't wait otherwise:
 * when kvm.ko goes, its SRCU is torn down before its parameters.
 */
static void kvm_exit_stats_wait_for_readers(void)
{
	lockdep_assert_held(&kvm_exit_stats_lock);

	if (kvm_exit_stats_has_vendor)
		synchronize_srcu(&kvm_exit_stats_srcu);
}

static int exit_stats_param_set(const char *val, const struct kernel_param *kp)
{
	int policy = sysfs_match_string(policies, val);

	if (policy < 0)
		return policy;

	mutex_lock(&kvm_exit_stats_lock);
	WRITE_ONCE(exit_stats_policy, policy);
	kvm_exit_stats_update();
	kvm_exit_stats_wait_for_readers();
	mutex_unlock(&kvm_exit_stats_lock);

	return 0;
}

static int exit_stats_param_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n",
			  policies[READ_ONCE(exit_stats_policy)]);
}

static const struct kernel_param_ops exit_stats_param_ops = {
	.set = exit_stats_param_set,
	.get = exit_stats_param_get,
};

module_param_cb(exit_stats, &exit_stats_param_ops, NULL, 0644);
MODULE_PARM_DESC(exit_stats,
		 "VM exits guests see: vm (own, default), ask (own, if asked), host (all), off");

static int exit_stats_fold_param_set(const char *val,
				     const struct kernel_param *kp)
{
	int r;

	mutex_lock(&kvm_exit_stats_lock);
	r = param_set_bool(val, kp);
	if (!r)
		kvm_exit_stats_wait_for_readers();
	mutex_unlock(&kvm_exit_stats_lock);

	return r;
}

static const struct kernel_param_ops exit_stats_fold_param_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = exit_stats_fold_param_set,
	.get = param_get_bool,
};

module_param_cb(exit_stats_fold, &exit_stats_fold_param_ops, &exit_stats_fold,
		0644);
MODULE_PARM_DESC(exit_stats_fold,
		 "Fold VM exits that the host may have caused into guests' total (default: N)");

/* @id is KVM_EXIT_STATS_ISA_*, or zero if the vendor module goes. */
void kvm_exit_stats_set_isa(u32 id)
{
	mutex_lock(&kvm_exit_stats_lock);
	kvm_exit_stats_has_vendor = id;
	if (id) {
		kvm_exit_stats_isa = kvm_exit_stats_find_isa(id);
		kvm_exit_stats_init_binary();
	}
	kvm_exit_stats_update();
	mutex_unlock(&kvm_exit_stats_lock);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_set_isa);

/* What user space can ask for: the scopes, as a mask, and histograms */
int kvm_exit_stats_check_cap(void)
{
	return BIT(SCOPE_OFF) | BIT(SCOPE_VM) | BIT(SCOPE_HOST) |
	       KVM_EXIT_STATS_CAP_HISTOGRAM;
}

int kvm_exit_stats_enable_cap(struct kvm *kvm, u64 request)
{
	u64 scope = request & ~(u64)KVM_EXIT_STATS_CAP_HISTOGRAM;
	int r = -EINVAL;

	if (scope > SCOPE_HOST)
		return r;

	mutex_lock(&kvm->lock);
	if (!kvm->created_vcpus) {
		kvm->arch.exit_stats.asked = true;
		kvm->arch.exit_stats.scope = scope;
		kvm->arch.exit_stats.histogram =
			request & KVM_EXIT_STATS_CAP_HISTOGRAM;
		r = 0;
	}
	mutex_unlock(&kvm->lock);

	return r;
}

/* What the VM's guest is served: no more than the host and the VMM allow. */
static int kvm_exit_stats_scope(struct kvm *kvm)
{
	int policy = READ_ONCE(exit_stats_policy);
	bool asked = kvm->arch.exit_stats.asked;
	int scope = policy;

	if (policy == POLICY_ASK)
		scope = asked ? SCOPE_VM : SCOPE_OFF;

	return asked ? min_t(int, scope, kvm->arch.exit_stats.scope) : scope;
}

void kvm_exit_stats_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;

	/* Zeroed memory would be an open interval. */
	es->start = KVM_EXIT_STATS_CLOSED;
	es->reason = &es->snapshot;
	es->nr_direct = kvm_exit_stats_isa->nr_direct;
	seqcount_init(&es->ledger.seq);
	es->ledger.vmm_slot = -1;
}

/* Add a fully created vCPU to its VM's sums. */
void kvm_exit_stats_vcpu_publish(struct kvm_vcpu *vcpu)
{
	kvm_exit_stats_vcpu_create_histogram(vcpu);
	llist_add(&vcpu->arch.exit_stats.node,
		  &vcpu->kvm->arch.exit_stats.vcpus);
	kvm_exit_stats_vm_publish(vcpu->kvm);
}

/*
 * Note what user space says about the leaves, so that reads need not search.  It
 * hardly ever sets entries for them.  It may deny that there is a hypervisor, in
 * which case there are no leaves of a hypervisor's.
 */
void kvm_exit_stats_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	struct kvm_cpuid_entry2 *entry;
	bool has_entry = false;
	int i;

	for (i = 0; i < vcpu->arch.cpuid_nent; i++) {
		u32 function = vcpu->arch.cpuid_entries[i].function;

		has_entry |= function >= KVM_EXIT_STATS_LEAF_FIRST &&
			     function <= KVM_EXIT_STATS_LEAF_LAST;
	}

	es->has_cpuid_entry = has_entry;

	entry = kvm_find_cpuid_entry(vcpu, 1);
	es->has_hypervisor = entry &&
			     cpuid_entry_has(entry, X86_FEATURE_HYPERVISOR);
}

u32 kvm_exit_stats_slot(struct kvm_vcpu *vcpu)
{
	const struct kvm_exit_stats_isa *isa = kvm_exit_stats_isa;
	u32 reason = *vcpu->arch.exit_stats.reason;

	if (reason < isa->nr_direct)
		return reason;

	return kvm_exit_stats_slot_of(isa, reason & isa->mask);
}

/*
 * Return zero if the TSC went back, and if @start is zero, i.e. unknown:
 * drop_intervals() has cleared "resumed", or the vCPU was put in the middle of
 * stop(), which had found that the TSC had stood still or gone back.
 */
u64 kvm_exit_stats_neg_cycles_since(u64 start)
{
	u64 now = rdtsc();

	return start && start < now ? start - now : 0;
}

static __always_inline u64 *
kvm_exit_stats_bucket(struct kvm_vcpu_exit_stats *es, unsigned long slot,
		      s64 neg_cycles)
{
	unsigned long i = __fls(-(u64)neg_cycles | 1);

	return &es->histogram->buckets[slot][min(i, KVM_EXIT_STATS_NR_BUCKETS - 1ul)];
}

/*
 * More cycles of an exit became known: it may belong in a later bucket.  Who
 * reads the earlier one first may find it in both, but never in none.
 *
 * If the histogram has been off since the exit, it may be in none.  Then one
 * moves that took as many cycles, if there is any: the buckets' sum stays.
 */
static void kvm_exit_stats_move_bucket(struct kvm_vcpu_exit_stats *es, u32 slot,
				       s64 neg_parts)
{
	u64 *from = kvm_exit_stats_bucket(es, slot, es->neg_parts);
	u64 *to = kvm_exit_stats_bucket(es, slot, neg_parts);

	if (to == from || !*from)
		return;

	WRITE_ONCE(*to, *to + 1);
	/* Who finds it gone from there has it in the later one. */
	smp_store_release(from, *from - 1);
}

/* The exit is counted already: add its cycles since it was resumed. */
static void kvm_exit_stats_add_resumed(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 slot = kvm_exit_stats_slot(vcpu);
	s64 neg_cycles, neg_parts;

	/* If accounting is being switched off, "resumed" may be stale. */
	if (!static_key_enabled(&kvm_exit_stats_enabled))
		return;

	neg_cycles = kvm_exit_stats_neg_cycles_since(READ_ONCE(es->resumed));
	es->reasons[slot].stat.neg_cycles += neg_cycles;
	this_cpu_add(kvm_cpu_exit_stats.reasons[slot].neg_cycles, neg_cycles);

	neg_parts = es->neg_parts + neg_cycles;
	kvm_exit_stats_note_longest(&es->reasons[slot], neg_parts);
	if (kvm_exit_stats_has_histogram(es))
		kvm_exit_stats_move_bucket(es, slot, neg_parts);
	es->neg_parts = neg_parts;
}

/* Count the exit; "neg_parts" is for what follows, if anything does. */
static noinline void kvm_exit_stats_count(struct kvm_vcpu *vcpu, s64 neg_cycles)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 slot = kvm_exit_stats_slot(vcpu);

	kvm_exit_stats_account(vcpu, slot, neg_cycles);
	if (kvm_exit_stats_has_histogram(es))
		(*kvm_exit_stats_bucket(es, slot, neg_cycles))++;
	es->neg_parts = neg_cycles;
}

/* A vCPU that halts in an exit goes on with that when it is done with halting. */
void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;

	if (es->ledger.state != KVM_EXIT_STATS_STATE_HALTED)
		WRITE_ONCE(es->resumed, rdtsc());
}

/*
 * Disable preemption, or the vCPU could be put and loaded in between, and check
 * the key again: accounting may have been switched off since.
 */
void __kvm_exit_stats_reopen(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u64 start;

	preempt_disable();
	start = READ_ONCE(es->start);
	if (static_key_enabled(&kvm_exit_stats_starting) &&
	    start != KVM_EXIT_STATS_CLOSED) {
		/* If it was counted as a part, it is in "neg_parts" already. */
		if (start != KVM_EXIT_STATS_COUNTED)
			es->neg_parts = start > KVM_EXIT_STATS_RESUMED ? start : 0;
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
		kvm_exit_stats_count(vcpu,
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
		kvm_exit_stats_count(vcpu, 0);
	else if (kvm_exit_stats_is_resumed(start))
		kvm_exit_stats_add_resumed(vcpu);
	else
		closed = KVM_EXIT_STATS_CLOSED;
	WRITE_ONCE(es->start, closed);
	preempt_enable();
}

/* The reason is not the slot, e.g. of VMX's failed entries, or SVM's NPF. */
void __kvm_exit_stats_stop_indirect(struct kvm_vcpu *vcpu, s64 neg_cycles)
{
	kvm_exit_stats_account(vcpu, kvm_exit_stats_slot(vcpu), neg_cycles);
}

/* The vCPU has a histogram. */
void __kvm_exit_stats_stop_in_bucket(struct kvm_vcpu *vcpu, s64 neg_cycles)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 reason = *es->reason;

	if (unlikely(reason >= kvm_exit_stats_isa->nr_direct)) {
		kvm_exit_stats_count(vcpu, neg_cycles);
		return;
	}

	(*kvm_exit_stats_bucket(es, reason, neg_cycles))++;
	/* Last, so that its call is a tail call, and no register is saved. */
	kvm_exit_stats_account(vcpu, reason, neg_cycles);
}

/* The exit is the longest of its reason since a guest has read that, or ever. */
void __kvm_exit_stats_note_longest(struct kvm_vcpu_exit_stat *reason,
				   s64 neg_cycles)
{
	if (neg_cycles < reason->neg_longest)
		WRITE_ONCE(reason->neg_longest, neg_cycles);
	/*
	 * Pairs with xchg() in kvm_exit_stats_take_longest(): who takes this finds
	 * that the longest exit ever is no shorter.
	 */
	smp_store_release(&reason->neg_recent, neg_cycles);
}

/*
 * There are no counters of totals: every exit would pay for few reads.  @size is
 * from the counters of a slot to those of the next one.
 */
static __always_inline u64
kvm_exit_stats_slot_or_total(const struct kvm_exit_stat *first, size_t size,
			     u32 slot, bool cycles)
{
	const u64 *counter = cycles ? &first->neg_cycles : &first->exits;
	size_t stride = size / sizeof(*counter);
	u64 sum = 0;

	if (slot == TOTAL) {
		const u64 *last = counter + kvm_exit_stats_isa->other * stride;

		for (; counter <= last; counter += stride)
			sum += READ_ONCE(*counter);
	} else {
		sum = READ_ONCE(counter[slot * stride]);
	}

	return cycles ? -sum : sum;
}

static u64 kvm_exit_stats_of_vcpu(const struct kvm_vcpu_exit_stats *es, u32 slot,
				  bool cycles)
{
	return kvm_exit_stats_slot_or_total(&es->reasons[0].stat,
					    sizeof(es->reasons[0]), slot, cycles);
}

static u64 kvm_exit_stats_of_cpu(int cpu, u32 slot, bool cycles)
{
	const struct kvm_exit_stat *reasons = per_cpu(kvm_cpu_exit_stats,
						      cpu).reasons;

	return kvm_exit_stats_slot_or_total(reasons, sizeof(*reasons), slot,
					    cycles);
}

u64 kvm_exit_stats_vcpu_total(const struct kvm_vcpu_exit_stats *es, bool cycles)
{
	return kvm_exit_stats_of_vcpu(es, TOTAL, cycles);
}

/*
 * Sums are no snapshot: vCPUs and CPUs keep counting meanwhile.  There may be
 * thousands of them, so don't hold the CPU for all.
 */
#define SUMS_PER_RESCHED	64

static u64 kvm_exit_stats_vm_sum(struct kvm *kvm, u32 slot, bool cycles)
{
	struct llist_node *first = READ_ONCE(kvm->arch.exit_stats.vcpus.first);
	struct kvm_vcpu_exit_stats *es;
	unsigned int n = 0;
	u64 sum = 0;

	llist_for_each_entry(es, first, node) {
		sum += kvm_exit_stats_of_vcpu(es, slot, cycles);
		if (!(++n % SUMS_PER_RESCHED))
			cond_resched();
	}

	return sum;
}

static u64 kvm_exit_stats_host_sum(u32 slot, bool cycles)
{
	unsigned int n = 0;
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		sum += kvm_exit_stats_of_cpu(cpu, slot, cycles);
		if (!(++n % SUMS_PER_RESCHED))
			cond_resched();
	}

	return sum;
}

static u64 kvm_exit_stats_sum(struct kvm_vcpu *vcpu, int scope, u32 slot,
			      bool cycles)
{
	switch (scope) {
	case SCOPE_VCPU:
		return kvm_exit_stats_of_vcpu(&vcpu->arch.exit_stats, slot,
					      cycles);
	case SCOPE_VM:
		return kvm_exit_stats_vm_sum(vcpu->kvm, slot, cycles);
	default:
		return kvm_exit_stats_host_sum(slot, cycles);
	}
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

/* Guests get cycles in ticks of their own TSC, which the CPU may scale. */
static u64 kvm_exit_stats_sum_cycles(struct kvm_vcpu *vcpu, int scope, u32 slot)
{
	return kvm_scale_tsc(kvm_exit_stats_sum(vcpu, scope, slot, true),
			     vcpu->arch.l1_tsc_scaling_ratio);
}

/* The slot that a guest reads, or -1 if it may not, or if there is none. */
static int kvm_exit_stats_readable_slot(u32 reason)
{
	u32 slot = kvm_exit_stats_slot_of(kvm_exit_stats_isa, reason);

	if (slot == kvm_exit_stats_isa->other)
		return -1;

	if (READ_ONCE(exit_stats_fold) &&
	    kvm_exit_stats_is_of_host(kvm_exit_stats_isa, reason))
		return -1;

	return array_index_nospec(slot, KVM_EXIT_STATS_NR_SLOTS);
}

static void kvm_exit_stats_mark_of_vcpu(const struct kvm_vcpu_exit_stats *es,
					unsigned long *slots)
{
	u32 slot;

	for (slot = 0; slot < kvm_exit_stats_isa->other; slot++) {
		if (READ_ONCE(es->reasons[slot].stat.exits))
			__set_bit(slot, slots);
	}
}

static void kvm_exit_stats_mark_of_cpu(int cpu, unsigned long *slots)
{
	const struct kvm_exit_stats *stats = &per_cpu(kvm_cpu_exit_stats, cpu);
	u32 slot;

	for (slot = 0; slot < kvm_exit_stats_isa->other; slot++) {
		if (READ_ONCE(stats->reasons[slot].exits))
			__set_bit(slot, slots);
	}
}

/* The slots of the reasons that have occurred */
static void kvm_exit_stats_occurred(struct kvm_vcpu *vcpu, int scope,
				    unsigned long *slots)
{
	u64 start = READ_ONCE(vcpu->arch.exit_stats.start);
	struct kvm_vcpu_exit_stats *es;
	struct llist_node *first;
	unsigned int n = 0;
	int cpu;

	/* The exit that reads is counted when it is handled, or before. */
	if (kvm_exit_stats_is_open(start))
		__set_bit(kvm_exit_stats_slot(vcpu), slots);

	switch (scope) {
	case SCOPE_VCPU:
		kvm_exit_stats_mark_of_vcpu(&vcpu->arch.exit_stats, slots);
		break;
	case SCOPE_VM:
		first = READ_ONCE(vcpu->kvm->arch.exit_stats.vcpus.first);
		llist_for_each_entry(es, first, node) {
			kvm_exit_stats_mark_of_vcpu(es, slots);
			if (!(++n % SUMS_PER_RESCHED))
				cond_resched();
		}
		break;
	default:
		for_each_possible_cpu(cpu) {
			kvm_exit_stats_mark_of_cpu(cpu, slots);
			if (!(++n % SUMS_PER_RESCHED))
				cond_resched();
		}
	}
}

/*
 * Which reasons have occurred, of those from @index on, rounded down, that an
 * answer has bits for; and the next ones of which any has
 */
static void kvm_exit_stats_fill_which(struct kvm_vcpu *vcpu, int scope,
				      u32 index, struct kvm_cpuid_entry2 *entry)
{
	DECLARE_BITMAP(occurred, KVM_EXIT_STATS_NR_SLOTS) = {};
	u32 first = index - index % KVM_EXIT_STATS_WHICH_REASONS;
	u32 *bits[] = { &entry->eax, &entry->ebx, &entry->ecx };
	u32 next = KVM_EXIT_STATS_UNDEFINED;
	u32 slot, reason, group, bit;

	kvm_exit_stats_occurred(vcpu, scope, occurred);

	for_each_set_bit(slot, occurred, kvm_exit_stats_isa->other) {
		reason = kvm_exit_stats_reason_of(kvm_exit_stats_isa, slot);
		if (kvm_exit_stats_readable_slot(reason) < 0)
			continue;

		/* Nothing of the guest's selects what is written. */
		bit = reason % KVM_EXIT_STATS_WHICH_REASONS;
		group = reason - bit;
		if (group == first)
			*bits[bit / 32] |= BIT(bit % 32);
		else if (group > first && group < next)
			next = group;
	}

	entry->edx = next;
}

/* Raise @longest and @recent to what the vCPU has, and take away what is recent. */
static void kvm_exit_stats_take_longest(struct kvm_vcpu_exit_stats *es, u32 slot,
					u64 *longest, u64 *recent)
{
	struct kvm_vcpu_exit_stat *reason = &es->reasons[slot];

	/* Don't take the line from the vCPU for nothing. */
	if (READ_ONCE(reason->neg_recent))
		*recent = max(*recent, -(u64)xchg(&reason->neg_recent, 0));
	*longest = max(*longest, kvm_exit_stats_longest(es, slot));
}

static void kvm_exit_stats_take_all_longest(struct kvm_vcpu *vcpu, int scope,
					    u32 slot, u64 *longest, u64 *recent)
{
	struct kvm_vcpu_exit_stats *es;
	struct llist_node *first;
	unsigned int n = 0;

	if (scope == SCOPE_VCPU) {
		kvm_exit_stats_take_longest(&vcpu->arch.exit_stats, slot, longest,
					    recent);
		return;
	}

	first = READ_ONCE(vcpu->kvm->arch.exit_stats.vcpus.first);
	llist_for_each_entry(es, first, node) {
		kvm_exit_stats_take_longest(es, slot, longest, recent);
		if (!(++n % SUMS_PER_RESCHED))
			cond_resched();
	}
}

/* Four buckets of a reason, or UNDEFINED, which they never look like */
static void kvm_exit_stats_fill_buckets(struct kvm_vcpu *vcpu, int scope,
					u32 index, struct kvm_cpuid_entry2 *entry)
{
	u32 nr = KVM_EXIT_STATS_BUCKETS_PER_GROUP;
	u32 reason = index & KVM_EXIT_STATS_REASON_MASK;
	u32 group = index >> KVM_EXIT_STATS_GROUP_SHIFT;
	u32 nr_groups = KVM_EXIT_STATS_NR_BUCKETS / nr;
	u64 sum[KVM_EXIT_STATS_BUCKETS_PER_GROUP] = {};
	int slot;

	entry->edx = KVM_EXIT_STATS_UNDEFINED;

	if (reason == KVM_EXIT_STATS_REASON_MASK)
		reason = (u32)SVM_EXIT_ERR;
	slot = kvm_exit_stats_readable_slot(reason);
	if (slot < 0 || scope == SCOPE_HOST || group >= nr_groups ||
	    index & ~(KVM_EXIT_STATS_REASON_MASK |
		      GENMASK(31, KVM_EXIT_STATS_GROUP_SHIFT)))
		return;

	group = array_index_nospec(group, nr_groups);
	if (!kvm_exit_stats_sum_buckets(vcpu, scope, slot, group * nr, nr, sum))
		return;

	entry->eax = lower_32_bits(sum[0]);
	entry->ebx = lower_32_bits(sum[1]);
	entry->ecx = lower_32_bits(sum[2]);
	entry->edx = lower_32_bits(sum[3]);
	if (entry->edx == KVM_EXIT_STATS_UNDEFINED &&
	    !(entry->eax | entry->ebx | entry->ecx))
		entry->edx--;
}

static void kvm_exit_stats_fill_entry(struct kvm_vcpu *vcpu, int scope,
				      u32 function, u32 index,
				      struct kvm_cpuid_entry2 *entry)
{
	bool this_vcpu = !(function & KVM_EXIT_STATS_VCPU_OFFSET);
	int sum_scope = this_vcpu ? SCOPE_VCPU : scope;
	u64 ratio = vcpu->arch.l1_tsc_scaling_ratio;
	struct kvm_exit_stats_vmm vmm = {};
	u64 value, longest = 0, recent = 0;
	int slot = TOTAL;

	entry->eax = 0;
	entry->ebx = 0;
	entry->ecx = 0;
	entry->edx = 0;

	function |= KVM_EXIT_STATS_VCPU_OFFSET;
	switch (function) {
	case KVM_EXIT_STATS_LEAF_SIGNATURE:
		entry->eax = KVM_EXIT_STATS_VERSION |
			     kvm_exit_stats_isa->id << KVM_EXIT_STATS_ISA_SHIFT |
			     scope << KVM_EXIT_STATS_SCOPE_SHIFT |
			     NR_FURTHER_LEAVES << KVM_EXIT_STATS_FURTHER_SHIFT |
			     KVM_EXIT_STATS_THIS_VCPU;
		entry->ebx = KVM_EXIT_STATS_SIGNATURE_EBX;
		entry->ecx = KVM_EXIT_STATS_SIGNATURE_ECX;
		entry->edx = KVM_EXIT_STATS_SIGNATURE_EDX;
		return;
	case KVM_EXIT_STATS_LEAF_LEDGER:
		if (index >= KVM_EXIT_STATS_NR_STATES) {
			entry->edx = KVM_EXIT_STATS_UNDEFINED;
			return;
		}
		slot = array_index_nospec(index, KVM_EXIT_STATS_NR_STATES);
		break;
	case KVM_EXIT_STATS_LEAF_WHICH:
		kvm_exit_stats_fill_which(vcpu, sum_scope, index, entry);
		return;
	case KVM_EXIT_STATS_LEAF_HISTOGRAM:
		kvm_exit_stats_fill_buckets(vcpu, sum_scope, index, entry);
		return;
	case KVM_EXIT_STATS_LEAF_LONGEST:
	case KVM_EXIT_STATS_LEAF_VMM:
	case KVM_EXIT_STATS_LEAF_PAIR:
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		slot = kvm_exit_stats_readable_slot(index);
		/*
		 * CPUs have no maxima, so the host has none.  Guests would take
		 * them away from each other, too.
		 */
		if (function == KVM_EXIT_STATS_LEAF_LONGEST &&
		    sum_scope == SCOPE_HOST)
			slot = -1;
		if (slot < 0) {
			entry->edx = KVM_EXIT_STATS_UNDEFINED;
			return;
		}
		break;
	}

	switch (function) {
	case KVM_EXIT_STATS_LEAF_LONGEST:
		kvm_exit_stats_take_all_longest(vcpu, sum_scope, slot, &longest,
						&recent);
		longest = kvm_scale_tsc(longest, ratio);
		recent = kvm_scale_tsc(recent, ratio);
		entry->eax = lower_32_bits(longest);
		entry->ebx = upper_32_bits(longest);
		entry->ecx = lower_32_bits(recent);
		entry->edx = upper_32_bits(recent);
		break;
	case KVM_EXIT_STATS_LEAF_VMM:
		kvm_exit_stats_sum_vmm(vcpu, sum_scope, slot, &vmm);
		entry->eax = lower_32_bits(vmm.returns);
		entry->ebx = upper_32_bits(vmm.returns);
		entry->ecx = lower_32_bits(vmm.ns);
		entry->edx = upper_32_bits(vmm.ns);
		break;
	case KVM_EXIT_STATS_LEAF_PAIR:
		value = kvm_exit_stats_sum_exits(vcpu, sum_scope, slot);
		entry->eax = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		value = kvm_exit_stats_sum_cycles(vcpu, sum_scope, slot);
		entry->ecx = lower_32_bits(value);
		entry->edx = upper_32_bits(value);
		break;
	case KVM_EXIT_STATS_LEAF_LEDGER:
		value = kvm_exit_stats_state_ns(vcpu, sum_scope, slot);
		entry->eax = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	case KVM_EXIT_STATS_LEAF_EXITS:
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
		value = kvm_exit_stats_sum_exits(vcpu, sum_scope, slot);
		entry->eax = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	case KVM_EXIT_STATS_LEAF_CYCLES:
	case KVM_EXIT_STATS_LEAF_REASON_CYCLES:
		value = kvm_exit_stats_sum_cycles(vcpu, sum_scope, slot);
		entry->ecx = lower_32_bits(value);
		entry->ebx = upper_32_bits(value);
		break;
	}
}

struct kvm_cpuid_entry2 *__kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu,
						      u32 function, u32 index)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	struct kvm_cpuid_entry2 *entry;
	int scope, idx;

	if ((function | KVM_EXIT_STATS_VCPU_OFFSET) < KVM_EXIT_STATS_LEAF_HISTOGRAM)
		return NULL;

	if (!static_branch_likely(&kvm_exit_stats_enabled) ||
	    !es->has_hypervisor)
		return NULL;

	if (unlikely(es->has_cpuid_entry)) {
		entry = kvm_find_cpuid_entry_index(vcpu, function, index);
		if (entry)
			return entry;
	}

	/* Who narrows the scope waits for those who still sum by the old one. */
	idx = srcu_read_lock(&kvm_exit_stats_srcu);
	scope = kvm_exit_stats_scope(vcpu->kvm);
	if (scope != SCOPE_OFF)
		kvm_exit_stats_fill_entry(vcpu, scope, function, index,
					  &es->cpuid_entry);
	srcu_read_unlock(&kvm_exit_stats_srcu, idx);

	return scope == SCOPE_OFF ? NULL : &es->cpuid_entry;
}
