// SPDX-License-Identifier: GPL-2.0-only
/*
 * Embeds the installed library, with a source of CPUIDs of its own.
 */
#include <stdint.h>

struct exitstat_regs source(uint32_t leaf, uint32_t index);
#define EXITSTAT_CPUID source
#include <exitstat/libexitstat.h>

static uint32_t signature = KVM_EXIT_STATS_SIGNATURE_EBX;
static int cpuids;

struct exitstat_regs source(uint32_t leaf, uint32_t index)
{
	cpuids++;
	switch (leaf) {
	case KVM_EXIT_STATS_LEAF_SIGNATURE:
		return (struct exitstat_regs){ 0x00020103, signature, KVM_EXIT_STATS_SIGNATURE_ECX,
					       KVM_EXIT_STATS_SIGNATURE_EDX };
	case KVM_EXIT_STATS_LEAF_EXITS:
		return (struct exitstat_regs){ 0x89abcdef, 0x01234567, 0, 0 };
	case KVM_EXIT_STATS_LEAF_CYCLES:
		return (struct exitstat_regs){ 0, 0x76543210, 0xfedcba98, 0 };
	case KVM_EXIT_STATS_LEAF_REASON_EXITS:
		if (index > 1)
			return (struct exitstat_regs){ 0, 0, 0, KVM_EXIT_STATS_UNDEFINED };
		return (struct exitstat_regs){ index * 7, 0, 0, 0 };
	default:
		return (struct exitstat_regs){ 0, 0, 9, 0 };
	}
}

int main(void)
{
	struct exitstat stat = { 1, 1 }, total;
	struct exitstat_info info = { 0, 0, 0 };
	bool ok;

	ok = exitstat_detect(&info) && info.version == 3 && info.isa == KVM_EXIT_STATS_ISA_VMX &&
	     info.scope == KVM_EXIT_STATS_SCOPE_HOST && cpuids == 1;
	total = exitstat_total();
	ok = ok && total.exits == 0x0123456789abcdef && total.cycles == 0x76543210fedcba98 &&
	     cpuids == 3;
	ok = ok && !exitstat_reason(2, &stat) && stat.exits == 1 && stat.cycles == 1 && cpuids == 4;
	ok = ok && exitstat_reason(0, &stat) && !stat.exits && !stat.cycles && cpuids == 5;
	ok = ok && exitstat_reason(1, &stat) && stat.exits == 7 && stat.cycles == 9 && cpuids == 7;
	signature++;
	return !(ok && !exitstat_detect(&info) && info.version == 3);
}
