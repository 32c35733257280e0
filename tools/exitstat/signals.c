// SPDX-License-Identifier: GPL-2.0-only
#include "signals.h"

#include <stdbool.h>
#include <stddef.h>

/* Those that don't end a process, or can't be blocked, or are errors: signal(7) */
static bool stays(int signal)
{
	switch (signal) {
	case SIGKILL: case SIGSTOP:
	case SIGTSTP: case SIGTTIN: case SIGTTOU: case SIGCONT:
	case SIGCHLD: case SIGURG: case SIGWINCH:
	case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP: case SIGSYS:
	case SIGABRT:
		return true;
	default:
		return false;
	}
}

void signals_block(sigset_t *signals, sigset_t *before)
{
	sigemptyset(signals);
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		struct sigaction action;

		if (!stays(signal) && !sigaction(signal, NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			sigaddset(signals, signal);
	}
	sigprocmask(SIG_BLOCK, signals, before);
}

void signals_end_by(int number)
{
	sigset_t only;

	signal(number, SIG_DFL);
	raise(number);
	sigemptyset(&only);
	sigaddset(&only, number);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
}
