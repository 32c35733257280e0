// SPDX-License-Identifier: GPL-2.0-only
/*
 * The register contract in real mode, protected mode and long mode.  The CPU executes
 * CPUID and KVM handles the exit ("executed"), or KVM's instruction emulator executes it
 * ("emulated").
 *
 * usage: modes executed|emulated
 *
 * If executed, histograms are on.
 *
 * Needs kvm.ko's exit_stats=vm and force_emulation_prefix=1.  If emulated, each mode
 * reads a third of the hostile indices.  If executed, it reads fewer, as the nested guest
 * reads all of them.
 */
#define _GNU_SOURCE
#include "leaf_vm.h"

static uint64_t in_all;

static void sweep(enum cpu_mode mode, bool emulated)
{
	struct leaf_vm v = leaf_vm_create(mode, emulated, 1, NULL);
	const struct reasons *reasons = reasons_of(oracle_isa());
	struct leaf_model model = {
		.isa = oracle_isa(),
		.scope = KVM_EXIT_STATS_SCOPE_VM,
		.own_reason = emulated ? reasons->emulated : reasons->cpuid,
		.own_exact = true,
		.histogram = !emulated,
		/* A new VM has not executed a CPUID yet. */
		.own_base_known = true,
	};
	uint64_t start = rdtsc();
	uint32_t asked[NR_SWEEP_INDICES], nr = 0,
		 every = NR_CPU_MODES * (emulated ? 1 : 8) * fewer();
	char what[64];

	for (uint32_t n = 0; n < NR_INDICES; n++) {
		if (n % every == mode || hostile_index_is_special(n))
			asked[nr++] = n;
		if (nr < NR_SWEEP_INDICES && n < NR_INDICES - 1)
			continue;
		leaf_vm_sweep(&v, 0, &model, asked, nr);
		nr = 0;
	}

	snprintf(what, sizeof(what), "%s, %s", cpu_mode_names[mode],
		 emulated ? "emulated" : "executed");
	leaf_report(&model, what);
	ksft_print_msg("%s: %" PRIu64 " CPUIDs in %" PRIu64 " cycles\n", what, model.executed,
		       rdtsc() - start);
	in_all += model.executed;
	kvm_vm_free(v.vm);
}

int main(int argc, char **argv)
{
	bool emulated = argc > 1 && !strcmp(argv[1], "emulated");

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(NR_CPU_MODES * NR_LEAF_KINDS + 1);
	oracle_write(PARAM_HISTOGRAM, emulated ? "N" : "Y");
	for (int mode = 0; mode < NR_CPU_MODES; mode++)
		sweep(mode, emulated);
	oracle_write(PARAM_HISTOGRAM, "N");
	ksft_print_msg("%" PRIu64 " CPUIDs\n", in_all);
	ksft_test_result(in_all >= (emulated ? 1000000 : 100000) / fewer(),
			 "as many CPUIDs as planned\n");
	ksft_finished();
}
