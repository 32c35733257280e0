// SPDX-License-Identifier: GPL-2.0-only
#include "command.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

/* What the terminal sends at Ctrl-C and Ctrl-\: the command gets it, too. */
static bool from_terminal(const siginfo_t *info)
{
	return info->si_code == SI_KERNEL &&
	       (info->si_signo == SIGINT || info->si_signo == SIGQUIT);
}

/*
 * A signal that would end exitstat is meant for the command.  All of them are blocked, so wait
 * for them and for SIGCHLD; no handler is needed.
 */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0)
		if (sigwaitinfo(signals, &info) > 0 && info.si_signo != SIGCHLD &&
		    !from_terminal(&info))
			kill(pid, info.si_signo);
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

bool command_run(char **command, const sigset_t *signals, const sigset_t *mask, int *status)
{
	const struct timespec now = {};
	sigset_t awaited = *signals;
	posix_spawnattr_t attr;
	pid_t pid;
	int error;

	/* One that has come before the command is this program's: leave it pending. */
	*status = sigtimedwait(signals, NULL, &now);
	if (*status > 0) {
		raise(*status);
		*status += STATUS_SIGNAL;
		return false;
	}

	sigaddset(&awaited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
	/* Some parents ignore it, and then there is no status to wait for. */
	signal(SIGCHLD, SIG_DFL);

	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, mask);
	error = posix_spawnp(&pid, command[0], NULL, &attr, command, environ);
	posix_spawnattr_destroy(&attr);
	if (error) {
		fprintf(stderr, "exitstat: %s: %s\n", command[0], strerror(error));
		*status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXECUTE;
		return false;
	}
	*status = wait_for(pid, &awaited);
	return true;
}
