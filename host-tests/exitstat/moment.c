// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tools/exitstat/machine.c finds on this machine: vCPUs online and present, and whole seconds
 * since boot.
 */
#include <stdio.h>

#include "machine.h"

int main(void)
{
	struct moment moment = machine_now();

	return printf("%u %u %.0f\n", moment.online, moment.present, moment.uptime) < 0;
}
