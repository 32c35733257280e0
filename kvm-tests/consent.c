// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who decides what a guest is served: the host by its parameters, the VMM by the capability, and
 * by what else it tells its guest.
 *
 * usage: consent
 *
 * Needs kvm.ko's force_emulation_prefix=1.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>

#include "leaf_vm.h"

#define PARAM_FOLD "/sys/module/kvm/parameters/exit_stats_fold"

/* What the VMM asks for: a scope, or nothing */
enum { ASKS_OFF, ASKS_VM, ASKS_HOST, ASKS_NOTHING, NR_ASKS };
static const char * const asks[NR_ASKS] = { "off", "vm", "host", "nothing" };

static const struct {
	const char *policy;
	/* The scope that is served */
	uint32_t served[NR_ASKS];
} rows[] = {
	{ "off", { 0, 0, 0, 0 } },
	{ "vm", { 0, 1, 1, 1 } },
	{ "host", { 0, 1, 2, 2 } },
	{ "ask", { 0, 1, 1, 0 } },
};

/* All leaves follow the model of the scope, or are out of range if it is off. */
static bool is_served(struct leaf_vm *v, uint32_t scope)
{
	static const uint32_t indices[] = { 0, 1, EXIT_REASON_CPUID, 35, 86, ~0u };
	/* Each call sees another policy, which the figures of the last one don't fit. */
	struct leaf_model m = { .scope = scope, .limit = UINT64_MAX };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		struct leaf_regs out_of_range = leaf_vm_cpuid(v, max_basic_leaf(), indices[i]);

		for (uint32_t leaf = LEAF_LOWEST; leaf <= LEAF_HIGHEST; leaf++) {
			struct leaf_regs r = leaf_vm_cpuid(v, leaf, indices[i]);

			m.executed++;
			if (scope ? leaf_check(&m, leaf, indices[i], r, out_of_range) :
				    leaf_regs_equal(r, out_of_range))
				continue;
			ok = false;
			ksft_print_msg("leaf 0x%08x index 0x%08x: eax=%08x ebx=%08x ecx=%08x "
				       "edx=%08x\n", leaf, indices[i], r.eax, r.ebx, r.ecx, r.edx);
		}
	}
	return ok;
}

/* The scope that the VMM asked for holds under each policy that the host then selects. */
static bool narrower_of_hosts_and_vmms_scope_is_served(void)
{
	bool ok = true;

	for (int what = 0; what < NR_ASKS; what++) {
		struct leaf_vmm vmm = { .asks = what != ASKS_NOTHING, .scope = what };
		struct leaf_vm v = leaf_vm_create_by(vmm, LONG_MODE, false, 1);

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			set_scope(rows[i].policy);
			if (is_served(&v, rows[i].served[what]))
				continue;
			ok = false;
			ksft_print_msg("the VMM asks for %s, and the host says %s\n", asks[what],
				       rows[i].policy);
		}
		kvm_vm_free(v.vm);
	}
	return ok;
}

static int ask(struct kvm_vm *vm, uint32_t flags, uint64_t scope)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_EXIT_STATS, .flags = flags, .args = { scope },
	};

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap) ? errno : 0;
}

/* What can be asked for does not depend on the host's policy of the moment. */
static bool unknown_scopes_are_refused(void)
{
	static const uint64_t unknown[] = { 3, 4, 31, 32, 64, 1ull << 32, UINT64_MAX };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvm_vm *vm;

		set_scope(rows[i].policy);
		vm = vm_create_barebones();
		ok &= vm_check_cap(vm, KVM_CAP_X86_EXIT_STATS) == 7;
		for (uint32_t scope = 0; scope < 3; scope++)
			ok &= !ask(vm, 0, scope);
		for (size_t k = 0; k < ARRAY_SIZE(unknown); k++)
			ok &= ask(vm, 0, unknown[k]) == EINVAL;
		ok &= ask(vm, 1, 1) == EINVAL;
		kvm_vm_free(vm);
	}
	return ok;
}

/* Neither once there is a vCPU, nor after it has run */
static bool vmm_asks_before_the_first_vcpu(void)
{
	struct leaf_vmm vmm = { .asks = true, .scope = KVM_EXIT_STATS_SCOPE_VM };
	struct leaf_vm v;
	bool ok = true;

	set_scope("host");
	v = leaf_vm_create_by(vmm, LONG_MODE, false, 1);
	for (int ran = 0; ran < 2; ran++) {
		for (uint32_t scope = 0; scope < 3; scope++)
			ok &= ask(v.vm, 0, scope) == EINVAL;
		ok &= is_served(&v, KVM_EXIT_STATS_SCOPE_VM);
	}
	return ok;
}

static bool what_is_withheld_is_counted(void)
{
	struct leaf_vm v;
	struct figures f;

	set_scope("ask");
	v = leaf_vm_create(LONG_MODE, false, 1, NULL);
	for (int i = 0; i < 100; i++)
		leaf_vm_cpuid(&v, KVM_EXIT_STATS_LEAF_EXITS, 0);
	vm_stats(v.vm, &f);
	return f.exits[EXIT_REASON_CPUID] == 100 && f.cycles[EXIT_REASON_CPUID] > 100;
}

/* Not even if the VMM asked: there are no leaves of a hypervisor's where there is none. */
static bool no_leaves_without_a_hypervisor(void)
{
	bool ok = true;

	for (int emulated = 0; emulated < 2; emulated++) {
		struct leaf_vmm vmm = { .hides_hypervisor = true, .asks = true };
		struct leaf_vm v;

		set_scope("host");
		vmm.scope = KVM_EXIT_STATS_SCOPE_HOST;
		v = leaf_vm_create_by(vmm, LONG_MODE, emulated, 1);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			set_scope(rows[i].policy);
			ok &= is_served(&v, 0);
		}
		kvm_vm_free(v.vm);
	}
	return ok;
}

static bool is_folded(uint32_t reason)
{
	return reason == EXIT_REASON_EXCEPTION_NMI || reason == EXIT_REASON_EXTERNAL_INTERRUPT ||
	       reason == EXIT_REASON_INIT_SIGNAL || reason == 5 || reason == 6 ||
	       reason == EXIT_REASON_MCE_DURING_VMENTRY || reason == EXIT_REASON_PML_FULL;
}

/*
 * What the host causes has no leaf, but the total has it.  All else is as ever.  To be emulated, a
 * CPUID causes an exception.
 */
static bool hosts_reasons_fold_into_the_total(void)
{
	static const struct leaf_regs undefined = { .edx = KVM_EXIT_STATS_UNDEFINED };
	uint64_t told = 0, folded, total;
	bool ok = true;
	struct leaf_vm v;
	struct figures f;

	set_scope("vm");
	oracle_write(PARAM_FOLD, "Y");
	v = leaf_vm_create(LONG_MODE, true, 1, NULL);
	v.requests[0][0] = (struct request){ .leaf = 1, .wbinvds = 100 };
	leaf_vm_run(&v, 0, 1);
	vm_stats(v.vm, &f);
	ok &= f.exits[EXIT_REASON_WBINVD] == 100;

	for (uint32_t reason = 0; reason <= KVM_EXIT_STATS_REASON_MAX; reason++) {
		struct leaf_regs exits = leaf_vm_cpuid(&v, 0x4ffffffe, reason);
		struct leaf_regs cycles = leaf_vm_cpuid(&v, 0x4fffffff, reason);

		if (is_folded(reason) || !sdm_defines(reason)) {
			ok &= leaf_regs_equal(exits, undefined);
			ok &= leaf_regs_equal(cycles, undefined);
			continue;
		}
		ok &= !exits.edx && !cycles.edx && exits_in(exits) >= f.exits[reason] &&
		      cycles_in(cycles) >= f.cycles[reason];
		if (reason != EXIT_REASON_IO_INSTRUCTION)
			told += exits_in(exits);
	}
	folded = v.executed[0] + 1;
	total = exits_in(leaf_vm_cpuid(&v, 0x4ffffffc, 0));
	vm_stats(v.vm, &f);
	/* An OUT ends each run. */
	told += f.exits[EXIT_REASON_IO_INSTRUCTION] - 1;
	ksft_print_msg("%" PRIu64 " exits in all, of reasons that are told %" PRIu64 ", "
		       "%" PRIu64 " exceptions\n", total, told, folded);
	ok &= total >= told + folded && total < f.total_exits;

	/* A running guest follows a change. */
	oracle_write(PARAM_FOLD, "N");
	return ok && exits_in(leaf_vm_cpuid(&v, 0x4ffffffe, EXIT_REASON_EXCEPTION_NMI)) ==
		     f.exits[EXIT_REASON_EXCEPTION_NMI] + 1;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	pin(0);
	ksft_print_header();
	ksft_set_plan(6);
	RUN(narrower_of_hosts_and_vmms_scope_is_served);
	RUN(unknown_scopes_are_refused);
	RUN(vmm_asks_before_the_first_vcpu);
	RUN(what_is_withheld_is_counted);
	RUN(no_leaves_without_a_hypervisor);
	RUN(hosts_reasons_fold_into_the_total);
	set_scope("vm");
	oracle_write(PARAM_FOLD, "N");
	ksft_finished();
}
