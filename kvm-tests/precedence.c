// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM defines the guest's CPUID: an entry that it sets for one of the leaves wins, in
 * each scope, executed and emulated, and nothing else changes.
 *
 * usage: precedence
 *
 * Needs kvm.ko's force_emulation_prefix=1.
 */
#define _GNU_SOURCE
#include "leaf_vm.h"

static const struct leaf_regs the_vmms = { 0x11111111, 0x22222222, 0x33333333, 0x44444444 };

/* What KVM supports, plus one entry */
static struct kvm_cpuid2 *with_entry(uint32_t leaf, uint32_t index, uint32_t flags)
{
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(supported->nent + 1);

	memcpy(cpuid->entries, supported->entries, supported->nent * sizeof(*supported->entries));
	cpuid->entries[supported->nent] = (struct kvm_cpuid_entry2){
		.function = leaf, .index = index, .flags = flags, .eax = the_vmms.eax,
		.ebx = the_vmms.ebx, .ecx = the_vmms.ecx, .edx = the_vmms.edx,
	};
	return cpuid;
}

/* The answers follow the model, except for the entry, for all indices or for CPUID's reason. */
static bool entry_wins(uint32_t set, bool significant, uint32_t scope, bool emulated)
{
	const uint32_t own = reasons_of(oracle_isa())->cpuid;
	/* 35 and 86 are none of VMX, and the next two none of SVM. */
	const uint32_t indices[] = {
		0, own - 1, own, own + 1, 35, 86, 0xa8, 0x404, 0x80000000 | own, ~0u
	};
	struct kvm_cpuid2 *cpuid = with_entry(set, own,
					      significant ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0);
	struct leaf_vm v = leaf_vm_create(LONG_MODE, emulated, 1, cpuid);
	struct leaf_model m = { .isa = oracle_isa(), .scope = scope, .limit = UINT64_MAX };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		struct leaf_regs out_of_range = leaf_vm_out_of_range(&v, indices[i]);

		m.executed++;
		for (uint32_t leaf = LEAF_LOWEST; leaf <= LEAF_HIGHEST + 1; leaf++) {
			struct leaf_regs r = leaf_vm_cpuid(&v, leaf, indices[i]);
			bool vmms = leaf == set && (!significant || indices[i] == own);

			m.executed++;
			if (vmms ? leaf_regs_equal(r, the_vmms) :
			    scope ? leaf_check(&m, leaf, indices[i], r, out_of_range) :
				    leaf_regs_equal(r, out_of_range))
				continue;
			ok = false;
			ksft_print_msg("set 0x%08x: leaf 0x%08x index 0x%08x: "
				       "eax=%08x ebx=%08x ecx=%08x edx=%08x\n",
				       set, leaf, indices[i], r.eax, r.ebx, r.ecx, r.edx);
		}
	}
	kvm_vm_free(v.vm);
	free(cpuid);
	return ok;
}

/* KVM_GET_CPUID2 returns what the VMM set, not the figures. */
static bool vmm_reads_back_its_own(void)
{
	struct kvm_cpuid2 *cpuid = with_entry(KVM_EXIT_STATS_LEAF_EXITS, 0, 0);
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 1, cpuid);
	bool found = false, ok = true;

	leaf_vm_cpuid(&v, KVM_EXIT_STATS_LEAF_SIGNATURE, 0);
	vcpu_ioctl(v.vcpu[0], KVM_GET_CPUID2, v.vcpu[0]->cpuid);
	for (uint32_t i = 0; i < v.vcpu[0]->cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &v.vcpu[0]->cpuid->entries[i];

		if (e->function < LEAF_LOWEST || e->function > LEAF_HIGHEST)
			continue;
		found = true;
		ok &= e->function == KVM_EXIT_STATS_LEAF_EXITS &&
		      e->eax == the_vmms.eax && e->edx == the_vmms.edx;
	}
	return found && ok;
}

/*
 * As many entries as KVM takes, of them INDICES for one leaf, fit, and each counts.  One more is
 * refused, and changes nothing.
 */
#define INDICES 80
#define ENTRIES 256

static bool as_many_entries_as_possible(void)
{
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(ENTRIES + 1);
	struct leaf_model m = {
		.isa = oracle_isa(), .scope = KVM_EXIT_STATS_SCOPE_VM, .limit = UINT64_MAX,
	};
	struct leaf_vm v;
	bool ok = true;

	memcpy(cpuid->entries, supported->entries, supported->nent * sizeof(*supported->entries));
	for (uint32_t i = supported->nent; i < ENTRIES + 1; i++) {
		uint32_t index = i - supported->nent;

		/* What is left over goes where nobody asks. */
		cpuid->entries[i] = (struct kvm_cpuid_entry2){
			.function = index < INDICES ? KVM_EXIT_STATS_LEAF_REASON_EXITS :
						      0x4f000000 + index,
			.index = index, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = the_vmms.eax, .ebx = the_vmms.ebx, .ecx = the_vmms.ecx,
			.edx = the_vmms.edx + index,
		};
	}
	cpuid->nent = ENTRIES;
	v = leaf_vm_create(LONG_MODE, false, 1, cpuid);

	for (int attempt = 0; attempt < 2; attempt++) {
		for (uint32_t index = 0; index < INDICES + 4; index++) {
			struct leaf_regs expected = the_vmms, r, out_of_range;

			out_of_range = leaf_vm_out_of_range(&v, index);
			r = leaf_vm_cpuid(&v, KVM_EXIT_STATS_LEAF_REASON_EXITS, index);
			m.executed += 2;
			expected.edx += index;
			if (index < INDICES ? leaf_regs_equal(r, expected) :
			    leaf_check(&m, KVM_EXIT_STATS_LEAF_REASON_EXITS, index, r,
				       out_of_range))
				continue;
			ok = false;
			ksft_print_msg("attempt %d, index %u: "
				       "eax=%08x ebx=%08x ecx=%08x edx=%08x\n",
				       attempt, index, r.eax, r.ebx, r.ecx, r.edx);
		}
		cpuid->nent = ENTRIES + 1;
		if (ioctl(v.vcpu[0]->fd, KVM_SET_CPUID2, cpuid) != -1 || errno != E2BIG) {
			ksft_print_msg("%u entries: errno %d\n", cpuid->nent, errno);
			ok = false;
		}
	}
	kvm_vm_free(v.vm);
	free(cpuid);
	return ok;
}

int main(void)
{
	static const char * const scopes[] = { "off", "vm", "host" };
	/* Also neighbours, which are not leaves of the statistics */
	static const uint32_t leaves[] = {
		0x4fffffe4, 0x4fffffe5, 0x4fffffe8, 0x4fffffee, 0x4ffffff4, 0x4ffffff5, 0x4ffffff7,
		0x4ffffff8, 0x4ffffff9, 0x4ffffffa, 0x4ffffffb, 0x4ffffffc, 0x4ffffffd, 0x4ffffffe,
		0x4fffffff, 0x50000000
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(3 * 2 * ARRAY_SIZE(leaves) * 2 + 2);
	for (uint32_t scope = 0; scope < ARRAY_SIZE(scopes); scope++) {
		set_scope(scopes[scope]);
		for (int emulated = 0; emulated < 2; emulated++) {
			for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
				for (int significant = 0; significant < 2; significant++) {
					bool wins = entry_wins(leaves[i], significant, scope,
							       emulated);

					ksft_test_result(wins, "%s, %s: the VMM's 0x%08x wins%s\n",
							 scopes[scope],
							 emulated ? "emulated" : "executed",
							 leaves[i],
							 significant ? " for its index" : "");
				}
			}
		}
	}
	set_scope("vm");
	RUN(vmm_reads_back_its_own);
	RUN(as_many_entries_as_possible);
	ksft_finished();
}
