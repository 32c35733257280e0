/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of each vCPU.  Only the vCPU itself can read them.
 */
#ifndef VCPUS_H
#define VCPUS_H

#include <stddef.h>

#include "ledger.h"

struct vcpu {
	unsigned int cpu;
	/* Without, there are no figures. */
	bool reached;
	/*
	 * When its exits were read, which is not when the others' were: seconds since the guest's
	 * kernel booted, and its TSC before and after
	 */
	double uptime;
	uint64_t tsc, tsc_after;
	struct exitstat total;
	struct ledger ledger;
	/* Of all reasons, if it is read */
	struct exitstat_longest longest;
};

/* All that are present, by number */
struct vcpus {
	size_t n;
	struct vcpu vcpu[];
};

/*
 * Go from vCPU to vCPU, as far as this thread's affinity allows, and read.  The affinity itself
 * stays as it is.  Reads the longest exits, too, if max.  Adds to *reads how many CPUIDs it takes.
 * NULL and errno if there is no memory or no thread to be had.
 */
struct vcpus *vcpus_read(const struct exitstat_info *info, bool max, unsigned int *reads);

/* NULL if there is none, or if it was not reached */
const struct vcpu *vcpus_find(const struct vcpus *vcpus, unsigned int cpu);

/*
 * ledger_hold() of each vCPU that has not restarted.  One that is not reached stays what it was
 * before, for the next time.
 */
void vcpus_hold(struct vcpus *now, const struct vcpus *before);

/* Its counters are less than before. */
bool vcpu_restarted(const struct vcpu *now, const struct vcpu *before);

#endif /* VCPUS_H */
