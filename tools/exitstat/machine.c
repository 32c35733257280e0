// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read from the machine itself
 */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

/* The most that Linux can be built for on x86 */
#define CPUS_MAX 8192

struct cpus {
	bool in[CPUS_MAX];
};

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

	if (!read_cpus("/sys/devices/system/cpu/present", &present) ||
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

struct moment machine_now(void)
{
	struct moment moment = {};
	double offset = boottime_offset();

	count_vcpus(&moment);
	moment.tsc = machine_tsc();
	moment.uptime = seconds(CLOCK_BOOTTIME) - offset;
	moment.time = seconds(CLOCK_REALTIME);
	return moment;
}
