/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.hotplugd1.Manager on the bus. */
#ifndef HOTPLUGD_MANAGER_DBUS_H
#define HOTPLUGD_MANAGER_DBUS_H

#include "manager.h"

/* Puts manager, slots and jobs on the bus and asks for the name. */
int manager_dbus_register(struct manager *m);

/* The slot a call is about: the object it is made on, or its first argument, which
 * is read. Returns 0 or a negative errno with @error set. */
int manager_dbus_call_slot(struct manager *m, sd_bus_message *call, struct slot **ret, sd_bus_error *error);

/*
 * Method handlers: Eject, Insert, Replace or Rescan, called on the manager (first argument: the
 * name of a slot) or on a slot object; and cancel of job @id (0: no such job).
 * Return as sd-bus method handlers do.
 */
int manager_dbus_request(struct manager *m, sd_bus_message *call, sd_bus_error *error);
int manager_dbus_cancel(struct manager *m, sd_bus_message *call, uint32_t id, sd_bus_error *error);

/* Signals. */
void manager_dbus_slot_event(struct manager *m, struct slot *s, const char *event, enum verdict verdict);
void manager_dbus_shim_changed(struct manager *m);

#endif
