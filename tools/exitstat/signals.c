// SPDX-License-Identifier: GPL-2.0-only
#include "signals.h"

#include <stddef.h>
#include <unistd.h>

/* Those that don't end a process, or can't be blocked: signal(7) */
static bool stays(int signal)
{
	switch (signal) {
	case SIGKILL: case SIGSTOP:
	case SIGTSTP: case SIGTTIN: case SIGTTOU: case SIGCONT:
	case SIGCHLD: case SIGURG: case SIGWINCH:
		return true;
	default:
		return false;
	}
}

void signals_block(sigset_t *signals, sigset_t *before)
{
	sigprocmask(SIG_BLOCK, NULL, before);
	sigemptyset(signals);
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		struct sigaction action;

		if (!stays(signal) && !sigismember(before, signal) &&
		    !sigaction(signal, NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(signals, signal);
	}
	sigprocmask(SIG_BLOCK, signals, NULL);
}

bool signals_is_own_write(const siginfo_t *info)
{
	return (info->si_signo == SIGPIPE || info->si_signo == SIGXFSZ) &&
	       info->si_pid == getpid();
}

void signals_restore(const sigset_t *before)
{
	/* This also discards them. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigprocmask(SIG_SETMASK, before, NULL);
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
