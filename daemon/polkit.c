/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a caller on the bus may do what he asks for.
 *
 * Responsible for: asking polkit, without blocking, and turning its answer into
 * one of ours. Knows nothing of slots and jobs.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "callers.h"
#include "polkit.h"

#define BUS_SERVICE   "org.freedesktop.DBus"
#define BUS_PATH      "/org/freedesktop/DBus"
#define BUS_INTERFACE "org.freedesktop.DBus"

#define POLKIT_SERVICE   "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1U
/* A dialogue waits for a person to type a password. */
#define POLKIT_TIMEOUT_USEC (120 * 1000000ULL)

/* Questions that polkit has not answered, of which the bus lets us have 128; the
 * others wait for their turn, so that who lets his wait stands in nobody else's way. */
#define ASKED_MAX      64
#define USER_ASKED_MAX 8
/* Those that wait. */
#define WAITING_MAX	 1024
#define USER_WAITING_MAX 256

/* One question that is under way: who calls, and then whether he may. */
struct question {
	TAILQ_ENTRY(question) entry;
	sd_bus_message *call; /* referenced */
	char *action;
	polkit_handler_t handler;
	void *userdata;
	bool known; /* @uid is */
	bool asked; /* polkit is being */
	uid_t uid;
	sd_bus_slot *pending;
};

static TAILQ_HEAD(, question) questions = TAILQ_HEAD_INITIALIZER(questions);
/* The one whose handler runs. */
static const struct question *handled;

static void question_free(struct question *q)
{
	TAILQ_REMOVE(&questions, q, entry);
	sd_bus_slot_unref(q->pending);
	sd_bus_message_unref(q->call);
	free(q->action);
	free(q);
}

static int refuse(sd_bus_error *error, const char *action, const char *why)
{
	return sd_bus_error_setf(error, ERROR_NOT_AUTHORIZED,
				 "not authorised for %s: %s. Use sudo, or let an administrator grant the action in polkit",
				 action, why);
}

static int handle(const struct question *q, sd_bus_error *error)
{
	const struct question *before = handled;
	int r;

	handled = q;
	r = q->handler(q->call, q->userdata, error);
	handled = before;
	return r;
}

static void ask_next(void);

/* Ends a question: answers the call if @r is negative, else that is done. */
static void question_end(struct question *q, int r, sd_bus_error *error)
{
	if (r < 0)
		sd_bus_reply_method_errno(q->call, r, error);
	sd_bus_error_free(error);
	question_free(q);
	ask_next();
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
	struct question *q = userdata;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int authorized = 0, challenge = 0, r;

	if (sd_bus_message_is_method_error(answer, NULL)) {
		const sd_bus_error *e = sd_bus_message_get_error(answer);

		if (sd_bus_error_has_name(e, SD_BUS_ERROR_LIMITS_EXCEEDED))
			r = sd_bus_error_setf(&error, ERROR_BUSY, "too many wait for polkit; try again");
		else
			r = refuse(&error, q->action,
				   sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ? "polkit is not installed" :
				   e->message ?: "polkit gave no answer");
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
			r = handle(q, &error);
	}
	question_end(q, r, &error);
	return 1;
}

static int ask_polkit(struct question *q)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *ask = NULL;
	sd_bus *bus = sd_bus_message_get_bus(q->call);
	int r;

	r = sd_bus_message_new_method_call(bus, &ask, POLKIT_SERVICE, POLKIT_PATH, POLKIT_INTERFACE,
					   "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(ask, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
					  sd_bus_message_get_sender(q->call), q->action, 0,
					  sd_bus_message_get_allow_interactive_authorization(q->call) > 0 ?
						  POLKIT_ALLOW_INTERACTION : 0U,
					  "");
	if (r >= 0)
		r = sd_bus_call_async(bus, &q->pending, ask, on_answer, q, POLKIT_TIMEOUT_USEC);
	q->asked = r >= 0;
	return r;
}

/* How many have been asked, or not yet: all of them, and those of @q's user. */
static void count(const struct question *q, bool asked, unsigned int *ret_all, unsigned int *ret_user)
{
	const struct question *other;

	*ret_all = *ret_user = 0;
	TAILQ_FOREACH(other, &questions, entry) {
		if (other == q || other->asked != asked)
			continue;
		++*ret_all;
		*ret_user += other->known && q->known && other->uid == q->uid;
	}
}

/* Oldest first, as far as each user's share goes. */
static void ask_next(void)
{
	struct question *q, *next;
	unsigned int all, user;

	for (q = TAILQ_FIRST(&questions); q; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (!q->known || q->asked)
			continue;
		count(q, true, &all, &user);
		if (all >= ASKED_MAX)
			return;
		if (user >= USER_ASKED_MAX)
			continue;
		/* Who has gone meanwhile wants no answer. */
		if (callers_uid(q->call, &q->uid) >= 0) {
			int r = ask_polkit(q);

			if (r >= 0)
				continue;
			sd_bus_reply_method_errno(q->call, r, NULL);
		}
		question_free(q);
	}
}

static int too_many(sd_bus_error *error)
{
	return sd_bus_error_setf(error, ERROR_BUSY, "too many wait for polkit; try again");
}

/* The user is known, and is not root. Returns 1, as the answer comes later, or what the
 * caller is to be told at once: the question is still there then. */
static int question_go_on(struct question *q, sd_bus_error *error)
{
	unsigned int all, user;

	q->known = true;
	count(q, false, &all, &user);
	if (user >= USER_WAITING_MAX)
		return too_many(error);
	ask_next();
	return 1;
}

static int on_uid(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
	struct question *q = userdata;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	uint32_t uid;
	int r;

	q->pending = sd_bus_slot_unref(q->pending);
	if (sd_bus_message_is_method_error(answer, NULL) || sd_bus_message_read(answer, "u", &uid) < 0) {
		question_end(q, refuse(&error, q->action, "the bus does not say who is calling"), &error);
		return 1;
	}
	q->uid = uid;
	q->known = true;
	if (uid == 0)
		question_end(q, handle(q, &error), &error);
	else if ((r = question_go_on(q, &error)) < 0)
		question_end(q, r, &error);
	return 1;
}

int polkit_check(sd_bus_message *call, const char *action, polkit_handler_t handler, void *userdata,
		 sd_bus_error *error)
{
	unsigned int all, user;
	struct question *q;
	int r;

	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->call = sd_bus_message_ref(call);
	q->handler = handler;
	q->userdata = userdata;
	q->action = strdup(action);
	TAILQ_INSERT_TAIL(&questions, q, entry);
	count(q, false, &all, &user);
	r = callers_uid(call, &q->uid);
	if (!q->action)
		r = -ENOMEM;
	else if (all >= WAITING_MAX)
		r = too_many(error);
	else if (r == -EAGAIN)
		r = sd_bus_call_method_async(sd_bus_message_get_bus(call), &q->pending, BUS_SERVICE, BUS_PATH,
					     BUS_INTERFACE, "GetConnectionUnixUser", on_uid, q, "s",
					     sd_bus_message_get_sender(call));
	else if (r < 0)
		r = refuse(error, action, "the bus does not say who is calling");
	else if (q->uid != 0)
		r = question_go_on(q, error);
	else {
		r = handle(q, error);
		question_free(q);
		return r;
	}
	if (r < 0)
		question_free(q);
	return r < 0 ? r : 1;
}

int polkit_requester(sd_bus_message *call, char **ret)
{
	if (!handled || handled->call != call)
		return -ENODATA;
	return asprintf(ret, "uid %u", (unsigned int)handled->uid) < 0 ? -ENOMEM : 0;
}

void polkit_forget(void)
{
	while (!TAILQ_EMPTY(&questions))
		question_free(TAILQ_FIRST(&questions));
}
