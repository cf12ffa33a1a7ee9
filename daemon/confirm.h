/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After an insert: waits until what came has its drivers.
 */
#ifndef HOTPLUGD_CONFIRM_H
#define HOTPLUGD_CONFIRM_H

#include "manager.h"

/* The slot's bus is about to be scanned: from now on it is noted what gets a driver. 0 or a
 * negative errno. */
int confirm_prepare(struct slot *s);
/* Begins to wait; the answer goes to the engine, at once if there is nothing to wait for. A
 * negative errno means that it has not begun. */
int confirm_start(struct manager *m, struct slot *s, struct job_run *run);
/* The function at @syspath, in slot @s, was bound to its driver. */
void confirm_bound(struct manager *m, struct slot *s, const char *syspath);
/* Devices have changed: all who wait look again. */
void confirm_look(struct manager *m);

#endif
