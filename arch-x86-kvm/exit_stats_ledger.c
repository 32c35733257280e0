// SPDX-License-Identifier: GPL-2.0
/*
 * The ledger: where a vCPU's time goes
 *
 * A vCPU is in one state at a time.  The state changes only where that takes
 * long anyway: when KVM_RUN is called and returns, when the vCPU halts, and when
 * its thread is scheduled out and in.  An exit that KVM handles without any of
 * these doesn't come here.
 */
#include <linux/kvm_host.h>
#include <linux/llist.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/seqlock.h>
#include <linux/srcu.h>
#include <linux/string.h>

#include "exit_stats.h"

/* VMs that have had a vCPU, for scope "host", and the guests that read them */
static DEFINE_MUTEX(ledger_vms_lock);
static HLIST_HEAD(ledger_vms);
DEFINE_STATIC_SRCU(ledger_vms_srcu);

/*
 * The vCPU never ran, or accounting was off: its time, and its exits, don't
 * count until it enters a state.
 */
#define STATE_UNKNOWN	KVM_EXIT_STATS_STATE_ELAPSED

/* They are in the names of binary statistics: ABI. */
const char * const kvm_exit_stats_state_names[] = {
	[KVM_EXIT_STATS_STATE_ELAPSED]	= "elapsed",
	[KVM_EXIT_STATS_STATE_GUEST]	= "guest",
	[KVM_EXIT_STATS_STATE_EXITS]	= "exits",
	[KVM_EXIT_STATS_STATE_VMM]	= "vmm",
	[KVM_EXIT_STATS_STATE_HALTED]	= "halted",
	[KVM_EXIT_STATS_STATE_WAITING]	= "waiting",
	[KVM_EXIT_STATS_STATE_ASLEEP]	= "asleep",
};

static u64 ledger_cycles(struct kvm_vcpu *vcpu)
{
	return kvm_exit_stats_vcpu_total(&vcpu->arch.exit_stats, true);
}

/* CPUs' clocks may differ a little. */
static u64 ledger_ns_since(u64 since, u64 now)
{
	return max_t(s64, now - since, 0);
}

/*
 * Of @ns off the CPU, the thread may have waited for one.  Return the rest, which
 * is the state's own.  A thread that was preempted has only waited.
 */
static u64 ledger_take_waited(struct kvm_exit_stats_ledger *l, u64 ns)
{
	s64 waited = current->sched_info.run_delay - l->run_delay;

	if (l->state == KVM_EXIT_STATS_STATE_WAITING || l->thread != current)
		return ns;

	/* The scheduler's clock is not read at the same time. */
	waited = clamp_t(s64, waited, 0, ns);
	l->ns[KVM_EXIT_STATS_STATE_WAITING] += waited;
	return ns - waited;
}

static __always_inline void ledger_close(struct kvm_exit_stats_ledger *l, u64 now)
{
	u64 ns = ledger_ns_since(l->since, now);

	if (l->state != KVM_EXIT_STATS_STATE_GUEST)
		ns = ledger_take_waited(l, ns);

	l->ns[l->state] += ns;
	if (l->state == KVM_EXIT_STATS_STATE_VMM && l->vmm_slot >= 0) {
		l->vmm[l->vmm_slot].ns += ns;
		l->vmm_slot = -1;
	}
}

/* Its time is known from now on, and so are its exits'. */
static noinline void ledger_begin(struct kvm_vcpu *vcpu)
{
	struct kvm_exit_stats_ledger *l = &vcpu->arch.exit_stats.ledger;

	l->cycles_unknown += ledger_cycles(vcpu) - l->cycles_known;
}

/*
 * Lockdep is not told of the writer: it would find that the scheduler's lock,
 * which interrupts take, is held around it when the thread is scheduled out, and
 * that interrupts are on when it isn't.  But no reader holds any lock.
 *
 * @state is constant, so each caller has only the code for its own.
 */
static __always_inline void ledger_enter(struct kvm_vcpu *vcpu, u32 state,
					 int vmm_slot)
{
	struct kvm_exit_stats_ledger *l = &vcpu->arch.exit_stats.ledger;
	u64 now;

	lockdep_assert_preemption_disabled();

	/* Once this is off, kvm_exit_stats_end_ledgers() writes. */
	if (!static_branch_likely(&kvm_exit_stats_enabled))
		return;

	now = local_clock();
	raw_write_seqcount_begin(&l->seq);
	if (likely(l->state != STATE_UNKNOWN))
		ledger_close(l, now);
	else
		ledger_begin(vcpu);
	l->state = state;
	l->since = now;
	if (state != KVM_EXIT_STATS_STATE_GUEST) {
		l->thread = current;
		l->run_delay = current->sched_info.run_delay;
	}
	if (state == KVM_EXIT_STATS_STATE_VMM && vmm_slot >= 0) {
		l->vmm_slot = vmm_slot;
		l->vmm[vmm_slot].returns++;
	}
	raw_write_seqcount_end(&l->seq);
}

/* User space is done with what it was asked for. */
void __kvm_exit_stats_run_begin(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	ledger_enter(vcpu, KVM_EXIT_STATS_STATE_GUEST, -1);
	preempt_enable();
}

/* If the interval was cancelled, there is no exit that KVM handled. */
void __kvm_exit_stats_run_end(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	int vmm_slot = -1;

	preempt_disable();
	if (es->ledger.by_exit && READ_ONCE(es->start) != KVM_EXIT_STATS_CLOSED)
		vmm_slot = kvm_exit_stats_slot(vcpu);
	ledger_enter(vcpu, KVM_EXIT_STATS_STATE_VMM, vmm_slot);
	preempt_enable();
}

/*
 * The vCPU polls for an event, then blocks, or blocks until a page is there.  If
 * that is part of an exit, as with Xen's poll, no cycles accrue meanwhile.
 */
void __kvm_exit_stats_halt_begin(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;

	preempt_disable();
	if (READ_ONCE(es->start) <= KVM_EXIT_STATS_RESUMED) {
		__kvm_exit_stats_vcpu_put(vcpu);
		WRITE_ONCE(es->resumed, 0);
	}
	if (vcpu->arch.apf.halted)
		ledger_enter(vcpu, KVM_EXIT_STATS_STATE_ASLEEP, -1);
	else
		ledger_enter(vcpu, KVM_EXIT_STATS_STATE_HALTED, -1);
	preempt_enable();
}

void __kvm_exit_stats_halt_end(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	ledger_enter(vcpu, KVM_EXIT_STATS_STATE_GUEST, -1);
	if (kvm_exit_stats_is_resumed(READ_ONCE(vcpu->arch.exit_stats.start)))
		__kvm_exit_stats_vcpu_load(vcpu);
	preempt_enable();
}

/*
 * The thread is scheduled out: another one has the CPU, or what this one needs
 * isn't there, e.g. a page.
 */
void __kvm_exit_stats_sched_out(struct kvm_vcpu *vcpu)
{
	if (vcpu->preempted)
		ledger_enter(vcpu, KVM_EXIT_STATS_STATE_WAITING, -1);
	else
		ledger_enter(vcpu, KVM_EXIT_STATS_STATE_ASLEEP, -1);
}

void __kvm_exit_stats_sched_in(struct kvm_vcpu *vcpu)
{
	ledger_enter(vcpu, KVM_EXIT_STATS_STATE_GUEST, -1);
}

/*
 * The cycles of exits until now.  Those of the exit that KVM is handling are known
 * to who reads in it.
 */
static u64 ledger_cycles_now(const struct kvm_vcpu_exit_stats *es)
{
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();
	u64 start, cycles;

	if (!vcpu || es != &vcpu->arch.exit_stats)
		return kvm_exit_stats_vcpu_total(es, true);

	/* Being put would account them. */
	preempt_disable();
	cycles = kvm_exit_stats_vcpu_total(es, true);
	start = READ_ONCE(es->start);
	if (kvm_exit_stats_is_open(start))
		cycles -= kvm_exit_stats_neg_cycles_since(start);
	else if (kvm_exit_stats_is_resumed(start))
		cycles -= kvm_exit_stats_neg_cycles_since(READ_ONCE(es->resumed));
	preempt_enable();

	return cycles;
}

/*
 * The states at one moment, which last until now.  What the vCPU has waited for
 * a CPU in its present one, only its own thread knows: that moves to "waiting"
 * when it leaves the state.
 */
static void ledger_read(const struct kvm_vcpu_exit_stats *es, bool exits, u64 *ns)
{
	const struct kvm_exit_stats_ledger *l = &es->ledger;
	u64 *guest = &ns[KVM_EXIT_STATS_STATE_GUEST];
	u64 cycles, unknown, exits_ns;
	unsigned int seq;
	u32 state;

	do {
		seq = read_seqcount_begin(&l->seq);
		memcpy(ns, l->ns, sizeof(l->ns));
		state = l->state;
		if (state != STATE_UNKNOWN)
			ns[state] += ledger_ns_since(l->since, local_clock());
		cycles = l->cycles_known;
		unknown = l->cycles_unknown;
	} while (read_seqcount_retry(&l->seq, seq));

	if (!exits)
		return;

	if (state != STATE_UNKNOWN)
		cycles = ledger_cycles_now(es);
	cycles -= unknown;

	/* What isn't the exits' of the time on the CPU is the guest's. */
	exits_ns = *guest;
	if (cycles < mul_u64_u32_div(*guest, tsc_khz, NSEC_PER_MSEC))
		exits_ns = mul_u64_u32_div(cycles, NSEC_PER_MSEC, tsc_khz);
	ns[KVM_EXIT_STATS_STATE_EXITS] = exits_ns;
	*guest -= exits_ns;
}

static u64 ledger_elapsed(const u64 *ns)
{
	u64 sum = 0;
	u32 state;

	for (state = 1; state < KVM_EXIT_STATS_NR_STATES; state++)
		sum += ns[state];

	return sum;
}

void kvm_exit_stats_read_ledger(const struct kvm_vcpu_exit_stats *es,
				u64 ns[KVM_EXIT_STATS_NR_STATES])
{
	ledger_read(es, true, ns);
	ns[KVM_EXIT_STATS_STATE_ELAPSED] = ledger_elapsed(ns);
}

/* Add what user space has taken for a reason until now. */
void kvm_exit_stats_add_vmm(const struct kvm_vcpu_exit_stats *es, u32 slot,
			    struct kvm_exit_stats_vmm *sum)
{
	const struct kvm_exit_stats_ledger *l = &es->ledger;
	u64 returns, ns;
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&l->seq);
		returns = l->vmm[slot].returns;
		ns = l->vmm[slot].ns;
		if (l->vmm_slot == (int)slot)
			ns += ledger_ns_since(l->since, local_clock());
	} while (read_seqcount_retry(&l->seq, seq));

	sum->returns += returns;
	sum->ns += ns;
}

/*
 * Accounting has gone off: states last until now, and what follows is unknown.
 * No vCPU writes its ledger any more, nor counts.
 */
void kvm_exit_stats_end_ledgers(void)
{
	struct kvm_exit_stats_ledger *l;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	struct kvm *kvm;
	u64 cycles;

	/* Wait for those who saw that it is on, with preemption disabled. */
	synchronize_rcu();

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			l = &vcpu->arch.exit_stats.ledger;
			cycles = ledger_cycles(vcpu);

			preempt_disable();
			raw_write_seqcount_begin(&l->seq);
			if (l->state == STATE_UNKNOWN)
				l->cycles_unknown += cycles - l->cycles_known;
			else
				ledger_close(l, local_clock());
			l->cycles_known = cycles;
			l->state = STATE_UNKNOWN;
			raw_write_seqcount_end(&l->seq);
			preempt_enable();
		}
	}
	mutex_unlock(&kvm_lock);
}

/* The split of the time on the CPU takes all counters, so do it only if asked. */
static void ledger_add_state(const struct kvm_vcpu_exit_stats *es, u32 state,
			     void *sum)
{
	bool exits = state == KVM_EXIT_STATS_STATE_GUEST ||
		     state == KVM_EXIT_STATS_STATE_EXITS;
	u64 ns[KVM_EXIT_STATS_NR_STATES];

	ledger_read(es, exits, ns);
	*(u64 *)sum += state == KVM_EXIT_STATS_STATE_ELAPSED ? ledger_elapsed(ns) :
							       ns[state];
}

static void ledger_add_vmm(const struct kvm_vcpu_exit_stats *es, u32 slot,
			   void *sum)
{
	kvm_exit_stats_add_vmm(es, slot, sum);
}

typedef void (*ledger_add_t)(const struct kvm_vcpu_exit_stats *es, u32 index,
			     void *sum);

static void ledger_sum_vm(struct kvm *kvm, ledger_add_t add, u32 index, void *sum)
{
	struct llist_node *first = READ_ONCE(kvm->arch.exit_stats.vcpus.first);
	struct kvm_vcpu_exit_stats *es;

	llist_for_each_entry(es, first, node) {
		add(es, index, sum);
		cond_resched();
	}
}

static void ledger_sum(struct kvm_vcpu *vcpu, int scope, ledger_add_t add,
		       u32 index, void *sum)
{
	struct kvm *kvm;
	int idx;

	switch (scope) {
	case KVM_EXIT_STATS_SCOPE_VCPU:
		add(&vcpu->arch.exit_stats, index, sum);
		break;
	case KVM_EXIT_STATS_SCOPE_VM:
		ledger_sum_vm(vcpu->kvm, add, index, sum);
		break;
	default:
		idx = srcu_read_lock(&ledger_vms_srcu);
		hlist_for_each_entry_srcu(kvm, &ledger_vms, arch.exit_stats.node,
					  srcu_read_lock_held(&ledger_vms_srcu))
			ledger_sum_vm(kvm, add, index, sum);
		srcu_read_unlock(&ledger_vms_srcu, idx);
	}
}

u64 kvm_exit_stats_state_ns(struct kvm_vcpu *vcpu, int scope, u32 state)
{
	u64 sum = 0;

	ledger_sum(vcpu, scope, ledger_add_state, state, &sum);
	return sum;
}

void kvm_exit_stats_sum_vmm(struct kvm_vcpu *vcpu, int scope, u32 slot,
			    struct kvm_exit_stats_vmm *sum)
{
	ledger_sum(vcpu, scope, ledger_add_vmm, slot, sum);
}

void kvm_exit_stats_vm_publish(struct kvm *kvm)
{
	struct hlist_node *node = &kvm->arch.exit_stats.node;

	mutex_lock(&ledger_vms_lock);
	if (hlist_unhashed(node))
		hlist_add_head_rcu(node, &ledger_vms);
	mutex_unlock(&ledger_vms_lock);
}

/* Guests of other VMs may still be reading from this one's vCPUs. */
void kvm_exit_stats_pre_destroy_vm(struct kvm *kvm)
{
	struct hlist_node *node = &kvm->arch.exit_stats.node;

	if (hlist_unhashed(node))
		return;

	mutex_lock(&ledger_vms_lock);
	hlist_del_rcu(node);
	mutex_unlock(&ledger_vms_lock);
	synchronize_srcu(&ledger_vms_srcu);
}
