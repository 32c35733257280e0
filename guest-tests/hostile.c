// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unprivileged process reads the leaves from 0x4ffffff0 to 0x4fffffff, those of the
 * statistics with more than 140,000 indices each, and checks each answer against a model.
 *
 * usage: hostile [emulated]
 *
 * With "emulated", KVM's instruction emulator executes the CPUIDs.  That needs
 * kvm.force_emulation_prefix=1 on the host, and takes longer, so most of the indices are
 * left out.  Has to be the only process on the only vCPU.
 */
#include <unistd.h>
#include <x86intrin.h>

#include "guest_test.h"

#define NOBODY 65534
/* CPUID sets all 64 bits of its registers. */
#define STALE 0xa5a5a5a500000000ull
#define EMULATED_EVERY 16

static bool emulated;
static bool upper_halves_are_zero = true;
static struct leaf_model model = {
	.scope = KVM_EXIT_STATS_SCOPE_VM,
	.own_exact = true,
};

static struct leaf_regs cpuid(uint32_t leaf, uint32_t index)
{
	uint64_t a = leaf | STALE, b = STALE | 0xb0b0b0b0;
	uint64_t c = index | STALE, d = STALE | 0xd0d0d0d0;

	if (emulated)
		asm volatile("ud2; .ascii \"kvm\"; cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	else
		asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	upper_halves_are_zero &= !((a | b | c | d) >> 32);
	model.executed++;
	return (struct leaf_regs){ a, b, c, d };
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "executed";
	uint32_t max_basic, every = fewer();

	emulated = argc > 1;
	if (emulated)
		every *= EMULATED_EVERY;
	model.isa = isa_here();
	/* To be emulated, it causes #UD. */
	model.own_reason = emulated ? reasons_of(model.isa)->emulated :
				      reasons_of(model.isa)->cpuid;
	ksft_print_header();
	ksft_set_plan(leaf_nr_results(&model) + 3);

	if (setgid(NOBODY) || setuid(NOBODY))
		ksft_exit_fail_msg("cannot become nobody\n");
	max_basic = cpuid(0, 0).eax;
	for (uint32_t n = 0; n < NR_INDICES; n++) {
		uint32_t index = hostile_index(n);
		struct leaf_regs out_of_range;

		if (n % every && !hostile_index_is_special(n))
			continue;
		out_of_range = leaf_out_of_range(model.isa, cpuid(max_basic, index));
		/* The guest's TSC started with the VM. */
		model.limit = __rdtsc();
		for (unsigned int k = 0; k < NR_LEAVES_ASKED; k++) {
			uint32_t leaf = hostile_leaf(n, k);

			leaf_check(&model, leaf, index, cpuid(leaf, index), out_of_range);
		}
	}

	leaf_report(&model, what);
	ksft_test_result(upper_halves_are_zero,
			 "%s: the upper halves of the registers are zero\n", what);
	ksft_test_result(getuid() == NOBODY && geteuid() == NOBODY, "%s: by nobody\n", what);
	ksft_print_msg("%" PRIu64 " CPUIDs\n", model.executed);
	ksft_test_result(model.executed >= (emulated ? 50000 : 1000000) / fewer(),
			 "%s: as many as planned\n", what);
	ksft_finished();
}
