/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that exitstat reads from the machine it runs on.  The tests link another
 * implementation, which plays a recording.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

struct exitstat_regs machine_cpuid(uint32_t leaf, uint32_t index);
#define EXITSTAT_CPUID machine_cpuid
#include "libexitstat.h"

struct moment {
	/* Ticks of the guest's TSC, which started with the VM */
	uint64_t tsc;
	/* Seconds since the guest's kernel booted, and since 1970 */
	double uptime, time;
	/* vCPUs that are online, and those that are there, online or not; 0: unknown */
	unsigned int online, present;
};

struct moment machine_now(void);

/* The guest's TSC */
uint64_t machine_tsc(void);

#endif /* MACHINE_H */
