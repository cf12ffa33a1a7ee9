/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.hotplugd1.Manager on the bus.
 *
 * Responsible for: methods that start and cancel jobs, for whom, and their
 * named errors with a reason a person can act on. The interface is described
 * in dbus/org.hotplugd1.Manager.xml. Decides nothing about slots or jobs: that
 * is the engine's.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "callers.h"
#include "control-dbus.h"
#include "job-dbus.h"
#include "journal.h"
#include "manager-dbus.h"
#include "polkit.h"
#include "slot-dbus.h"

/* Reads a{sv}; the one option there is so far is "force". What is refused is refused at
 * the first of them, so that nobody keeps us reading, or a long message waiting for polkit. */
static int read_options(sd_bus_message *call, bool *ret_force, sd_bus_error *error)
{
	bool given = false;
	int force = 0, r;

	r = sd_bus_message_enter_container(call, 'a', "{sv}");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
		const char *key, *type;

		r = sd_bus_message_read(call, "s", &key);
		if (r < 0)
			return r;
		if (strcmp(key, "force") != 0) {
			char told[50];

			text_make_printable(key, told, sizeof(told));
			return sd_bus_error_setf(error, ERROR_INVALID, "unknown option '%s'; known: force", told);
		}
		if (given)
			return sd_bus_error_set(error, ERROR_INVALID, "option 'force' is given twice");
		given = true;
		r = sd_bus_message_peek_type(call, NULL, &type);
		if (r >= 0 && strcmp(type, "b") != 0)
			return sd_bus_error_setf(error, ERROR_INVALID, "option 'force' is a boolean, not '%.50s'", type);
		r = sd_bus_message_read(call, "v", "b", &force);
		if (r >= 0)
			r = sd_bus_message_exit_container(call);
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(call);
	if (r < 0)
		return r;
	*ret_force = force;
	return 0;
}

/* A sentence can hold so many. */
#define NAMES_MAX 10

static char *slot_names(struct manager *m)
{
	char *text = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&text, &size);
	struct slot *s;

	if (!f)
		return NULL;
	TAILQ_FOREACH(s, &m->slots, entry)
		if (n++ < NAMES_MAX)
			fprintf(f, "%s%s", n == 1 ? "" : ", ", s->name);
	if (n > NAMES_MAX)
		fprintf(f, " and %zu more", n - NAMES_MAX);
	if (TAILQ_EMPTY(&m->slots))
		fputs("none", f);
	return fclose(f) == 0 ? text : (free(text), NULL);
}

static int find_slot(struct manager *m, const char *text, struct slot **ret, sd_bus_error *error)
{
	_cleanup_free_ char *why = NULL, *names = NULL;

	if (manager_find_slot(m, text, ret, &why) >= 0)
		return 0;
	names = slot_names(m);
	return sd_bus_error_setf(error, ERROR_NO_SUCH_SLOT, "%s. Slots: %s", why ?: "no such slot", names ?: "");
}

int manager_dbus_call_slot(struct manager *m, sd_bus_message *call, struct slot **ret, sd_bus_error *error)
{
	const char *path = sd_bus_message_get_path(call), *text;
	int r;

	if (strcmp(path, PATH_MANAGER) != 0) {
		*ret = manager_slot_by_path(m, path);
		return *ret ? 0 : sd_bus_error_setf(error, ERROR_NO_SUCH_SLOT, "the slot is gone");
	}
	r = sd_bus_message_read(call, "s", &text);
	return r < 0 ? r : find_slot(m, text, ret, error);
}

static int request_error(struct manager *m, struct slot *s, enum operation operation, int r, const struct job *job,
			 sd_bus_error *error)
{
	const char *what = operation_to_string(operation);

	switch (r) {
	case -EBUSY: {
		struct slot *other = manager_slot_by_handle(m, job->slot);

		return sd_bus_error_setf(error, ERROR_BUSY, "cannot %s %s: job %" PRIu32 " (%s, %s) is under way on %s; wait for it or cancel it",
					 what, s->name, job->id, operation_to_string(job->operation),
					 job_state_to_string(job->state), other ? other->name : "a slot that is gone");
	}
	case -ENOMEDIUM:
		return sd_bus_error_setf(error, ERROR_EMPTY, "cannot %s %s: there is no card in the slot", what, s->name);
	case -EPERM:
		return sd_bus_error_setf(error, ERROR_LATCH_OPEN, "cannot %s %s: the latch is open; close it first", what, s->name);
	case -ENOENT:
		return sd_bus_error_setf(error, ERROR_NO_SUCH_SLOT, "%s is gone", s->name);
	case -EOPNOTSUPP:
		return sd_bus_error_setf(error, ERROR_NOT_SUPPORTED,
					 "cannot %s %s: the kernel's own driver has the slot and does not tell of cards; "
					 "adopt it first, or eject and insert it", what, s->name);
	default:
		return r;
	}
}

/* A press is refused by the engine and blinks; who asks on the bus is told at once. What
 * would start nothing anyhow is the engine's to answer. */
static int refuse_protected(struct manager *m, struct slot *s, const struct request *request, sd_bus_error *error)
{
	const char *what = operation_to_string(request->operation);

	if (!s->policy.protect || request->force || !s->occupied || engine_slot_job(m->engine, s->handle) ||
	    (request->operation != OPERATION_EJECT && request->operation != OPERATION_REPLACE))
		return 0;
	journal_denied(s, request->operation, request->requested_by, "the slot is protected (HOTPLUGD_PROTECT)");
	return sd_bus_error_setf(error, ERROR_PROTECTED,
				 "cannot %s %s: the slot is protected by policy (HOTPLUGD_PROTECT); "
				 "take that away, or use --force", what, s->name);
}

static int do_request(struct manager *m, sd_bus_message *call, enum operation operation, sd_bus_error *error)
{
	_cleanup_free_ char *requester = NULL, *path = NULL;
	const struct job *job = NULL;
	struct request request = { .operation = operation, .origin = ORIGIN_DBUS };
	struct slot *s;
	int r;

	/* Read again: while polkit was asked the slot may have gone. */
	r = sd_bus_message_rewind(call, 1);
	if (r >= 0)
		r = manager_dbus_call_slot(m, call, &s, error);
	if (r >= 0)
		r = read_options(call, &request.force, error);
	if (r >= 0)
		r = polkit_requester(call, &requester);
	if (r < 0)
		return r;
	request.requested_by = requester;
	if (!m->recovered)
		return sd_bus_error_setf(error, ERROR_BUSY, "cannot %s %s: hotplugd is starting and has not heard of hpshim yet; "
					 "try again soon", operation_to_string(operation), s->name);
	if (!manager_drives(m, s))
		return sd_bus_error_setf(error, ERROR_BUSY, "cannot %s %s: another program controls hpshim; end it first",
					 operation_to_string(operation), s->name);

	r = slot_refresh_devices(s);
	if (r < 0)
		return r;
	manager_slot_changed(m, s);
	r = refuse_protected(m, s, &request, error);
	if (r < 0)
		return r;
	r = engine_request(m->engine, s->handle, &request, manager_now(m), &job);
	if (r < 0)
		return request_error(m, s, operation, r, job, error);
	if (r > 0) {
		log_debug("%s of %s asked for by %s: nothing to do", operation_to_string(operation), s->name, requester);
		return sd_bus_reply_method_return(call, "o", "/");
	}
	path = job_dbus_path(job->id);
	/* The answer goes out before the signals of the job, and after it is written down. */
	manager_save(m);
	r = path ? sd_bus_reply_method_return(call, "o", path) : -ENOMEM;
	manager_run_engine(m);
	return r < 0 ? r : 1;
}

static const struct {
	const char *member, *action;
	enum operation operation;
} verbs[] = {
	{ "Eject", POLKIT_EJECT, OPERATION_EJECT },
	{ "Insert", POLKIT_INSERT, OPERATION_INSERT },
	{ "Replace", POLKIT_REPLACE, OPERATION_REPLACE },
	{ "Rescan", POLKIT_RESCAN, OPERATION_RESCAN },
};

/* Which of them is called: only these lead here. */
static size_t verb_of(sd_bus_message *call)
{
	size_t i = 0;

	while (strcmp(verbs[i].member, sd_bus_message_get_member(call)) != 0)
		i++;
	return i;
}

static int do_verb(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return do_request(userdata, call, verbs[verb_of(call)].operation, error);
}

int manager_dbus_request(struct manager *m, sd_bus_message *call, sd_bus_error *error)
{
	struct slot *s;
	bool force;
	int r;

	/* Wrong input is told before anybody is asked for a password. */
	r = manager_dbus_call_slot(m, call, &s, error);
	if (r >= 0)
		r = read_options(call, &force, error);
	if (r < 0)
		return r;
	return polkit_check(call, verbs[verb_of(call)].action, do_verb, m, error);
}

static int no_such_job(sd_bus_error *error, uint32_t id)
{
	return sd_bus_error_setf(error, ERROR_NO_SUCH_JOB, "there is no job %" PRIu32 "; it may have ended", id);
}

/* The job a cancel is about: the object it is made on, or its argument. */
static int cancel_id(sd_bus_message *call, uint32_t *ret)
{
	const char *path = sd_bus_message_get_path(call);
	int r;

	if (strcmp(path, PATH_MANAGER) != 0) {
		*ret = (uint32_t)strtoul(path + strlen(PATH_JOBS "/"), NULL, 10);
		return 0;
	}
	r = sd_bus_message_rewind(call, 1);
	return r < 0 ? r : sd_bus_message_read(call, "u", ret);
}

static int do_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct manager *m = userdata;
	_cleanup_free_ char *requester = NULL, *reason = NULL;
	uint32_t id;
	int r;

	r = cancel_id(call, &id);
	if (r >= 0)
		r = polkit_requester(call, &requester);
	if (r >= 0 && asprintf(&reason, "cancelled by %s", requester) < 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	r = engine_cancel(m->engine, id, reason, manager_now(m));
	if (r == -ENOENT)
		return no_such_job(error, id);
	if (r == -EALREADY)
		return sd_bus_error_setf(error, ERROR_TOO_LATE,
					 "job %" PRIu32 " has reached its commit and cannot be cancelled any more", id);
	if (r < 0)
		return r;
	/* As above: what is told to be cancelled must not go on after a restart. */
	manager_save(m);
	r = sd_bus_reply_method_return(call, NULL);
	manager_run_engine(m);
	return r < 0 ? r : 1;
}

int manager_dbus_cancel(struct manager *m, sd_bus_message *call, uint32_t id, sd_bus_error *error)
{
	if (!engine_job(m->engine, id))
		return no_such_job(error, id);
	return polkit_check(call, POLKIT_CANCEL, do_cancel, m, error);
}

static int method_find_slot(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct slot *s;
	int r = manager_dbus_call_slot(userdata, call, &s, error);

	return r < 0 ? r : sd_bus_reply_method_return(call, "o", s->path);
}

static int method_request(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return manager_dbus_request(userdata, call, error);
}

static int method_control(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return control_dbus_call(userdata, call, error);
}

static int method_cancel_job(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	uint32_t id;
	int r = sd_bus_message_read(call, "u", &id);

	return r < 0 ? r : manager_dbus_cancel(userdata, call, id, error);
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		       void *userdata, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", HOTPLUGD_VERSION);
}

static int get_shim(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		    void *userdata, sd_bus_error *error)
{
	struct manager *m = userdata;

	return sd_bus_message_append(reply, "s", shim_state_to_string(m->shim_state));
}

#define REQUEST(name_)                                                                                              \
	SD_BUS_METHOD_WITH_ARGS(name_, SD_BUS_ARGS("s", name, "a{sv}", options), SD_BUS_RESULT("o", job), method_request, \
				SD_BUS_VTABLE_UNPRIVILEGED)
#define CONTROL(name_) \
	SD_BUS_METHOD_WITH_ARGS(name_, SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method_control, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("FindSlot", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", slot), method_find_slot,
				SD_BUS_VTABLE_UNPRIVILEGED),
	REQUEST("Eject"),
	REQUEST("Insert"),
	REQUEST("Replace"),
	REQUEST("Rescan"),
	CONTROL("Hold"),
	CONTROL("Unhold"),
	SD_BUS_METHOD_WITH_ARGS("Locate", SD_BUS_ARGS("s", name, "b", on), SD_BUS_NO_RESULT, method_control,
				SD_BUS_VTABLE_UNPRIVILEGED),
	CONTROL("Adopt"),
	CONTROL("Release"),
	SD_BUS_METHOD_WITH_ARGS("CancelJob", SD_BUS_ARGS("u", id), SD_BUS_NO_RESULT, method_cancel_job,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("u", id, "o", job, "s", slot), 0),
	SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("u", id, "o", job, "s", slot, "s", result, "s", reason), 0),
	SD_BUS_SIGNAL_WITH_ARGS("SlotEvent", SD_BUS_ARGS("s", slot, "s", event, "s", verdict), 0),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Shim", "s", get_shim, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

/* Property values and their names, in bytes, about. */
#define SLOT_SIZE     900
#define FUNCTION_SIZE 60  /* without its texts */
#define TEXT_SIZE     8   /* more than what is in it */
#define JOB_SIZE      700
#define NODE_SIZE     60
#define XML_SIZE      8192
#define ANSWER_SIZE   1024
#define STACK_SIZE    4096

static size_t slot_size(const struct slot *s)
{
	size_t size = SLOT_SIZE;

	for (size_t i = 0; i < s->n_functions; i++) {
		const struct sysfs_function *f = &s->functions[i];

		size += FUNCTION_SIZE + strlen(f->name) + strlen(f->driver);
		for (char **node = f->nodes; node && *node; node++)
			size += TEXT_SIZE + strlen(*node);
	}
	return size;
}

static size_t objects_size(struct manager *m)
{
	size_t size = 2 * ANSWER_SIZE;
	const struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		size += slot_size(s);
	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j))
		size += JOB_SIZE;
	return size;
}

static size_t nodes_size(struct manager *m)
{
	size_t size = XML_SIZE;
	const struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		size += NODE_SIZE;
	return size;
}

/* Get and GetAll of a slot, or of a job, whose stack is as long as a page. */
static size_t properties_size(struct manager *m, const char *path)
{
	const struct slot *s = manager_slot_by_path(m, path);

	return s ? slot_size(s) : STACK_SIZE;
}

static size_t answer_size(sd_bus_message *call, void *userdata)
{
	const char *member = sd_bus_message_get_member(call), *path = sd_bus_message_get_path(call);
	size_t size = ANSWER_SIZE + strlen(path); /* an error may tell it */

	if (strcmp(member, "GetManagedObjects") == 0)
		size += objects_size(userdata);
	else if (strcmp(member, "Introspect") == 0)
		size += nodes_size(userdata);
	else if (strcmp(member, "Get") == 0 || strcmp(member, "GetAll") == 0)
		size += properties_size(userdata, path);
	return size;
}

int manager_dbus_register(struct manager *m)
{
	int r;

	r = callers_init(m->bus, answer_size, m);
	if (r >= 0)
		r = sd_bus_add_object_vtable(m->bus, NULL, PATH_MANAGER, INTERFACE_MANAGER, manager_vtable, m);
	if (r >= 0)
		r = sd_bus_add_object_manager(m->bus, NULL, PATH_MANAGER);
	if (r >= 0)
		r = slot_dbus_register(m);
	if (r >= 0)
		r = job_dbus_register(m);
	return r;
}

static void warn_unless_sent(const char *what, int r)
{
	if (r < 0)
		log_warning("Cannot tell on the bus about %s: %s", what, strerror(-r));
}

void manager_dbus_slot_event(struct manager *m, struct slot *s, const char *event, enum verdict verdict)
{
	warn_unless_sent(s->name, sd_bus_emit_signal(m->bus, PATH_MANAGER, INTERFACE_MANAGER, "SlotEvent", "sss",
						     s->name, event, verdict_to_string(verdict)));
}

void manager_dbus_shim_changed(struct manager *m)
{
	warn_unless_sent("the shim", sd_bus_emit_properties_changed(m->bus, PATH_MANAGER, INTERFACE_MANAGER, "Shim", NULL));
}
