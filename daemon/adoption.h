/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports that the shim could not take, or is not to: left to their driver. */
#ifndef HOTPLUGD_ADOPTION_H
#define HOTPLUGD_ADOPTION_H

#include <stdbool.h>

struct manager;

/* An adoption has failed; says so, and when it is not tried again. @why is a sentence. */
void adoption_failed(struct manager *m, const char *port, const char *why);

/* The configuration does not want it, so it is given back. While its slot goes from one
 * driver to the other nobody knows the slot's name, which the configuration may go by. */
void adoption_unwanted(struct manager *m, const char *port);

/* Whether it is unwanted, or has failed too often, to be tried again by itself. */
bool adoption_given_up(const struct manager *m, const char *port);

/* A port that is new, was taken, or is asked for by hand: it has not failed yet.
 * NULL: so are all. */
void adoption_forget(struct manager *m, const char *port);

#endif
