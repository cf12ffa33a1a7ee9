// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl history: what was done to slots, from the journal.
 *
 * Responsible for: the verb, its table and its JSON. Works without the daemon,
 * which is only asked what a name stands for now, if it runs.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "error.h"
#include "format-json.h"
#include "format.h"
#include "journal.h"
#include "table.h"
#include "timestamp.h"
#include "util.h"

/* As many entries as are read with pleasure. */
#define DEFAULT_LINES 1000

/* ---- for people ---- */

static char *local_time(uint64_t usec)
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	struct tm tm;
	char text[32];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	return xstrdup(text);
}

static const char *what(const struct entry *e)
{
	switch (e->type) {
	case ENTRY_JOB:
	case ENTRY_STALLED:
	case ENTRY_CONTROL:
	case ENTRY_DENIED:
		return e->operation;
	default:
		return entry_type_to_string(e->type);
	}
}

static const char *origin(const struct entry *e)
{
	return e->type == ENTRY_PRESS ? "button" : e->origin;
}

static const char *result(const struct entry *e)
{
	switch (e->type) {
	case ENTRY_JOB:
		return *e->result ? e->result : "begun";
	case ENTRY_STALLED:
		return "stalled";
	case ENTRY_SURPRISE:
		return "";
	case ENTRY_CONTROL:
	case ENTRY_DENIED:
		return e->result;
	default:
		return e->verdict;
	}
}

static const char *result_color(const struct entry *e)
{
	if (e->type == ENTRY_STALLED || e->type == ENTRY_POWER_FAULT || streq(e->result, "failed"))
		return COLOR_BAD;
	if (e->type == ENTRY_SURPRISE || streq(e->result, "refused"))
		return COLOR_BUSY;
	return NULL;
}

/* "nvme0n1: The slot is protected by policy". */
static char *details(const struct entry *e)
{
	_cleanup_free_ char *reason = NULL;

	if (e->type == ENTRY_STALLED)
		reason = xasprintf("in step %s", e->step);
	else
		reason = without_full_stop(e->reason);
	return xasprintf("%s%s%s", e->devices, *e->devices && *reason ? ": " : "", reason);
}

static enum exit_code print_table(const struct options *o, const struct journal *j)
{
	static const struct column columns[] = {
		{ "TIME", 0 }, { "SLOT", 0 }, { "WHAT", 0 }, { "ORIGIN", 0 }, { "RESULT", 0 },
		{ "TOOK", SCOLS_FL_RIGHT }, { "BY", 0 }, { "DETAILS", SCOLS_FL_WRAP },
	};
	const size_t n = sizeof(columns) / sizeof(columns[0]);
	struct libscols_table *t = table_new(o, columns, n);
	int r = 0;

	for (size_t i = 0; t && r == 0 && i < j->n; i++) {
		const struct entry *e = j->entries[i];
		struct cell cells[] = {
			{ local_time(e->time), NULL },
			{ xstrdup(e->slot), NULL },
			{ xstrdup(what(e)), NULL },
			{ xstrdup(origin(e)), NULL },
			{ xstrdup(result(e)), result_color(e) },
			{ e->duration == USEC_INFINITY ? xstrdup("") : format_span(e->duration), NULL },
			{ xstrdup(e->requested_by), NULL },
			{ details(e), NULL },
		};

		r = table_add(t, NULL, cells, n);
	}
	return table_finish(t, r);
}

/* ---- for programs ---- */

static void add_words(struct json_object *object, const char *key, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct json_object *array = json_new_array();
	char *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		json_append(array, json_object_new_string(word));
	json_add(object, key, array);
}

static struct json_object *json_entry(const struct entry *e)
{
	struct json_object *object = json_new_object();

	json_add_time(object, "time", e->time);
	json_add_string(object, "type", entry_type_to_string(e->type));
	json_add_string_or_null(object, "slot", e->slot);
	json_add_string_or_null(object, "address", e->address);
	json_add(object, "job", *e->job ? json_object_new_int64(strtoll(e->job, NULL, 10)) : NULL);
	json_add_string_or_null(object, "operation", e->operation);
	json_add_string_or_null(object, "origin", origin(e));
	json_add_string_or_null(object, "requested_by", e->requested_by);
	json_add_time(object, "began", e->began);
	if (e->duration == USEC_INFINITY)
		json_add(object, "duration_sec", NULL);
	else
		json_add_seconds(object, "duration_sec", e->duration);
	json_add_string_or_null(object, "result", e->result);
	json_add_string_or_null(object, "verdict", e->verdict);
	json_add_string_or_null(object, "reason", e->reason);
	json_add_string_or_null(object, "step", e->step);
	json_add_string_or_null(object, "stack", e->stack);
	add_words(object, "devices", e->devices);
	add_words(object, "drivers", e->drivers);
	json_add_string_or_null(object, "boot_id", e->boot);
	return object;
}

static enum exit_code print_json(const struct options *o, const struct journal *j)
{
	struct json_object *object = json_new_object(), *array = json_new_array();

	for (size_t i = 0; i < j->n; i++)
		json_append(array, json_entry(j->entries[i]));
	json_add(object, "history", array);
	return json_print(object, o->json);
}

/* ---- the query ---- */

static enum exit_code parse_query(const struct options *o, struct journal_query *ret)
{
	struct timespec now;
	char *end;

	*ret = (struct journal_query){ .directory = o->directory, .lines = o->since ? SIZE_MAX : DEFAULT_LINES };
	if (o->since) {
		clock_gettime(CLOCK_REALTIME, &now);
		if (!timestamp_parse(o->since, (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000, &ret->since)) {
			error_print("--since is a time such as '2026-11-24 04:20', 'yesterday' or '2h ago', not '%s'. "
				    "See: hpctl --help", o->since);
			return EXIT_CODE_USAGE;
		}
	}
	if (o->lines && streq(o->lines, "all")) {
		ret->lines = SIZE_MAX;
	} else if (o->lines) {
		ret->lines = strtoul(o->lines, &end, 10);
		if (*o->lines < '0' || *o->lines > '9' || *end) {
			error_print("--lines is a number or 'all', not '%s'. See: hpctl --help", o->lines);
			return EXIT_CODE_USAGE;
		}
	}
	return EXIT_CODE_OK;
}

/* The slot that a running daemon knows by a name, or NULL. */
static char *ask_for_slot(struct client *c, const char *name)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
	const char *path, prefix[] = PATH_SLOTS "/";

	if (client_new_call(c, PATH_MANAGER, INTERFACE_MANAGER, "FindSlot", &m) < 0 ||
	    sd_bus_message_append(m, "s", name) < 0 ||
	    sd_bus_call(c->bus, m, client_call_timeout(c), NULL, &reply) < 0 ||
	    sd_bus_message_read(reply, "o", &path) < 0 || strncmp(path, prefix, strlen(prefix)) != 0)
		return NULL;
	return xstrdup(path + strlen(prefix));
}

/* A slot that nothing was done to is no error, but one that is not there is. */
static bool exists(const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (strchr(name, '/'))
		return false;
	path = xasprintf(SYSFS_SLOTS "/%s", strncmp(name, "slot", 4) == 0 ? name + 4 : name);
	return access(path, F_OK) == 0;
}

/* The names as given, which the journal may have from then, and behind them the
 * slots that they stand for now. *ret_known: none of them is made up. */
static char **find_names(char **names, bool *ret_known)
{
	_cleanup_(client_close) struct client c = { 0 };
	bool asks = names[0] && sd_bus_open_system(&c.bus) >= 0;
	size_t n = 0;
	char **all;

	while (names[n])
		n++;
	all = xcalloc(2 * n + 1, sizeof(*all));
	*ret_known = true;
	for (size_t i = 0; i < n; i++)
		all[i] = xstrdup(names[i]);
	for (size_t i = 0, at = n; i < n; i++) {
		char *slot = asks ? ask_for_slot(&c, names[i]) : NULL;

		if (slot)
			all[at++] = slot;
		*ret_known &= slot || exists(names[i]);
	}
	return all;
}

static enum exit_code explain_empty(const struct options *o, char **names, bool known)
{
	_cleanup_free_ char *text = NULL;

	for (char **name = names; *name; name++)
		xappend(&text, "%s%s", text ? ", " : "", *name);
	if (!known && !o->directory) {
		error_print("%s: there is no such slot or device now, nor one in the journal%s. See: hpctl list", text,
			    o->since ? " since then" : "");
		return EXIT_CODE_NO_SUCH_SLOT;
	}
	if (o->legend && !o->json)
		print_line(stderr, "Nothing%s%s in the journal%s.", text ? " of " : "", text ?: "", o->since ? " since then" : "");
	return EXIT_CODE_OK;
}

int cmd_history(const struct options *o, char **names)
{
	_cleanup_(journal_clear) struct journal j = { 0 };
	struct journal_query q;
	enum exit_code code = parse_query(o, &q);
	bool known = true;

	if (code != EXIT_CODE_OK)
		return code;
	q.names = o->directory ? names : find_names(names, &known);
	code = journal_read(&q, &j);
	if (!o->directory)
		strv_free(q.names);
	if (code == EXIT_CODE_OK && j.n == 0 && q.lines > 0)
		code = explain_empty(o, names, known);
	if (code != EXIT_CODE_OK)
		return code;
	if (o->json)
		return print_json(o, &j);
	if (j.n > 0)
		code = print_table(o, &j);
	if (code == EXIT_CODE_OK && j.more && o->legend && !o->lines)
		fprintf(stderr, "There are older entries: hpctl history --lines=all\n");
	return code;
}
