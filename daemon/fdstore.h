/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that systemd keeps while hotplugd is restarted
 * (sd_pid_notify_with_fds(3), FileDescriptorStoreMax=). Outside of systemd
 * there is no store: nothing is kept, and nothing fails.
 */
#ifndef HOTPLUGD_FDSTORE_H
#define HOTPLUGD_FDSTORE_H

/* Takes over the descriptor that was kept as @name, close-on-exec; -1 when there
 * is none. Others are closed and forgotten. Once, at the start. */
int fdstore_take(const char *name);

/* Has @fd kept as @name, in place of what was kept so before. The caller keeps
 * its own, too. */
void fdstore_put(const char *name, int fd);

/* What is kept as @name is to be closed. */
void fdstore_remove(const char *name);

#endif
