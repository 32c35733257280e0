/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exit reasons: their names, which are the kernel's, and which ones to ask for.
 * An isa is one of KVM_EXIT_STATS_ISA_*.
 */
#ifndef REASONS_H
#define REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No more than this many reasons are asked for, and no name is longer. */
#define REASONS_MAX 512
#define REASON_NAME_MAX 32

bool reasons_known(unsigned int isa);

/* All that may be defined: asking for one tells. */
size_t reasons_list(unsigned int isa, uint32_t reasons[static REASONS_MAX]);

/* The kernel's name, or REASON_<number> where it has none. */
void reason_name(unsigned int isa, uint32_t reason, char name[static REASON_NAME_MAX]);

/* By name, in upper or lower case, or by number; the text is len characters long. */
bool reason_find(unsigned int isa, const char *text, size_t len, uint32_t *reason);

/* What CPUID exits with. */
uint32_t reason_of_cpuid(unsigned int isa);

#endif /* REASONS_H */
