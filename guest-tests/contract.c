// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seen from a guest with one vCPU: the leaves keep the register contract, and count what
 * they claim to count.
 *
 * usage: contract vm|host FLOOR
 *
 * vm or host is the scope that the host has set.  FLOOR is the number of exits of an
 * earlier VM, more than this one has had so far: only scope host may show them.
 */
#include <fcntl.h>
#include <sys/io.h>
#include <unistd.h>
#include <x86intrin.h>

#include "guest_test.h"

#define ATTEMPTS 50

/* Reasons beyond the table, some of which truncation would make valid */
static const uint32_t far_reasons[] = {
	0x100, 0x155, 0x8000, 0xffff, 0x10000, 0x1000a, 0x7fffffff, 0x80000000,
	0x8000000a, 0x80000021, 0xfffffffe, 0xffffffff,
};

#define NR_NEAR 256
#define NR_PROBES (NR_NEAR + ARRAY_SIZE(far_reasons))

static uint32_t probe(size_t i)
{
	return i < NR_NEAR ? i : far_reasons[i - NR_NEAR];
}

static enum isa isa;
static const struct reasons *reasons;

static uint64_t exits_of(uint32_t reason)
{
	return exitstat_exits_of(exitstat_cpuid(KVM_EXIT_STATS_LEAF_REASON_EXITS, reason));
}

static uint64_t cycles_of(uint32_t reason)
{
	return exitstat_cycles_of(exitstat_cpuid(KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason));
}

static uint64_t total_exits(void)
{
	return exitstat_exits_of(exitstat_cpuid(KVM_EXIT_STATS_LEAF_EXITS, 0));
}

static uint64_t total_cycles(void)
{
	return exitstat_cycles_of(exitstat_cpuid(KVM_EXIT_STATS_LEAF_CYCLES, 0));
}

static bool signature(unsigned int scope)
{
	struct exitstat_regs want = {
		.eax = 1 | isa << 8 | scope << 16 | 0x86000000,
	};

	memcpy(&want.ebx, "KVME", 4);
	memcpy(&want.ecx, "xitS", 4);
	memcpy(&want.edx, "tats", 4);

	for (size_t i = 0; i < NR_PROBES; i++) {
		struct exitstat_regs r = exitstat_cpuid(0x4ffffffb, probe(i));

		if (!regs_equal(r, want)) {
			print_regs("signature", 0x4ffffffb, probe(i), r);
			return false;
		}
	}
	return true;
}

static bool scope_is_kept(unsigned int scope, uint64_t floor)
{
	uint64_t total = total_exits();

	ksft_print_msg("%" PRIu64 " exits so far, an earlier VM took %" PRIu64 "\n", total, floor);
	return floor && (scope == KVM_EXIT_STATS_SCOPE_VM ? total < floor : total > floor);
}

static bool totals_ignore_index_and_zero_the_rest(void)
{
	for (size_t i = 0; i < NR_PROBES; i++) {
		struct exitstat_regs r = exitstat_cpuid(0x4ffffffc, probe(i));

		if (!exitstat_exits_of(r) || r.ecx || r.edx) {
			print_regs("total exits", 0x4ffffffc, probe(i), r);
			return false;
		}
		r = exitstat_cpuid(0x4ffffffd, probe(i));
		if (!exitstat_cycles_of(r) || r.eax || r.edx) {
			print_regs("total cycles", 0x4ffffffd, probe(i), r);
			return false;
		}
	}
	return true;
}

static bool undefined_reasons_say_so(void)
{
	const struct exitstat_regs undefined = { .edx = 0xffffffff };

	for (size_t i = 0; i < NR_PROBES; i++) {
		for (uint32_t leaf = 0x4ffffffe; leaf <= 0x4fffffff; leaf++) {
			struct exitstat_regs r = exitstat_cpuid(leaf, probe(i));

			if (regs_equal(r, undefined) == isa_defines(isa, probe(i))) {
				print_regs("definedness", leaf, probe(i), r);
				return false;
			}
		}
	}
	return true;
}

static bool defined_reasons_zero_the_rest(void)
{
	for (uint32_t reason = 0; reason < NR_NEAR; reason++) {
		struct exitstat_regs e = exitstat_cpuid(0x4ffffffe, reason);
		struct exitstat_regs c = exitstat_cpuid(0x4fffffff, reason);

		if (isa_defines(isa, reason) && (e.ecx || e.edx || c.eax || c.edx)) {
			print_regs("exits", 0x4ffffffe, reason, e);
			print_regs("cycles", 0x4fffffff, reason, c);
			return false;
		}
	}
	return true;
}

static bool never_enabled_reasons_are_zero(void)
{
	const struct exitstat_regs zero = {};

	for (uint32_t reason = 0; reason < NR_NEAR; reason++) {
		for (uint32_t leaf = 0x4ffffffe; leaf <= 0x4fffffff; leaf++) {
			struct exitstat_regs r = exitstat_cpuid(leaf, reason);

			if (kvm_never_enables(isa, reason) && !regs_equal(r, zero)) {
				print_regs("never enabled", leaf, reason, r);
				return false;
			}
		}
	}
	return true;
}

static bool cpuid_counts_itself_exactly(void)
{
	uint64_t before, after;
	const unsigned int n = 1000;

	before = exits_of(reasons->cpuid);
	for (unsigned int i = 0; i < n; i++)
		exitstat_cpuid(1, 0);
	after = exits_of(reasons->cpuid);

	/* Each read counts itself, so the second one adds one. */
	if (after - before != n + 1) {
		ksft_print_msg("%u CPUIDs and a read counted as %" PRIu64 "\n", n, after - before);
		return false;
	}
	return true;
}

/* The console may still be draining, so take the least of several attempts. */
static bool out_instructions_count_exactly(void)
{
	const unsigned int n = 1000;
	uint64_t least = UINT64_MAX;

	for (int attempt = 0; attempt < ATTEMPTS && least != n; attempt++) {
		uint64_t before = exits_of(reasons->io), delta;

		for (unsigned int i = 0; i < n; i++)
			outb(0, 0x80);
		delta = exits_of(reasons->io) - before;
		if (delta < least)
			least = delta;
	}
	if (least != n)
		ksft_print_msg("%u OUTs counted as %" PRIu64 "\n", n, least);
	return least == n;
}

/*
 * KVM handles a WRMSR of the TSC deadline in its fast path if it uses the VMX preemption
 * timer, which L1's job checks.  The guest kernel's own timer may add some while this
 * runs, so take the least of several attempts.
 */
static bool fast_path_counts_exactly(int msr)
{
	const unsigned int n = 100;
	uint64_t least = UINT64_MAX;

	for (int attempt = 0; attempt < ATTEMPTS && least != n; attempt++) {
		uint64_t before, delta;

		before = exits_of(reasons->msr_write);
		for (unsigned int i = 0; i < n; i++) {
			uint64_t deadline = __rdtsc() + 50000000;

			if (pwrite(msr, &deadline, 8, 0x6e0) != 8)
				return false;
		}
		delta = exits_of(reasons->msr_write) - before;
		if (delta < least)
			least = delta;
	}
	if (least != n)
		ksft_print_msg("%u WRMSRs counted as %" PRIu64 "\n", n, least);
	return least == n;
}

static bool counters_never_decrease(void)
{
	uint64_t last_exits = 0, last_cycles = 0;

	for (unsigned int i = 0; i < 10000 / slower(); i++) {
		uint64_t exits = total_exits(), cycles = total_cycles();

		if (exits <= last_exits || cycles <= last_cycles) {
			ksft_print_msg("exits %" PRIu64 " then %" PRIu64
				       ", cycles %" PRIu64 " then %" PRIu64 "\n",
				       last_exits, exits, last_cycles, cycles);
			return false;
		}
		last_exits = exits;
		last_cycles = cycles;
	}
	return true;
}

/*
 * Every read is a CPUID exit, so read CPUID's own figure last, and the total right after
 * it.  They are equal only in a pass without any other exit.  To keep it short, read only
 * the reasons that happened; any other reason would be such an exit.
 */
static size_t reasons_that_happened(uint32_t *happened)
{
	size_t n = 0;

	for (uint32_t i = 0; i < NR_REASONS; i++) {
		uint32_t reason = nth_reason(i);

		if (isa_defines(isa, reason) && reason != reasons->cpuid && exits_of(reason))
			happened[n++] = reason;
	}
	happened[n++] = reasons->cpuid;
	return n;
}

static bool sum_of_exits_is_total(void)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		uint32_t happened[NR_REASONS];
		size_t n = reasons_that_happened(happened);
		uint64_t first = total_exits(), sum = 0, total;

		for (size_t i = 0; i < n; i++)
			sum += exits_of(happened[i]);
		total = total_exits();

		if (total - first != n + 1)
			continue;
		if (sum + 1 == total)
			return true;
		ksft_print_msg("sum %" PRIu64 " and one read, total %" PRIu64 "\n", sum, total);
		return false;
	}
	ksft_print_msg("no quiet moment in %d attempts\n", ATTEMPTS);
	return false;
}

/*
 * As above, but the total has one more CPUID's cycles than the sum.  If the host took an
 * interrupt in that exit, try again.
 */
static bool sum_of_cycles_is_total(void)
{
	uint64_t mean = cycles_of(reasons->cpuid) / exits_of(reasons->cpuid);

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		uint32_t happened[NR_REASONS];
		size_t n = reasons_that_happened(happened);
		uint64_t first = total_exits(), sum = 0, total;

		for (size_t i = 0; i < n; i++)
			sum += cycles_of(happened[i]);
		total = total_cycles();

		if (total_exits() - first != n + 2)
			continue;
		if (total > sum && total - sum < 3 * mean)
			return true;
		ksft_print_msg("sum %" PRIu64 ", total %" PRIu64 ", a CPUID costs %" PRIu64 "\n",
			       sum, total, mean);
		if (total <= sum)
			return false;
	}
	ksft_print_msg("no quiet moment with equality in %d attempts\n", ATTEMPTS);
	return false;
}

/* The guest's TSC started with the VM, so no figure can be higher. */
static bool cycles_fit_into_elapsed_time(void)
{
	uint64_t cycles = total_cycles(), elapsed = __rdtsc();

	if (cycles < elapsed)
		return true;
	ksft_print_msg("%" PRIu64 " cycles of exits in %" PRIu64 "\n", cycles, elapsed);
	return false;
}

/* KVM takes hundreds of instructions for a CPUID, and the guest measures even more. */
static bool cost_of_cpuid_is_what_the_guest_measures(void)
{
	const unsigned int n = 1000;
	uint64_t before, tsc, guest, kvm;

	before = cycles_of(reasons->cpuid);
	tsc = __rdtsc();
	for (unsigned int i = 0; i < n; i++)
		exitstat_cpuid(1, 0);
	guest = __rdtsc() - tsc;
	kvm = cycles_of(reasons->cpuid) - before;

	ksft_print_msg("%u CPUIDs: %" PRIu64 " cycles of KVM's, %" PRIu64 " of the guest's\n",
		       n, kvm, guest);
	return kvm > 100 * n && kvm < guest;
}

int main(int argc, char **argv)
{
	unsigned int scope = argc > 1 && !strcmp(argv[1], "host") ? KVM_EXIT_STATS_SCOPE_HOST :
								     KVM_EXIT_STATS_SCOPE_VM;
	uint64_t floor = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	int msr;

	isa = isa_here();
	reasons = reasons_of(isa);
	ksft_print_header();
	ksft_set_plan(scope == KVM_EXIT_STATS_SCOPE_VM ? 14 : 13);

	run_case(scope_is_kept, scope, floor);
	run_case(signature, scope);
	run_case(totals_ignore_index_and_zero_the_rest);
	run_case(undefined_reasons_say_so);
	run_case(defined_reasons_zero_the_rest);
	run_case(never_enabled_reasons_are_zero);
	run_case(cpuid_counts_itself_exactly);
	if (ioperm(0x80, 1, 1))
		skip("out_instructions_count_exactly", "no ioperm()");
	else
		run_case(out_instructions_count_exactly);
	msr = open("/dev/cpu/0/msr", O_RDWR);
	if (msr < 0)
		skip("fast_path_counts_exactly", "no /dev/cpu/0/msr");
	else
		run_case(fast_path_counts_exactly, msr);
	run_case(counters_never_decrease);
	run_case(sum_of_exits_is_total);
	run_case(sum_of_cycles_is_total);
	if (scope == KVM_EXIT_STATS_SCOPE_VM)
		run_case(cycles_fit_into_elapsed_time);
	run_case(cost_of_cpuid_is_what_the_guest_measures);

	ksft_finished();
}
