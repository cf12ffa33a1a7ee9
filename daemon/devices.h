/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the devices of slots are read: they wait, stale, until there is time. */
#ifndef HOTPLUGD_DEVICES_H
#define HOTPLUGD_DEVICES_H

#include "manager.h"

/* Returns 0 or a negative errno. */
int devices_init(struct manager *m);
void devices_free(struct manager *m);

/* Whether the device at @syspath is the slot's port, or below it. */
bool devices_below(const struct slot *s, const char *syspath);

/* Something happened to the device at @syspath, by an action of udev: makes the slot stale
 * if that concerns it. Returns whether it does. */
bool devices_mark(struct slot *s, const char *action, const char *syspath);

/* Whether jobs go forward, so that the drivers of what came are at work: they have the
 * processor first. One whose step takes long holds nothing up. */
bool devices_can_wait(struct manager *m);
/* Reads a slot now if it is stale: somebody asks. Returns whether it was; then the engine
 * is still to be run. */
bool devices_read(struct manager *m, struct slot *s);

/* Reads all stale slots, one after another, when nothing else is to be done. */
void devices_read_all(struct manager *m);

#endif
