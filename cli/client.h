/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hpctl's side of the bus: connect, ask, subscribe.
 *
 * The only place that knows how the daemon is called. Functions that return an
 * exit code have told the person about the error; those that return a negative
 * errno have not. None of them starts the daemon: "systemctl stop hotplugd"
 * stays in force when somebody looks with hpctl.
 */
#ifndef HPCTL_CLIENT_H
#define HPCTL_CLIENT_H

#include <systemd/sd-bus.h>

#include "base/names.h"
#include "hpctl.h"
#include "model.h"

#define INTERFACE_PROPERTIES "org.freedesktop.DBus.Properties"

struct client {
	sd_bus *bus;
	bool ask_password; /* messages say that polkit may ask */
};

enum exit_code client_open(struct client *c, const struct options *o);
void client_close(struct client *c);

/* Reads all slots and jobs; the model is replaced only on success. */
enum exit_code client_load(struct client *c, struct model *m);

/* The manager's properties; to be freed. */
enum exit_code client_manager(struct client *c, char **ret_version, char **ret_shim);

/* The slot that a person names; owned by the model. */
enum exit_code client_find_slot(struct client *c, struct model *m, const char *name, struct slot **ret);

/* All slots of the model or the named ones, in that order, each once; the
 * array is NULL-terminated and to be freed. */
enum exit_code client_select_slots(struct client *c, struct model *m, char **names, struct slot ***ret);

/* Those that are wanted, among all slots of the model or those below the named
 * ones, as client_select_slots() returns them. */
enum exit_code client_select_all(struct client *c, struct model *m, char **names, bool (*wanted)(const struct slot *s),
				 struct slot ***ret);

/* A call that is ready but for its arguments. Negative errno on failure. */
int client_new_call(struct client *c, const char *path, const char *interface, const char *member,
		    sd_bus_message **ret);

/* Reads all properties of an object, beside everything else. Negative errno on failure. */
int client_get_all(struct client *c, const char *path, const char *interface, sd_bus_message_handler_t handler,
		   void *userdata);

/* How long to wait for the answer of a call that may ask for a password. */
uint64_t client_call_timeout(const struct client *c);

/* Subscribes to signals of the daemon; waits until the bus confirms, so that
 * nothing that is done later goes unseen. match is a part of a match rule. */
enum exit_code client_subscribe(struct client *c, const char *match, sd_bus_message_handler_t handler,
				void *userdata);

/* Subscribes to the coming and going of the daemon (NameOwnerChanged). */
enum exit_code client_subscribe_owner(struct client *c, sd_bus_message_handler_t handler, void *userdata);

/* Tells about a failure of the bus itself. */
enum exit_code client_bus_error(const char *what, int r);

#endif
