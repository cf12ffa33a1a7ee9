/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.hotplugd1.Slot on the bus. */
#ifndef HOTPLUGD_SLOT_DBUS_H
#define HOTPLUGD_SLOT_DBUS_H

#include "manager.h"

/* Puts the slot objects on the bus. */
int slot_dbus_register(struct manager *m);

/* A slot came (InterfacesAdded) or goes (InterfacesRemoved). */
void slot_dbus_added(struct slot *s);
void slot_dbus_removed(struct slot *s);

/* Emits PropertiesChanged for slots marked as changed: what differs from what was
 * told last. */
void slot_dbus_tell_changes(struct manager *m);

#endif
