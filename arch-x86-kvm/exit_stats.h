/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_X86_KVM_EXIT_STATS_H
#define ARCH_X86_KVM_EXIT_STATS_H

#include <linux/kvm_host.h>

#include <asm/kvm_exit_stats.h>
#include <asm/tsc.h>

#ifdef CONFIG_KVM_EXIT_STATS

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>

#include <asm/rmwcc.h>

/* Of the VM or the host, and of the vCPU; in between are leaves that aren't. */
#define KVM_EXIT_STATS_LEAF_FIRST	(KVM_EXIT_STATS_LEAF_HISTOGRAM - \
					 KVM_EXIT_STATS_VCPU_OFFSET)
#define KVM_EXIT_STATS_LEAF_LAST	KVM_EXIT_STATS_LEAF_REASON_CYCLES

/* Of sums alone: the vCPU that reads */
#define KVM_EXIT_STATS_SCOPE_VCPU	(-1)

/*
 * The life of an interval, which lasts from a VM exit until KVM has handled it.
 * Each vCPU has one.  Its state is what "start" holds:
 *
 *   closed   There is nothing to account.  CLOSED: the last exit is not
 *            counted, or there was none.  COUNTED, or negated cycles: it is.  No
 *            exit takes as few cycles as CLOSED and COUNTED would be.
 *   open     The TSC at the VM exit, which is below bit 62.
 *   resumed  RESUMED: the exit is counted, but KVM isn't done with it: the vCPU
 *            was put meanwhile, or user space was asked for something.  What
 *            cycles are to be added start at "resumed", the TSC when the vCPU
 *            was last loaded, or when user space had answered.
 *
 * These functions, named kvm_exit_stats_*(), change the state:
 *
 *   closed -> open      start(), right after the VM exit, interrupts still off
 *   open -> closed      stop(), when KVM has handled the exit: counts the exit
 *                       and accounts its cycles
 *   open -> resumed     vcpu_put(), when the thread is scheduled out: likewise
 *   resumed -> resumed  vcpu_put(): adds the cycles since "resumed"
 *   resumed -> closed   stop() and complete(): likewise
 *   closed -> resumed   reopen(), when user space has answered, if the exit is
 *                       counted
 *   closed -> closed    stop(), if KVM emulated the guest without a VM exit:
 *                       CLOSED from then on
 *   any -> closed       cancel(), if VM entry failed without a VM exit, or if
 *                       KVM_RUN returns without one, and drop_intervals(), when
 *                       accounting is switched on or off: account nothing
 *
 * stop() subtracts the TSC from "start" before it knows the state.  The top two
 * bits still tell: 00 is open, 10 is RESUMED, 11 is closed.  10 and 11 may have
 * a TSC subtracted.  If the TSC has stood still or gone back since the exit,
 * the difference looks open, although it is no start.
 */
#define KVM_EXIT_STATS_CLOSED		(~0ULL)
#define KVM_EXIT_STATS_COUNTED		(~0ULL - 1)
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

/* Reasons @first to @last are counted in the slots from @slot on. */
struct kvm_exit_stats_range {
	u32 first;
	u32 last;
	u32 slot;
};

/* The exit reasons of an ISA */
struct kvm_exit_stats_isa {
	/* KVM_EXIT_STATS_ISA_* */
	u32 id;
	/* In the names of binary statistics, as are those of the reasons: ABI */
	const char *name;
	/* The part of the vendor module's exit reason that is the reason */
	u32 mask;
	/* Reasons below this are their own slots, also if they aren't defined. */
	u32 nr_direct;
	/* The last slot, of all other reasons that aren't defined */
	u32 other;

	const struct kvm_exit_stats_range *defined;
	unsigned int nr_defined;

	/* What the host causes, or may have caused */
	const u32 *of_host;
	unsigned int nr_of_host;

	const struct trace_print_flags *names;
	unsigned int nr_names;
};

/*
 * NULL until a vendor module is loaded.  Files of statistics keep a VM, but not
 * the vendor module, so this stays when that goes.
 */
extern const struct kvm_exit_stats_isa *kvm_exit_stats_isa;

const struct kvm_exit_stats_isa *kvm_exit_stats_find_isa(u32 id);
u32 kvm_exit_stats_slot_of(const struct kvm_exit_stats_isa *isa, u32 reason);
u32 kvm_exit_stats_reason_of(const struct kvm_exit_stats_isa *isa, u32 slot);
const char *kvm_exit_stats_name_of(const struct kvm_exit_stats_isa *isa,
				   u32 reason);
bool kvm_exit_stats_is_of_host(const struct kvm_exit_stats_isa *isa,
			       u32 reason);

void kvm_exit_stats_set_isa(u32 id);
void kvm_exit_stats_init_binary(void);
int kvm_exit_stats_check_cap(void);
int kvm_exit_stats_enable_cap(struct kvm *kvm, u64 request);
void kvm_exit_stats_vcpu_init(struct kvm_vcpu *vcpu);
void kvm_exit_stats_vcpu_publish(struct kvm_vcpu *vcpu);
void kvm_exit_stats_vm_publish(struct kvm *kvm);
void kvm_exit_stats_pre_destroy_vm(struct kvm *kvm);
void kvm_exit_stats_vcpu_after_set_cpuid(struct kvm_vcpu *vcpu);
void kvm_exit_stats_create_host_debugfs(void);
void kvm_exit_stats_create_vm_debugfs(struct kvm *kvm);
void kvm_exit_stats_create_vcpu_debugfs(struct kvm_vcpu *vcpu,
					struct dentry *dentry);
void __kvm_exit_stats_stop(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_reopen(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_stop_indirect(struct kvm_vcpu *vcpu, s64 neg_cycles);
void __kvm_exit_stats_stop_in_bucket(struct kvm_vcpu *vcpu, s64 neg_cycles);
void __kvm_exit_stats_note_longest(struct kvm_vcpu_exit_stat *reason,
				   s64 neg_cycles);
void __kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu);
struct kvm_cpuid_entry2 *__kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu,
						      u32 function, u32 index);
u32 kvm_exit_stats_slot(struct kvm_vcpu *vcpu);
void kvm_exit_stats_vcpu_create_histogram(struct kvm_vcpu *vcpu);
void kvm_exit_stats_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_exit_stats_add_buckets(const struct kvm_vcpu_exit_stats *es, u32 slot,
				u32 first, u32 nr, u64 *sum);
bool kvm_exit_stats_sum_buckets(struct kvm_vcpu *vcpu, int scope, u32 slot,
				u32 first, u32 nr, u64 *sum);
u64 kvm_exit_stats_vcpu_total(const struct kvm_vcpu_exit_stats *es, bool cycles);
u64 kvm_exit_stats_neg_cycles_since(u64 start);

extern const char * const kvm_exit_stats_state_names[];

void kvm_exit_stats_end_ledgers(void);
void __kvm_exit_stats_run_begin(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_run_end(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_halt_begin(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_halt_end(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_sched_out(struct kvm_vcpu *vcpu);
void __kvm_exit_stats_sched_in(struct kvm_vcpu *vcpu);
void kvm_exit_stats_read_ledger(const struct kvm_vcpu_exit_stats *es,
				u64 ns[KVM_EXIT_STATS_NR_STATES]);
u64 kvm_exit_stats_state_ns(struct kvm_vcpu *vcpu, int scope, u32 state);
void kvm_exit_stats_add_vmm(const struct kvm_vcpu_exit_stats *es, u32 slot,
			    struct kvm_exit_stats_vmm *sum);
void kvm_exit_stats_sum_vmm(struct kvm_vcpu *vcpu, int scope, u32 slot,
			    struct kvm_exit_stats_vmm *sum);

static __always_inline bool kvm_exit_stats_is_open(u64 start)
{
	return start < BIT_ULL(62);
}

static __always_inline bool kvm_exit_stats_is_resumed(u64 start)
{
	return start >= BIT_ULL(63) && start <= KVM_EXIT_STATS_RESUMED;
}

/* Its buckets are there, and all exits are counted in them. */
static __always_inline bool
kvm_exit_stats_has_histogram(const struct kvm_vcpu_exit_stats *es)
{
	/* Pairs with histogram_switch(). */
	return !smp_load_acquire(&es->nr_direct);
}

/* The cycles of the vCPU's longest exit of that reason */
static inline u64 kvm_exit_stats_longest(const struct kvm_vcpu_exit_stats *es,
					 u32 slot)
{
	return -(u64)READ_ONCE(es->reasons[slot].neg_longest);
}

/* Vendor modules whose exit reason stays what it was need no snapshot. */
static inline void kvm_exit_stats_set_reason(struct kvm_vcpu *vcpu,
					     const u32 *reason)
{
	vcpu->arch.exit_stats.reason = reason;
}

/* Return true if an interval starts: then the reason may need a snapshot. */
static __always_inline bool kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
	if (!static_branch_likely(&kvm_exit_stats_starting))
		return false;

	WRITE_ONCE(vcpu->arch.exit_stats.start, rdtsc());
	return true;
}

static __always_inline void kvm_exit_stats_snapshot(struct kvm_vcpu *vcpu,
						    u32 reason)
{
	vcpu->arch.exit_stats.snapshot = reason;
}

static __always_inline void kvm_exit_stats_cancel(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		WRITE_ONCE(vcpu->arch.exit_stats.start, KVM_EXIT_STATS_CLOSED);
}

/*
 * The TSC right after the VM exit, or now, if it wasn't read then.  To be
 * called in the same section with interrupts disabled as start().
 */
static __always_inline u64 kvm_exit_stats_exit_tsc(struct kvm_vcpu *vcpu)
{
	if (static_branch_likely(&kvm_exit_stats_starting)) {
		u64 start = READ_ONCE(vcpu->arch.exit_stats.start);

		/* If it isn't open, the sign is set. */
		if (likely((s64)start >= 0))
			return start;
	}

	return rdtsc();
}

static __always_inline void
kvm_exit_stats_note_longest(struct kvm_vcpu_exit_stat *reason, s64 neg_cycles)
{
	/*
	 * A reader may take it away at the same time, and either order is fine.
	 * With READ_ONCE(), GCC would load it before it compares.
	 */
	if (unlikely(neg_cycles < data_race(reason->neg_recent)))
		__kvm_exit_stats_note_longest(reason, neg_cycles);
}

/*
 * Nothing else writes the vCPU's counters meanwhile: either the interval is
 * closed, so that kvm_exit_stats_vcpu_put() leaves them alone, or preemption is
 * disabled.  But the thread may be preempted by another vCPU's, or migrate, so
 * write the CPU's counters with this_cpu operations.
 */
static __always_inline void kvm_exit_stats_account(struct kvm_vcpu *vcpu,
						   unsigned long slot,
						   s64 neg_cycles)
{
	unsigned long offset = slot * sizeof(struct kvm_exit_stat);
	u64 __percpu *cpu_exits, *cpu_neg_cycles;
	struct kvm_vcpu_exit_stat *reason;

	/*
	 * Index both arrays by one register, scaled by 2 for the vCPU's.  GCC
	 * would compute two.
	 */
	BUILD_BUG_ON(sizeof(*reason) != 2 * sizeof(struct kvm_exit_stat));
	OPTIMIZER_HIDE_VAR(offset);
	reason = (void *)vcpu->arch.exit_stats.reasons + 2 * offset;
	cpu_exits = (void __percpu *)&kvm_cpu_exit_stats.reasons[0].exits + offset;
	cpu_neg_cycles = (void __percpu *)&kvm_cpu_exit_stats.reasons[0].neg_cycles +
			 offset;

	reason->stat.exits++;
	reason->stat.neg_cycles += neg_cycles;
	this_cpu_inc(*cpu_exits);
	this_cpu_add(*cpu_neg_cycles, neg_cycles);
	kvm_exit_stats_note_longest(reason, neg_cycles);
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
	reason = *vcpu->arch.exit_stats.reason;
	/* If the histogram goes on meanwhile, this exit is not put into it. */
	if (unlikely(reason >= data_race(vcpu->arch.exit_stats.nr_direct))) {
		if (kvm_exit_stats_has_histogram(&vcpu->arch.exit_stats))
			__kvm_exit_stats_stop_in_bucket(vcpu, neg_cycles);
		else
			__kvm_exit_stats_stop_indirect(vcpu, neg_cycles);
		return;
	}

	kvm_exit_stats_account(vcpu, reason, neg_cycles);
}

/*
 * User space has answered what the exit asked for: what KVM does to complete it
 * belongs to the exit, too.
 */
static __always_inline void kvm_exit_stats_reopen(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_starting))
		__kvm_exit_stats_reopen(vcpu);
}

static __always_inline void kvm_exit_stats_complete(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_stop(vcpu);
}

/*
 * From now on, the vCPU may find another TSC: its CPU has changed, or the TSC
 * is unstable.  Note that also if accounting is off, as it may be switched on.
 */
static inline void kvm_exit_stats_new_tsc(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.new_tsc = rdtsc();
}

/*
 * Most often, the interval is closed, and there is nothing to do.  The ledger
 * need not move either if the vCPU is halted or not in KVM_RUN: then it is in
 * another state than GUEST before, and than WAITING or ASLEEP afterwards.
 */
static __always_inline void kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
	if (!static_branch_unlikely(&kvm_exit_stats_enabled))
		return;

	if (kvm_exit_stats_is_resumed(READ_ONCE(vcpu->arch.exit_stats.start)))
		__kvm_exit_stats_vcpu_load(vcpu);

	if (vcpu->arch.exit_stats.ledger.state >= KVM_EXIT_STATS_STATE_WAITING)
		__kvm_exit_stats_sched_in(vcpu);
}

static __always_inline void kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
	if (!static_branch_unlikely(&kvm_exit_stats_enabled))
		return;

	if (READ_ONCE(vcpu->arch.exit_stats.start) <= KVM_EXIT_STATS_RESUMED)
		__kvm_exit_stats_vcpu_put(vcpu);

	if (vcpu->arch.exit_stats.ledger.state == KVM_EXIT_STATS_STATE_GUEST)
		__kvm_exit_stats_sched_out(vcpu);
}

/* KVM_RUN begins, when the vCPU is loaded, and ends, before it is put. */
static __always_inline void kvm_exit_stats_run_begin(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.ledger.by_exit = false;

	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_run_begin(vcpu);
}

static __always_inline void kvm_exit_stats_run_end(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_run_end(vcpu);
}

/*
 * KVM_RUN returns: on account of the exit that was handled last, unless its
 * interval is cancelled.
 */
static __always_inline void kvm_exit_stats_exit_to_user(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exit_stats.ledger.by_exit = true;
}

/*
 * If KVM_RUN returns by @r, then not on account of an exit: there was none, as
 * with requests.  But what is to be completed, an exit has left.
 */
static __always_inline void kvm_exit_stats_no_exit(struct kvm_vcpu *vcpu, int r)
{
	if (r <= 0 && !vcpu->arch.complete_userspace_io)
		kvm_exit_stats_cancel(vcpu);
}

static __always_inline void kvm_exit_stats_halt_begin(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_halt_begin(vcpu);
}

static __always_inline void kvm_exit_stats_halt_end(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_stats_enabled))
		__kvm_exit_stats_halt_end(vcpu);
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
static inline void kvm_exit_stats_set_isa(u32 id)
{
}

static inline int kvm_exit_stats_check_cap(void)
{
	return 0;
}

static inline int kvm_exit_stats_enable_cap(struct kvm *kvm, u64 request)
{
	return -EINVAL;
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

static inline void kvm_exit_stats_vcpu_destroy(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_pre_destroy_vm(struct kvm *kvm)
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

static inline bool kvm_exit_stats_start(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void kvm_exit_stats_snapshot(struct kvm_vcpu *vcpu, u32 reason)
{
}

static inline void kvm_exit_stats_cancel(struct kvm_vcpu *vcpu)
{
}

static inline u64 kvm_exit_stats_exit_tsc(struct kvm_vcpu *vcpu)
{
	return rdtsc();
}

static inline void kvm_exit_stats_stop(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_reopen(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_complete(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_new_tsc(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_vcpu_load(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_vcpu_put(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_run_begin(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_run_end(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_exit_to_user(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_no_exit(struct kvm_vcpu *vcpu, int r)
{
}

static inline void kvm_exit_stats_halt_begin(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_exit_stats_halt_end(struct kvm_vcpu *vcpu)
{
}

static inline struct kvm_cpuid_entry2 *
kvm_exit_stats_cpuid_entry(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	return NULL;
}
#endif /* CONFIG_KVM_EXIT_STATS */

#endif /* ARCH_X86_KVM_EXIT_STATS_H */
