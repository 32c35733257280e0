/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Read a guest's VM-exit statistics, header only.
 *
 *	struct exitstat_info info;
 *	struct exitstat stat;
 *
 *	if (exitstat_detect(&info) && info.version == KVM_EXIT_STATS_VERSION &&
 *	    exitstat_reason(reason, &stat))
 *		...
 *
 * Units: counts are in exits or returns, cycles in ticks of the guest's TSC (of the
 * host's, if the CPU can't scale it), and ns in nanoseconds of the host's clock.
 *
 * Whose: each figure is the sum over the vCPUs of the VM (scope VM), or over all
 * CPUs or VMs of the host (scope HOST).  The functions whose names end in _of can
 * also read those of EXITSTAT_OF_THIS_VCPU, if exitstat_info.this_vcpu: the one that
 * the thread runs on, so bind it to a vCPU first.  The leaves are those of
 * kvm_exit_stats.h.
 *
 * Errors: the one thing that can go wrong is that there are no statistics.
 * exitstat_detect() says so, and must be asked first: a host that doesn't serve
 * them answers the other leaves with unrelated data.  The host may switch them off
 * and change their scope at any time, so whoever reads again detects again.
 *
 * Every CPUID is itself a VM exit of reason CPUID, counted before it is answered.
 * How many a function executes is said with it.  Figures read one after the other
 * are no snapshot.  A figure that is lower than before means that the counters
 * have started over, but for three cases.  Times other than STATE_ELAPSED, and those
 * of the VMM, may go back a little when it turns out how long a thread has waited
 * for a CPU.  A bucket of a histogram is less when an exit has moved to a later one.
 * And in scope HOST, what the leaves LEDGER and VMM say of all vCPUs is about the VMs
 * that exist, so all of it is less when one has gone.
 *
 * There is no state but exitstat_longest.recent: any thread may read, on any vCPU,
 * without privilege.
 */
#ifndef LIBEXITSTAT_H
#define LIBEXITSTAT_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvm_exit_stats.h"

struct exitstat_regs {
	uint32_t eax, ebx, ecx, edx;
};

struct exitstat_info {
	unsigned int version;
	/* KVM_EXIT_STATS_ISA_*: whose exit reasons these are */
	unsigned int isa;
	/* KVM_EXIT_STATS_SCOPE_* */
	unsigned int scope;
	/*
	 * How many further leaves there are: 1 PAIR, 2 also WHICH, 3 LEDGER, 4 VMM, 5 LONGEST,
	 * 6 HISTOGRAM
	 */
	unsigned int further;
	/* There is a leaf for this vCPU alone, KVM_EXIT_STATS_VCPU_OFFSET below each. */
	bool this_vcpu;
};

/* Whose figures: how far below the leaves of all vCPUs theirs are */
enum exitstat_whose {
	EXITSTAT_OF_ALL_VCPUS = 0,
	EXITSTAT_OF_THIS_VCPU = KVM_EXIT_STATS_VCPU_OFFSET,
};

/* Which exit reasons have occurred, of KVM_EXIT_STATS_WHICH_REASONS from first on */
struct exitstat_which {
	uint32_t first;
	/* Bit i % 32 of bits[i / 32]: reason first + i */
	uint32_t bits[KVM_EXIT_STATS_WHICH_REASONS / 32];
	/* The first reason of the next ones of which any has, or KVM_EXIT_STATS_UNDEFINED */
	uint32_t next;
};

struct exitstat {
	uint64_t exits;
	uint64_t cycles;
};

/* How often exits for a reason made KVM ask the VMM, and how long that took */
struct exitstat_vmm {
	uint64_t returns;
	uint64_t ns;
};

/* The cycles of the longest exit for a reason, and of those since anybody in the VM has read it */
struct exitstat_longest {
	uint64_t ever;
	uint64_t recent;
};

/*
 * How many exits for a reason took how long, modulo 2^32: bucket i has those of 2^i to
 * 2^(i + 1) - 1 ticks of the host's TSC, the first one also those of none, and the last one all
 * that are longer
 */
struct exitstat_histogram {
	uint32_t buckets[KVM_EXIT_STATS_NR_BUCKETS];
};

/* Execute one CPUID instruction. */
static inline struct exitstat_regs exitstat_cpuid(uint32_t leaf, uint32_t index)
{
	struct exitstat_regs r;

	__cpuid_count(leaf, index, r.eax, r.ebx, r.ecx, r.edx);
	return r;
}

/*
 * The function by which those below read.  To read a recording instead, define this as
 * the name of another function of the same type before you include this file.
 */
#ifndef EXITSTAT_CPUID
#define EXITSTAT_CPUID exitstat_cpuid
#endif

static inline uint64_t exitstat_exits_of(struct exitstat_regs r)
{
	return (uint64_t)r.ebx << 32 | r.eax;
}

static inline uint64_t exitstat_cycles_of(struct exitstat_regs r)
{
	return (uint64_t)r.ebx << 32 | r.ecx;
}

/* Does the host serve the statistics?  If not, info is unchanged.  One CPUID. */
static inline bool exitstat_detect(struct exitstat_info *info)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_SIGNATURE, 0);

	if (r.ebx != KVM_EXIT_STATS_SIGNATURE_EBX ||
	    r.ecx != KVM_EXIT_STATS_SIGNATURE_ECX ||
	    r.edx != KVM_EXIT_STATS_SIGNATURE_EDX)
		return false;

	info->version = r.eax & KVM_EXIT_STATS_VERSION_MASK;
	info->isa = (r.eax & KVM_EXIT_STATS_ISA_MASK) >> KVM_EXIT_STATS_ISA_SHIFT;
	info->scope = (r.eax & KVM_EXIT_STATS_SCOPE_MASK) >> KVM_EXIT_STATS_SCOPE_SHIFT;
	info->further = (r.eax & KVM_EXIT_STATS_FURTHER_MASK) >> KVM_EXIT_STATS_FURTHER_SHIFT;
	info->this_vcpu = r.eax & KVM_EXIT_STATS_THIS_VCPU;
	return true;
}

/* The sum over all reasons, including those without a leaf.  Two CPUIDs. */
static inline struct exitstat exitstat_total_of(enum exitstat_whose whose)
{
	return (struct exitstat){
		.exits = exitstat_exits_of(EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_EXITS - whose, 0)),
		.cycles = exitstat_cycles_of(EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_CYCLES - whose, 0)),
	};
}

static inline struct exitstat exitstat_total(void)
{
	return exitstat_total_of(EXITSTAT_OF_ALL_VCPUS);
}

/*
 * The figures of one exit reason.  If the architecture does not define the reason, or the
 * host does not know it, return false and leave *stat unchanged.  Two CPUIDs, or one if
 * the reason is not defined or there were no exits, which can't have taken cycles.
 */
static inline bool exitstat_reason_of(enum exitstat_whose whose, uint32_t reason,
				      struct exitstat *stat)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_REASON_EXITS - whose, reason);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	stat->exits = exitstat_exits_of(r);
	stat->cycles = 0;
	if (stat->exits) {
		r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_REASON_CYCLES - whose, reason);
		stat->cycles = exitstat_cycles_of(r);
	}
	return true;
}

static inline bool exitstat_reason(uint32_t reason, struct exitstat *stat)
{
	return exitstat_reason_of(EXITSTAT_OF_ALL_VCPUS, reason, stat);
}

/* The same by the leaf PAIR, if exitstat_info.further is at least 1.  One CPUID. */
static inline bool exitstat_pair_of(enum exitstat_whose whose, uint32_t reason,
				    struct exitstat *stat)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_PAIR - whose, reason);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	stat->exits = exitstat_exits_of(r);
	stat->cycles = (uint64_t)r.edx << 32 | r.ecx;
	return true;
}

static inline bool exitstat_pair(uint32_t reason, struct exitstat *stat)
{
	return exitstat_pair_of(EXITSTAT_OF_ALL_VCPUS, reason, stat);
}

/*
 * Which reasons have occurred, of those around this one; .next says where to go on.  By the leaf
 * WHICH, if exitstat_info.further is at least 2.  One CPUID.
 */
static inline struct exitstat_which exitstat_which_of(enum exitstat_whose whose, uint32_t reason)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_WHICH - whose, reason);

	return (struct exitstat_which){
		.first = reason - reason % KVM_EXIT_STATS_WHICH_REASONS,
		.bits = { r.eax, r.ebx, r.ecx },
		.next = r.edx,
	};
}

static inline struct exitstat_which exitstat_which(uint32_t reason)
{
	return exitstat_which_of(EXITSTAT_OF_ALL_VCPUS, reason);
}

static inline bool exitstat_has_occurred(const struct exitstat_which *which, uint32_t reason)
{
	uint32_t i = reason - which->first;

	return i < KVM_EXIT_STATS_WHICH_REASONS && which->bits[i / 32] >> i % 32 & 1;
}

/*
 * How long vCPUs were in a KVM_EXIT_STATS_STATE_*, of which ELAPSED is the sum of the others at
 * one moment.  By the leaf LEDGER, if exitstat_info.further is at least 3.  If the host does not
 * know the state, return false and leave *ns unchanged.  One CPUID.
 */
static inline bool exitstat_state_of(enum exitstat_whose whose, uint32_t state, uint64_t *ns)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_LEDGER - whose, state);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	*ns = (uint64_t)r.ebx << 32 | r.eax;
	return true;
}

static inline bool exitstat_state(uint32_t state, uint64_t *ns)
{
	return exitstat_state_of(EXITSTAT_OF_ALL_VCPUS, state, ns);
}

/*
 * The VMM's share for an exit reason, by the leaf VMM, if exitstat_info.further is at least 4.
 * If the reason is not defined, as with exitstat_reason(), return false and leave *vmm unchanged.
 * One CPUID.
 */
static inline bool exitstat_vmm_of(enum exitstat_whose whose, uint32_t reason,
				   struct exitstat_vmm *vmm)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_VMM - whose, reason);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	vmm->returns = (uint64_t)r.ebx << 32 | r.eax;
	vmm->ns = (uint64_t)r.edx << 32 | r.ecx;
	return true;
}

static inline bool exitstat_vmm(uint32_t reason, struct exitstat_vmm *vmm)
{
	return exitstat_vmm_of(EXITSTAT_OF_ALL_VCPUS, reason, vmm);
}

/*
 * The longest exit for a reason, by the leaf LONGEST, if exitstat_info.further is at least 5.  In
 * scope HOST, this vCPU's alone is told, of all no reason.  Who reads takes .recent away from all
 * others in the VM: what this vCPU had from the next reader of all vCPUs, too.  If the reason is
 * not defined, as with exitstat_reason(), return false and leave *longest unchanged.  One CPUID.
 */
static inline bool exitstat_longest_of(enum exitstat_whose whose, uint32_t reason,
				       struct exitstat_longest *longest)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_LONGEST - whose, reason);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	longest->ever = (uint64_t)r.ebx << 32 | r.eax;
	longest->recent = (uint64_t)r.edx << 32 | r.ecx;
	return true;
}

static inline bool exitstat_longest(uint32_t reason, struct exitstat_longest *longest)
{
	return exitstat_longest_of(EXITSTAT_OF_ALL_VCPUS, reason, longest);
}

/*
 * How long exits for a reason took, by the leaf HISTOGRAM, if exitstat_info.further is at least 6.
 * An exit may move to a later bucket while it goes on, so a bucket may be less than before.  If the
 * reason is not defined, or histograms are off, or in scope HOST, where only this vCPU's are told,
 * return false and leave *histogram unchanged.  Eight CPUIDs, or one.
 */
static inline bool exitstat_histogram_of(enum exitstat_whose whose, uint32_t reason,
					 struct exitstat_histogram *histogram)
{
	struct exitstat_histogram found;

	/* The one reason that has more than 16 bits is SVM's VMEXIT_INVALID. */
	if (reason >= KVM_EXIT_STATS_REASON_MASK && reason != UINT32_MAX)
		return false;

	for (uint32_t i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i += KVM_EXIT_STATS_BUCKETS_PER_GROUP) {
		uint32_t group = i / KVM_EXIT_STATS_BUCKETS_PER_GROUP;
		struct exitstat_regs r =
			EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_HISTOGRAM - whose,
				       (reason & KVM_EXIT_STATS_REASON_MASK) |
				       group << KVM_EXIT_STATS_GROUP_SHIFT);

		/* The last of four buckets may be UNDEFINED, if one of the others is not 0. */
		if (r.edx == KVM_EXIT_STATS_UNDEFINED && !(r.eax | r.ebx | r.ecx))
			return false;

		found.buckets[i] = r.eax;
		found.buckets[i + 1] = r.ebx;
		found.buckets[i + 2] = r.ecx;
		found.buckets[i + 3] = r.edx;
	}
	*histogram = found;
	return true;
}

static inline bool exitstat_histogram(uint32_t reason, struct exitstat_histogram *histogram)
{
	return exitstat_histogram_of(EXITSTAT_OF_ALL_VCPUS, reason, histogram);
}

#endif /* LIBEXITSTAT_H */
