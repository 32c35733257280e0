/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the command that is measured.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/*
 * Run it to its end; *status is what a shell would report.  If it can't be started, print
 * why and return false.
 */
bool command_run(char **command, int *status);

#endif /* COMMAND_H */
