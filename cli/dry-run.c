// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * --dry-run: what an operation would do, as far as can be known without doing it.
 *
 * Responsible for: the verdict on each slot by its properties, its words, and the
 * exit code that the operation itself would have. Asks for nothing that changes
 * anything; what hotplugd finds out only when it begins is not said here.
 */
#include <inttypes.h>
#include <stdio.h>

#include "error.h"
#include "follow.h"
#include "format-json.h"
#include "format.h"
#include "util.h"

struct outlook {
	const char *result; /* for JSON: "would-start", "nothing", "joins", "refused", "failed" */
	enum exit_code code;
	char *text;         /* for people */
};

static bool takes_out(const struct operation *operation)
{
	return !streq(operation->name, "insert");
}

static struct outlook refused(enum exit_code code, char *text)
{
	return (struct outlook){ .result = code == EXIT_CODE_REFUSED ? "refused" : "failed", .code = code, .text = text };
}

/* The eject of a slot above, once it cannot be left any more: nothing is asked for below
 * it then. A replace is one until it waits for its card. */
static const struct job *eject_above(const struct model *m, const struct slot *s)
{
	for (size_t depth = 0; depth < m->n_slots && (s = model_slot_by_name(m, s->parent)); depth++) {
		const struct job *j = model_slot_job(m, s);

		if (j && !streq(j->operation, "insert") &&
		    (streq(j->step, "remove") || streq(j->step, "power-off") || streq(j->step, "off-wait")))
			return j;
	}
	return NULL;
}

/* The card in the slot is the one that the replace waits for. */
static bool ends_wait(const struct operation *operation, const struct slot *s, const struct job *j)
{
	return !takes_out(operation) && streq(j->step, "card") && s->present && !streq(s->latch, "open");
}

static bool is_done_already(const struct operation *operation, const struct slot *s)
{
	if (takes_out(operation))
		return operation->concerns && !operation->concerns(s);
	return s->n_devices > 0 && (s->power || streq(s->backend, "native"));
}

static struct outlook look(const struct options *o, const struct operation *operation, const struct model *m,
			   const struct slot *s)
{
	_cleanup_free_ char *devices = takes_out(operation) ? format_devices(s) : xstrdup("");
	const struct job *j = model_slot_job(m, s), *above = eject_above(m, s);

	if (above)
		return refused(EXIT_CODE_REFUSED, xasprintf("would be refused: job %" PRIu32 " (%s) is under way on %s",
							    above->id, above->operation, above->slot));
	if (j && ends_wait(operation, s, j))
		return (struct outlook){
			.result = "joins",
			.text = xasprintf("would have job %" PRIu32 " go on, which waits for a card", j->id),
		};
	if (j && streq(j->operation, operation->name))
		return (struct outlook){ .result = "joins", .text = xasprintf("would follow job %" PRIu32 ", which does that", j->id) };
	if (j)
		return refused(EXIT_CODE_REFUSED, xasprintf("would be refused: job %" PRIu32 " (%s) is under way", j->id, j->operation));
	if (is_done_already(operation, s))
		return (struct outlook){ .result = "nothing", .text = xasprintf("nothing to do: %s", operation->idle) };
	if (takes_out(operation) && s->protect && !o->force)
		return refused(EXIT_CODE_REFUSED, xasprintf("would be refused: the slot is protected (%s); --force overrides that",
							    UDEV_PROPERTY_PROTECT));
	if (streq(operation->name, "replace") && streq(s->backend, "native"))
		return refused(EXIT_CODE_FAILED, xstrdup("would fail: the kernel's own driver has the slot and does not tell of "
							 "cards; adopt it first, or eject and insert it"));
	if (!takes_out(operation) && !s->present)
		return refused(EXIT_CODE_FAILED, xstrdup("would fail: there is no card in the slot"));
	if (!takes_out(operation) && streq(s->latch, "open"))
		return refused(EXIT_CODE_REFUSED, xstrdup("would be refused: the latch is open"));
	return (struct outlook){
		.result = "would-start",
		.text = xasprintf("would %s%s%s", operation->name, *devices ? " " : "", devices),
	};
}

static struct json_object *json_outlook(const struct operation *operation, const struct slot *s, const struct outlook *l)
{
	struct json_object *entry = json_new_object();

	json_add_string(entry, "slot", s->name);
	json_add_string(entry, "operation", operation->name);
	json_add(entry, "job", NULL);
	json_add_string(entry, "result", l->result);
	json_add(entry, "error", NULL);
	json_add_string(entry, "reason", l->text);
	json_add(entry, "exit_code", json_object_new_int(l->code));
	return entry;
}

int dry_run(const struct options *o, const struct operation *operation, char **names)
{
	_cleanup_(model_clear) struct model m = { 0 };
	_cleanup_(client_close) struct client c = { 0 };
	_cleanup_free_ struct slot **slots = NULL;
	struct json_object *object, *array;
	enum exit_code code;

	code = client_open(&c, o);
	if (code == EXIT_CODE_OK)
		code = client_load(&c, &m);
	if (code == EXIT_CODE_OK)
		code = o->all ? client_select_all(&c, &m, names, operation->concerns, &slots) :
				client_select_slots(&c, &m, names, &slots);
	if (code != EXIT_CODE_OK)
		return code;

	object = json_new_object();
	array = json_new_array();
	for (struct slot **s = slots; *s; s++) {
		struct outlook l = look(o, operation, &m, *s);

		code = error_worse(code, l.code);
		if (!o->json && l.code != EXIT_CODE_OK)
			error_print("%s: %s", (*s)->name, l.text);
		else if (!o->json)
			print_line(stdout, "%s: %s", (*s)->name, l.text);
		json_append(array, json_outlook(operation, *s, &l));
		free(l.text);
	}
	json_add(object, "results", array);
	if (o->json)
		return error_worse(code, json_print(object, o->json));
	json_object_put(object);
	if (!*slots)
		printf("%s: nothing to do\n", operation->name);
	return code;
}
