/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.hotplugd1.Slot on the bus.
 *
 * Responsible for: the objects below /org/hotplugd1/slot, their properties and
 * change signals; its methods are the manager's. The interface is
 * described in dbus/org.hotplugd1.Slot.xml.
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
#include "job-dbus.h"
#include "manager-dbus.h"
#include "registry.h"
#include "slot-dbus.h"

/* The properties that change. Each has one text, which is both the value on
 * the bus and what is compared to find out what changed. */
enum property {
	PROPERTY_ADDRESS,
	PROPERTY_PORT,
	PROPERTY_BACKEND,
	PROPERTY_KIND,
	PROPERTY_LABEL,
	PROPERTY_STATE,
	PROPERTY_POWER,
	PROPERTY_PRESENT,
	PROPERTY_LATCH,
	PROPERTY_LINK,
	PROPERTY_LOCATE,
	PROPERTY_HOLD,
	PROPERTY_PARENT,
	PROPERTY_POWER_INDICATOR,
	PROPERTY_ATTENTION_INDICATOR,
	PROPERTY_BUTTON_POLICY,
	PROPERTY_INSERT_POLICY,
	PROPERTY_PROTECTED,
	PROPERTY_GRACE_USEC,
	PROPERTY_DEVICES,
	PROPERTY_JOB,
	_PROPERTY_MAX,
	_PROPERTY_INVALID = -1,
};
_Static_assert(_PROPERTY_MAX == SLOT_N_PROPERTIES, "struct slot keeps one text per property");

static const char *const property_names[_PROPERTY_MAX] = {
	[PROPERTY_ADDRESS] = "Address",
	[PROPERTY_PORT] = "Port",
	[PROPERTY_BACKEND] = "Backend",
	[PROPERTY_KIND] = "Kind",
	[PROPERTY_LABEL] = "Label",
	[PROPERTY_STATE] = "State",
	[PROPERTY_POWER] = "Power",
	[PROPERTY_PRESENT] = "Present",
	[PROPERTY_LATCH] = "Latch",
	[PROPERTY_LINK] = "Link",
	[PROPERTY_LOCATE] = "Locate",
	[PROPERTY_HOLD] = "Hold",
	[PROPERTY_PARENT] = "Parent",
	[PROPERTY_POWER_INDICATOR] = "PowerIndicator",
	[PROPERTY_ATTENTION_INDICATOR] = "AttentionIndicator",
	[PROPERTY_BUTTON_POLICY] = "ButtonPolicy",
	[PROPERTY_INSERT_POLICY] = "InsertPolicy",
	[PROPERTY_PROTECTED] = "Protected",
	[PROPERTY_GRACE_USEC] = "GraceUSec",
	[PROPERTY_DEVICES] = "Devices",
	[PROPERTY_JOB] = "Job",
};

static enum property property_from_name(const char *name)
{
	for (int p = 0; p < _PROPERTY_MAX; p++)
		if (strcmp(property_names[p], name) == 0)
			return p;
	return _PROPERTY_INVALID;
}

static const char *indicator_text(enum indicator i)
{
	switch (i) {
	case INDICATOR_ON:
		return "on";
	case INDICATOR_BLINK:
		return "blink";
	case INDICATOR_OFF:
		return "off";
	default:
		return "";
	}
}

/* All that the Devices property tells, as one text. */
static char *devices_text(const struct slot *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < s->n_functions; i++) {
		const struct sysfs_function *fn = &s->functions[i];

		fprintf(f, "%s|%s|%s", fn->address, fn->name, fn->driver);
		for (char **node = fn->nodes; node && *node; node++)
			fprintf(f, "|%s", *node);
		fputc('\n', f);
	}
	return fclose(f) == 0 ? text : (free(text), NULL);
}

/* The name of the slot above. */
static char *parent_text(struct slot *s)
{
	const struct slot *above = manager_slot_by_handle(s->manager, registry_parent(s->manager, s));

	return strdup(above ? above->name : "");
}

/* The property's text, to be freed; NULL when memory is short. */
static char *property_text(struct slot *s, enum property p)
{
	const struct job *job = engine_slot_job(s->manager->engine, s->handle);
	char number[24];

	switch (p) {
	case PROPERTY_ADDRESS:
		return strdup(s->address);
	case PROPERTY_PORT:
		return strdup(s->port);
	case PROPERTY_BACKEND:
		return strdup(backend_to_string(s->backend));
	case PROPERTY_KIND:
		return strdup(sysfs_slot_kind_to_string(s->kind));
	case PROPERTY_LABEL:
		return strdup(s->policy.name ?: "");
	case PROPERTY_STATE:
		return strdup(slot_state_to_string(slot_state(s, job)));
	case PROPERTY_POWER:
		return strdup(s->power ? "1" : "0");
	case PROPERTY_PRESENT:
		return strdup(s->present ? "1" : "0");
	case PROPERTY_LATCH:
		return strdup(!s->latch_known ? "" : s->latch_open ? "open" : "closed");
	case PROPERTY_LINK:
		return strdup(!s->link_known ? "" : s->link ? "up" : "down");
	case PROPERTY_LOCATE:
		return strdup(s->locate ? "1" : "0");
	case PROPERTY_HOLD:
		return strdup(s->hold ? "1" : "0");
	case PROPERTY_PARENT:
		return parent_text(s);
	case PROPERTY_POWER_INDICATOR:
		return strdup(indicator_text(s->power_indicator));
	case PROPERTY_ATTENTION_INDICATOR:
		return strdup(indicator_text(s->attention_indicator));
	case PROPERTY_BUTTON_POLICY:
		return strdup(button_policy_to_string(s->policy.button));
	case PROPERTY_INSERT_POLICY:
		return strdup(insert_policy_to_string(s->policy.insert));
	case PROPERTY_PROTECTED:
		return strdup(s->policy.protect ? "1" : "0");
	case PROPERTY_GRACE_USEC:
		snprintf(number, sizeof(number), "%" PRIu64, s->policy.grace);
		return strdup(number);
	case PROPERTY_DEVICES:
		return devices_text(s);
	case PROPERTY_JOB:
		return job ? job_dbus_path(job->id) : strdup("/");
	default:
		return NULL;
	}
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name,
			sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ char *text = property_text(userdata, property_from_name(name));

	if (!text)
		return -ENOMEM;
	return sd_bus_message_append_basic(reply, 's', text);
}

static int get_boolean(sd_bus *bus, const char *path, const char *interface, const char *name,
		       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ char *text = property_text(userdata, property_from_name(name));

	if (!text)
		return -ENOMEM;
	return sd_bus_message_append(reply, "b", text[0] == '1');
}

static int get_grace(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		     void *userdata, sd_bus_error *error)
{
	struct slot *s = userdata;

	return sd_bus_message_append(reply, "t", (uint64_t)s->policy.grace);
}

static int get_job(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *reply,
		   void *userdata, sd_bus_error *error)
{
	_cleanup_free_ char *text = property_text(userdata, PROPERTY_JOB);

	return text ? sd_bus_message_append(reply, "o", text) : -ENOMEM;
}

static int get_devices(sd_bus *bus, const char *path, const char *interface, const char *name,
		       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct slot *s = userdata;
	int r = sd_bus_message_open_container(reply, 'a', "(sssas)");

	for (size_t i = 0; r >= 0 && i < s->n_functions; i++) {
		const struct sysfs_function *fn = &s->functions[i];

		r = sd_bus_message_open_container(reply, 'r', "sssas");
		if (r >= 0)
			r = sd_bus_message_append(reply, "sss", fn->address, fn->name, fn->driver);
		if (r >= 0)
			r = sd_bus_message_append_strv(reply, fn->nodes);
		if (r >= 0)
			r = sd_bus_message_close_container(reply);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_request(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct slot *s = userdata;

	return manager_dbus_request(s->manager, call, error);
}

static int method_control(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct slot *s = userdata;

	return control_dbus_call(s->manager, call, error);
}

static int find_slot(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
		     sd_bus_error *error)
{
	struct slot *s = manager_slot_by_path(userdata, path);

	if (!s)
		return 0;
	/* For who asks, not for what we tell ourselves. */
	if (sd_bus_get_current_message(bus))
		registry_look(userdata, s);
	*found = s;
	return 1;
}

static int enumerate_slots(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error)
{
	struct manager *m = userdata;
	_cleanup_strv_ char **nodes = NULL;
	struct slot *s;
	size_t n = 0;

	TAILQ_FOREACH(s, &m->slots, entry)
		n++;
	nodes = calloc(n + 1, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	n = 0;
	TAILQ_FOREACH(s, &m->slots, entry) {
		nodes[n] = strdup(s->path);
		if (!nodes[n++])
			return -ENOMEM;
	}
	*ret_nodes = TAKE_PTR(nodes);
	return 1;
}

#define REQUEST(name_)                                                                                   \
	SD_BUS_METHOD_WITH_ARGS(name_, SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job), method_request, \
				SD_BUS_VTABLE_UNPRIVILEGED)
#define CONTROL(name_) SD_BUS_METHOD(name_, NULL, NULL, method_control, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable slot_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Name", "s", NULL, offsetof(struct slot, name), SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Address", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Port", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Backend", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Kind", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Label", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("State", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Power", "b", get_boolean, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Present", "b", get_boolean, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Latch", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Link", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Locate", "b", get_boolean, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Hold", "b", get_boolean, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Parent", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("PowerIndicator", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("AttentionIndicator", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("ButtonPolicy", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("InsertPolicy", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Protected", "b", get_boolean, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("GraceUSec", "t", get_grace, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Devices", "a(sssas)", get_devices, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Job", "o", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	REQUEST("Eject"),
	REQUEST("Insert"),
	REQUEST("Replace"),
	REQUEST("Rescan"),
	CONTROL("Hold"),
	CONTROL("Unhold"),
	SD_BUS_METHOD_WITH_ARGS("Locate", SD_BUS_ARGS("b", on), SD_BUS_NO_RESULT, method_control, SD_BUS_VTABLE_UNPRIVILEGED),
	CONTROL("Adopt"),
	CONTROL("Release"),
	SD_BUS_VTABLE_END,
};

int slot_dbus_register(struct manager *m)
{
	int r;

	r = sd_bus_add_fallback_vtable(m->bus, NULL, PATH_SLOTS, INTERFACE_SLOT, slot_vtable, find_slot, m);
	if (r >= 0)
		r = sd_bus_add_node_enumerator(m->bus, NULL, PATH_SLOTS, enumerate_slots, m);
	return r;
}

/* Keeps the current texts; returns the names of those that changed. */
static size_t slot_publish(struct slot *s, const char *ret_changed[static _PROPERTY_MAX + 1])
{
	size_t n = 0;

	for (int p = 0; p < _PROPERTY_MAX; p++) {
		char *text = property_text(s, p);

		if (!text)
			continue; /* memory is short: told with the next change */
		if (s->published[p] && strcmp(s->published[p], text) == 0) {
			free(text);
			continue;
		}
		free(s->published[p]);
		s->published[p] = text;
		ret_changed[n++] = property_names[p];
	}
	ret_changed[n] = NULL;
	return n;
}

void slot_dbus_added(struct slot *s)
{
	const char *changed[_PROPERTY_MAX + 1];
	int r;

	slot_publish(s, changed);
	r = sd_bus_emit_interfaces_added(s->manager->bus, s->path, INTERFACE_SLOT, NULL);
	if (r < 0)
		log_warning("Cannot announce %s on the bus: %s", s->name, strerror(-r));
}

void slot_dbus_removed(struct slot *s)
{
	int r = sd_bus_emit_interfaces_removed(s->manager->bus, s->path, INTERFACE_SLOT, NULL);

	if (r < 0)
		log_warning("Cannot tell on the bus that %s is gone: %s", s->name, strerror(-r));
}

/* Returns whether the bus took it. */
static bool tell_change(struct slot *s)
{
	const char *changed[_PROPERTY_MAX + 1];
	int r;

	if (slot_publish(s, changed) == 0)
		return true;
	r = sd_bus_emit_properties_changed_strv(s->manager->bus, s->path, INTERFACE_SLOT, (char **)changed);
	if (r >= 0)
		return true;
	log_warning("Cannot tell changes of %s on the bus: %s", s->name, strerror(-r));
	/* All with the next change: what was told is not known any more. */
	for (int p = 0; p < _PROPERTY_MAX; p++) {
		free(s->published[p]);
		s->published[p] = NULL;
	}
	return false;
}

void slot_dbus_tell_changes(struct manager *m)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry) {
		if (s->changed && tell_change(s))
			s->changed = false;
	}
}
