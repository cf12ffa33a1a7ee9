/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports that the shim could not take: tried some times, then left to their driver. */
#ifndef HOTPLUGD_ADOPTION_H
#define HOTPLUGD_ADOPTION_H

#include <stdbool.h>

struct manager;

/* An adoption has failed; says so, and when it is not tried again. @why is a sentence. */
void adoption_failed(struct manager *m, const char *port, const char *why);

/* Whether it has failed too often to be tried again by itself. */
bool adoption_given_up(const struct manager *m, const char *port);

/* A port that is new, was taken, or is asked for by hand: it has not failed yet.
 * NULL: so are all. */
void adoption_forget(struct manager *m, const char *port);

#endif
