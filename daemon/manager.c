/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's centre.
 *
 * Responsible for: making the parts and routing events between them: shim and
 * udev in, engine, actions out. Which slots there are is registry.c's, what a
 * job does job.c's, when it may do it engine.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adoption.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "bus.h"
#include "callers.h"
#include "config.h"
#include "control-dbus.h"
#include "controller.h"
#include "fdstore.h"
#include "indicator.h"
#include "job-dbus.h"
#include "journal.h"
#include "manager.h"
#include "manager-dbus.h"
#include "manager-settings.h"
#include "pci.h"
#include "polkit.h"
#include "recover.h"
#include "registry.h"
#include "slot-dbus.h"
#include "unbind.h"
#include "worker-link.h"

/* Ready means: slots adopted. If that takes longer, ready comes without. */
#define READY_USEC (10 * USEC_PER_SEC)
/* What can wait is done so long after the last of it, and waits no longer than LATE_USEC. */
#define LATER_USEC (20 * USEC_PER_MSEC)
#define LATE_USEC (100 * USEC_PER_MSEC)
/* So long the queue's time stands still for events that were lost and are asked for. */
#define BEHIND_USEC (2 * USEC_PER_SEC)

usec_t manager_now(struct manager *m)
{
	uint64_t now = 0;

	/* The loop's clock stands still during one turn, which is what we want. */
	sd_event_now(m->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void set_engine_timer(struct manager *m, usec_t deadline)
{
	int r = sd_event_source_set_time(m->engine_timer, deadline);

	if (r >= 0)
		r = sd_event_source_set_enabled(m->engine_timer, SD_EVENT_ONESHOT);
	if (r < 0) { /* without its timer the queue stands still */
		log_error("Cannot arm the queue's timer: %s", strerror(-r));
		sd_event_exit(m->event, r);
	}
	m->engine_deadline = deadline;
}

/* What happened before a deadline counts before it, however late it is read: a press
 * that cancels, say. Returns whether time has to wait for the shim. */
static bool wait_for_shim(struct manager *m)
{
	usec_t now = manager_now(m), until;
	bool all;

	if (!m->shim || !shim_link_present(m->shim))
		return false;
	all = shim_link_read(m->shim);
	if (all && shim_link_live(m->shim)) {
		m->behind_since = 0;
		return false;
	}
	if (m->behind_since == 0)
		m->behind_since = now;
	until = m->behind_since + BEHIND_USEC;
	if (now >= until)
		return false;
	set_engine_timer(m, all ? until : now); /* or when it is live again */
	return true;
}

static int on_engine_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;

	m->engine_deadline = USEC_INFINITY;
	if (wait_for_shim(m))
		return 0;
	engine_advance(m->engine, manager_now(m));
	manager_run_engine(m);
	return 0;
}

/* A timer that is early costs a turn of the loop; one for each new deadline costs more. */
static void arm_engine_timer(struct manager *m)
{
	usec_t deadline = engine_next_deadline(m->engine);

	if (deadline < m->engine_deadline)
		set_engine_timer(m, deadline);
}

void manager_save(struct manager *m)
{
	m->unsaved = true;
	recover_save(m);
}

static void on_later(void *userdata)
{
	struct manager *m = userdata;
	struct action action;
	bool any = false;

	for (; engine_next_news(m->engine, &action); any = true)
		job_run_action(m, &action);
	if (any)
		manager_run_engine(m); /* it was told of slots, too */
	slot_dbus_tell_changes(m);
	manager_settings_settle(m);
	recover_save(m);
}

void manager_later(struct manager *m)
{
	later_ask(m->later);
}

/* Before somebody is told how a job ended: a restart must not end it otherwise. */
static void save_ends(struct manager *m)
{
	const struct job *ended = engine_untold_next(m->engine, NULL);

	if (!ended || ended->id == m->end_saved)
		return;
	m->end_saved = ended->id;
	recover_save(m);
}

void manager_run_engine(struct manager *m)
{
	struct action action;

	m->unsaved = true;
	m->run_due = false;
	if (m->running)
		return; /* an action answered at once: the loop below goes on with it */
	m->running = true;
	for (;;) {
		save_ends(m);
		if (!engine_next_action(m->engine, &action))
			break;
		/* Nobody is told of a job that a restart could forget. */
		if (action.type == ACTION_JOB_NEW && action.job->id > m->job_saved)
			recover_save(m);
		job_run_action(m, &action);
	}
	m->running = false;
	arm_engine_timer(m);
	manager_later(m);
}

/* ---- readiness ---- */

static void on_bus_name(int r, void *userdata)
{
	struct manager *m = userdata;

	if (r >= 0) {
		log_debug("Ready");
		job_dbus_named(m);
		m->on_ready();
		/* What takes long the first time, while nobody waits; if it cannot be, who needs it says so. */
		pci_names_load();
		(void)worker_link_prepare(m->worker);
		return;
	}
	if (r == -EEXIST)
		log_error("Another hotplugd is running: it has the name " BUS_NAME " on the system bus");
	else
		log_error("Cannot get the name " BUS_NAME " on the system bus: %s", strerror(-r));
	sd_event_exit(m->event, r);
}

void manager_check_ready(struct manager *m)
{
	int r;

	if (m->ready)
		return;
	if (!m->late && (m->shim_starting || m->adopting > 0 ||
			 (m->shim && shim_link_present(m->shim) && !shim_link_live(m->shim))))
		return;
	m->ready = true;
	m->ready_timer = sd_event_source_disable_unref(m->ready_timer);
	/* Who asks by name finds all slots. */
	r = bus_name_new(&m->bus_name, m->bus, BUS_NAME, on_bus_name, m);
	if (r < 0)
		on_bus_name(r, m);
}

static int on_ready_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;

	log_warning("The shim has not answered for %" PRIu64 " s; serving without its slots meanwhile",
		    READY_USEC / USEC_PER_SEC);
	m->shim_starting = false;
	m->adopting = 0;
	m->late = true;
	manager_check_ready(m);
	return 0;
}

/* ---- the shim ---- */

static void feed(struct manager *m, struct slot *s, enum slot_event event, const char *name, const char *what)
{
	enum verdict v = manager_drives(m, s) ? engine_event(m->engine, s->handle, event, manager_now(m)) : VERDICT_FOREIGN;

	journal_event(s, event, what, v);
	manager_dbus_slot_event(m, s, name, v);
}

void manager_feed(struct manager *m, struct slot *s, enum slot_event event, const char *name, const char *what)
{
	manager_slot_changed(m, s);
	feed(m, s, event, name, what);
	manager_run_engine(m);
}

/* Whether policy decides what becomes of it: then the rules in force are those of this
 * moment. Those of an empty slot are quickly read. */
static bool rules_matter(const struct slot *s, const struct shim_event *e)
{
	bool comes = (e->type == HPSHIM_EVENT_PRESENCE && s->present) || (e->type == HPSHIM_EVENT_LINK && s->link) ||
		     (e->type == HPSHIM_EVENT_LATCH && !s->latch_open);

	return e->type == HPSHIM_EVENT_BUTTON || e->type == HPSHIM_EVENT_REQUEST ||
	       (comes && (s->stale || !s->occupied));
}

static void on_slot_event(struct manager *m, const struct shim_event *e)
{
	struct slot *s = registry_by_shim(m, e->slot.id, e->slot.generation);

	if (!s)
		return; /* from before it was released */
	if (slot_update_from_shim(s, &e->slot) < 0)
		log_error("%s: out of memory; state not updated", s->name);
	m->run_due = true;
	if (rules_matter(s, e) && slot_refresh_devices(s) < 0)
		log_warning("%s: cannot read policy; going by what was read before", s->name);
	manager_slot_changed(m, s);
	switch (e->type) {
	case HPSHIM_EVENT_BUTTON:
		feed(m, s, SLOT_EVENT_BUTTON, "button", "attention button pressed");
		break;
	case HPSHIM_EVENT_PRESENCE:
		feed(m, s, SLOT_EVENT_PRESENCE, "presence", s->present ? "card present" : "card not present");
		break;
	case HPSHIM_EVENT_LINK:
		feed(m, s, SLOT_EVENT_LINK, "link", s->link ? "link up" : "link down");
		break;
	case HPSHIM_EVENT_LATCH:
		feed(m, s, SLOT_EVENT_LATCH, "latch", s->latch_open ? "latch opened" : "latch closed");
		break;
	case HPSHIM_EVENT_POWER_FAULT:
		feed(m, s, SLOT_EVENT_POWER_FAULT, "power-fault", "power fault");
		break;
	case HPSHIM_EVENT_REQUEST:
		job_on_legacy_request(m, s, e);
		break;
	case HPSHIM_EVENT_COMMAND_TIMEOUT:
		log_warning("%s: the hot-plug controller did not confirm a command in time", s->name);
		break;
	default: /* told for the level state that came with it */
		break;
	}
	/* The first of many does not wait for those behind it: their commits wait for its. */
	if (!m->in_reading)
		manager_run_engine(m);
	m->in_reading = true;
}

static void on_op_done(struct manager *m, const struct shim_event *e)
{
	struct slot *s = registry_by_shim(m, e->slot.id, e->slot.generation);

	if (s && slot_update_from_shim(s, &e->slot) >= 0)
		manager_slot_changed(m, s);
	if (indicator_op_done(m, e))
		return;
	if (e->cookie == COOKIE_CONTROLLER) {
		controller_answered(m, e->error);
		return;
	}
	if (e->cookie == COOKIE_ADOPT) {
		if (e->error) {
			adoption_failed(m, e->slot.port, e->report[0] != '\0' ? e->report : strerror(-e->error));
			registry_schedule_refresh(m, e->slot.port[0] != '\0');
		}
		if (m->adopting > 0)
			m->adopting--;
		manager_check_ready(m);
		return;
	}
	if (e->cookie >= COOKIE_CALL && e->cookie <= COOKIE_CALL_MAX)
		control_dbus_op_done(m, e->cookie, e->error, e->report);
	else
		job_on_op_done(m, e);
}

static void on_shim_event(const struct shim_event *e, void *userdata)
{
	struct manager *m = userdata;

	m->unsaved = true;
	manager_later(m);
	switch (e->type) {
	case HPSHIM_EVENT_SLOT_ADD:
		adoption_forget(m, e->slot.port);
		registry_put_shim(m, &e->slot);
		recover_settle(m);
		break;
	case HPSHIM_EVENT_SLOT_GONE:
		registry_remove_shim(m, e->slot.id, e->slot.generation);
		if (m->shim_state == SHIM_BUSY)
			controller_ask(m); /* the other one may have ended */
		break;
	case HPSHIM_EVENT_OP_DONE:
		on_op_done(m, e);
		break;
	case HPSHIM_EVENT_REQUEST_CANCEL:
		job_on_legacy_cancel(m, e);
		break;
	default:
		on_slot_event(m, e);
	}
}

static void on_shim_resync(const struct shim_slot *slots, size_t n, void *userdata)
{
	registry_resync_shim(userdata, slots, n);
	recover_jobs(userdata);
}

/* Sixteen cards put in at once are written down once. */
static void on_shim_read(void *userdata)
{
	struct manager *m = userdata;

	m->in_reading = false;
	if (m->run_due)
		manager_run_engine(m);
}

static void on_shim_live(bool lost, void *userdata)
{
	struct manager *m = userdata;

	m->behind_since = 0;
	if (lost)
		controller_ask_again(m);
	recover_settle(m);
	manager_run_engine(m); /* deadlines that waited for this */
	manager_check_ready(m);
}

static void on_shim_appeared(void *userdata)
{
	struct manager *m = userdata;

	if (!shim_link_kept(m->shim))
		fdstore_put(FDSTORE_SHIM, shim_link_fd(m->shim));
	m->shim_starting = true;
	controller_ask(m);
}

static void on_shim_lost(void *userdata)
{
	struct manager *m = userdata;

	fdstore_remove(FDSTORE_SHIM);
	control_dbus_shim_lost(m);
	registry_resync_shim(m, NULL, 0);
	job_shim_lost(m);
	m->shim_starting = false;
	m->adopting = 0;
	controller_absent(m);
	registry_schedule_refresh(m, true);
	recover_jobs(m); /* should it have gone before it had told of its slots */
	manager_check_ready(m);
}

/* ---- devices ---- */

static void on_uevent(const char *action, const char *syspath, const char *subsystem, void *userdata)
{
	if (!syspath) {
		registry_reread_all(userdata);
		return;
	}
	registry_device_changed(userdata, action, syspath);
	if (strcmp(action, "add") == 0 && strcmp(subsystem, "pci") == 0)
		adoption_forget(userdata, strrchr(syspath, '/') + 1);
	/* Nothing but its driver shows that a bridge brought slots with it. */
	if (strcmp(action, "bind") == 0 && strcmp(subsystem, "pci") == 0 && sysfs_is_shpc_bridge(syspath))
		registry_schedule_refresh(userdata, true);
}

static void on_bound(const char *syspath, void *userdata)
{
	registry_device_bound(userdata, syspath);
}

void manager_slot_changed(struct manager *m, struct slot *s)
{
	struct engine_slot e = {
		.parent = registry_parent(m, s),
		.native = s->backend == BACKEND_NATIVE,
		.present = s->present,
		.power = s->power,
		.power_control = s->power_control,
		.link_known = s->link_known,
		.link = s->link,
		.latch_open = s->latch_open,
		.fault = s->fault,
		.occupied = s->occupied,
		.button = s->policy.button,
		.insert = s->policy.insert,
		.protect = s->policy.protect,
		.hold = s->hold,
		.grace = s->policy.grace,
	};

	if (s->gone)
		return;
	if (engine_slot_set(m->engine, s->handle, &e, manager_now(m)) < 0)
		log_error("%s: out of memory; the queue does not know its state", s->name);
	s->changed = true;
	manager_later(m);
}

/* ---- life ---- */

static int add_timer(struct manager *m, sd_event_time_handler_t handler, bool on, usec_t after, sd_event_source **ret)
{
	int r = sd_event_add_time_relative(m->event, ret, CLOCK_MONOTONIC, after, 1, handler, m);

	if (r >= 0)
		r = sd_event_source_set_enabled(*ret, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	return r;
}

static int start_bus(struct manager *m)
{
	int r = bus_open(&m->bus, m->event);

	if (r >= 0)
		r = manager_dbus_register(m);
	if (r < 0)
		log_error("Cannot serve on the system bus: %s", strerror(-r));
	return r;
}

static int start_shim(struct manager *m)
{
	static const struct shim_link_ops ops = {
		.event = on_shim_event,
		.resync = on_shim_resync,
		.live = on_shim_live,
		.read = on_shim_read,
		.appeared = on_shim_appeared,
		.lost = on_shim_lost,
	};
	struct shim_resume resume;
	int r;

	m->shim_state = _SHIM_STATE_INVALID;
	recover_resume(m, &resume);
	r = shim_link_new(&m->shim, m->event, &ops, m, &resume);
	if (r < 0) {
		log_error("Cannot listen to the shim: %s", strerror(-r));
	} else if (!shim_link_present(m->shim)) {
		controller_absent(m);
		recover_jobs(m);
	}
	return r;
}

/* Known before it has work: a daemon after this one must find it in the kernel. */
static void on_worker_started(void *userdata)
{
	manager_save(userdata);
}

static int manager_start(struct manager *m)
{
	int r = engine_new(&m->engine, &m->settings.engine);

	if (r >= 0)
		r = add_timer(m, on_engine_timer, false, 0, &m->engine_timer);
	m->engine_deadline = USEC_INFINITY;
	if (r >= 0)
		r = later_new(&m->later, m->event, LATER_USEC, LATE_USEC, on_later, m);
	if (r >= 0)
		r = add_timer(m, on_ready_timer, true, READY_USEC, &m->ready_timer);
	if (r >= 0)
		r = worker_link_new(&m->worker, m->event, HOTPLUGD_WORKER);
	if (r >= 0)
		worker_link_on_start(m->worker, on_worker_started, m);
	if (r >= 0)
		r = unbind_new(&m->unbind, m);
	if (r >= 0)
		r = udev_link_new(&m->udev, m->event, on_uevent, on_bound, m);
	if (r < 0) {
		log_error("Cannot start: %s", strerror(-r));
		return r;
	}
	r = recover_init(m);
	if (r >= 0)
		r = start_bus(m);
	if (r >= 0)
		r = registry_init(m);
	if (r >= 0)
		r = start_shim(m);
	if (r >= 0)
		manager_check_ready(m);
	return r;
}

int manager_new(struct manager **ret, sd_event *event, manager_ready_t ready)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->resume_fd = m->lock_fd = -1;
	m->event = sd_event_ref(event);
	m->on_ready = ready;
	manager_settings_init(m);
	TAILQ_INIT(&m->slots);
	TAILQ_INIT(&m->departed);
	TAILQ_INIT(&m->runs);
	TAILQ_INIT(&m->legacy);
	TAILQ_INIT(&m->port_calls);
	TAILQ_INIT(&m->adoption_failures);
	r = manager_start(m);
	if (r < 0) {
		manager_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	if (m->engine && m->unbind)
		recover_save(m);
	recover_free(m);
	polkit_forget();
	callers_close();
	/* First those that call us, then what they call into. */
	m->shim = shim_link_free(m->shim);
	m->udev = udev_link_free(m->udev);
	m->worker = worker_link_free(m->worker);
	m->unbind = unbind_free(m->unbind);
	job_runs_free(m);
	if (m->bus)
		control_dbus_shim_lost(m);
	registry_free(m);
	adoption_forget(m, NULL);
	m->bus_name = bus_name_free(m->bus_name);
	m->bus = bus_close(m->bus);
	callers_deinit();
	m->engine = engine_free(m->engine);
	sd_event_source_disable_unref(m->engine_timer);
	later_free(m->later);
	controller_free(m);
	sd_event_source_disable_unref(m->ready_timer);
	sd_event_unref(m->event);
	settings_clear(&m->settings);
	free(m);
	return NULL;
}
