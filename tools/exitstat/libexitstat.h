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
 * Units: counts are in exits, times in cycles of the host's TSC.  Each figure is
 * the sum over the vCPUs of the VM (scope VM) or over all CPUs of the host (scope
 * HOST).  The leaves are those of kvm_exit_stats.h.
 *
 * Errors: the one thing that can go wrong is that there are no statistics.
 * exitstat_detect() says so, and must be asked first: a host that doesn't serve
 * them answers the other leaves with unrelated data.  The host may switch them off
 * and change their scope at any time, so whoever reads again detects again.
 *
 * Every CPUID is itself a VM exit of reason CPUID, counted before it is answered.
 * How many a function executes is said with it.  Figures read one after the other
 * are no snapshot.  A figure that is lower than before means that the counters
 * have started over.
 *
 * There is no state: any thread may read, on any vCPU, without privilege.
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
};

struct exitstat {
	uint64_t exits;
	uint64_t cycles;
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
	return true;
}

/* The sum over all reasons, including those without a leaf.  Two CPUIDs. */
static inline struct exitstat exitstat_total(void)
{
	return (struct exitstat){
		.exits = exitstat_exits_of(EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_EXITS, 0)),
		.cycles = exitstat_cycles_of(EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_CYCLES, 0)),
	};
}

/*
 * The figures of one exit reason.  If the architecture does not define the reason, or the
 * host does not know it, return false and leave *stat unchanged.  Two CPUIDs, or one if
 * the reason is not defined or there were no exits, which can't have taken cycles.
 */
static inline bool exitstat_reason(uint32_t reason, struct exitstat *stat)
{
	struct exitstat_regs r = EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_REASON_EXITS, reason);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	stat->exits = exitstat_exits_of(r);
	stat->cycles = 0;
	if (stat->exits)
		stat->cycles = exitstat_cycles_of(EXITSTAT_CPUID(KVM_EXIT_STATS_LEAF_REASON_CYCLES,
								 reason));
	return true;
}

#endif /* LIBEXITSTAT_H */
