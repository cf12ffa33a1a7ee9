/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.hotplugd1.Job on the bus.
 *
 * Responsible for: the objects below /org/hotplugd1/job, their properties and
 * signals, and the manager's signals about jobs. The interface is described in
 * dbus/org.hotplugd1.Job.xml.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "job-dbus.h"
#include "manager-dbus.h"

char *job_dbus_path(uint32_t id)
{
	char *path;

	return asprintf(&path, "%s/%" PRIu32, PATH_JOBS, id) < 0 ? NULL : path;
}

/* The manager is the vtable's userdata; the job is found by its path. */
static const struct job *job_by_path(struct manager *m, const char *path)
{
	const char *text = path + strlen(PATH_JOBS) + 1;
	char *end;
	unsigned long id;

	if (strncmp(path, PATH_JOBS "/", strlen(PATH_JOBS) + 1) != 0 || *text < '1' || *text > '9')
		return NULL;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || *end || id > UINT32_MAX)
		return NULL;
	return engine_job_to_tell(m->engine, (uint32_t)id);
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name,
			sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct manager *m = userdata;
	const struct job *job = job_by_path(m, path);
	struct slot *slot = job ? manager_slot_by_handle(m, job->slot) : NULL;

	if (!job)
		return -ENOENT;
	if (strcmp(name, "Id") == 0)
		return sd_bus_message_append(reply, "u", job->id);
	if (strcmp(name, "Slot") == 0)
		return sd_bus_message_append(reply, "s", slot ? slot->name : "");
	if (strcmp(name, "SlotPath") == 0)
		return sd_bus_message_append(reply, "o", slot ? slot->path : "/");
	if (strcmp(name, "Operation") == 0)
		return sd_bus_message_append(reply, "s", operation_to_string(job->operation));
	if (strcmp(name, "Origin") == 0)
		return sd_bus_message_append(reply, "s", origin_to_string(job->origin));
	if (strcmp(name, "RequestedBy") == 0)
		return sd_bus_message_append(reply, "s", job->requested_by ?: "");
	if (strcmp(name, "State") == 0)
		return sd_bus_message_append(reply, "s", job_state_to_string(job->state));
	if (strcmp(name, "Step") == 0)
		return sd_bus_message_append(reply, "s", job_step_to_string(job->step));
	if (strcmp(name, "Stalled") == 0)
		return sd_bus_message_append(reply, "b", job->stalled);
	if (strcmp(name, "Stack") == 0) {
		_cleanup_free_ char *stack = job_stack(m, job);

		return sd_bus_message_append(reply, "s", stack ?: "");
	}
	if (strcmp(name, "StateSinceUSec") == 0)
		return sd_bus_message_append(reply, "t", job->state_since);
	if (strcmp(name, "StepSinceUSec") == 0)
		return sd_bus_message_append(reply, "t", job->step_since);
	if (strcmp(name, "DeadlineUSec") == 0)
		return sd_bus_message_append(reply, "t", job->step_deadline);
	if (strcmp(name, "Reason") == 0)
		return sd_bus_message_append(reply, "s", job->reason ?: "");
	return -ENOENT;
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct manager *m = userdata;
	const struct job *job = job_by_path(m, sd_bus_message_get_path(call));

	return manager_dbus_cancel(m, call, job ? job->id : 0, error);
}

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
		    sd_bus_error *error)
{
	*found = userdata;
	return job_by_path(userdata, path) ? 1 : 0;
}

static int enumerate_jobs(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error)
{
	struct manager *m = userdata;
	_cleanup_strv_ char **nodes = NULL;
	size_t n = 0;

	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j))
		n++;
	nodes = calloc(n + 1, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	n = 0;
	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j)) {
		nodes[n] = job_dbus_path(j->id);
		if (!nodes[n++])
			return -ENOMEM;
	}
	*ret_nodes = TAKE_PTR(nodes);
	return 1;
}

#define CONST_PROPERTY(name, type) SD_BUS_PROPERTY(name, type, get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING_PROPERTY(name, type) SD_BUS_PROPERTY(name, type, get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable job_vtable[] = {
	SD_BUS_VTABLE_START(0),
	CONST_PROPERTY("Id", "u"),
	CONST_PROPERTY("Slot", "s"),
	CONST_PROPERTY("SlotPath", "o"),
	CONST_PROPERTY("Operation", "s"),
	CONST_PROPERTY("Origin", "s"),
	CONST_PROPERTY("RequestedBy", "s"),
	CHANGING_PROPERTY("State", "s"),
	CHANGING_PROPERTY("Step", "s"),
	CHANGING_PROPERTY("Stalled", "b"),
	CHANGING_PROPERTY("Stack", "s"),
	CHANGING_PROPERTY("StateSinceUSec", "t"),
	CHANGING_PROPERTY("StepSinceUSec", "t"),
	CHANGING_PROPERTY("DeadlineUSec", "t"),
	CHANGING_PROPERTY("Reason", "s"),
	SD_BUS_METHOD("Cancel", NULL, NULL, method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int job_dbus_register(struct manager *m)
{
	int r;

	r = sd_bus_add_fallback_vtable(m->bus, NULL, PATH_JOBS, INTERFACE_JOB, job_vtable, find_job, m);
	if (r >= 0)
		r = sd_bus_add_node_enumerator(m->bus, NULL, PATH_JOBS, enumerate_jobs, m);
	return r;
}

static const char *slot_name(struct manager *m, const struct job *job)
{
	struct slot *slot = manager_slot_by_handle(m, job->slot);

	return slot ? slot->name : "";
}

static void warn_unless_sent(const struct job *job, int r)
{
	if (r < 0)
		log_warning("Cannot tell on the bus about job %" PRIu32 ": %s", job->id, strerror(-r));
}

void job_dbus_new(struct manager *m, const struct job *job)
{
	_cleanup_free_ char *path = job_dbus_path(job->id);
	int r = -ENOMEM;

	if (path)
		r = sd_bus_emit_interfaces_added(m->bus, path, INTERFACE_JOB, NULL);
	if (r >= 0)
		r = sd_bus_emit_signal(m->bus, PATH_MANAGER, INTERFACE_MANAGER, "JobNew", "uos", job->id, path,
				       slot_name(m, job));
	warn_unless_sent(job, r);
}

void job_dbus_changed(struct manager *m, const struct job *job)
{
	_cleanup_free_ char *path = job_dbus_path(job->id);
	int r = -ENOMEM;

	if (job_state_is_final(job->state))
		return; /* the object goes: JobRemoved tells the result */
	if (path)
		r = sd_bus_emit_properties_changed(m->bus, path, INTERFACE_JOB, "State", "Step", "Stalled", "Stack",
						   "StateSinceUSec", "StepSinceUSec", "DeadlineUSec", "Reason", NULL);
	warn_unless_sent(job, r);
}

static int new_removed(struct manager *m, const struct job *job, const char *path, const char *slot,
		       sd_bus_message **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
	int r = sd_bus_message_new_signal(m->bus, &signal, PATH_MANAGER, INTERFACE_MANAGER, "JobRemoved");

	if (r >= 0)
		r = sd_bus_message_append(signal, "uosss", job->id, path, slot, job_state_to_string(job->state),
					  job->reason ?: "");
	if (r >= 0)
		*ret = TAKE_PTR(signal);
	return r;
}

/* Takes the signal. */
static int tell_later(struct manager *m, sd_bus_message *signal)
{
	sd_bus_message **more = reallocarray(m->untold, m->n_untold + 1, sizeof(*more));

	if (!more) {
		sd_bus_message_unref(signal);
		return -ENOMEM;
	}
	m->untold = more;
	more[m->n_untold++] = signal;
	return 0;
}

void job_dbus_ended(struct manager *m, const struct job *job, const char *slot)
{
	_cleanup_free_ char *path = job_dbus_path(job->id);
	sd_bus_message *signal = NULL;
	int r = path ? new_removed(m, job, path, slot, &signal) : -ENOMEM;

	if (r >= 0 && !m->named) {
		r = tell_later(m, signal);
	} else if (r >= 0) {
		r = sd_bus_send(m->bus, signal, NULL);
		sd_bus_message_unref(signal);
		if (r >= 0)
			r = sd_bus_emit_interfaces_removed(m->bus, path, INTERFACE_JOB, NULL);
	}
	warn_unless_sent(job, r);
}

void job_dbus_named(struct manager *m)
{
	m->named = true;
	for (size_t i = 0; i < m->n_untold; i++)
		if (sd_bus_send(m->bus, m->untold[i], NULL) < 0)
			log_warning("Cannot tell on the bus how a job of the daemon before this one ended");
	job_dbus_free(m);
}

void job_dbus_free(struct manager *m)
{
	while (m->n_untold > 0)
		sd_bus_message_unref(m->untold[--m->n_untold]);
	free(m->untold);
	m->untold = NULL;
}
