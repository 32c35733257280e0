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
	const uint32_t indices[] = {
		0, 1, reasons_of(oracle_isa())->cpuid, 35, 86, 0xa8, 0x404, ~0u
	};
	/* Each call sees another policy, which the figures of the last one don't fit. */
	struct leaf_model m = { .isa = oracle_isa(), .scope = scope, .limit = UINT64_MAX };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		struct leaf_regs out_of_range = leaf_vm_out_of_range(v, indices[i]);

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
	static const uint64_t unknown[] = {
		3, 4, 31, 32, 64, 0x103, 0x200, 1ull << 32, UINT64_MAX
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvm_vm *vm;

		set_scope(rows[i].policy);
		vm = vm_create_barebones();
		ok &= vm_check_cap(vm, KVM_CAP_X86_EXIT_STATS) == 0x107;
		for (uint32_t scope = 0; scope < 3; scope++)
			ok &= !ask(vm, 0, scope) && !ask(vm, 0, 0x100 | scope);
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
	const uint32_t own = reasons_of(oracle_isa())->cpuid;
	struct leaf_vm v;
	struct figures f;

	set_scope("ask");
	v = leaf_vm_create(LONG_MODE, false, 1, NULL);
	for (int i = 0; i < 100; i++)
		leaf_vm_cpuid(&v, KVM_EXIT_STATS_LEAF_EXITS, 0);
	vm_stats(v.vm, &f);
	return f.exits[own] == 100 && f.cycles[own] > 100;
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

/* While it spins, a guest is interrupted by several ticks of the host's timer. */
#define SPINS 10000000
#define RFLAGS_IF 0x200

/*
 * What the host causes has no leaf, but the total has it.  All else is as ever.  To be emulated, a
 * CPUID causes an exception, which VMX counts as it does NMIs.
 */
static bool hosts_reasons_fold_into_the_total(void)
{
	static const struct leaf_regs undefined = { .edx = KVM_EXIT_STATS_UNDEFINED };
	const struct reasons *reasons = reasons_of(oracle_isa());
	uint64_t told = 0, emulated, interrupts, total;
	struct kvm_regs regs;
	bool ok = true;
	struct leaf_vm v;
	struct figures f;

	set_scope("vm");
	oracle_write(PARAM_FOLD, "Y");
	v = leaf_vm_create(LONG_MODE, true, 1, NULL);
	/* Bochs interrupts no guest that has just been entered and does not let interrupts in. */
	vcpu_regs_get(v.vcpu[0], &regs);
	regs.rflags |= RFLAGS_IF;
	vcpu_regs_set(v.vcpu[0], &regs);
	v.requests[0][0] = (struct request){ .leaf = 1, .wbinvds = 100, .spins = SPINS };
	leaf_vm_run(&v, 0, 1);
	vm_stats(v.vm, &f);
	interrupts = f.exits[reasons->interrupt];
	ok &= f.exits[reasons->wbinvd] == 100 && interrupts;

	for (uint32_t slot = 0; slot < NR_REASONS; slot++) {
		uint32_t reason = nth_reason(slot);
		struct leaf_regs exits = leaf_vm_cpuid(&v, 0x4ffffffe, reason);
		struct leaf_regs cycles = leaf_vm_cpuid(&v, 0x4fffffff, reason);

		if (host_may_cause(oracle_isa(), reason) || !isa_defines(oracle_isa(), reason)) {
			ok &= leaf_regs_equal(exits, undefined);
			ok &= leaf_regs_equal(cycles, undefined);
			continue;
		}
		ok &= !exits.edx && !cycles.edx && exits_in(exits) >= f.exits[slot] &&
		      cycles_in(cycles) >= f.cycles[slot];
		if (reason != reasons->io && reason != reasons->emulated)
			told += exits_in(exits);
	}
	emulated = v.executed[0] + 1;
	total = exits_in(leaf_vm_cpuid(&v, 0x4ffffffc, 0));
	vm_stats(v.vm, &f);
	/* An OUT ends each run. */
	told += f.exits[reasons->io] - 1;
	ksft_print_msg("%" PRIu64 " exits in all, of reasons that are told %" PRIu64 ", "
		       "%" PRIu64 " exceptions, %" PRIu64 " interrupts\n", total, told, emulated,
		       interrupts);
	ok &= total >= told + emulated + interrupts && total < f.total_exits;

	/* A running guest follows a change. */
	oracle_write(PARAM_FOLD, "N");
	return ok && exits_in(leaf_vm_cpuid(&v, 0x4ffffffe, reasons->emulated)) ==
		     f.exits[reasons->emulated] + 1 &&
	       exits_in(leaf_vm_cpuid(&v, 0x4ffffffe, reasons->interrupt)) >= interrupts;
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
