/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's socket, without ever waiting for who reads it: libsystemd's
 * sd_journal_send() waits, for as long as journald likes.
 */
#ifndef HOTPLUGD_JOURNAL_SOCKET_H
#define HOTPLUGD_JOURNAL_SOCKET_H

#include <stddef.h>
#include <sys/uio.h>

/*
 * Sends an entry. Each of @fields is "NAME=value", as for sd_journal_sendv(3);
 * SYSLOG_IDENTIFIER= is added. What the journal does not take at once is dropped and
 * counted, and how many that were is told ahead of the next entry that it takes.
 */
void journal_socket_send(const struct iovec *fields, size_t n);

/* Another socket; for tests. */
void journal_socket_set_path(const char *path);

#endif
