/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration means to the daemon's parts. */
#ifndef HOTPLUGD_MANAGER_SETTINGS_H
#define HOTPLUGD_MANAGER_SETTINGS_H

#include "manager.h"

/* Reads the configuration into m->settings, before there are other parts. What
 * is wrong in it is logged; without memory the defaults hold. */
void manager_settings_init(struct manager *m);

/* Reads it again and lets all parts go by it. Jobs under way keep the times of
 * the step they are in. */
void manager_settings_reload(struct manager *m);

/* Jobs may have ended on ports that a reload wants to give back. */
void manager_settings_settle(struct manager *m);

/* Whether Adopt= wants the slots of @port, going by the names of those that are
 * known. */
bool manager_settings_adopts(struct manager *m, const char *port);

#endif
