/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that systemd keeps.
 *
 * Responsible for: the words in which it is asked. What is kept and why is the
 * caller's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fdstore.h"

static struct fdstore_item *item_of(struct fdstore_item *items, const char *name)
{
	for (; items->name; items++)
		if (strcmp(items->name, name) == 0)
			return items;
	return NULL;
}

void fdstore_take(struct fdstore_item *items)
{
	_cleanup_strv_ char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	if (n < 0)
		log_warning("Cannot take over what systemd kept: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		struct fdstore_item *item = item_of(items, names[i]);
		int fd = SD_LISTEN_FDS_START + i;

		if (item && item->fd < 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0) {
			item->fd = fd;
			continue;
		}
		close(fd);
		if (!item)
			fdstore_remove(names[i]);
	}
}

void fdstore_put(const char *name, int fd)
{
	char text[64];
	int r;

	fdstore_remove(name);
	/* FDPOLL=0: a netlink socket that lost messages has an error, for which
	 * systemd would throw it away. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	r = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
	if (r < 0)
		log_warning("systemd cannot keep '%s' for the time of a restart: %s", name, strerror(-r));
}

void fdstore_remove(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}
