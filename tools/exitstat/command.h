/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the command that is measured.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <signal.h>
#include <stdbool.h>

/*
 * Run it to its end; *status is what a shell would report.  Until then, pass on these signals,
 * which are blocked; *mask is what the command has blocked.  If it can't be started, print why
 * and return false; likewise if one of the signals is pending already, which it stays.
 */
bool command_run(char **command, const sigset_t *signals, const sigset_t *mask, int *status);

#endif /* COMMAND_H */
