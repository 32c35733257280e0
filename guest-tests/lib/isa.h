/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit reasons of VMX and of SVM, as far as tests need them: which are defined, by a list that
 * is not KVM's, and those that tests cause.
 *
 * Source: SDM volume 3, appendix C, and APM volume 2, appendix C.
 */
#ifndef ISA_H
#define ISA_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm_exit_stats.h"

enum isa { VMX = KVM_EXIT_STATS_ISA_VMX, SVM = KVM_EXIT_STATS_ISA_SVM };

/* All reasons below 256, and those above that either ISA defines */
#define NR_REASONS 261

static inline uint32_t nth_reason(uint32_t n)
{
	return n < 256 ? n : n < 260 ? 0x400 + n - 256 : 0xffffffff;
}

/* Its inverse; only for reasons that are defined */
static inline uint32_t reason_slot(uint32_t reason)
{
	return reason < 256 ? reason : reason == 0xffffffff ? 260 : reason - 0x400 + 256;
}

/* Each is its own slot. */
struct reasons {
	uint32_t cpuid, io, msr_write, hlt, wbinvd, invd, interrupt;
	/* What KVM's forced emulation prefix exits for: an exception, #UD */
	uint32_t emulated;
};

static inline const struct reasons *reasons_of(enum isa isa)
{
	static const struct reasons vmx = { 10, 30, 32, 12, 54, 13, 1, 0 };
	static const struct reasons svm = { 0x72, 0x7b, 0x7c, 0x78, 0x89, 0x76, 0x60, 0x46 };

	return isa == SVM ? &svm : &vmx;
}

static inline bool isa_defines(enum isa isa, uint32_t reason)
{
	if (isa == SVM)
		return reason <= 0xa7 || (reason >= 0x400 && reason <= 0x403) ||
		       reason == 0xffffffff;
	return reason <= 85 && reason != 35 && reason != 38 && reason != 42 &&
	       reason != 71 && reason != 82 && reason != 83;
}

/*
 * VMX: SMIs, GETSEC, RSM, SPP, SEAMCALL, TDCALL.  SVM: CR2, the registers of tables and tasks,
 * PUSHF, POPF, INT n.  KVM never makes these exit; on SVM, it does so in a guest of the guest
 * whose hypervisor asks for it.
 */
static inline bool kvm_never_enables(enum isa isa, uint32_t reason)
{
	if (isa == SVM)
		return reason == 0x002 || reason == 0x012 || (reason >= 0x66 && reason <= 0x6d) ||
		       reason == 0x70 || reason == 0x71 || reason == 0x75;
	return reason == 5 || reason == 6 || reason == 11 || reason == 17 ||
	       reason == 66 || reason == 76 || reason == 77;
}

/*
 * VMX: exceptions with NMIs, interrupts, INITs, SMIs, machine checks in a VM entry, a full log of
 * modified pages.  SVM: machine checks, interrupts, NMIs, SMIs, INITs.
 */
static inline bool host_may_cause(enum isa isa, uint32_t reason)
{
	if (isa == SVM)
		return reason == 0x052 || (reason >= 0x060 && reason <= 0x063);
	return reason == 0 || reason == 1 || reason == 3 || reason == 5 || reason == 6 ||
	       reason == 41 || reason == 62;
}

#endif /* ISA_H */
