// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl hold, unhold, locate, adopt, release: what is set on slots, without a job.
 *
 * Responsible for: the verbs, one result a slot, one after the other.
 */
#include <stdio.h>

#include "agent.h"
#include "client.h"
#include "error.h"
#include "format-json.h"
#include "util.h"

struct control {
	const char *name;
	const char *method; /* of the manager */
	const char *done;
	bool takes_switch;  /* the method's second argument, on or off */
	bool on;
};

/* What came of it for one slot. */
struct outcome {
	enum exit_code code;
	char *error;  /* its name on the bus; NULL: none */
	char *reason; /* NULL if it was done */
};

static void outcome_clear(struct outcome *outcome)
{
	free(outcome->error);
	free(outcome->reason);
	*outcome = (struct outcome){ 0 };
}

/* The person has been told why not. */
static struct outcome control_slot(struct client *c, const struct control *control, const char *slot)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = client_new_call(c, PATH_MANAGER, INTERFACE_MANAGER, control->method, &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "s", slot);
	if (r >= 0 && control->takes_switch)
		r = sd_bus_message_append(m, "b", control->on);
	if (r < 0)
		return (struct outcome){
			.code = client_bus_error("cannot ask hotplugd", r),
			.reason = xasprintf("cannot ask hotplugd: %s", strerror(-r)),
		};
	r = sd_bus_call(c->bus, m, client_call_timeout(c), &error, NULL);
	if (r >= 0)
		return (struct outcome){ .code = EXIT_CODE_OK };
	return (struct outcome){
		.code = error_report(slot, &error),
		.error = xstrdup(error.name ?: ""),
		.reason = error_text(&error),
	};
}

/* Nobody is asked again after a "no", nor one who is not there. */
static bool is_final(enum exit_code code)
{
	return code == EXIT_CODE_NOT_AUTHORIZED || code == EXIT_CODE_NOT_RUNNING;
}

static enum exit_code control_slots(const struct options *o, struct client *c, const struct control *control,
				    struct slot *const *slots)
{
	struct json_object *object = json_new_object(), *array = json_new_array();
	_cleanup_(outcome_clear) struct outcome outcome = { 0 };
	enum exit_code worst = EXIT_CODE_OK;

	for (; *slots; slots++) {
		struct json_object *entry = json_new_object();

		if (is_final(outcome.code)) {
			enum exit_code code = outcome.code;

			outcome_clear(&outcome);
			outcome = (struct outcome){ .code = code, .reason = xstrdup("not tried, for the same reason") };
			error_print("%s: %s", (*slots)->name, outcome.reason);
		} else {
			outcome_clear(&outcome);
			outcome = control_slot(c, control, (*slots)->name);
		}

		json_add_string(entry, "slot", (*slots)->name);
		json_add_string(entry, "operation", control->name);
		json_add(entry, "job", NULL);
		json_add_string(entry, "result", outcome.code == EXIT_CODE_OK ? "done" : "error");
		json_add_string_or_null(entry, "error", outcome.error ?: "");
		json_add_string_or_null(entry, "reason", outcome.reason ?: "");
		json_add(entry, "exit_code", json_object_new_int(outcome.code));
		json_append(array, entry);
		if (outcome.code == EXIT_CODE_OK && !o->json)
			print_line(stdout, "%s: %s", (*slots)->name, control->done);
		worst = error_worse(worst, outcome.code);
	}
	json_add(object, "results", array);
	if (o->json)
		json_print(object, o->json);
	else
		json_object_put(object);
	return worst;
}

static int control_run(const struct options *o, const struct control *control, char **names)
{
	_cleanup_(model_clear) struct model m = { 0 };
	_cleanup_(client_close) struct client c = { 0 };
	_cleanup_free_ struct slot **slots = NULL;
	enum exit_code code;

	code = client_open(&c, o);
	if (code == EXIT_CODE_OK)
		code = client_load(&c, &m);
	if (code == EXIT_CODE_OK)
		code = client_select_slots(&c, &m, names, &slots);
	if (code != EXIT_CODE_OK)
		return code;
	agent_start(o);
	code = control_slots(o, &c, control, slots);
	agent_stop();
	return code;
}

int cmd_hold(const struct options *o, char **names)
{
	static const struct control hold = {
		.name = "hold", .method = "Hold", .done = "held: cards that come and go start nothing until hpctl unhold",
	};

	return control_run(o, &hold, names);
}

int cmd_unhold(const struct options *o, char **names)
{
	static const struct control unhold = { .name = "unhold", .method = "Unhold", .done = "not held" };

	return control_run(o, &unhold, names);
}

/* "locate slot3 slot4 off": a slot is never called on or off. */
int cmd_locate(const struct options *o, char **names)
{
	static const struct control locate = {
		.name = "locate", .method = "Locate", .done = "its attention indicator blinks", .takes_switch = true, .on = true,
	};
	static const struct control locate_off = {
		.name = "locate", .method = "Locate", .done = "located no more", .takes_switch = true,
	};
	const struct control *control = &locate;
	char **last = names;

	while (*last && last[1])
		last++;
	if (*last && (streq(*last, "off") || streq(*last, "on"))) {
		if (last == names) {
			error_print("'locate' needs a SLOT before '%s'. See: hpctl --help", *last);
			return EXIT_CODE_USAGE;
		}
		if (streq(*last, "off"))
			control = &locate_off;
		*last = NULL;
	}
	return control_run(o, control, names);
}

int cmd_adopt(const struct options *o, char **names)
{
	static const struct control adopt = { .name = "adopt", .method = "Adopt", .done = "driven by hotplugd" };

	return control_run(o, &adopt, names);
}

int cmd_release(const struct options *o, char **names)
{
	static const struct control release = {
		.name = "release", .method = "Release", .done = "given back to the kernel's own driver",
	};

	return control_run(o, &release, names);
}
