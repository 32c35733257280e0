/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit reasons: their names, which are the kernel's, and which ones to ask for.
 * An isa is one of KVM_EXIT_STATS_ISA_*.
 */
#ifndef REASONS_H
#define REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limits: number of reasons, length of a name */
#define REASONS_MAX 512
#define REASON_NAME_MAX 32

bool reasons_known(unsigned int isa);

/* All reasons that may be defined; reading one tells. */
size_t reasons_list(unsigned int isa, uint32_t reasons[static REASONS_MAX]);

/* The kernel's name, or REASON_<number> if it has none */
void reason_name(unsigned int isa, uint32_t reason, char name[static REASON_NAME_MAX]);

/* Find by name, in upper or lower case, or by number.  The text has len characters. */
bool reason_find(unsigned int isa, const char *text, size_t len, uint32_t *reason);

/* The exit reason of CPUID */
uint32_t reason_of_cpuid(unsigned int isa);

#endif /* REASONS_H */
