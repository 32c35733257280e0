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

/* The uptime alone */
double machine_uptime(void);

/* The most that Linux can be built for on x86 */
#define CPUS_MAX 8192

struct cpus {
	bool in[CPUS_MAX];
};

/* The vCPUs that are present, or if that is unknown, those that this thread may use */
void machine_cpus(struct cpus *present);

/*
 * For the calling thread: which vCPUs it may use, which are online; to use but one, and fail if
 * it may not; and which one it is on.
 */
void machine_may_use(struct cpus *cpus);
bool machine_move_to(unsigned int cpu);
unsigned int machine_cpu(void);

/* The guest's TSC */
uint64_t machine_tsc(void);

#endif /* MACHINE_H */
