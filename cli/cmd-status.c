// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl status: all about a slot, or about hotplugd.
 *
 * Responsible for: the verb and its lines "key: value".
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "client.h"
#include "format-json.h"
#include "format.h"
#include "stall.h"
#include "util.h"

#define KEY_WIDTH 11

static void line(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(const char *key, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	print_line(stdout, "%*s%s %s", KEY_WIDTH, key, *key ? ":" : " ", text);
}

static void colored(const char *color, const char *text)
{
	_cleanup_free_ char *shown = printable(text);

	if (color && format_use_colors())
		printf("%s%s%s", color, shown, COLOR_END);
	else
		fputs(shown, stdout);
}

static const char *or_unknown(const char *s)
{
	return *s ? s : "not known";
}

static void print_state(const struct slot *s)
{
	printf("%*s: ", KEY_WIDTH, "State");
	colored(format_state_color(s->state), s->state);
	printf(" (power %s, %s)\n", s->power ? "on" : "off", s->present ? "card present" : "no card");
	if (streq(s->state, "fault") && s->present)
		line("", "there was a power fault. To power the slot on again: hpctl insert %s", s->name);
}

/* Our policy holds for what hpctl does there, and for nothing else. */
static void print_native_policy(const struct slot *s)
{
	if (streq(s->kind, "other")) {
		line("Button", "the firmware's matter, as new cards are: the kernel's own driver does what it asks for,");
		line("", "whatever the slot is used for. hotplugd drives PCIe and SHPC slots only");
	} else {
		line("Button", "the kernel's own driver ejects after 5s, whatever the slot is used for, and brings up");
		line("", "new cards. To have hotplugd do that: hpctl adopt %s", s->name);
	}
	if (s->protect)
		line("Protected", "yes (%s): hpctl does not eject it without --force; the button does", UDEV_PROPERTY_PROTECT);
}

static void print_policy(const struct slot *s)
{
	if (streq(s->backend, "native")) {
		print_native_policy(s);
		return;
	}
	if (streq(s->button_policy, "eject")) {
		_cleanup_free_ char *grace = format_span(s->grace_usec);

		if (s->grace_usec)
			line("Button", "ejects after %s; a second press within that time cancels", grace);
		else
			line("Button", "ejects at once");
	} else {
		line("Button", "%s", streq(s->button_policy, "notify") ? "is reported, nothing else" :
				     streq(s->button_policy, "ignore") ? "is ignored" : or_unknown(s->button_policy));
	}
	line("New card", "%s", streq(s->insert_policy, "auto")   ? "is powered on and brought up" :
			       streq(s->insert_policy, "notify") ? "is reported and stays off" :
			       streq(s->insert_policy, "ignore") ? "is ignored and stays off" : or_unknown(s->insert_policy));
	if (s->protect)
		line("Protected", "yes (%s): not ejected without --force", UDEV_PROPERTY_PROTECT);
}

static void print_devices(const struct slot *s)
{
	if (s->n_devices == 0)
		line("Devices", "none");
	for (size_t i = 0; i < s->n_devices; i++) {
		const struct device *d = &s->devices[i];
		_cleanup_free_ char *nodes = NULL;

		for (char **node = d->nodes; *node; node++)
			xappend(&nodes, "%s%s", nodes ? " " : "", *node);
		line(i ? "" : "Devices", "%s %s", d->address, d->name);
		line("", "%s%s%s%s", *d->driver ? "driver " : "no driver is bound", d->driver, nodes ? ": " : "", nodes ?: "");
	}
}

static void print_job(const struct slot *s, const struct job *j)
{
	_cleanup_free_ char *age = NULL, *names = NULL, *stage = NULL, *stack = NULL;
	char *save = NULL;

	if (!j) {
		line("Job", "none");
		return;
	}
	stack = xstrdup(j->stack);
	age = format_job_age(j);
	names = format_device_names(s);
	stage = format_stage(j, names);
	line("Job", "%" PRIu32 " %s, %s: %s (in step %s for %s)", j->id, j->operation, j->state, stage, j->step, age);
	line("", "started by %s (%s)", *j->requested_by ? j->requested_by : j->origin, j->origin);
	if (j->stalled)
		line("", "stalled in step %s: nothing goes on before it ends", j->step);
	for (char *at = strtok_r(stack, "\n", &save); at; at = strtok_r(NULL, "\n", &save))
		line("", "%s", at);
	if (j->stalled)
		line("", "%s", stall_advice(j));
	if (*j->reason)
		line("", "%s", j->reason);
}

static void print_slot(const struct model *m, const struct slot *s)
{
	colored(format_state_color(s->state), format_use_colors() ? "● " : "");
	print_line(stdout, "%s%s%s", s->name, *s->label ? " - " : "", s->label);
	print_state(s);
	line("Address", "%s%s%s", s->address, *s->port && !streq(s->port, s->address) ? ", below " : "",
	     streq(s->port, s->address) ? "" : s->port);
	line("Backend", "%s", streq(s->backend, "shim")   ? "shim (hpshim drives the slot)" :
			      streq(s->backend, "native") ? "native (the kernel's own driver drives the slot)" : s->backend);
	line("Kind", "%s", s->kind);
	line("Latch", "%s", *s->latch ? s->latch : "no sensor");
	line("Link", "%s", *s->link ? s->link : "not reported");
	line("Indicators", "power %s, attention %s%s", or_unknown(s->power_indicator), or_unknown(s->attention_indicator),
	     s->locate ? " (locating)" : "");
	if (*s->parent)
		line("Parent", "%s", s->parent);
	if (s->hold)
		line("Held", "yes: cards that come and go start nothing. To end it: hpctl unhold %s", s->name);
	print_policy(s);
	print_devices(s);
	print_job(s, model_slot_job(m, s));
}

struct counts {
	uint64_t shim, on, off, empty, busy, fault, stalled;
};

static struct counts count(const struct model *m)
{
	struct counts n = { 0 };

	for (size_t i = 0; i < m->n_slots; i++) {
		const struct slot *s = m->slots[i];

		n.shim += streq(s->backend, "shim");
		n.on += streq(s->state, "on");
		n.off += streq(s->state, "off");
		n.empty += streq(s->state, "empty");
		n.busy += streq(s->state, "busy");
		n.fault += streq(s->state, "fault");
	}
	for (size_t i = 0; i < m->n_jobs; i++)
		n.stalled += m->jobs[i]->stalled;
	return n;
}

static void print_shim(const char *shim, const struct counts *n, size_t n_slots)
{
	if (streq(shim, "active")) {
		line("Shim", "active, drives %" PRIu64 " of %zu slots", n->shim, n_slots);
	} else if (streq(shim, "absent")) {
		line("Shim", "absent: the kernel's own drivers keep the slots, so presses and removals");
		line("", "race as on a stock kernel. To give the slots to hotplugd: modprobe hpshim");
	} else if (streq(shim, "busy")) {
		line("Shim", "busy: another program controls hpshim, so its slots are out of reach here.");
		line("", "End that program, then: systemctl restart hotplugd");
	} else {
		line("Shim", "%s", or_unknown(shim));
	}
}

static enum exit_code print_manager(const struct options *o, struct client *c, const struct model *m)
{
	_cleanup_free_ char *version = NULL, *shim = NULL, *jobs = NULL;
	enum exit_code code = client_manager(c, &version, &shim);
	struct counts n = count(m);

	if (code != EXIT_CODE_OK)
		return code;
	if (o->json) {
		struct json_object *object = json_new_object(), *slots = json_new_object();

		json_add_string(object, "version", version);
		json_add_string(object, "shim", shim);
		json_add(slots, "total", json_object_new_uint64(m->n_slots));
		json_add(slots, "shim", json_object_new_uint64(n.shim));
		json_add(slots, "on", json_object_new_uint64(n.on));
		json_add(slots, "off", json_object_new_uint64(n.off));
		json_add(slots, "empty", json_object_new_uint64(n.empty));
		json_add(slots, "busy", json_object_new_uint64(n.busy));
		json_add(slots, "fault", json_object_new_uint64(n.fault));
		json_add(object, "slots", slots);
		json_add(object, "jobs", json_object_new_uint64(m->n_jobs));
		json_add(object, "stalled", json_object_new_uint64(n.stalled));
		return json_print(object, o->json);
	}
	print_line(stdout, "hotplugd %s is running", version);
	print_shim(shim, &n, m->n_slots);
	line("Slots", "%zu: %" PRIu64 " on, %" PRIu64 " off, %" PRIu64 " empty, %" PRIu64 " busy, %" PRIu64 " with a fault",
	     m->n_slots, n.on, n.off, n.empty, n.busy, n.fault);
	if (n.stalled)
		jobs = xasprintf(", %" PRIu64 " stalled (see: hpctl jobs)", n.stalled);
	line("Jobs", "%zu under way%s", m->n_jobs, jobs ?: "");
	return EXIT_CODE_OK;
}

int cmd_status(const struct options *o, char **names)
{
	_cleanup_(model_clear) struct model m = { 0 };
	_cleanup_(client_close) struct client c = { 0 };
	_cleanup_free_ struct slot **slots = NULL;
	enum exit_code code;

	code = client_open(&c, o);
	if (code == EXIT_CODE_OK)
		code = client_load(&c, &m);
	if (code != EXIT_CODE_OK)
		return code;
	if (!names[0])
		return print_manager(o, &c, &m);
	code = client_select_slots(&c, &m, names, &slots);
	if (code != EXIT_CODE_OK)
		return code;
	if (o->json)
		return json_print(json_slots(&m, slots), o->json);
	for (struct slot **s = slots; *s; s++) {
		if (s != slots)
			putchar('\n');
		print_slot(&m, *s);
	}
	return EXIT_CODE_OK;
}
