/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who calls on the bus, and how much of our answers each of them has not read yet.
 *
 * Responsible for: asking the bus for the users of those who call, without waiting for
 * it; and that no caller, by not reading, makes the bus stop listening to us, or us
 * grow. Knows nothing of slots and jobs, and authorises nobody.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "callers.h"

#define BUS_SERVICE   "org.freedesktop.DBus"
#define BUS_PATH      "/org/freedesktop/DBus"
#define BUS_INTERFACE "org.freedesktop.DBus"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* Bytes not read that somebody may have at the bus before the next answer. All of
 * them together stay well below the 127 MiB of the bus. */
#define UNKNOWN_MAX (64 * KIB)  /* a connection, while its user is not known */
#define SENDER_MAX  (1 * MIB)   /* a connection */
#define USER_MAX    (4 * MIB)   /* all connections of a user */
#define USERS_MAX   (32 * MIB)  /* all but root's; root's have as much for themselves */
#define ROOT_FACTOR 4
/* An error, and how many of them: past this nothing is answered. */
#define ERROR_SIZE 512
#define ERRORS_MAX (16 * KIB)
/* Messages that the bus has not taken from us. */
#define QUEUE_MAX 256
/* A ping that is not answered takes one of the 128 answers that the bus lets us wait for. */
#define PING_AT	       (128 * KIB)
#define PINGS_MAX      32
#define USER_PINGS_MAX 4

struct caller {
	LIST_ENTRY(caller) entry;
	char *name; /* ":1.42" */
	bool known; /* @uid is */
	uid_t uid;
	size_t unread; /* bytes of answers, as far as is known */
	size_t pinged; /* of them before the ping; 0: none is under way */
	size_t errors; /* bytes of LimitsExceeded */
	sd_bus_slot *asking, *pinging;
};

static struct {
	sd_bus *bus;
	sd_bus_slot *filter, *watch;
	callers_size_t size;
	void *userdata;
	bool closed;
	LIST_HEAD(, caller) list;
} callers;

static void caller_free(struct caller *c)
{
	LIST_REMOVE(c, entry);
	sd_bus_slot_unref(c->asking);
	sd_bus_slot_unref(c->pinging);
	free(c->name);
	free(c);
	if (LIST_EMPTY(&callers.list))
		callers.watch = sd_bus_slot_unref(callers.watch); /* nobody to wake us up for */
}

static struct caller *caller_find(const char *name)
{
	struct caller *c;

	LIST_FOREACH(c, &callers.list, entry)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* A unique name is given to no second connection, so one that has gone is forgotten. */
static int on_name_gone(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
	const char *name;
	struct caller *c;

	if (sd_bus_message_read(signal, "s", &name) < 0)
		return 0;
	c = caller_find(name);
	if (c)
		caller_free(c);
	return 0;
}

static int on_uid(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct caller *c = userdata;
	uint32_t uid;

	c->asking = sd_bus_slot_unref(c->asking);
	if (sd_bus_message_is_method_error(answer, NULL) || sd_bus_message_read(answer, "u", &uid) < 0) {
		caller_free(c); /* it had gone before we watched */
		return 1;
	}
	c->uid = uid;
	c->known = true;
	return 1;
}

/* Watched first, asked for then: who goes in between has no user any more. */
static int caller_ask(struct caller *c)
{
	int r = 0;

	if (!callers.watch)
		r = sd_bus_add_match_async(callers.bus, &callers.watch,
					   "type='signal',sender='" BUS_SERVICE "',path='" BUS_PATH "',interface='" BUS_INTERFACE
					   "',member='NameOwnerChanged',arg2=''",
					   on_name_gone, NULL, NULL);
	if (r >= 0)
		r = sd_bus_call_method_async(callers.bus, &c->asking, BUS_SERVICE, BUS_PATH, BUS_INTERFACE,
					     "GetConnectionUnixUser", on_uid, c, "s", c->name);
	return r;
}

/* Returns NULL when memory is short or the bus takes nothing. */
static struct caller *caller_get(const char *name)
{
	struct caller *c = caller_find(name);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->name = strdup(name);
	LIST_INSERT_HEAD(&callers.list, c, entry);
	if (!c->name || caller_ask(c) < 0) {
		caller_free(c);
		return NULL;
	}
	return c;
}

static int on_pong(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct caller *c = userdata;

	/* Answers come in their order: what was sent before has been read, whatever he says. */
	c->pinging = sd_bus_slot_unref(c->pinging);
	c->unread -= c->pinged;
	c->pinged = c->errors = 0;
	return 1;
}

static void caller_ping(struct caller *c)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *ping = NULL;
	unsigned int all = 0, users = 0;
	struct caller *other;

	if (c->pinging || c->unread < PING_AT)
		return;
	LIST_FOREACH(other, &callers.list, entry) {
		all += !!other->pinging;
		users += other->pinging && other->uid == c->uid;
	}
	if (all >= PINGS_MAX || users >= USER_PINGS_MAX)
		return;
	c->pinged = c->unread;
	/* Without a deadline: the bus ends it when the connection goes. */
	if (sd_bus_message_new_method_call(callers.bus, &ping, c->name, "/", "org.freedesktop.DBus.Peer", "Ping") < 0 ||
	    sd_bus_call_async(callers.bus, &c->pinging, ping, on_pong, c, UINT64_MAX) < 0)
		c->pinged = 0;
}

static bool may_have_more(const struct caller *c)
{
	size_t factor = c->uid == 0 ? ROOT_FACTOR : 1, user = 0, users = 0;
	const struct caller *other;

	if (!c->known)
		return c->unread < UNKNOWN_MAX;
	LIST_FOREACH(other, &callers.list, entry) {
		if (other->known && other->uid == c->uid)
			user += other->unread;
		if (!other->known || other->uid != 0)
			users += other->unread;
	}
	return c->unread < SENDER_MAX * factor && user < USER_MAX * factor && (c->uid == 0 || users < USERS_MAX);
}

static int refuse(struct caller *c, sd_bus_message *call)
{
	if (c->errors >= ERRORS_MAX)
		return 1;
	if (c->errors == 0)
		log_debug("%s does not read what it asks for", c->name);
	c->errors += ERROR_SIZE;
	c->unread += ERROR_SIZE;
	sd_bus_reply_method_errorf(call, SD_BUS_ERROR_LIMITS_EXCEEDED,
				   "too many answers have not been read yet; read them, or answer Peer.Ping");
	return 1;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *sender = sd_bus_message_get_sender(message);
	struct caller *c;
	uint64_t queued;

	if (callers.closed)
		return 1;
	if (!sender || !sd_bus_message_is_method_call(message, NULL, NULL))
		return 0;
	if (sd_bus_get_n_queued_write(callers.bus, &queued) >= 0 && queued > QUEUE_MAX)
		return 1; /* the bus does not listen to us; it would only make us grow */
	c = caller_get(sender);
	if (!c)
		return 1;
	if (sd_bus_message_get_expect_reply(message) <= 0)
		return 0;
	if (!may_have_more(c)) {
		caller_ping(c);
		return refuse(c, message);
	}
	c->unread += callers.size(message, callers.userdata);
	caller_ping(c);
	return 0;
}

int callers_init(sd_bus *bus, callers_size_t size, void *userdata)
{
	callers.bus = bus;
	callers.size = size;
	callers.userdata = userdata;
	callers.closed = false;
	LIST_INIT(&callers.list);
	return sd_bus_add_filter(bus, &callers.filter, on_message, NULL);
}

static void forget_all(void)
{
	while (!LIST_EMPTY(&callers.list))
		caller_free(LIST_FIRST(&callers.list));
}

void callers_close(void)
{
	callers.closed = true;
	forget_all();
}

void callers_deinit(void)
{
	forget_all();
	callers.filter = sd_bus_slot_unref(callers.filter);
	callers.bus = NULL;
}

int callers_uid(sd_bus_message *call, uid_t *ret)
{
	const char *sender = sd_bus_message_get_sender(call);
	const struct caller *c = sender ? caller_find(sender) : NULL;

	if (!c)
		return -ENODATA;
	if (!c->known)
		return -EAGAIN;
	*ret = c->uid;
	return 0;
}
