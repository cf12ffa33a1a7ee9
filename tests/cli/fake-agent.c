// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * In the place of cli/agent.c: an agent that asks nobody, and a user who is not root.
 *
 * Responsible for: saying on the terminal when it begins and ends. As the real one it is
 * a process in the terminal's foreground, which Ctrl-C ends.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

static pid_t pid;

uid_t geteuid(void)
{
	return 1000;
}

void agent_start(const struct options *o)
{
	sigset_t none;

	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		alarm(60);
		pause();
		_exit(0);
	}
	printf("[agent begins]\n");
	fflush(stdout);
}

void agent_stop(void)
{
	int status = 0;

	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	pid = 0;
	printf("[agent ends: %d]\n", WTERMSIG(status));
	fflush(stdout);
}
