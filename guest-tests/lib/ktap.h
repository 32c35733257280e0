/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for test programs, in L1 and in L2: the kernel's own kselftest.h, from the source of the
 * kernel under test, and what that lacks.
 */
#ifndef KTAP_H
#define KTAP_H

#include <stdlib.h>

#include "kselftest.h"

/* As kunit.py reads it: kselftest.h's own leaves out the name. */
static inline void skip(const char *name, const char *why)
{
	ksft_cnt.ksft_xskip++;
	printf("ok %u %s # SKIP %s\n", ksft_test_num(), name, why);
}

/* How many times longer than usual an exit takes on this machine, as its job says */
static inline unsigned int slower(void)
{
	const char *times = getenv("slower");

	return times && atoi(times) > 0 ? atoi(times) : 1;
}

#endif /* KTAP_H */
