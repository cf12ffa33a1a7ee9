/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a caller on the bus may do what he asks for.
 *
 * Responsible for: asking polkit, without blocking, and turning its answer into
 * one of ours. Knows nothing of slots and jobs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "polkit.h"

#define POLKIT_SERVICE   "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1U
/* A dialogue waits for a person to type a password. */
#define POLKIT_TIMEOUT_USEC (120 * 1000000ULL)

/* One question that is under way. */
struct question {
	sd_bus_message *call; /* referenced */
	char *action;
	polkit_handler_t handler;
	void *userdata;
};

static void question_free(void *p)
{
	struct question *q = p;

	if (!q)
		return;
	sd_bus_message_unref(q->call);
	free(q->action);
	free(q);
}

/* Who calls. The bus is asked once for callers that come again and again: it gives no
 * unique name to a second connection (D-Bus specification, "Bus names"). */
static int sender_uid(sd_bus_message *call, uid_t *ret)
{
	static char last[256];
	static uid_t last_uid;
	_cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
	const char *sender = sd_bus_message_get_sender(call);
	int r = 0;

	if (!sender)
		return -ENODATA;
	if (strcmp(sender, last) != 0) {
		last[0] = '\0';
		r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);
		if (r >= 0)
			r = sd_bus_creds_get_euid(creds, &last_uid);
		if (r >= 0)
			snprintf(last, sizeof(last), "%s", sender);
	}
	*ret = last_uid;
	return r;
}

static int refuse(sd_bus_error *error, const char *action, const char *why)
{
	return sd_bus_error_setf(error, ERROR_NOT_AUTHORIZED,
				 "not authorised for %s: %s. Use sudo, or let an administrator grant the action in polkit",
				 action, why);
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
	struct question *q = userdata;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	int authorized = 0, challenge = 0, r;

	if (sd_bus_message_is_method_error(answer, NULL)) {
		const sd_bus_error *e = sd_bus_message_get_error(answer);

		r = refuse(&error, q->action,
			   sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ? "polkit is not installed" : e->message);
	} else {
		r = sd_bus_message_enter_container(answer, 'r', "bba{ss}");
		if (r >= 0)
			r = sd_bus_message_read(answer, "bb", &authorized, &challenge);
		if (r < 0)
			r = refuse(&error, q->action, "polkit gave an answer that cannot be read");
		else if (!authorized)
			r = refuse(&error, q->action,
				   challenge ? "a password is needed and none was given" : "polkit says no");
		else
			r = q->handler(q->call, q->userdata, &error);
	}
	if (r < 0)
		sd_bus_reply_method_errno(q->call, r, &error);
	return 1;
}

int polkit_check(sd_bus_message *call, const char *action, polkit_handler_t handler, void *userdata,
		 sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *ask = NULL;
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *pending = NULL;
	struct question *q;
	uid_t uid;
	int r;

	if (sender_uid(call, &uid) < 0)
		return refuse(error, action, "the bus does not say who is calling");
	if (uid == 0)
		return handler(call, userdata, error);

	r = sd_bus_message_new_method_call(sd_bus_message_get_bus(call), &ask, POLKIT_SERVICE, POLKIT_PATH,
					   POLKIT_INTERFACE, "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(ask, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
					  sd_bus_message_get_sender(call), action, 0,
					  sd_bus_message_get_allow_interactive_authorization(call) > 0 ?
						  POLKIT_ALLOW_INTERACTION : 0U,
					  "");
	if (r < 0)
		return r;

	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->call = sd_bus_message_ref(call);
	q->handler = handler;
	q->userdata = userdata;
	q->action = strdup(action);
	if (!q->action) {
		question_free(q);
		return -ENOMEM;
	}
	r = sd_bus_call_async(sd_bus_message_get_bus(call), &pending, ask, on_answer, q, POLKIT_TIMEOUT_USEC);
	if (r < 0) {
		question_free(q);
		return r;
	}
	/* The slot owns the question and goes with the answer or the bus. */
	sd_bus_slot_set_destroy_callback(pending, question_free);
	sd_bus_slot_set_floating(pending, 1);
	return 1;
}

int polkit_requester(sd_bus_message *call, char **ret)
{
	uid_t uid;
	int r = sender_uid(call, &uid);

	if (r < 0)
		return r;
	return asprintf(ret, "uid %u", (unsigned int)uid) < 0 ? -ENOMEM : 0;
}
