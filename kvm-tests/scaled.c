// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest whose TSC the CPU scales reads cycles in ticks of that TSC, and debugfs has the host's.
 *
 * usage: scaled
 *
 * Needs a CPU that can do so.
 */
#define _GNU_SOURCE
#include "leaf_vm.h"

/* Powers of two, by which a ratio is exact */
static const struct {
	unsigned int times, by;
} ratios[] = { { 2, 1 }, { 1, 4 } };

static struct leaf_vm create(unsigned int times, unsigned int by)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 1, NULL);
	uint64_t khz = __vcpu_ioctl(v.vcpu[0], KVM_GET_TSC_KHZ, NULL);

	TEST_ASSERT(!__vcpu_ioctl(v.vcpu[0], KVM_SET_TSC_KHZ, (void *)(khz * times / by)),
		    "cannot set the TSC to %u/%u of %lu kHz", times, by, khz);
	v.requests[0][0] = (struct request){ .leaf = 1, .wbinvds = 100 };
	leaf_vm_run(&v, 0, 1);
	return v;
}

static bool cycles_are_ticks_of_the_guests_tsc(void)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(ratios); i++) {
		unsigned int times = ratios[i].times, by = ratios[i].by;
		struct leaf_vm v = create(times, by);
		uint64_t cycles, total;
		struct figures f, after;

		vm_stats(v.vm, &f);
		cycles = cycles_in(leaf_vm_cpuid(&v, 0x4fffffff, EXIT_REASON_WBINVD));
		total = cycles_in(leaf_vm_cpuid(&v, 0x4ffffffd, 0));
		vm_stats(v.vm, &after);
		ksft_print_msg("a TSC of %u/%u: %" PRIu64 " cycles of the guest's, %" PRIu64
			       " of the host's\n", times, by, cycles,
			       f.cycles[EXIT_REASON_WBINVD]);
		ok &= cycles && cycles == f.cycles[EXIT_REASON_WBINVD] * times / by &&
		      total > f.total_cycles * times / by &&
		      total < after.total_cycles * times / by;
		kvm_vm_free(v.vm);
	}
	return ok;
}

static bool exits_are_not_scaled(void)
{
	struct leaf_vm v = create(2, 1);

	return exits_in(leaf_vm_cpuid(&v, 0x4ffffffe, EXIT_REASON_WBINVD)) == 100;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	pin(0);
	ksft_print_header();
	if (!kvm_check_cap(KVM_CAP_TSC_CONTROL))
		ksft_exit_fail_msg("this CPU cannot scale the TSC; boot one that can\n");
	ksft_set_plan(2);
	RUN(cycles_are_ticks_of_the_guests_tsc);
	RUN(exits_are_not_scaled);
	ksft_finished();
}
