// SPDX-License-Identifier: GPL-2.0-only
/*
 * With two vCPUs, each reads figures that include the other's exits.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "guest_test.h"

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* Read on one vCPU, execute n CPUIDs on the other, and read on the first one again. */
static bool sees_the_other_vcpu(int reader, int other)
{
	const uint32_t cpuid_reason = reasons_of(isa_here())->cpuid;
	const unsigned int n = 1000;
	struct exitstat before, after;

	if (!run_on(reader) || !exitstat_reason(cpuid_reason, &before) || !run_on(other))
		return false;
	for (unsigned int i = 0; i < n; i++)
		exitstat_cpuid(1, 0);
	if (!run_on(reader) || !exitstat_reason(cpuid_reason, &after))
		return false;

	/* Reading the cycles before, and the exits afterwards, are two more exits. */
	ksft_print_msg("%u CPUIDs elsewhere: %" PRIu64 " exits, %" PRIu64 " cycles\n", n,
		       after.exits - before.exits, after.cycles - before.cycles);
	return after.exits - before.exits == n + 2 &&
	       after.cycles - before.cycles > 100 * n;
}

static bool both_vcpus_read_the_same_figures(void)
{
	struct exitstat last = {};

	for (int i = 0; i < 200; i++) {
		struct exitstat now;

		if (!run_on(i % 2))
			return false;
		now = exitstat_total();
		if (now.exits <= last.exits || now.cycles <= last.cycles) {
			ksft_print_msg("exits %" PRIu64 " then %" PRIu64 " on the other vCPU\n",
				       last.exits, now.exits);
			return false;
		}
		last = now;
	}
	return true;
}

int main(void)
{
	ksft_print_header();
	ksft_set_plan(4);

	ksft_test_result(sysconf(_SC_NPROCESSORS_ONLN) == 2, "two vCPUs are online\n");
	ksft_test_result(sees_the_other_vcpu(0, 1), "vCPU 0 sees what vCPU 1 does\n");
	ksft_test_result(sees_the_other_vcpu(1, 0), "vCPU 1 sees what vCPU 0 does\n");
	run_case(both_vcpus_read_the_same_figures);

	ksft_finished();
}
