/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which exit reasons have occurred, so that only those need to be read.
 */
#ifndef OCCURRED_H
#define OCCURRED_H

#include <stddef.h>

#include "machine.h"

/* In groups; none if the host does not tell */
struct occurred {
	size_t n;
	struct exitstat_which groups[8];
};

/* Adds to *reads how many CPUIDs it takes. */
void occurred_read(struct occurred *occurred, enum exitstat_whose whose,
		   const struct exitstat_info *info, unsigned int *reads);

/* Has it, as far as is known? */
bool may_have_occurred(const struct occurred *occurred, uint32_t reason);

#endif /* OCCURRED_H */
