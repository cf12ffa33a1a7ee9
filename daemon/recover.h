/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A restart changes no outcome: what this daemon leaves behind, and what it
 * makes of what another one left. See "After a crash" in docs/architecture.md.
 */
#ifndef HOTPLUGD_RECOVER_H
#define HOTPLUGD_RECOVER_H

#include "manager.h"

/* Names in systemd's store: of the socket to the shim, and of what says that this is a
 * restart. */
#define FDSTORE_SHIM "hpshim"
#define FDSTORE_RESTART "restart"

/* Reads what was left. Without it, or with one that cannot be read, this is a
 * first start. Once there is a worker link. Returns 0, -EEXIST when another daemon
 * is running, or another negative errno; logged. */
int recover_init(struct manager *m);
void recover_free(struct manager *m);

/* Where to go on with the shim. Pointers are the manager's. */
void recover_resume(struct manager *m, struct shim_resume *ret);

/* The slots are known: puts back their jobs. The first call counts. */
void recover_jobs(struct manager *m);

/* What had happened was passed on: acts on what nobody was told of. Looks at
 * slots that are new, or were seen to change. */
void recover_settle(struct manager *m);

/* Writes down what is under way, if that has changed. To be called before
 * anything is done that a restart must not do twice or forget. */
void recover_save(struct manager *m);

#endif
