/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that systemd keeps while hotplugd is restarted
 * (sd_pid_notify_with_fds(3), FileDescriptorStoreMax=). Outside of systemd
 * there is no store: nothing is kept, and nothing fails.
 */
#ifndef HOTPLUGD_FDSTORE_H
#define HOTPLUGD_FDSTORE_H

struct fdstore_item {
	const char *name; /* NULL: the end */
	int fd;           /* -1: nothing is kept under this name */
};

/* Takes over what was kept under these names, close-on-exec; each @fd is -1 before.
 * Others are closed and forgotten. Once, at the start. */
void fdstore_take(struct fdstore_item *items);

/* Has @fd kept as @name, in place of what was kept so before. The caller keeps
 * its own, too. */
void fdstore_put(const char *name, int fd);

/* What is kept as @name is to be closed. */
void fdstore_remove(const char *name);

#endif
