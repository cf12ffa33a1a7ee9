/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When the devices of slots are read.
 *
 * Responsible for: reading those again that may have changed, one slot in a turn of
 * the loop, when there is time or when somebody asks. What is in a slot is slot.c's.
 */
#include <string.h>

#include "base/log.h"
#include "devices.h"
#include "later.h"
#include "registry.h"

/* The next slot goes before others if it would be later than this. Who asks does not wait
 * for it, so that it may take its time: jobs need the loop more. */
#define NEXT_USEC (1 * USEC_PER_SEC)
/* A step that has taken longer is not soon followed by another. */
#define STEP_USEC (1 * USEC_PER_SEC)
/* So long at most are stale slots left alone for the jobs' sake; then all are read. */
#define PUT_OFF_USEC (2 * USEC_PER_SEC)

/* Whether @address is a component of @syspath. */
static bool path_has(const char *syspath, const char *address)
{
	size_t n = strlen(address);

	if (n == 0)
		return false;
	for (const char *p = strstr(syspath, address); p; p = strstr(p + 1, address))
		if (p > syspath && p[-1] == '/' && (p[n] == '/' || p[n] == '\0'))
			return true;
	return false;
}

/* Whether a slot knows nothing of a device, so that nothing changes with its end: after
 * a commit the slot was read before udev tells. */
static bool is_gone_already(const struct slot *s, const char *action, const char *syspath)
{
	if (strcmp(action, "remove") != 0 && strcmp(action, "unbind") != 0)
		return false;
	for (size_t i = 0; i < s->n_functions; i++)
		if (path_has(syspath, s->functions[i].address))
			return false;
	return strcmp(strrchr(syspath, '/') + 1, s->port) != 0;
}

bool devices_below(const struct slot *s, const char *syspath)
{
	return path_has(syspath, s->port);
}

bool devices_mark(struct slot *s, const char *action, const char *syspath)
{
	if (!devices_below(s, syspath) || is_gone_already(s, action, syspath))
		return false;
	s->stale = true;
	if (strcmp(strrchr(syspath, '/') + 1, s->port) == 0)
		slot_forget_above(s); /* the port itself */
	return true;
}

bool devices_read(struct manager *m, struct slot *s)
{
	int r;

	if (!s->stale)
		return false;
	r = slot_refresh_devices(s);
	if (r < 0) {
		log_error("%s: cannot read its devices: %s", s->name, strerror(-r));
		s->stale = false; /* not again at once; what changes next, or who asks, has it read */
	}
	manager_slot_changed(m, s);
	return true;
}

bool devices_can_wait(struct manager *m)
{
	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j))
		if (manager_now(m) < j->step_since + STEP_USEC)
			return true;
	return false;
}

/* The next after the one read last, so that one that changes always is not alone. */
static struct slot *next_stale(struct manager *m)
{
	struct slot *s, *first = NULL;

	TAILQ_FOREACH(s, &m->slots, entry) {
		if (s->stale && s->handle > m->last_read)
			return s;
		if (s->stale && !first)
			first = s;
	}
	return first;
}

static void on_next(void *userdata)
{
	struct manager *m = userdata;
	struct slot *s = next_stale(m);
	usec_t now = manager_now(m);

	if (!s) {
		m->put_off_since = 0;
		return;
	}
	if (m->put_off_since == 0)
		m->put_off_since = now;
	if (now < m->put_off_since + PUT_OFF_USEC && devices_can_wait(m)) {
		registry_schedule_refresh(m, false);
		return;
	}
	m->last_read = s->handle;
	devices_read(m, s);
	manager_run_engine(m);
	later_ask(m->read_next);
}

void devices_read_all(struct manager *m)
{
	later_ask(m->read_next);
}

int devices_init(struct manager *m)
{
	return later_new(&m->read_next, m->event, 0, NEXT_USEC, on_next, m);
}

void devices_free(struct manager *m)
{
	m->read_next = later_free(m->read_next);
}
