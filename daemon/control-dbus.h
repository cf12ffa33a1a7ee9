/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people set on a slot, on the bus: hold, locate, and who drives it. */
#ifndef HOTPLUGD_CONTROL_DBUS_H
#define HOTPLUGD_CONTROL_DBUS_H

#include "manager.h"

/* Method handler of Hold, Unhold, Locate, Adopt and Release, called on the manager
 * (first argument: the name of a slot) or on a slot object. */
int control_dbus_call(struct manager *m, sd_bus_message *call, sd_bus_error *error);

/* A port is adopted or released, or that failed (@error, a negative errno, and
 * @report, a sentence or ""): answers who waits with @cookie. */
void control_dbus_op_done(struct manager *m, uint64_t cookie, int error, const char *report);

/* Answers of the shim may be lost: asks again for what callers wait for. */
void control_dbus_ask_again(struct manager *m);

/* The shim is gone, or we are: answers all who wait for it. */
void control_dbus_shim_lost(struct manager *m);

#endif
