// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The polkit agent that asks for a password on this terminal.
 *
 * Responsible for: the child process and its end. Knows nothing of the bus:
 * the agent registers itself with polkit, for this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "util.h"

#define PKTTYAGENT "/usr/bin/pkttyagent"
/* How long the agent may take to register before we go on without it. On a slow
 * machine that starts polkit for this, five seconds are too few. */
#define REGISTER_MSEC 30000

static pid_t agent_pid = -1;

static void run_agent(int notify_fd, pid_t parent)
{
	_cleanup_free_ char *number = xasprintf("%d", notify_fd);
	sigset_t none;
	int tty;

	/* Goes with hpctl, also if that is killed. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Asks on the terminal even if hpctl's output goes elsewhere. */
	tty = open("/dev/tty", O_RDWR | O_NOCTTY);
	if (tty < 0 || dup2(tty, STDIN_FILENO) < 0 || dup2(tty, STDOUT_FILENO) < 0 || dup2(tty, STDERR_FILENO) < 0)
		_exit(EXIT_FAILURE);
	execl(PKTTYAGENT, "pkttyagent", "--notify-fd", number, "--fallback", (char *)NULL);
	_exit(EXIT_FAILURE);
}

void agent_start(const struct options *o)
{
	int fds[2], flags;
	pid_t parent = getpid();

	if (!o->ask_password || geteuid() == 0 || !isatty(STDIN_FILENO) || access(PKTTYAGENT, X_OK) < 0)
		return;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	agent_pid = fork();
	if (agent_pid == 0) {
		/* The only descriptor that the agent shall get from us. */
		flags = fcntl(fds[1], F_GETFD);
		if (flags < 0 || fcntl(fds[1], F_SETFD, flags & ~FD_CLOEXEC) < 0)
			_exit(EXIT_FAILURE);
		run_agent(fds[1], parent);
	}
	close(fds[1]);
	if (agent_pid > 0) {
		/* The agent closes its end when it is registered, or has failed. */
		struct pollfd p = { .fd = fds[0], .events = POLLHUP };

		while (poll(&p, 1, REGISTER_MSEC) < 0 && errno == EINTR)
			;
	}
	close(fds[0]);
}

void agent_stop(void)
{
	if (agent_pid <= 0)
		return;
	/* SIGCONT: it may have been stopped for touching the terminal. */
	kill(agent_pid, SIGTERM);
	kill(agent_pid, SIGCONT);
	while (waitpid(agent_pid, NULL, 0) < 0 && errno == EINTR)
		;
	agent_pid = -1;
}
