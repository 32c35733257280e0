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

/* What this vCPU's leaves say differs from what the others do in the lowest register. */
#define OF_THIS 0x100

struct exitstat_regs source(uint32_t leaf, uint32_t index)
{
	uint32_t this = 0;

	cpuids++;
	if (leaf >= 0x4fffffe5 && leaf <= 0x4fffffef) {
		leaf += 0x10;
		this = OF_THIS;
	}
	switch (leaf) {
	case 0x4ffffffb:
		return (struct exitstat_regs){ 0x86020103, signature, KVM_EXIT_STATS_SIGNATURE_ECX,
					       KVM_EXIT_STATS_SIGNATURE_EDX };
	case 0x4ffffffc:
		return (struct exitstat_regs){ 0x89abc0ef + this, 0x01234567, 0, 0 };
	case 0x4ffffffd:
		return (struct exitstat_regs){ 0, 0x76543210, 0xfedcb098 + this, 0 };
	case 0x4ffffffe:
		if (index > 1)
			return (struct exitstat_regs){ 0, 0, 0, KVM_EXIT_STATS_UNDEFINED };
		return (struct exitstat_regs){ index * (7 + this), 0, 0, 0 };
	case 0x4ffffffa:
	case 0x4ffffff7:
	case 0x4ffffff6:
		if (index > 1)
			return (struct exitstat_regs){ 0, 0, 0, KVM_EXIT_STATS_UNDEFINED };
		return (struct exitstat_regs){ 1 + this, 2, 3 + this, leaf & 0xf };
	case 0x4ffffff8:
		if (index >= KVM_EXIT_STATS_NR_STATES)
			return (struct exitstat_regs){ 0, 0, 0, KVM_EXIT_STATS_UNDEFINED };
		return (struct exitstat_regs){ index + this, 5, 0, 0 };
	case 0x4ffffff9:
		return (struct exitstat_regs){ 1u << 3 | this, 0, 1u << 31, 1024 - 1024 % 96 };
	case 0x4ffffff5:
		/* Of the reasons 1 and VMEXIT_INVALID; the latter's are switched off meanwhile. */
		if ((index & 0xffffff) != 1 && ((index & 0xffffff) != 0xffff || index >> 24 == 7))
			return (struct exitstat_regs){ 0, 0, 0, KVM_EXIT_STATS_UNDEFINED };
		return (struct exitstat_regs){ index >> 24, 0x101 + this, 2, UINT32_MAX };
	default:
		return (struct exitstat_regs){ 0, 0, 9 + this, 0 };
	}
}

/* The number of CPUIDs since the last time */
static int executed(void)
{
	int n = cpuids;

	cpuids = 0;
	return n;
}

static bool reads_leaves_of(enum exitstat_whose whose)
{
	const uint32_t this = whose == EXITSTAT_OF_THIS_VCPU ? OF_THIS : 0;
	struct exitstat stat = { 1, 1 }, total;
	struct exitstat_histogram histogram = { { 1 } };
	struct exitstat_longest longest = { 1, 1 };
	struct exitstat_vmm vmm = { 1, 1 };
	struct exitstat_which which;
	uint64_t ns = 1;
	bool ok;

	total = exitstat_total_of(whose);
	ok = executed() == 2 && total.exits == 0x0123456789abc0efull + this &&
	     total.cycles == 0x76543210fedcb098ull + this;
	ok = ok && !exitstat_reason_of(whose, 2, &stat) && stat.exits == 1 && stat.cycles == 1 &&
	     executed() == 1;
	ok = ok && exitstat_reason_of(whose, 0, &stat) && !stat.exits && !stat.cycles &&
	     executed() == 1;
	ok = ok && exitstat_reason_of(whose, 1, &stat) && stat.exits == 7 + this &&
	     stat.cycles == 9 + this && executed() == 2;
	ok = ok && !exitstat_pair_of(whose, 2, &stat) && stat.exits == 7 + this && executed() == 1;
	ok = ok && exitstat_pair_of(whose, 1, &stat) && stat.exits == (2ull << 32 | (1 + this)) &&
	     stat.cycles == (10ull << 32 | (3 + this)) && executed() == 1;
	which = exitstat_which_of(whose, 191);
	ok = ok && executed() == 1 && which.first == 96 && which.next == 960 &&
	     exitstat_has_occurred(&which, 96 + 3) && exitstat_has_occurred(&which, 96 + 95) &&
	     exitstat_has_occurred(&which, 96 + 8) == !!this &&
	     !exitstat_has_occurred(&which, 3) && !exitstat_has_occurred(&which, 96 + 4) &&
	     !exitstat_has_occurred(&which, 96 + 96 + 3);
	ok = ok && !exitstat_state_of(whose, KVM_EXIT_STATS_NR_STATES, &ns) && ns == 1 &&
	     executed() == 1;
	ok = ok && exitstat_state_of(whose, KVM_EXIT_STATS_STATE_ASLEEP, &ns) &&
	     ns == (5ull << 32 | (6 + this)) && executed() == 1;
	ok = ok && !exitstat_vmm_of(whose, 2, &vmm) && vmm.returns == 1 && vmm.ns == 1 &&
	     executed() == 1;
	ok = ok && exitstat_vmm_of(whose, 1, &vmm) && vmm.returns == (2ull << 32 | (1 + this)) &&
	     vmm.ns == (7ull << 32 | (3 + this)) && executed() == 1;
	ok = ok && !exitstat_longest_of(whose, 2, &longest) && longest.ever == 1 &&
	     longest.recent == 1 && executed() == 1;
	ok = ok && exitstat_longest_of(whose, 1, &longest) &&
	     longest.ever == (2ull << 32 | (1 + this)) &&
	     longest.recent == (6ull << 32 | (3 + this)) && executed() == 1;
	ok = ok && !exitstat_histogram_of(whose, 2, &histogram) && executed() == 1 &&
	     !exitstat_histogram_of(whose, UINT32_MAX, &histogram) && executed() == 8 &&
	     !exitstat_histogram_of(whose, 0xffff, &histogram) &&
	     !exitstat_histogram_of(whose, 0x80000001, &histogram) && executed() == 0 &&
	     histogram.buckets[0] == 1 && !histogram.buckets[1];
	return ok && exitstat_histogram_of(whose, 1, &histogram) && executed() == 8 &&
	       histogram.buckets[0] == 0 && histogram.buckets[28] == 7 &&
	       histogram.buckets[29] == 0x101 + this && histogram.buckets[30] == 2 &&
	       histogram.buckets[31] == UINT32_MAX;
}

/* The short names are those of all vCPUs. */
static bool reads_all(void)
{
	struct exitstat_histogram histogram;
	struct exitstat_longest longest;
	struct exitstat_vmm vmm;
	struct exitstat stat;
	uint64_t ns;

	return exitstat_total().cycles == 0x76543210fedcb098 &&
	       exitstat_reason(1, &stat) && stat.exits == 7 &&
	       exitstat_pair(1, &stat) && stat.exits == (2ull << 32 | 1) &&
	       exitstat_which(191).bits[0] == 1u << 3 &&
	       exitstat_state(0, &ns) && ns == 5ull << 32 &&
	       exitstat_vmm(0, &vmm) && vmm.returns == (2ull << 32 | 1) &&
	       exitstat_longest(0, &longest) && longest.recent == (6ull << 32 | 3) &&
	       exitstat_histogram(1, &histogram) && histogram.buckets[5] == 0x101 &&
	       executed() == 17;
}

int main(void)
{
	struct exitstat_info info = { 0 };
	bool ok;

	ok = exitstat_detect(&info) && info.version == 3 && info.isa == KVM_EXIT_STATS_ISA_VMX &&
	     info.scope == KVM_EXIT_STATS_SCOPE_HOST && info.further == 6 && info.this_vcpu &&
	     executed() == 1;
	ok = ok && reads_leaves_of(EXITSTAT_OF_ALL_VCPUS) &&
	     reads_leaves_of(EXITSTAT_OF_THIS_VCPU) && reads_all();
	signature++;
	return !(ok && !exitstat_detect(&info) && info.version == 3);
}
