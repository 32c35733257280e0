// SPDX-License-Identifier: GPL-2.0
/*
 * The exit reasons of each ISA: which are defined, where each is counted, which
 * ones the host causes, and their names
 */
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/tracepoint-defs.h>

#include <asm/svm.h>
#include <asm/vmx.h>

#include "exit_stats.h"

/*
 * The SDM skips the numbers in between.  VMX_EXIT_REASONS can't tell: it also
 * lacks reasons that the SDM defines.
 */
static const struct kvm_exit_stats_range vmx_defined[] = {
	{  0, 34,  0 },
	{ 36, 37, 36 },
	{ 39, 41, 39 },
	{ 43, 70, 43 },
	{ 72, 81, 72 },
	{ 84, KVM_EXIT_STATS_VMX_REASON_MAX, 84 },
};

/* Codes that are dense are defined whether or not they have a name. */
#define SVM_NR_DIRECT	0xa8
static const struct kvm_exit_stats_range svm_defined[] = {
	/* First, as each NPF is looked up here when it is counted */
	{ SVM_EXIT_NPF, SVM_EXIT_NPF + 3, SVM_NR_DIRECT },
	{ 0, SVM_NR_DIRECT - 1, 0 },
	{ (u32)SVM_EXIT_ERR, (u32)SVM_EXIT_ERR, SVM_NR_DIRECT + 4 },
};

/*
 * EXCEPTION_NMI can be either's: the host's NMIs, for its watchdog or perf, and
 * the guest's exceptions.
 */
static const u32 vmx_of_host[] = {
	EXIT_REASON_EXCEPTION_NMI,
	EXIT_REASON_EXTERNAL_INTERRUPT,
	EXIT_REASON_INIT_SIGNAL,
	5,	/* I/O SMI, without a name in the uapi */
	6,	/* other SMI, without a name in older ones */
	EXIT_REASON_MCE_DURING_VMENTRY,
	EXIT_REASON_PML_FULL,
};

/* Here, the host's NMIs are no exceptions. */
static const u32 svm_of_host[] = {
	SVM_EXIT_EXCP_BASE + MC_VECTOR,
	SVM_EXIT_INTR,
	SVM_EXIT_NMI,
	SVM_EXIT_SMI,
	SVM_EXIT_INIT,
};

static const struct trace_print_flags vmx_names[] = { VMX_EXIT_REASONS };
static const struct trace_print_flags svm_names[] = { SVM_EXIT_REASONS };

#define VMX_OTHER	(KVM_EXIT_STATS_VMX_REASON_MAX + 1)
static_assert(VMX_OTHER < KVM_EXIT_STATS_NR_SLOTS);

#define SVM_OTHER	(SVM_NR_DIRECT + 5)
static_assert(SVM_OTHER < KVM_EXIT_STATS_NR_SLOTS);

static const struct kvm_exit_stats_isa kvm_exit_stats_isas[] = {
	{
		.id		= KVM_EXIT_STATS_ISA_VMX,
		.name		= "vmx",
		.mask		= 0xffff,
		.nr_direct	= VMX_OTHER,
		.other		= VMX_OTHER,
		.defined	= vmx_defined,
		.nr_defined	= ARRAY_SIZE(vmx_defined),
		.of_host	= vmx_of_host,
		.nr_of_host	= ARRAY_SIZE(vmx_of_host),
		.names		= vmx_names,
		.nr_names	= ARRAY_SIZE(vmx_names),
	},
	{
		.id		= KVM_EXIT_STATS_ISA_SVM,
		.name		= "svm",
		.mask		= 0xffffffff,
		.nr_direct	= SVM_NR_DIRECT,
		.other		= SVM_OTHER,
		.defined	= svm_defined,
		.nr_defined	= ARRAY_SIZE(svm_defined),
		.of_host	= svm_of_host,
		.nr_of_host	= ARRAY_SIZE(svm_of_host),
		.names		= svm_names,
		.nr_names	= ARRAY_SIZE(svm_names),
	},
};

const struct kvm_exit_stats_isa *kvm_exit_stats_find_isa(u32 id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kvm_exit_stats_isas); i++) {
		if (kvm_exit_stats_isas[i].id == id)
			return &kvm_exit_stats_isas[i];
	}

	return NULL;
}

/* Of a reason that isn't defined, it is the last slot. */
u32 kvm_exit_stats_slot_of(const struct kvm_exit_stats_isa *isa, u32 reason)
{
	const struct kvm_exit_stats_range *range;
	unsigned int i;

	for (i = 0; i < isa->nr_defined; i++) {
		range = &isa->defined[i];
		if (reason >= range->first && reason <= range->last)
			return range->slot + (reason - range->first);
	}

	return isa->other;
}

/* Of a slot for reasons that aren't defined, it is the slot. */
u32 kvm_exit_stats_reason_of(const struct kvm_exit_stats_isa *isa, u32 slot)
{
	const struct kvm_exit_stats_range *range;
	unsigned int i;

	for (i = 0; i < isa->nr_defined; i++) {
		range = &isa->defined[i];
		if (slot >= range->slot &&
		    slot - range->slot <= range->last - range->first)
			return range->first + (slot - range->slot);
	}

	return slot;
}

/* NULL if the uapi has no name for the reason. */
const char *kvm_exit_stats_name_of(const struct kvm_exit_stats_isa *isa,
				   u32 reason)
{
	unsigned int i;

	for (i = 0; i < isa->nr_names; i++) {
		if ((u32)isa->names[i].mask == reason)
			return isa->names[i].name;
	}

	return NULL;
}

bool kvm_exit_stats_is_of_host(const struct kvm_exit_stats_isa *isa, u32 reason)
{
	unsigned int i;

	for (i = 0; i < isa->nr_of_host; i++) {
		if (isa->of_host[i] == reason)
			return true;
	}

	return false;
}
