// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read from the machine itself
 */
#include "machine.h"

#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

struct exitstat_regs machine_cpuid(uint32_t leaf, uint32_t index)
{
	return exitstat_cpuid(leaf, index);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct moment machine_now(void)
{
	long vcpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (struct moment){
		.tsc = __rdtsc(),
		.uptime = seconds(CLOCK_BOOTTIME),
		.time = seconds(CLOCK_REALTIME),
		.vcpus = vcpus > 0 ? (unsigned int)vcpus : 1,
	};
}
