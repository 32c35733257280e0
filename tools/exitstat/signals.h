/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The signals that end a program, for what has to be put in order before.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * Block those that would end this process; *signals has them, and *before what was blocked
 * already.  Not among them are the latter, and signals that are ignored, e.g. because of nohup.
 * An error of the program itself ends it all the same.
 */
void signals_block(sigset_t *signals, sigset_t *before);

/* Did this program cause it, by writing into a pipe that nobody reads, or too much? */
bool signals_is_own_write(const siginfo_t *info);

/*
 * Block what was blocked before.  What is pending ends this process, unless it is due to its
 * own writes, whose errors are reported.
 */
void signals_restore(const sigset_t *before);

/* End by this signal, which is blocked, as if it had not been.  Returns only in process 1. */
void signals_end_by(int signal);

#endif /* SIGNALS_H */
