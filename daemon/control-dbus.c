/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people set on a slot, on the bus: hold, locate, and who drives it.
 *
 * Responsible for: the methods that start no job, their errors, and who waits for
 * the shim to take or give a port. What a hold means is the engine's; the interface
 * is described in dbus/org.hotplugd1.Manager.xml.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "control-dbus.h"
#include "indicator.h"
#include "journal.h"
#include "manager-dbus.h"
#include "polkit.h"
#include "registry.h"

/* The shim takes a port within a second unless something in the kernel hangs. Less than
 * the 25 s after which a caller gives up by himself and knows nothing. */
#define PORT_CALL_DEADLINE (20 * USEC_PER_SEC)

/* A call that is answered when the shim has done what it asks for. */
struct port_call {
	TAILQ_ENTRY(port_call) entry;
	struct manager *manager;
	sd_bus_message *call; /* referenced; NULL: answered at the deadline, but the shim is at it still */
	sd_event_source *deadline;
	uint64_t cookie;
	bool adopt; /* or release */
	bool released; /* by hand, before; so it stays if the shim refuses */
	char *slot, *who;
	char port[HPSHIM_ADDRESS_MAX];
};

static const char *what_of(const struct port_call *p)
{
	return p->adopt ? "adopt" : "release";
}

static void port_call_free(struct manager *m, struct port_call *p)
{
	TAILQ_REMOVE(&m->port_calls, p, entry);
	sd_event_source_disable_unref(p->deadline);
	sd_bus_message_unref(p->call);
	free(p->slot);
	free(p->who);
	free(p);
}

/* Tells the caller and the journal how it ended: @why_not is NULL when it was done. */
static void port_call_answer(struct port_call *p, const char *why_not)
{
	int r = 0;

	/* The slot may be on its way from one driver to the other. */
	journal_control(manager_slot_by_name(p->manager, p->slot), p->slot, what_of(p), p->who, why_not);
	if (p->call)
		r = why_not ? sd_bus_reply_method_errorf(p->call, ERROR_FAILED, "%s", why_not) :
			      sd_bus_reply_method_return(p->call, NULL);
	if (r < 0)
		log_warning("Cannot answer a call on the bus: %s", strerror(-r));
	p->call = sd_bus_message_unref(p->call);
}

/* The shim goes on, and what it says in the end counts; only the caller waits no longer. */
static int on_port_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct port_call *p = userdata;
	_cleanup_free_ char *why = NULL;

	if (asprintf(&why, "the kernel has not let the shim %s port %s for %" PRIu64 " s; it may do so still: look at "
		     "'hpctl status %s' and at the kernel's log", what_of(p), p->port,
		     PORT_CALL_DEADLINE / USEC_PER_SEC, p->slot) < 0)
		why = NULL;
	port_call_answer(p, why ?: "the shim has not answered in time");
	return 0;
}

static struct port_call *port_call_find(struct manager *m, uint64_t cookie)
{
	struct port_call *p;

	TAILQ_FOREACH(p, &m->port_calls, entry)
		if (p->cookie == cookie)
			return p;
	return NULL;
}

/* A cookie that nobody has, and that nobody had just now: a late answer to a call that
 * was asked for twice is nobody else's. 0: as many wait as there are. */
static uint64_t free_cookie(struct manager *m)
{
	for (int i = COOKIE_CALL; i <= COOKIE_CALL_MAX; i++) {
		if (m->last_call_cookie < COOKIE_CALL || ++m->last_call_cookie > COOKIE_CALL_MAX)
			m->last_call_cookie = COOKIE_CALL;
		if (!port_call_find(m, m->last_call_cookie))
			return m->last_call_cookie;
	}
	return 0;
}

/* Returns 0, -EBUSY (as many wait as there are cookies) or what keeps us from waiting. */
static int port_call_new(struct manager *m, sd_bus_message *call, const struct slot *s, const char *who, bool adopt,
			 struct port_call **ret)
{
	uint64_t cookie = free_cookie(m);
	struct port_call *p;
	int r;

	if (!cookie)
		return -EBUSY;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->manager = m;
	p->call = sd_bus_message_ref(call);
	p->cookie = cookie;
	p->adopt = adopt;
	p->released = registry_is_released(m, s->port);
	p->slot = strdup(s->name);
	p->who = strdup(who);
	snprintf(p->port, sizeof(p->port), "%s", s->port);
	TAILQ_INSERT_TAIL(&m->port_calls, p, entry);
	r = p->slot && p->who ? sd_event_add_time_relative(m->event, &p->deadline, CLOCK_MONOTONIC, PORT_CALL_DEADLINE, 0,
							    on_port_deadline, p) : -ENOMEM;
	if (r < 0) {
		port_call_free(m, p);
		return r;
	}
	*ret = p;
	return 0;
}

static int port_call_ask(struct manager *m, const struct port_call *p)
{
	return p->adopt ? registry_adopt(m, p->port, p->cookie) : registry_release(m, p->port, p->cookie);
}

void control_dbus_op_done(struct manager *m, uint64_t cookie, int error, const char *report)
{
	struct port_call *p = port_call_find(m, cookie);
	_cleanup_free_ char *why = NULL;

	if (!p)
		return; /* of a daemon before this one: its caller has been told that it ended */
	if (error != 0 && registry_set_released(m, p->port, p->released) < 0)
		log_error("Out of memory: port %s may be adopted again", p->port);
	registry_list(m); /* who is told of a release finds the slot with its other driver */
	manager_save(m); /* that a port was given back outlives a restart, once it is told */
	if (error != 0 && asprintf(&why, "the shim refuses: %s; see the kernel's log",
				   report[0] != '\0' ? report : strerror(-error)) < 0)
		why = NULL;
	port_call_answer(p, error == 0 ? NULL : why ?: "the shim refuses; see the kernel's log");
	port_call_free(m, p);
}

void control_dbus_ask_again(struct manager *m)
{
	struct port_call *p;

	TAILQ_FOREACH(p, &m->port_calls, entry) {
		int r = port_call_ask(m, p);

		if (r < 0) /* its deadline ends it */
			log_warning("Cannot ask the shim for port %s again: %s", p->port, strerror(-r));
	}
}

void control_dbus_shim_lost(struct manager *m)
{
	struct port_call *p;

	while ((p = TAILQ_FIRST(&m->port_calls))) {
		port_call_answer(p, "hpshim was unloaded meanwhile: its slots are with the kernel's own drivers");
		port_call_free(m, p);
	}
}

/* ---- the methods ---- */

static int not_ours(const struct slot *s, const char *what, sd_bus_error *error)
{
	return sd_bus_error_setf(error, ERROR_NOT_SUPPORTED,
				 "cannot %s %s: the kernel's own driver has the slot and acts by itself; adopt it first",
				 what, s->name);
}

static int do_hold(struct manager *m, struct slot *s, sd_bus_message *call, const char *who, sd_bus_error *error)
{
	bool on = strcmp(sd_bus_message_get_member(call), "Hold") == 0;
	int r;

	if (on && s->backend != BACKEND_SHIM)
		return not_ours(s, "hold", error);
	if (s->hold != on)
		journal_control(s, s->name, on ? "hold" : "unhold", who, NULL);
	s->hold = on;
	manager_slot_changed(m, s);
	manager_save(m);
	r = sd_bus_reply_method_return(call, NULL);
	manager_run_engine(m); /* what was seen while it was held counts now */
	return r;
}

static int do_locate(struct manager *m, struct slot *s, sd_bus_message *call, const char *who, sd_bus_error *error)
{
	int on, r = sd_bus_message_read(call, "b", &on);
	bool was_on = s->locate;

	if (r < 0)
		return r;
	if (s->backend != BACKEND_SHIM)
		return not_ours(s, "locate", error);
	r = indicator_locate(m, s, on);
	if (r == -EOPNOTSUPP)
		return sd_bus_error_setf(error, ERROR_NOT_SUPPORTED,
					 "cannot locate %s: the slot has no attention indicator", s->name);
	if (r < 0)
		return sd_bus_error_setf(error, ERROR_FAILED, "cannot locate %s: %s", s->name, strerror(-r));
	if (was_on != (bool)on)
		journal_control(s, s->name, on ? "locate" : "unlocate", who, NULL);
	return sd_bus_reply_method_return(call, NULL);
}

/* Jobs of all slots below the port would end: whoever wants that cancels them first. */
static int no_jobs(struct manager *m, const struct slot *s, const char *what, sd_bus_error *error)
{
	struct slot *below;
	const struct job *job = registry_port_job(m, s->port, &below);

	if (!job)
		return 0;
	return sd_bus_error_setf(error, ERROR_BUSY, "cannot %s %s: job %u (%s of %s, %s) is under way; wait for it or "
				 "cancel it", what, s->name, job->id, operation_to_string(job->operation), below->name,
				 job_state_to_string(job->state));
}

static int do_drive(struct manager *m, struct slot *s, sd_bus_message *call, const char *who, sd_bus_error *error)
{
	bool adopt = strcmp(sd_bus_message_get_member(call), "Adopt") == 0;
	const char *what = adopt ? "adopt" : "release";
	struct port_call *p;
	int r;

	if (!adopt && s->backend != BACKEND_SHIM && s->port[0] != '\0') {
		/* It stays so, also when the shim comes. */
		if (!registry_is_released(m, s->port))
			journal_control(s, s->name, what, who, NULL);
		r = registry_set_released(m, s->port, true);
		if (r < 0)
			return r;
		manager_save(m);
	}
	if (adopt == (s->backend == BACKEND_SHIM))
		return sd_bus_reply_method_return(call, NULL); /* it is so */
	if (m->shim_state != SHIM_ACTIVE)
		return sd_bus_error_setf(error, ERROR_NOT_SUPPORTED, "cannot %s %s: %s", what, s->name,
					 m->shim_state == SHIM_BUSY ? "another program controls hpshim; end it first" :
					 "hpshim is not loaded; load it with 'modprobe hpshim'");
	if (s->port[0] == '\0')
		return sd_bus_error_setf(error, ERROR_NOT_SUPPORTED,
					 "cannot %s %s: its port is not known, so the firmware may have it", what, s->name);
	r = no_jobs(m, s, what, error);
	if (r < 0)
		return r;
	r = port_call_new(m, call, s, who, adopt, &p);
	if (r == -EBUSY)
		return sd_bus_error_setf(error, ERROR_BUSY, "cannot %s %s: too many wait for the shim; try again", what, s->name);
	if (r < 0)
		return r;
	log_notice("%s: %s asks to %s port %s", s->name, who, what, s->port);
	r = port_call_ask(m, p);
	if (r < 0) {
		port_call_free(m, p);
		return sd_bus_error_setf(error, ERROR_FAILED, "cannot ask the shim to %s %s: %s", what, s->name, strerror(-r));
	}
	return 1;
}

static const struct control {
	const char *member, *action;
	int (*run)(struct manager *m, struct slot *s, sd_bus_message *call, const char *who, sd_bus_error *error);
} controls[] = {
	{ "Hold", POLKIT_HOLD, do_hold },	 { "Unhold", POLKIT_HOLD, do_hold },
	{ "Locate", POLKIT_LOCATE, do_locate },	 { "Adopt", POLKIT_ADOPT, do_drive },
	{ "Release", POLKIT_RELEASE, do_drive },
};

/* Which of them is called: only these lead here. */
static const struct control *control_of(sd_bus_message *call)
{
	const struct control *c = controls;

	while (strcmp(c->member, sd_bus_message_get_member(call)) != 0)
		c++;
	return c;
}

static int do_control(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ char *who = NULL;
	struct manager *m = userdata;
	struct slot *s;
	int r;

	/* Read again: while polkit was asked the slot may have gone. */
	r = sd_bus_message_rewind(call, 1);
	if (r >= 0)
		r = manager_dbus_call_slot(m, call, &s, error);
	if (r >= 0)
		r = polkit_requester(call, &who);
	return r < 0 ? r : control_of(call)->run(m, s, call, who, error);
}

int control_dbus_call(struct manager *m, sd_bus_message *call, sd_bus_error *error)
{
	struct slot *s;
	int r;

	/* Wrong input is told before anybody is asked for a password. */
	r = manager_dbus_call_slot(m, call, &s, error);
	return r < 0 ? r : polkit_check(call, control_of(call)->action, do_control, m, error);
}
