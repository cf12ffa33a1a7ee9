// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A daemon that only plays: serves the bus interface of hotplugd with slots and
 * jobs made up in fake-slots.h, so that hpctl can be tested without hardware
 * or root.
 *
 * Responsible for: playing out what that table says. Stays in step with
 * daemon/dbus: a test compares it with the files there. SIGHUP is a press of
 * slot8's button.
 *
 *   fake-hotplugd [no-slots | absent | busy | silent]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/names.h"
#include "fake-slots.h"
#include "fake-util.h"

#define STEP_USEC 30000
#define NEVER     UINT64_MAX
#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static size_t n_slots = N_ELEMENTS(slots);
static struct { int locate, hold, native; } set[N_ELEMENTS(slots)]; /* by hpctl */

struct fake_job {
	uint32_t id;
	struct fake_slot *slot;
	const char *operation;
	const struct step *steps;
	size_t at;
	uint64_t since, deadline;
	bool stalled, alive;
	sd_event_source *timer;
};

static struct fake_job jobs[64];
static uint32_t last_id;
static const char *shim = "active";
static bool silent; /* as if polkit were still asking somebody */
static sd_bus *bus;
static sd_event *event;

static char *slot_path(const struct fake_slot *s)
{
	char *path;

	check(sd_bus_path_encode(PATH_SLOTS, s->name, &path), "path");
	return path;
}

static char *job_path(const struct fake_job *j)
{
	char *path;

	check(asprintf(&path, "%s/%" PRIu32, PATH_JOBS, j->id) < 0 ? -ENOMEM : 0, "path");
	return path;
}

static struct fake_slot *slot_at(const char *path)
{
	for (size_t i = 0; i < n_slots; i++) {
		char *p = slot_path(&slots[i]);
		bool same = strcmp(p, path) == 0;

		free(p);
		if (same)
			return &slots[i];
	}
	return NULL;
}

static struct fake_job *job_by_id(uint32_t id)
{
	return id > 0 && id <= last_id && jobs[id - 1].alive ? &jobs[id - 1] : NULL;
}

static struct fake_job *job_at(const char *path)
{
	size_t n = strlen(PATH_JOBS "/");

	return strncmp(path, PATH_JOBS "/", n) == 0 ? job_by_id((uint32_t)strtoul(path + n, NULL, 10)) : NULL;
}

static struct fake_job *job_of(const struct fake_slot *s)
{
	for (uint32_t i = 1; i <= last_id; i++)
		if (jobs[i - 1].alive && jobs[i - 1].slot == s)
			return &jobs[i - 1];
	return NULL;
}

static void slot_changed(struct fake_slot *s)
{
	char *path = slot_path(s);

	check(sd_bus_emit_properties_changed(bus, path, INTERFACE_SLOT, "State", "Power", "Devices", "Job", NULL), "signal");
	free(path);
}

static void job_changed(struct fake_job *j)
{
	char *path = job_path(j);

	check(sd_bus_emit_properties_changed(bus, path, INTERFACE_JOB, "State", "Step", "Stalled", "StateSinceUSec",
					     "StepSinceUSec", "DeadlineUSec", "Reason", NULL), "signal");
	free(path);
}

static void job_end(struct fake_job *j, const char *result, const char *reason)
{
	char *path = job_path(j);
	struct fake_slot *s = j->slot;

	j->timer = sd_event_source_disable_unref(j->timer);
	if (strcmp(result, "done") == 0) {
		bool eject = strcmp(j->operation, "eject") == 0;

		s->state = eject ? "off" : "on";
		s->node = eject ? NULL : "nvme4n1";
		s->driver = eject ? NULL : "nvme";
	}
	check(sd_bus_emit_signal(bus, PATH_MANAGER, INTERFACE_MANAGER, "JobRemoved", "uosss", j->id, path, s->name,
				 result, reason), "signal");
	j->alive = false;
	check(sd_bus_emit_interfaces_removed(bus, path, INTERFACE_JOB, NULL), "signal");
	slot_changed(s);
	free(path);
}

static void restart(struct fake_job *j)
{
	j->timer = sd_event_source_disable_unref(j->timer);
	j->alive = false;
	if (strcmp(j->operation, "eject") == 0) {
		j->slot->state = "off";
		j->slot->node = NULL;
	}
	check(sd_bus_release_name(bus, BUS_NAME), "name");
	check(sd_bus_request_name(bus, BUS_NAME, 0), "name");
	if (strcmp(j->operation, "insert") == 0) { /* this one it remembers */
		j->slot->state = "on";
		job_end(j, "failed", "The driver has failed.");
	}
}

static int on_step(sd_event_source *source, uint64_t now, void *userdata)
{
	struct fake_job *j = userdata;

	if (j->steps[j->at + 1].state) {
		j->at++;
		j->since = now_usec();
		job_changed(j);
		check(sd_event_source_set_time_relative(source, STEP_USEC), "timer");
		check(sd_event_source_set_enabled(source, SD_EVENT_ONESHOT), "timer");
		return 0;
	}
	switch (j->slot->behaviour) {
	case STOPS:
		if (strcmp(j->steps[j->at].step, "remove") == 0) {
			j->stalled = true;
			job_changed(j);
		}
		break;
	case RESTARTS:
		restart(j);
		break;
	case QUITS:
		sd_event_exit(event, 0);
		break;
	default:
		job_end(j, j->slot->result ?: "done", j->slot->reason ?: "");
	}
	return 0;
}

static struct fake_job *job_start(struct fake_slot *s, const char *operation)
{
	struct fake_job *j = job_of(s);
	char *path;

	if (j || last_id == N_ELEMENTS(jobs))
		return j;
	j = &jobs[last_id++];
	*j = (struct fake_job){ .id = last_id, .slot = s, .operation = operation, .alive = true, .since = now_usec() };
	j->steps = steps_of(s, operation);
	j->deadline = j->since + 5000000;
	check(sd_event_add_time_relative(event, &j->timer, CLOCK_MONOTONIC, STEP_USEC, 1, on_step, j), "timer");
	path = job_path(j);
	check(sd_bus_emit_interfaces_added(bus, path, INTERFACE_JOB, NULL), "signal");
	check(sd_bus_emit_signal(bus, PATH_MANAGER, INTERFACE_MANAGER, "JobNew", "uos", j->id, path, s->name), "signal");
	free(path);
	slot_changed(s);
	return j;
}

static int find(const char *name, struct fake_slot **ret, sd_bus_error *error)
{
	char names[1024] = "";

	for (size_t i = 0; i < n_slots; i++) {
		const char *node = slots[i].node;

		strcat(strcat(names, i ? ", " : ""), slots[i].name);
		if (strcmp(slots[i].name, name) == 0 || strcmp(slots[i].name + strlen("slot"), name) == 0 ||
		    strcmp(slots[i].address, name) == 0 || (node && strcmp(node, name) == 0) ||
		    (node && strncmp(name, "/dev/", 5) == 0 && strcmp(node, name + 5) == 0)) {
			*ret = &slots[i];
			return 0;
		}
	}
	return sd_bus_error_setf(error, ERROR_NO_SUCH_SLOT, "%s: no such slot. Slots: %s", name, names);
}

static int read_force(sd_bus_message *m, bool *ret)
{
	const char *key;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}"), force = 0;

	while (r >= 0 && (r = sd_bus_message_read(m, "{sv}", &key, "b", &force)) > 0)
		*ret = force;
	return r;
}

static int request(sd_bus_message *m, struct fake_slot *s, const char *operation, sd_bus_error *error)
{
	struct fake_slot *above;
	struct fake_job *j;
	bool force = false;
	char *path;
	int r = read_force(m, &force);

	if (r < 0)
		return r;
	if (s->behaviour == NOTHING && strcmp(operation, "insert") == 0)
		return sd_bus_error_setf(error, ERROR_EMPTY, "cannot insert %s: there is no card in the slot", s->name);
	if (s->behaviour == NOTHING || (strcmp(operation, "eject") == 0 && strcmp(s->state, "off") == 0))
		return sd_bus_reply_method_return(m, "o", "/");
	if (s->behaviour == ERROR && !(force && strcmp(s->result, ERROR_PROTECTED) == 0))
		return sd_bus_error_set(error, s->result, s->reason);
	if (*parent_of(s) && find(parent_of(s), &above, NULL) >= 0 && job_of(above))
		return sd_bus_error_setf(error, ERROR_BUSY, "%s: %s has a job", s->name, above->name);
	if (s->behaviour == ASKS) {
		if (sd_bus_message_get_allow_interactive_authorization(m) > 0)
			return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "nobody typed the password");
		return sd_bus_error_set(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "password please");
	}
	if (s->behaviour == ERROR) { /* forced */
		s->behaviour = ENDS;
		s->result = s->reason = NULL;
	}
	j = job_start(s, operation);
	if (!j)
		return -ENOBUFS;
	path = job_path(j);
	if (s->behaviour == ENDS_EARLY)
		job_end(j, s->result, s->reason);
	r = sd_bus_reply_method_return(m, "o", path);
	free(path);
	return r;
}

static int cancel(sd_bus_message *m, uint32_t id, sd_bus_error *error)
{
	struct fake_job *j = job_by_id(id);
	int r;

	if (!j)
		return sd_bus_error_setf(error, ERROR_NO_SUCH_JOB, "there is no job %" PRIu32 "; it may have ended", id);
	if (strcmp(j->steps[j->at].state, "committing") == 0)
		return sd_bus_error_setf(error, ERROR_TOO_LATE,
					 "job %" PRIu32 " has reached its commit and cannot be cancelled any more", id);
	r = sd_bus_reply_method_return(m, NULL);
	job_end(j, "cancelled", "cancelled by uid 0");
	return r;
}

static int method_find_slot(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct fake_slot *s;
	const char *name;
	char *path;
	int r = sd_bus_message_read(m, "s", &name);

	if (r >= 0)
		r = find(name, &s, error);
	if (r < 0)
		return r;
	path = slot_path(s);
	r = sd_bus_reply_method_return(m, "o", path);
	free(path);
	return r;
}

/* The slot a call is about: its object, or its first argument. */
static int call_slot(sd_bus_message *m, struct fake_slot **ret, sd_bus_error *error)
{
	const char *name;
	int r;

	*ret = slot_at(sd_bus_message_get_path(m));
	if (*ret)
		return 0;
	r = sd_bus_message_read(m, "s", &name);
	return r < 0 ? r : find(name, ret, error);
}

static int method_request(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	static const char *const operations[] = { "eject", "insert", "replace", "rescan" };
	struct fake_slot *s;
	size_t i = 0;
	int r = call_slot(m, &s, error);

	if (silent)
		return 1;
	while (strcasecmp(operations[i], sd_bus_message_get_member(m)) != 0)
		i++;
	return r < 0 ? r : request(m, s, operations[i], error);
}

/* Hold, Unhold, Locate, Adopt, Release: done at once, or the slot's error. */
static int method_control(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *member = sd_bus_message_get_member(m);
	struct fake_slot *s;
	int r = call_slot(m, &s, error);

	if (r >= 0 && s->behaviour == ERROR)
		return sd_bus_error_set(error, s->result, s->reason);
	if (r >= 0 && strcmp(member, "Locate") == 0)
		r = sd_bus_message_read(m, "b", &set[s - slots].locate);
	if (r < 0)
		return r;
	if (strcmp(member, "Hold") == 0 || strcmp(member, "Unhold") == 0)
		set[s - slots].hold = strcmp(member, "Hold") == 0;
	else if (strcmp(member, "Locate") != 0)
		set[s - slots].native = strcmp(member, "Release") == 0;
	return sd_bus_reply_method_return(m, NULL);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct fake_job *j = job_at(sd_bus_message_get_path(m));
	uint32_t id = j ? j->id : 0;
	int r = j ? 0 : sd_bus_message_read(m, "u", &id);

	return silent ? 1 : r < 0 ? r : cancel(m, id, error);
}

static int get_manager(sd_bus *b, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		       void *userdata, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", strcmp(name, "Shim") == 0 ? shim : "0.0-fake");
}

static int get_slot(sd_bus *b, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		    void *userdata, sd_bus_error *error)
{
	const struct fake_slot *s = userdata;
	bool on = strcmp(s->state, "on") == 0;
	const struct fake_job *j = job_of(s);
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "Name", s->name }, { "Address", s->address }, { "Port", s->address }, { "Label", s->label },
		{ "Backend", strcmp(shim, "active") == 0 && !set[s - slots].native ? "shim" : "native" }, { "Kind", kind_of(s) },
		{ "Parent", parent_of(s) },
		{ "State", j ? "busy" : s->state }, { "Latch", s->latch }, { "Link", s->link },
		{ "PowerIndicator", on ? "on" : "off" }, { "AttentionIndicator", "" },
		{ "ButtonPolicy", "eject" }, { "InsertPolicy", "auto" },
	};
	char *job;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (strcmp(texts[i].name, name) == 0)
			return sd_bus_message_append(reply, "s", texts[i].text);
	if (strcmp(name, "Devices") == 0)
		return append_devices(reply, s);
	if (strcmp(name, "GraceUSec") == 0)
		return sd_bus_message_append(reply, "t", UINT64_C(5000000));
	if (strcmp(name, "Power") == 0)
		return sd_bus_message_append(reply, "b", on);
	if (strcmp(name, "Present") == 0)
		return sd_bus_message_append(reply, "b", strcmp(s->state, "empty") != 0);
	if (strcmp(name, "Protected") == 0)
		return sd_bus_message_append(reply, "b", strcmp(s->name, "slot3") == 0);
	if (strcmp(name, "Locate") == 0)
		return sd_bus_message_append(reply, "b", set[s - slots].locate);
	if (strcmp(name, "Hold") == 0)
		return sd_bus_message_append(reply, "b", set[s - slots].hold);
	job = j ? job_path(j) : strdup("/");
	r = sd_bus_message_append(reply, "o", job);
	free(job);
	return r;
}

static int get_job(sd_bus *b, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		   void *userdata, sd_bus_error *error)
{
	const struct fake_job *j = userdata;
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "Slot", j->slot->name }, { "Operation", j->operation }, { "Origin", "dbus" },
		{ "RequestedBy", "uid 0" }, { "State", j->steps[j->at].state }, { "Step", j->steps[j->at].step },
		{ "Reason", "" },
	};
	char *s;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (strcmp(texts[i].name, name) == 0)
			return sd_bus_message_append(reply, "s", texts[i].text);
	if (strcmp(name, "Id") == 0)
		return sd_bus_message_append(reply, "u", j->id);
	if (strcmp(name, "Stack") == 0)
		return sd_bus_message_append(reply, "s", "");
	if (strcmp(name, "Stalled") == 0)
		return sd_bus_message_append(reply, "b", j->stalled);
	if (strcmp(name, "StateSinceUSec") == 0 || strcmp(name, "StepSinceUSec") == 0)
		return sd_bus_message_append(reply, "t", j->since - (name[2] == 'a' ? 1000000 : 0)); /* a step begins later */
	if (strcmp(name, "DeadlineUSec") == 0)
		return sd_bus_message_append(reply, "t", strcmp(j->steps[j->at].step, "turn") == 0 ? NEVER : j->deadline);
	s = slot_path(j->slot);
	r = sd_bus_message_append(reply, "o", s);
	free(s);
	return r;
}

static int find_slot_object(sd_bus *b, const char *path, const char *interface, void *userdata, void **found,
			    sd_bus_error *error)
{
	*found = slot_at(path);
	return *found ? 1 : 0;
}

static int find_job_object(sd_bus *b, const char *path, const char *interface, void *userdata, void **found,
			   sd_bus_error *error)
{
	*found = job_at(path);
	return *found ? 1 : 0;
}

static int enumerate(sd_bus *b, const char *prefix, void *userdata, char ***ret, sd_bus_error *error)
{
	char **nodes = calloc(n_slots + last_id + 1, sizeof(*nodes));
	size_t n = 0;

	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n_slots; i++)
		nodes[n++] = slot_path(&slots[i]);
	for (uint32_t i = 1; i <= last_id; i++)
		if (jobs[i - 1].alive)
			nodes[n++] = job_path(&jobs[i - 1]);
	*ret = nodes;
	return 1;
}

#define CONST(name, type, get)    SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type, get) SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define OPEN SD_BUS_VTABLE_UNPRIVILEGED
#define REQUEST(name_, ...) \
	SD_BUS_METHOD_WITH_ARGS(name_, SD_BUS_ARGS(__VA_ARGS__), SD_BUS_RESULT("o", job), method_request, OPEN)
#define CONTROL(name_, ...) SD_BUS_METHOD_WITH_ARGS(name_, SD_BUS_ARGS(__VA_ARGS__), SD_BUS_NO_RESULT, method_control, OPEN)

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("FindSlot", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", slot), method_find_slot, OPEN),
	REQUEST("Eject", "s", name, "a{sv}", options),
	REQUEST("Insert", "s", name, "a{sv}", options),
	REQUEST("Replace", "s", name, "a{sv}", options),
	REQUEST("Rescan", "s", name, "a{sv}", options),
	CONTROL("Hold", "s", name),
	CONTROL("Unhold", "s", name),
	CONTROL("Locate", "s", name, "b", on),
	CONTROL("Adopt", "s", name),
	CONTROL("Release", "s", name),
	SD_BUS_METHOD_WITH_ARGS("CancelJob", SD_BUS_ARGS("u", id), SD_BUS_NO_RESULT, method_cancel, OPEN),
	SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("u", id, "o", job, "s", slot), 0),
	SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("u", id, "o", job, "s", slot, "s", result, "s", reason), 0),
	SD_BUS_SIGNAL_WITH_ARGS("SlotEvent", SD_BUS_ARGS("s", slot, "s", event, "s", verdict), 0),
	CONST("Version", "s", get_manager),
	CHANGING("Shim", "s", get_manager),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable slot_vtable[] = {
	SD_BUS_VTABLE_START(0),
	REQUEST("Eject", "a{sv}", options),
	REQUEST("Insert", "a{sv}", options),
	REQUEST("Replace", "a{sv}", options),
	REQUEST("Rescan", "a{sv}", options),
	SD_BUS_METHOD("Hold", NULL, NULL, method_control, OPEN),
	SD_BUS_METHOD("Unhold", NULL, NULL, method_control, OPEN),
	CONTROL("Locate", "b", on),
	SD_BUS_METHOD("Adopt", NULL, NULL, method_control, OPEN),
	SD_BUS_METHOD("Release", NULL, NULL, method_control, OPEN),
	CONST("Name", "s", get_slot),
	CHANGING("Address", "s", get_slot),
	CHANGING("Port", "s", get_slot),
	CHANGING("Backend", "s", get_slot),
	CHANGING("Kind", "s", get_slot),
	CHANGING("Label", "s", get_slot),
	CHANGING("State", "s", get_slot),
	CHANGING("Power", "b", get_slot),
	CHANGING("Present", "b", get_slot),
	CHANGING("Latch", "s", get_slot),
	CHANGING("Link", "s", get_slot),
	CHANGING("Locate", "b", get_slot),
	CHANGING("Hold", "b", get_slot),
	CHANGING("Parent", "s", get_slot),
	CHANGING("PowerIndicator", "s", get_slot),
	CHANGING("AttentionIndicator", "s", get_slot),
	CHANGING("ButtonPolicy", "s", get_slot),
	CHANGING("InsertPolicy", "s", get_slot),
	CHANGING("Protected", "b", get_slot),
	CHANGING("GraceUSec", "t", get_slot),
	CHANGING("Devices", "a(sssas)", get_slot),
	CHANGING("Job", "o", get_slot),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable job_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Cancel", NULL, NULL, method_cancel, OPEN),
	CONST("Id", "u", get_job),
	CONST("Slot", "s", get_job),
	CONST("SlotPath", "o", get_job),
	CONST("Operation", "s", get_job),
	CONST("Origin", "s", get_job),
	CONST("RequestedBy", "s", get_job),
	CHANGING("State", "s", get_job),
	CHANGING("Step", "s", get_job),
	CHANGING("Stalled", "b", get_job),
	CHANGING("Stack", "s", get_job),
	CHANGING("StateSinceUSec", "t", get_job),
	CHANGING("StepSinceUSec", "t", get_job),
	CHANGING("DeadlineUSec", "t", get_job),
	CHANGING("Reason", "s", get_job),
	SD_BUS_VTABLE_END,
};

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct fake_slot *s;

	if (find("slot8", &s, NULL) < 0)
		return 0;
	check(sd_bus_emit_signal(bus, PATH_MANAGER, INTERFACE_MANAGER, "SlotEvent", "sss", s->name, "button", "started"),
	      "signal");
	job_start(s, "eject");
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	sigset_t mask;

	if (strcmp(how, "no-slots") == 0)
		n_slots = 0;
	if (strcmp(how, "no-slots") == 0 || strcmp(how, "absent") == 0)
		shim = "absent";
	silent = strcmp(how, "silent") == 0;
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	check(sd_event_default(&event), "loop");
	check(sd_event_add_signal(event, NULL, SIGHUP, on_hangup, NULL), "signal");
	check(sd_bus_open_system(&bus), "bus");
	check(sd_bus_add_object_vtable(bus, NULL, PATH_MANAGER, INTERFACE_MANAGER, manager_vtable, NULL), "object");
	check(sd_bus_add_object_manager(bus, NULL, PATH_MANAGER), "object");
	check(sd_bus_add_fallback_vtable(bus, NULL, PATH_SLOTS, INTERFACE_SLOT, slot_vtable, find_slot_object, NULL), "object");
	check(sd_bus_add_fallback_vtable(bus, NULL, PATH_JOBS, INTERFACE_JOB, job_vtable, find_job_object, NULL), "object");
	check(sd_bus_add_node_enumerator(bus, NULL, PATH_MANAGER, enumerate, NULL), "object");
	check(sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL), "bus");
	check(sd_bus_set_exit_on_disconnect(bus, true), "bus");
	check(sd_bus_request_name(bus, BUS_NAME, 0), "name");
	if (strcmp(how, "busy") == 0)
		on_hangup(NULL, NULL, NULL);
	check(sd_bus_flush(bus), "bus");
	puts("ready");
	fflush(stdout);
	check(sd_event_loop(event), "loop");
	sd_bus_flush_close_unref(bus);
	sd_event_unref(event);
	return EXIT_SUCCESS;
}
