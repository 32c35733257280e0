/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest tests share.
 */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "leaf_model.h"
#include "libexitstat.h"

static inline bool regs_equal(struct exitstat_regs a, struct exitstat_regs b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static inline void print_regs(const char *what, uint32_t leaf, uint32_t index,
			      struct exitstat_regs r)
{
	ksft_print_msg("%s: leaf 0x%08x index 0x%08x: eax=%08x ebx=%08x ecx=%08x edx=%08x\n",
		       what, leaf, index, r.eax, r.ebx, r.ecx, r.edx);
}

/* Whose exit reasons the host says they are */
static inline enum isa isa_here(void)
{
	return exitstat_cpuid(KVM_EXIT_STATS_LEAF_SIGNATURE, 0).eax >> KVM_EXIT_STATS_ISA_SHIFT &
	       0xff;
}

/* Run a case, which itself prints why it fails. */
#define run_case(fn, ...) ksft_test_result(fn(__VA_ARGS__), "%s\n", #fn)

#endif /* GUEST_TEST_H */
