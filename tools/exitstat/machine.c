// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read from the machine itself
 */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define PRESENT "/sys/devices/system/cpu/present"

struct exitstat_regs machine_cpuid(uint32_t leaf, uint32_t index)
{
	return exitstat_cpuid(leaf, index);
}

uint64_t machine_tsc(void)
{
	return __rdtsc();
}

/* Adds one item of a list, "3" or "0-3".  Returns false if there is none. */
static bool read_range(FILE *f, struct cpus *cpus)
{
	unsigned int first, last;

	if (fscanf(f, "%u", &first) != 1)
		return false;
	if (fscanf(f, "-%u", &last) != 1)
		last = first;
	if (first > last || last >= CPUS_MAX)
		return false;
	memset(&cpus->in[first], true, last - first + 1);
	return true;
}

/* Reads a list such as "0-3,8" or "", as Linux' cpumask_print_to_pagebuf() writes it. */
static bool read_cpus(const char *path, struct cpus *cpus)
{
	FILE *f = fopen(path, "re");
	bool whole;
	int c = EOF;

	*cpus = (struct cpus){};
	if (!f)
		return false;
	while (read_range(f, cpus) && (c = fgetc(f)) == ',')
		;
	/* All of it has been read, or there was nothing but the end of the line. */
	whole = feof(f) || c == '\n';
	fclose(f);
	return whole;
}

/*
 * Count what the machine has.  An affinity mask, which a C library may count instead, is about
 * this process; and containers may be shown a list "online" of their own.
 */
static void count_vcpus(struct moment *moment)
{
	struct cpus present, offline;

	if (!read_cpus(PRESENT, &present) ||
	    !read_cpus("/sys/devices/system/cpu/offline", &offline))
		return;
	for (unsigned int i = 0; i < CPUS_MAX; i++) {
		moment->present += present.in[i];
		moment->online += present.in[i] && !offline.in[i];
	}
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds that this process' time namespace adds to the time since boot: time_namespaces(7) */
static double boottime_offset(void)
{
	FILE *f = fopen("/proc/self/timens_offsets", "re");
	long long s = 0, ns = 0;
	char clock[32];

	/* Without time namespaces, there is no such file. */
	if (!f)
		return 0;
	while (fscanf(f, "%31s %lld %lld", clock, &s, &ns) == 3 && strcmp(clock, "boottime"))
		s = ns = 0;
	fclose(f);
	return (double)s + (double)ns / 1e9;
}

double machine_uptime(void)
{
	double offset = boottime_offset();

	return seconds(CLOCK_BOOTTIME) - offset;
}

struct moment machine_now(void)
{
	struct moment moment = {};

	count_vcpus(&moment);
	moment.uptime = machine_uptime();
	moment.tsc = machine_tsc();
	moment.time = seconds(CLOCK_REALTIME);
	return moment;
}

void machine_cpus(struct cpus *present)
{
	if (!read_cpus(PRESENT, present))
		machine_may_use(present);
}

void machine_may_use(struct cpus *cpus)
{
	cpu_set_t mask[CPUS_MAX / CPU_SETSIZE] = {};

	*cpus = (struct cpus){};
	if (sched_getaffinity(0, sizeof(mask), mask))
		return;
	for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++)
		cpus->in[cpu] = CPU_ISSET_S(cpu, sizeof(mask), mask);
}

bool machine_move_to(unsigned int cpu)
{
	cpu_set_t mask[CPUS_MAX / CPU_SETSIZE] = {};

	CPU_SET_S(cpu, sizeof(mask), mask);
	return !sched_setaffinity(0, sizeof(mask), mask);
}

unsigned int machine_cpu(void)
{
	return (unsigned int)sched_getcpu();
}
