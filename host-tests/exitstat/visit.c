// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goes to each vCPU of this machine, and prints which ones it has reached.  It fails if it was on
 * another one when it read there, or if its affinity then is another one.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vcpus.h"

int main(void)
{
	cpu_set_t before[CPUS_MAX / CPU_SETSIZE] = {}, after[CPUS_MAX / CPU_SETSIZE] = {};
	struct exitstat_info info = {};
	unsigned int reads = 0;
	struct vcpus *vcpus;
	size_t reached = 0;

	sched_getaffinity(0, sizeof(before), before);
	vcpus = vcpus_read(&info, false, &reads);
	sched_getaffinity(0, sizeof(after), after);
	for (size_t i = 0; vcpus && i < vcpus->n; i++) {
		if (!vcpus->vcpu[i].reached)
			continue;
		printf("%s%u", reached ? " " : "", vcpus->vcpu[i].cpu);
		reached++;
	}
	putchar('\n');
	free(vcpus);
	return !reached || reads != 2 * reached || memcmp(before, after, sizeof(before));
}
