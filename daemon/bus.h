/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection to the system bus: how it begins and ends. Neither waits for a bus
 * that does not listen.
 */
#ifndef HOTPLUGD_BUS_H
#define HOTPLUGD_BUS_H

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct bus_name;

/* @r is 0 when the name is ours, -EEXIST when another has it and keeps it, or another
 * negative errno. */
typedef void (*bus_name_handler_t)(int r, void *userdata);

int bus_open(sd_bus **ret, sd_event *event);

/* Asks for @name, for some seconds if need be: the bus may not know yet that a daemon
 * before this one has ended. @handler is called once, later. */
int bus_name_new(struct bus_name **ret, sd_bus *bus, const char *name, bus_name_handler_t handler, void *userdata);
struct bus_name *bus_name_free(struct bus_name *n);

/* Sends what is still to be sent, for a second at most, and closes. All that comes
 * meanwhile is lost: whoever would be called is to have left before. */
sd_bus *bus_close(sd_bus *bus);

#endif
