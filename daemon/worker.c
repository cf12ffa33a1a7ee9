/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hotplugd-worker: writes to sysfs, for the daemon.
 *
 * Responsible for: the writes that may sit in the kernel for as long as a
 * driver likes, and reads that have to wait for them. Does one list at a time, in order, until one fails;
 * decides nothing. When the daemon is gone it finishes what it does and ends.
 * The wire is described in worker-link.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker-link.h"

/* Nothing outside of PCI's part of sysfs is written, whatever is asked for. */
#define ALLOWED "/sys/bus/pci/"

static int write_file(const char *path, const char *value)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (strncmp(path, ALLOWED, strlen(ALLOWED)) != 0 || strstr(path, ".."))
		return EPERM;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno;
	n = write(fd, value, strlen(value));
	if (n < 0)
		return errno;
	return (size_t)n == strlen(value) ? 0 : EIO;
}

/* Whether a file says @value, or nothing, because it is not there. */
static bool says(const char *path, const char *value)
{
	char text[256];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (strncmp(path, ALLOWED, strlen(ALLOWED)) != 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return true;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, value) == 0;
}

/* The file was not there, or went between its opening and the write. */
static bool is_gone(int error)
{
	return error == ENOENT || error == ENODEV;
}

/* Does the lines of @request. Returns 0 or an errno, with *ret_path what failed. */
static int run(char *request, const char **ret_path)
{
	bool skip = false;
	char *save = NULL;

	for (char *line = strtok_r(request, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '\t'), *value = path ? strchr(path + 1, '\t') : NULL;
		int error;

		if (!value)
			return EBADMSG;
		*path++ = '\0';
		*value++ = '\0';
		*ret_path = path;
		if (line[0] == '=' || line[0] == '?') {
			skip = !says(path, value) && line[0] == '=';
			continue;
		}
		if (skip) {
			skip = false;
			continue;
		}
		error = write_file(path, value);
		if (is_gone(error) && line[0] == '-')
			continue; /* which is what was wanted */
		if (error)
			return error;
	}
	return 0;
}

int main(void)
{
	static char request[WORKER_MESSAGE_MAX + 1], answer[512];
	ssize_t n;

	prctl(PR_SET_NAME, "hotplugd-worker");
	/* systemd stops the daemon; a write that has begun is finished. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);

	for (;;) {
		const char *path = "";
		int error;

		n = recv(WORKER_FD, request, WORKER_MESSAGE_MAX, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : 1;
		request[n] = '\0';
		error = run(request, &path);
		if (error)
			snprintf(answer, sizeof(answer), "%d writing %s: %s", error, path, strerror(error));
		else
			snprintf(answer, sizeof(answer), "0");
		if (send(WORKER_FD, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			return 0; /* nobody there to be told */
	}
}
