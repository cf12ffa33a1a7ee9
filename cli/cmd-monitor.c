// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl monitor: events and changes as they come, until Ctrl-C.
 *
 * Responsible for: the stream of words, or of JSON objects, one a line. Keeps a
 * model only to tell slots and jobs by name. Goes on when the daemon restarts.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <systemd/sd-event.h>

#include "client.h"
#include "format-json.h"
#include "format.h"
#include "util.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

struct monitor {
	const struct options *o;
	struct client client;
	struct model model;
	char **only; /* names of slots, NULL: all */
	sd_event *event;
};

static bool is_wanted(const struct monitor *mon, const char *slot)
{
	if (!mon->only)
		return true;
	for (char **name = mon->only; *name; name++)
		if (streq(*name, slot))
			return true;
	return false;
}

/* Begins a JSON line: when, and what. */
static struct json_object *begin(const char *type)
{
	struct json_object *object = json_new_object();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_add_time(object, "time", (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000);
	json_add_string(object, "type", type);
	return object;
}

static void end(struct json_object *object)
{
	json_print(object, JSON_SHORT);
	fflush(stdout);
}

/* A line for people: when, which slot (or hotplugd), what. */
static void say(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const char *subject, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	struct timespec now;
	struct tm local;
	char clock[16];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	print_line(stdout, "%s.%03ld  %-9s %s", clock, now.tv_nsec / 1000000, subject, text);
	fflush(stdout);
}

static void add_all(struct json_object *to, struct json_object *from)
{
	json_object_object_foreach(from, key, value)
		json_add(to, key, json_object_get(value));
	json_object_put(from);
}

static const char *verdict_text(const char *verdict)
{
	static const char *const texts[][2] = {
		{ "started", "a job begins" },
		{ "cancelled", "cancels the job" },
		{ "joined", "the job under way covers it" },
		{ "late", "ignored: the job is past its window" },
		{ "notify", "reported only, as the policy says" },
		{ "ignored", "ignored, as the policy says" },
		{ "nothing", "nothing to do" },
		{ "debouncing", "waits whether it heals" },
		{ "ancestor", "ignored: a slot above is being ejected" },
		{ "foreign", "ignored: another program controls the slot" },
		{ "refused", "refused" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (streq(texts[i][0], verdict))
			return texts[i][1];
	return verdict;
}

static int on_slot_event(struct monitor *mon, sd_bus_message *m)
{
	const char *slot, *event, *verdict;
	int r = sd_bus_message_read(m, "sss", &slot, &event, &verdict);

	if (r < 0 || !is_wanted(mon, slot))
		return r;
	if (mon->o->json) {
		struct json_object *object = begin("slot-event");

		json_add_string(object, "slot", slot);
		json_add_string(object, "event", event);
		json_add_string(object, "verdict", verdict);
		end(object);
	} else {
		say(slot, "%s: %s", event, verdict_text(verdict));
	}
	return 0;
}

static void tell_job(struct monitor *mon, const struct job *j, bool is_new)
{
	if (!is_wanted(mon, j->slot))
		return;
	if (mon->o->json) {
		struct json_object *object = begin(is_new ? "job-new" : "job-changed");

		add_all(object, json_job(j));
		end(object);
	} else if (is_new) {
		say(j->slot, "job %" PRIu32 ": %s begins, asked for by %s", j->id, j->operation,
		    *j->requested_by ? j->requested_by : j->origin);
	} else {
		_cleanup_free_ char *stage = NULL, *names = NULL;
		struct slot *s = model_slot_by_name(&mon->model, j->slot);

		names = s ? format_device_names(s) : xstrdup("");
		stage = format_stage(j, names);
		say(j->slot, "job %" PRIu32 ": %s, %s%s", j->id, j->state, stage, j->stalled ? ", stalled" : "");
	}
}

static int on_job_removed(struct monitor *mon, sd_bus_message *m)
{
	const char *path, *slot, *result, *reason;
	const struct job *j;
	uint32_t id;
	int r = sd_bus_message_read(m, "uosss", &id, &path, &slot, &result, &reason);

	if (r < 0)
		return r;
	j = model_job_by_path(&mon->model, path);
	if (is_wanted(mon, slot)) {
		if (mon->o->json) {
			struct json_object *object = begin("job-removed");

			json_add(object, "id", json_object_new_uint64(id));
			json_add_string(object, "slot", slot);
			if (j)
				json_add_string(object, "operation", j->operation);
			json_add_string(object, "result", result);
			json_add(object, "reason", *reason ? json_object_new_string(reason) : NULL);
			end(object);
		} else {
			say(slot, "job %" PRIu32 ": %s%s%s%s%s", id, j ? j->operation : "", j ? " " : "", result,
			    *reason ? ": " : "", reason);
		}
	}
	model_remove(&mon->model, path);
	return 0;
}

static void tell_slot(struct monitor *mon, const struct slot *s, uint32_t changed)
{
	_cleanup_free_ char *devices = NULL, *text = NULL;

	if (!is_wanted(mon, s->name))
		return;
	if (mon->o->json) {
		struct json_object *object = begin("slot-changed");

		json_add_string(object, "slot", s->name);
		add_all(object, json_slot_changes(&mon->model, s, changed));
		end(object);
		return;
	}
	if (SLOT_CHANGED(changed, SLOT_STATE))
		xappend(&text, ", %s", s->state);
	if (SLOT_CHANGED(changed, SLOT_POWER))
		xappend(&text, ", power %s", s->power ? "on" : "off");
	if (SLOT_CHANGED(changed, SLOT_PRESENT))
		xappend(&text, ", %s", s->present ? "card present" : "no card");
	if (SLOT_CHANGED(changed, SLOT_LINK) && *s->link)
		xappend(&text, ", link %s", s->link);
	if (SLOT_CHANGED(changed, SLOT_LATCH) && *s->latch)
		xappend(&text, ", latch %s", s->latch);
	if (SLOT_CHANGED(changed, SLOT_HOLD))
		xappend(&text, ", %s", s->hold ? "held" : "not held");
	if (SLOT_CHANGED(changed, SLOT_LOCATE))
		xappend(&text, ", %s", s->locate ? "locating" : "located no more");
	if (SLOT_CHANGED(changed, SLOT_BACKEND))
		xappend(&text, ", backend %s", s->backend);
	if (SLOT_CHANGED(changed, SLOT_DEVICES)) {
		devices = format_devices(s);
		xappend(&text, ", devices: %s", *devices ? devices : "none");
	}
	if (SLOT_CHANGED(changed, SLOT_BUTTON_POLICY) || SLOT_CHANGED(changed, SLOT_INSERT_POLICY) ||
	    SLOT_CHANGED(changed, SLOT_PROTECTED) || SLOT_CHANGED(changed, SLOT_GRACE))
		xappend(&text, ", policy: button %s, new card %s%s", s->button_policy, s->insert_policy,
			s->protect ? ", protected" : "");
	/* Indicators and the like are for --json and hpctl status. */
	if (text)
		say(s->name, "%s", text + 2);
}

/* A property of the manager that is told of: its Shim. */
static int on_manager_changed(struct monitor *mon, sd_bus_message *m)
{
	const char *name, *shim;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read_basic(m, 's', &name);
		if (r >= 0 && streq(name, "Shim")) {
			r = sd_bus_message_read(m, "v", "s", &shim);
			if (r >= 0 && mon->o->json) {
				struct json_object *object = begin("shim");

				json_add_string(object, "shim", shim);
				end(object);
			} else if (r >= 0) {
				say("hotplugd", "shim: %s", shim);
			}
		} else if (r >= 0) {
			r = sd_bus_message_skip(m, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static int on_properties_changed(struct monitor *mon, sd_bus_message *m)
{
	const char *path = sd_bus_message_get_path(m), *interface;
	int r = sd_bus_message_read_basic(m, 's', &interface);
	struct slot *s;
	struct job *j;
	uint32_t changed;

	if (r < 0)
		return r;
	if (streq(interface, INTERFACE_MANAGER))
		return on_manager_changed(mon, m);
	s = model_slot_by_path(&mon->model, path);
	j = model_job_by_path(&mon->model, path);
	if (s && streq(interface, INTERFACE_SLOT)) {
		r = slot_read(s, m, &changed);
		if (r >= 0 && changed)
			tell_slot(mon, s, changed);
	} else if (j && streq(interface, INTERFACE_JOB)) {
		r = job_read(j, m);
		if (r >= 0)
			tell_job(mon, j, false);
	}
	return r;
}

static void tell_slot_presence(struct monitor *mon, const struct slot *s, bool added)
{
	if (!is_wanted(mon, s->name))
		return;
	if (mon->o->json) {
		struct json_object *object = begin(added ? "slot-added" : "slot-removed");

		if (added)
			add_all(object, json_slot(&mon->model, s));
		else
			json_add_string(object, "slot", s->name);
		end(object);
	} else {
		say(s->name, added ? "new slot, %s" : "slot is gone (was %s)", s->state);
	}
}

static int on_interfaces_added(struct monitor *mon, sd_bus_message *m)
{
	struct slot *s;
	struct job *j;
	const char *path;
	int r = sd_bus_message_read_basic(m, 'o', &path);

	if (r >= 0)
		r = model_read_object(&mon->model, path, m, &s, &j);
	if (r < 0)
		return r;
	if (s)
		tell_slot_presence(mon, s, true);
	if (j)
		tell_job(mon, j, true);
	return 0;
}

static int on_interfaces_removed(struct monitor *mon, sd_bus_message *m)
{
	const char *path;
	struct slot *s;
	int r = sd_bus_message_read_basic(m, 'o', &path);

	if (r < 0)
		return r;
	s = model_slot_by_path(&mon->model, path);
	if (s)
		tell_slot_presence(mon, s, false);
	model_remove(&mon->model, path);
	return 0;
}

/* Nobody would hear what comes next; main() tells why. */
static void end_if_unheard(struct monitor *mon)
{
	if (ferror(stdout))
		sd_event_exit(mon->event, 0);
}

/* One subscription for all, so that nothing overtakes anything. */
static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct monitor *mon = userdata;
	int r = 0;

	if (sd_bus_message_is_signal(m, INTERFACE_MANAGER, "SlotEvent"))
		r = on_slot_event(mon, m);
	else if (sd_bus_message_is_signal(m, INTERFACE_MANAGER, "JobRemoved"))
		r = on_job_removed(mon, m);
	else if (sd_bus_message_is_signal(m, INTERFACE_PROPERTIES, "PropertiesChanged"))
		r = on_properties_changed(mon, m);
	else if (sd_bus_message_is_signal(m, OBJECT_MANAGER, "InterfacesAdded"))
		r = on_interfaces_added(mon, m);
	else if (sd_bus_message_is_signal(m, OBJECT_MANAGER, "InterfacesRemoved"))
		r = on_interfaces_removed(mon, m);
	if (r < 0)
		fprintf(stderr, "hpctl: cannot read a signal of hotplugd (%s): %s.\n", sd_bus_message_get_member(m), strerror(-r));
	end_if_unheard(mon);
	return 0;
}

static void tell_running(struct monitor *mon, bool running)
{
	if (mon->o->json) {
		struct json_object *object = begin(running ? "daemon-started" : "daemon-stopped");

		end(object);
	} else {
		say("hotplugd", running ? "started" : "stopped; waiting for it");
	}
}

/* What was there when the watch began, or began again: from here on nothing is missed. */
static void tell_ready(struct monitor *mon)
{
	if (mon->o->json) {
		struct json_object *object = begin("ready");

		json_add(object, "slots", json_object_new_uint64(mon->model.n_slots));
		json_add(object, "jobs", json_object_new_uint64(mon->model.n_jobs));
		end(object);
	} else if (mon->o->legend) {
		fprintf(stderr, "Watching %zu slots, %zu jobs under way. Ctrl-C ends.\n", mon->model.n_slots, mon->model.n_jobs);
	}
}

static void reload(struct monitor *mon)
{
	if (client_load(&mon->client, &mon->model) == EXIT_CODE_OK) /* has told why, if it failed */
		tell_ready(mon);
}

/* How jobs have ended meanwhile it has told before it answered. An error: it is away again. */
static int on_back(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	if (!sd_bus_message_is_method_error(reply, NULL))
		reload(userdata);
	end_if_unheard(userdata);
	return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct monitor *mon = userdata;
	const char *name, *old_owner, *new_owner;

	if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0)
		return 0;
	tell_running(mon, *new_owner);
	end_if_unheard(mon);
	if (*new_owner && client_get_all(&mon->client, PATH_MANAGER, INTERFACE_MANAGER, on_back, mon) < 0)
		reload(mon);
	return 0;
}

static void monitor_clear(struct monitor *mon)
{
	if (mon->client.bus)
		sd_bus_detach_event(mon->client.bus);
	client_close(&mon->client);
	sd_event_unref(mon->event);
	model_clear(&mon->model);
	strv_free(mon->only);
}

static enum exit_code select_slots(struct monitor *mon, char **names)
{
	_cleanup_free_ struct slot **slots = NULL;
	enum exit_code code;
	size_t n = 0;

	if (!names[0])
		return EXIT_CODE_OK;
	code = client_select_slots(&mon->client, &mon->model, names, &slots);
	if (code != EXIT_CODE_OK)
		return code;
	while (slots[n])
		n++;
	mon->only = xcalloc(n + 1, sizeof(*mon->only));
	for (size_t i = 0; i < n; i++)
		mon->only[i] = xstrdup(slots[i]->name);
	return EXIT_CODE_OK;
}

/* Without a handler sd-event leaves the loop, with what userdata says. */
static int add_sources(struct monitor *mon)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(mon->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(mon->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0 && mon->o->timeout != USEC_INFINITY)
		r = sd_event_add_time_relative(mon->event, NULL, CLOCK_MONOTONIC, mon->o->timeout, 1, NULL, NULL);
	return r;
}

int cmd_monitor(const struct options *o, char **names)
{
	_cleanup_(monitor_clear) struct monitor mon = { .o = o };
	enum exit_code code;
	int r;

	code = client_open(&mon.client, o);
	if (code == EXIT_CODE_OK)
		code = client_subscribe(&mon.client, "path_namespace='" PATH_MANAGER "'", on_signal, &mon);
	if (code == EXIT_CODE_OK)
		code = client_subscribe_owner(&mon.client, on_owner_changed, &mon);
	if (code == EXIT_CODE_OK)
		code = client_load(&mon.client, &mon.model);
	if (code == EXIT_CODE_OK)
		code = select_slots(&mon, names);
	if (code != EXIT_CODE_OK)
		return code;

	r = sd_event_new(&mon.event);
	if (r >= 0)
		r = add_sources(&mon);
	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(mon.client.bus, true);
	if (r >= 0)
		r = sd_bus_attach_event(mon.client.bus, mon.event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0) {
		tell_ready(&mon);
		end_if_unheard(&mon);
		r = sd_event_loop(mon.event);
	}
	if (r > 0)
		r = -ECONNRESET; /* sd-bus ends the loop when the bus goes away */
	return r < 0 ? client_bus_error("cannot watch", r) : EXIT_CODE_OK;
}
