/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The signals that end a program, for what has to be put in order before.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>

/*
 * Block those that would end this process; *signals has them, and *before what was blocked
 * already.  Not among them are signals that are ignored, e.g. because of nohup, and those that
 * report errors of the program itself.
 */
void signals_block(sigset_t *signals, sigset_t *before);

/* End by this signal, which is blocked, as if it had not been. */
void signals_end_by(int signal);

#endif /* SIGNALS_H */
