/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can wait until nothing else is to be done, but not for ever: much of it in
 * a row is done once.
 */
#ifndef HOTPLUGD_LATER_H
#define HOTPLUGD_LATER_H

#include <stdint.h>

#include <systemd/sd-event.h>

typedef void (*later_handler_t)(void *userdata);

struct later;

/*
 * @handler is called, each time later_ask() was called since, @after microseconds
 * from the last of these calls if the loop is idle then, and @latest from the first
 * whatever the others in the loop have to do.
 */
int later_new(struct later **ret, sd_event *event, uint64_t after, uint64_t latest, later_handler_t handler,
	      void *userdata);
struct later *later_free(struct later *l);

/* NULL: nothing is asked for. */
void later_ask(struct later *l);

#endif
