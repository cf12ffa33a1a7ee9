/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a caller on the bus may do what he asks for. */
#ifndef HOTPLUGD_POLKIT_H
#define HOTPLUGD_POLKIT_H

#include <systemd/sd-bus.h>

/*
 * Goes on with the method call once its caller is authorised: answers the
 * call, or returns a negative errno with @error set, as a method handler does.
 */
typedef int (*polkit_handler_t)(sd_bus_message *call, void *userdata, sd_bus_error *error);

/*
 * Checks the caller of @call for @action ("org.hotplugd1.eject"). Root may
 * everything and is answered as soon as the bus has said that it is root; for others polkit is asked without
 * blocking (it may show the user a dialogue when the call allows that), and
 * @handler is called when polkit has agreed. Otherwise the call is answered
 * with org.hotplugd1.Error.NotAuthorized and a reason.
 *
 * @userdata must outlive the bus connection. To be returned from a method
 * handler: 1 when the answer comes later, else what @handler returned.
 */
int polkit_check(sd_bus_message *call, const char *action, polkit_handler_t handler, void *userdata,
		 sd_bus_error *error);

/* "uid 0": who made the call that a handler is called with, for RequestedBy. Returns 0
 * or a negative errno; *ret is to be freed. */
int polkit_requester(sd_bus_message *call, char **ret);

/* Drops all questions: no handler is called any more, and nobody is answered. */
void polkit_forget(void);

#endif
