// SPDX-License-Identifier: GPL-2.0-only
/*
 * For builds without ncurses.
 */
#include "live.h"

#include <stdio.h>

int live_run(struct watch *watch, const struct options *options)
{
	(void)watch;
	(void)options;
	fputs("exitstat: -t is not in this build, which is one without ncurses\n", stderr);
	return STATUS_ERROR;
}
