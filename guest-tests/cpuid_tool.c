// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same leaves through the cpuid tool, as users run it.  What it prints for a counter
 * that moves must lie between a read before and one after it.  What doesn't move must be
 * equal.
 */
#include "guest_test.h"

static bool run_cpuid(uint32_t leaf, uint32_t index, struct exitstat_regs *r)
{
	char command[80], line[200];
	bool found = false;
	uint32_t l, i;
	FILE *f;

	snprintf(command, sizeof(command), "cpuid -1 -r -l 0x%x -s 0x%x", leaf, index);
	f = popen(command, "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		found |= sscanf(line, " 0x%x 0x%x: eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x", &l, &i,
				&r->eax, &r->ebx, &r->ecx, &r->edx) == 6 && l == leaf;
	return !pclose(f) && found;
}

/* The low half is in EAX for exits, in ECX for cycles.  The other one is zero. */
static uint64_t value(struct exitstat_regs r)
{
	return (uint64_t)r.ebx << 32 | r.eax | r.ecx;
}

static bool agrees(uint32_t leaf, uint32_t index)
{
	bool cycles = leaf == KVM_EXIT_STATS_LEAF_CYCLES ||
		      leaf == KVM_EXIT_STATS_LEAF_REASON_CYCLES;
	struct exitstat_regs before, after, tool = {};

	before = exitstat_cpuid(leaf, index);
	if (!run_cpuid(leaf, index, &tool)) {
		ksft_print_msg("cpuid printed nothing for leaf 0x%x index 0x%x\n", leaf, index);
		return false;
	}
	after = exitstat_cpuid(leaf, index);

	if (leaf == KVM_EXIT_STATS_LEAF_SIGNATURE || before.edx) {
		if (regs_equal(tool, before) && regs_equal(tool, after))
			return true;
	} else if (!tool.edx && !(cycles ? tool.eax : tool.ecx) &&
		   value(before) <= value(tool) && value(tool) <= value(after)) {
		return true;
	}
	print_regs("before", leaf, index, before);
	print_regs("cpuid", leaf, index, tool);
	print_regs("after", leaf, index, after);
	return false;
}

int main(void)
{
	static const uint32_t reasons[] = {
		0, 1, 7, 10, 12, 28, 30, 32, 35, 38, 42, 48, 49, 71, 82, 83, 85, 86, 255,
		0x10000, 0x80000000, 0xffffffff,
	};

	ksft_print_header();
	ksft_set_plan(3 + 2 * ARRAY_SIZE(reasons));

	for (uint32_t leaf = 0x4ffffffb; leaf <= 0x4ffffffd; leaf++)
		ksft_test_result(agrees(leaf, 0), "cpuid -l 0x%08x\n", leaf);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		for (uint32_t leaf = 0x4ffffffe; leaf <= 0x4fffffff; leaf++)
			ksft_test_result(agrees(leaf, reasons[i]), "cpuid -l 0x%08x -s 0x%x\n",
					 leaf, reasons[i]);

	ksft_finished();
}
