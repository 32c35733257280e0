/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Read a guest's VM-exit statistics, header only.
 *
 * The leaves are those of exit_stats_abi.h.  Counts are in exits, times in
 * cycles of the host's TSC.  Each figure is the sum over the vCPUs of the VM
 * (scope VM) or over all CPUs of the host (scope HOST), and every read of one
 * is itself a VM exit of reason CPUID.  Figures read one after the other are
 * no snapshot.  A figure that is lower than before means that the counters have
 * started over, e.g. because the VM was migrated.
 */
#ifndef LIBEXITSTAT_H
#define LIBEXITSTAT_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

#include "exit_stats_abi.h"

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

/* One CPUID, registers as the guest sees them. */
static inline struct exitstat_regs exitstat_cpuid(uint32_t leaf, uint32_t index)
{
	struct exitstat_regs r;

	__cpuid_count(leaf, index, r.eax, r.ebx, r.ecx, r.edx);
	return r;
}

/*
 * Does the host serve the statistics?  Ask this first: a host that doesn't
 * answers the leaves with unrelated data.
 */
static inline bool exitstat_detect(struct exitstat_info *info)
{
	struct exitstat_regs r = exitstat_cpuid(KVM_EXIT_STATS_LEAF_SIGNATURE, 0);

	if (r.ebx != KVM_EXIT_STATS_SIGNATURE_EBX ||
	    r.ecx != KVM_EXIT_STATS_SIGNATURE_ECX ||
	    r.edx != KVM_EXIT_STATS_SIGNATURE_EDX)
		return false;

	info->version = r.eax & KVM_EXIT_STATS_VERSION_MASK;
	info->isa = (r.eax & KVM_EXIT_STATS_ISA_MASK) >> KVM_EXIT_STATS_ISA_SHIFT;
	info->scope = (r.eax & KVM_EXIT_STATS_SCOPE_MASK) >> KVM_EXIT_STATS_SCOPE_SHIFT;
	return true;
}

static inline uint64_t exitstat_exits_of(struct exitstat_regs r)
{
	return (uint64_t)r.ebx << 32 | r.eax;
}

static inline uint64_t exitstat_cycles_of(struct exitstat_regs r)
{
	return (uint64_t)r.ebx << 32 | r.ecx;
}

static inline struct exitstat exitstat_total(void)
{
	return (struct exitstat){
		.exits = exitstat_exits_of(exitstat_cpuid(KVM_EXIT_STATS_LEAF_EXITS, 0)),
		.cycles = exitstat_cycles_of(exitstat_cpuid(KVM_EXIT_STATS_LEAF_CYCLES, 0)),
	};
}

/* Returns false if the architecture does not define the exit reason. */
static inline bool exitstat_reason(uint32_t reason, struct exitstat *stat)
{
	struct exitstat_regs r = exitstat_cpuid(KVM_EXIT_STATS_LEAF_REASON_EXITS, reason);

	if (r.edx == KVM_EXIT_STATS_UNDEFINED)
		return false;

	stat->exits = exitstat_exits_of(r);
	r = exitstat_cpuid(KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason);
	stat->cycles = exitstat_cycles_of(r);
	return true;
}

#endif /* LIBEXITSTAT_H */
