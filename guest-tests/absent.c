// SPDX-License-Identifier: GPL-2.0-only
/*
 * If accounting is off or compiled out, the leaves must answer as on an unpatched kernel.
 * On an Intel CPU, that is the data of the highest basic leaf for the same index, on AMD's zeros.
 * Prints all answers so that boots can be compared.
 */
#include "guest_test.h"

static const uint32_t indices[] = {
	0, 1, 2, 3, 10, 30, 35, 48, 63, 64, 85, 86, 255, 0x10000, 0x80000000, 0xffffffff,
};

static bool amd;

static bool leaf_is_that_of_an_unpatched_kernel(uint32_t leaf, uint32_t max_basic)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		struct exitstat_regs r = exitstat_cpuid(leaf, indices[i]), zero = {};

		print_regs("answer", leaf, indices[i], r);
		ok &= regs_equal(r, amd ? zero : exitstat_cpuid(max_basic, indices[i]));
	}
	return ok;
}

int main(void)
{
	struct exitstat_regs basic = exitstat_cpuid(0, 0);
	struct exitstat_info info;

	ksft_print_header();
	ksft_set_plan(2 + 2 * 11);

	amd = !memcmp(&basic.ebx, "Auth", 4);
	/* If its data were zeros, equality would prove nothing. */
	ksft_test_result(amd || (!memcmp(&basic.ebx, "Genu", 4) &&
				 exitstat_cpuid(basic.eax, 0).eax),
			 "highest basic leaf 0x%x has data\n", basic.eax);
	ksft_test_result(!exitstat_detect(&info), "not detected\n");
	for (uint32_t leaf = 0x4fffffe5; leaf <= 0x4fffffff; leaf++) {
		/* In between, there are none. */
		if (leaf > 0x4fffffef && leaf < 0x4ffffff5)
			continue;
		ksft_test_result(leaf_is_that_of_an_unpatched_kernel(leaf, basic.eax),
				 "leaf 0x%08x\n", leaf);
	}

	ksft_finished();
}
