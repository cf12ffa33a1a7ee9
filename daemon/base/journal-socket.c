/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's socket.
 *
 * Responsible for: as much as is needed of journald's native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), and for counting what was not taken.
 * Never blocks.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/journal-socket.h"

/* As libsystemd does: a kernel stack is to fit in. */
#define SEND_BUFFER (8 * 1024 * 1024)

static struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
static int fd = -1;
static uint64_t dropped;

void journal_socket_set_path(const char *path)
{
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
}

/* A value of several lines has its length in front. */
static void put_field(FILE *f, const char *field, size_t size)
{
	const char *value = memchr(field, '=', size);
	uint64_t length;

	if (!value)
		return;
	if (!memchr(field, '\n', size)) {
		fwrite(field, 1, size, f);
	} else {
		value++;
		length = htole64(size - (size_t)(value - field));
		fwrite(field, 1, (size_t)(value - field) - 1, f);
		fputc('\n', f);
		fwrite(&length, sizeof(length), 1, f);
		fwrite(value, 1, size - (size_t)(value - field), f);
	}
	fputc('\n', f);
}

/* Returns whether the journal has it. */
static bool send_entry(const struct iovec *fields, size_t n)
{
	_cleanup_free_ char *text = NULL;
	static const int size = SEND_BUFFER;
	size_t length = 0;
	FILE *f;

	if (fd < 0) {
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return false;
		/* What does not fit into the usual one is dropped then. */
		if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	f = open_memstream(&text, &length);
	if (!f)
		return false;
	for (size_t i = 0; i < n; i++)
		put_field(f, fields[i].iov_base, fields[i].iov_len);
	fprintf(f, "SYSLOG_IDENTIFIER=%s\n", program_invocation_short_name);
	if (fclose(f) != 0)
		return false;
	/* Not connected: a journald that is restarted may have another socket there. */
	return sendto(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
		      sizeof(address)) == (ssize_t)length;
}

/* Returns whether nothing is left to be told. */
static bool tell_dropped(void)
{
	char message[128], priority[16];
	struct iovec fields[] = { { .iov_base = message }, { .iov_base = priority } };

	if (dropped == 0)
		return true;
	fields[0].iov_len = (size_t)snprintf(message, sizeof(message), "MESSAGE=%" PRIu64 " messages of hotplugd were lost: "
					     "the journal did not take them", dropped);
	fields[1].iov_len = (size_t)snprintf(priority, sizeof(priority), "PRIORITY=%d", LOG_WARNING);
	if (!send_entry(fields, 2))
		return false;
	dropped = 0;
	return true;
}

void journal_socket_send(const struct iovec *fields, size_t n)
{
	if (!tell_dropped() || !send_entry(fields, n))
		dropped++;
}
