/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs the command that is measured.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/*
 * Returns when it has ended, with what a shell would make of its status.  Returns
 * false, having said why, if it could not be started.
 */
bool command_run(char **command, int *status);

#endif /* COMMAND_H */
