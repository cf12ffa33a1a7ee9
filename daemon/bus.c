/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection to the system bus.
 *
 * Responsible for: opening it, getting the name, and closing it in time, whatever the
 * bus does. What is served on it is the *-dbus files'.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "bus.h"

#define USEC_PER_MSEC UINT64_C(1000)
#define CLOSE_USEC  (1000 * USEC_PER_MSEC)
#define RETRY_USEC  (250 * USEC_PER_MSEC)
#define RETRIES_MAX 40 /* ten seconds */
#define MESSAGES_A_TURN 8
/* What the bus answers to RequestName. */
#define NAME_REPLY_OWNER 1
#define NAME_REPLY_EXISTS 3
#define NAME_REPLY_ALREADY 4

struct bus_name {
	sd_bus *bus;
	const char *name;
	bus_name_handler_t handler;
	void *userdata;
	sd_bus_slot *asking;
	sd_event_source *retry;
	unsigned int retries;
};

/*
 * sd-bus handles one message a turn of the loop, and a turn can take long while devices
 * come and go: of sixteen ejects asked for at once the last would be known a second
 * after the first, and commits would wait for requests. So some more are handled in each
 * turn, few enough that whoever floods the bus keeps nobody else waiting.
 */
static int on_turn(sd_event_source *source, void *userdata)
{
	sd_bus *bus = userdata;

	for (int i = 0; i < MESSAGES_A_TURN && sd_bus_get_event(bus); i++)
		if (sd_bus_process(bus, NULL) <= 0)
			break; /* what is wrong the bus's own source sees too */
	return 0;
}

static void unref_bus(void *userdata)
{
	sd_bus_unref(userdata);
}

static int handle_more(sd_bus *bus, sd_event *event)
{
	sd_event_source *source;
	int r = sd_event_add_post(event, &source, on_turn, bus);

	if (r < 0)
		return r;
	sd_bus_ref(bus);
	r = sd_event_source_set_destroy_callback(source, unref_bus);
	if (r >= 0)
		r = sd_event_source_set_floating(source, 1); /* lives as long as the loop */
	sd_event_source_unref(source);
	return r;
}

int bus_open(sd_bus **ret, sd_event *event)
{
	_cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(bus, 1);
	/* The loop's end would wait for ever for a bus that does not listen. */
	if (r >= 0)
		r = sd_bus_set_close_on_exit(bus, 0);
	if (r >= 0)
		r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = handle_more(bus, event);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

static int name_retry(struct bus_name *n)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *ping = NULL;
	int r;

	if (n->retries++ >= RETRIES_MAX)
		return -EEXIST;
	/* Sending to it shows the bus that nobody is there any more. */
	if (sd_bus_message_new_method_call(n->bus, &ping, n->name, "/", "org.freedesktop.DBus.Peer", "Ping") >= 0 &&
	    sd_bus_message_set_expect_reply(ping, 0) >= 0)
		sd_bus_send(n->bus, ping, NULL);
	r = sd_event_source_set_time_relative(n->retry, RETRY_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(n->retry, SD_EVENT_ONESHOT);
	return r < 0 ? r : 1;
}

static int on_name(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct bus_name *n = userdata;
	uint32_t result = 0;
	int r;

	n->asking = sd_bus_slot_unref(n->asking);
	if (sd_bus_message_is_method_error(answer, NULL))
		r = -sd_bus_message_get_errno(answer);
	else
		r = sd_bus_message_read(answer, "u", &result);
	if (r >= 0 && result == NAME_REPLY_EXISTS) {
		r = name_retry(n);
		if (r > 0)
			return 1;
	} else if (r >= 0 && result != NAME_REPLY_OWNER && result != NAME_REPLY_ALREADY) {
		r = -EPROTO;
	}
	n->handler(r < 0 ? r : 0, n->userdata);
	return 1;
}

static int name_ask(struct bus_name *n)
{
	return sd_bus_request_name_async(n->bus, &n->asking, n->name, 0, on_name, n);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bus_name *n = userdata;
	int r = name_ask(n);

	if (r < 0)
		n->handler(r, n->userdata);
	return 0;
}

int bus_name_new(struct bus_name **ret, sd_bus *bus, const char *name, bus_name_handler_t handler, void *userdata)
{
	struct bus_name *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->bus = sd_bus_ref(bus);
	n->name = name;
	n->handler = handler;
	n->userdata = userdata;
	r = sd_event_add_time(sd_bus_get_event(bus), &n->retry, CLOCK_MONOTONIC, 0, 0, on_retry, n);
	if (r >= 0)
		r = sd_event_source_set_enabled(n->retry, SD_EVENT_OFF);
	if (r >= 0)
		r = name_ask(n);
	if (r < 0) {
		bus_name_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

struct bus_name *bus_name_free(struct bus_name *n)
{
	if (!n)
		return NULL;
	sd_bus_slot_unref(n->asking);
	sd_event_source_disable_unref(n->retry);
	sd_bus_unref(n->bus);
	free(n);
	return NULL;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

sd_bus *bus_close(sd_bus *bus)
{
	uint64_t end = now() + CLOSE_USEC, left;

	if (!bus)
		return NULL;
	sd_bus_detach_event(bus);
	sd_bus_set_exit_on_disconnect(bus, 0);
	while (sd_bus_get_n_queued_write(bus, &left) >= 0 && left > 0 && now() < end) {
		int r = sd_bus_process(bus, NULL);

		if (r == 0)
			r = sd_bus_wait(bus, end > now() ? end - now() : 0);
		if (r < 0)
			break;
	}
	return sd_bus_close_unref(bus);
}
