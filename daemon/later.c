/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can wait until nothing else is to be done, but not for ever.
 *
 * Responsible for: when it is done. A source of idle priority alone would never
 * run under a flood of calls, so there is a timer beside it that goes before them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "later.h"

/* Before what floods, after what is important. */
#define PRIORITY_LATE (SD_EVENT_PRIORITY_NORMAL - 1)

struct later {
	sd_event *event;
	sd_event_source *idle; /* a timer, or without @after a source that is always ready */
	sd_event_source *late;
	uint64_t after, latest;
	bool asked;
	later_handler_t handler;
	void *userdata;
};

static void do_it(struct later *l)
{
	sd_event_source_set_enabled(l->idle, SD_EVENT_OFF);
	sd_event_source_set_enabled(l->late, SD_EVENT_OFF);
	l->asked = false;
	l->handler(l->userdata);
}

static int on_idle(sd_event_source *source, void *userdata)
{
	do_it(userdata);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	do_it(userdata);
	return 0;
}

static int put_off(struct later *l, uint64_t *ret_now)
{
	int r = sd_event_now(l->event, CLOCK_MONOTONIC, ret_now);

	return r >= 0 && l->after > 0 ? sd_event_source_set_time(l->idle, *ret_now + l->after) : r;
}

static int arm(struct later *l)
{
	uint64_t now = 0;
	int r = put_off(l, &now);

	if (r >= 0)
		r = sd_event_source_set_enabled(l->idle, SD_EVENT_ONESHOT);
	if (r >= 0)
		r = sd_event_source_set_time(l->late, now + l->latest);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->late, SD_EVENT_ONESHOT);
	return r;
}

void later_ask(struct later *l)
{
	uint64_t now = 0;
	int r;

	if (!l)
		return;
	r = l->asked ? put_off(l, &now) : arm(l);
	l->asked = true;
	if (r < 0) { /* without it nothing is written down or told any more */
		log_error("Cannot arm a timer: %s", strerror(-r));
		sd_event_exit(l->event, r);
	}
}

int later_new(struct later **ret, sd_event *event, uint64_t after, uint64_t latest, later_handler_t handler,
	      void *userdata)
{
	struct later *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->event = sd_event_ref(event);
	l->after = after;
	l->latest = latest;
	l->handler = handler;
	l->userdata = userdata;
	if (after > 0)
		r = sd_event_add_time(event, &l->idle, CLOCK_MONOTONIC, 0, 1, on_timer, l);
	else
		r = sd_event_add_defer(event, &l->idle, on_idle, l);
	if (r >= 0)
		r = sd_event_source_set_priority(l->idle, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->idle, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &l->late, CLOCK_MONOTONIC, 0, 1, on_timer, l);
	if (r >= 0)
		r = sd_event_source_set_priority(l->late, PRIORITY_LATE);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->late, SD_EVENT_OFF);
	if (r < 0) {
		later_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct later *later_free(struct later *l)
{
	if (!l)
		return NULL;
	sd_event_source_disable_unref(l->idle);
	sd_event_source_disable_unref(l->late);
	sd_event_unref(l->event);
	free(l);
	return NULL;
}
