// SPDX-License-Identifier: GPL-2.0-only
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"

/*
 * A signal that ends exitstat is meant for the command.  A terminal sends its signals to
 * both, so leave these to the command, and pass on others.  Block all of them and wait
 * for them, so that no handler is needed.
 */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		int signal = sigwaitinfo(signals, NULL);

		if (signal == SIGTERM || signal == SIGHUP)
			kill(pid, signal);
	}
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

bool command_run(char **command, int *status)
{
	sigset_t signals, before;
	posix_spawnattr_t attr;
	pid_t pid;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);
	/* Some parents ignore it, and then there is no status to wait for. */
	signal(SIGCHLD, SIG_DFL);

	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &before);
	error = posix_spawnp(&pid, command[0], NULL, &attr, command, environ);
	posix_spawnattr_destroy(&attr);
	if (error) {
		fprintf(stderr, "exitstat: %s: %s\n", command[0], strerror(error));
		*status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXECUTE;
	} else {
		*status = wait_for(pid, &signals);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return !error;
}
