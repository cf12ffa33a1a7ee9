// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How slots and jobs look to people: words and tables.
 *
 * Responsible for: the words for states and steps, and the tables of list and
 * jobs (libsmartcols). JSON is format-json.c's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "format.h"
#include "table.h"
#include "util.h"

bool format_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && !streq(term, "dumb");
}

bool format_use_colors(void)
{
	const char *no_color = getenv("NO_COLOR");

	return format_is_terminal(STDOUT_FILENO) && !(no_color && *no_color);
}

const char *format_state_color(const char *state)
{
	if (streq(state, "on"))
		return COLOR_GOOD;
	if (streq(state, "busy"))
		return COLOR_BUSY;
	if (streq(state, "fault"))
		return COLOR_BAD;
	if (streq(state, "empty"))
		return COLOR_FAINT;
	return NULL;
}

char *format_devices(const struct slot *s)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < s->n_devices; i++) {
		const struct device *d = &s->devices[i];

		xappend(&text, "%s", i ? ", " : "");
		for (char **node = d->nodes; *node; node++)
			xappend(&text, "%s%s", node == d->nodes ? "" : " ", *node);
		xappend(&text, "%s (%s)", d->nodes[0] ? "" : d->address, *d->driver ? d->driver : "no driver");
	}
	return text;
}

char *format_device_names(const struct slot *s)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < s->n_devices; i++) {
		const struct device *d = &s->devices[i];

		for (char **node = d->nodes; *node; node++)
			xappend(&text, "%s%s", *text ? ", " : "", *node);
		if (!d->nodes[0])
			xappend(&text, "%s%s", *text ? ", " : "", d->address);
	}
	return text;
}

char *format_job(const struct job *j)
{
	return xasprintf("%" PRIu32 " %s %s%s", j->id, j->operation, j->state, j->stalled ? " (stalled)" : "");
}

char *format_job_age(const struct job *j)
{
	uint64_t now = now_monotonic();

	return format_span(now > j->step_since_usec ? now - j->step_since_usec : 0);
}

static uint64_t seconds_left(uint64_t deadline)
{
	uint64_t now = now_monotonic();

	return deadline == USEC_INFINITY || deadline <= now ? 0 : (deadline - now + USEC_PER_SEC - 1) / USEC_PER_SEC;
}

/* Steps as of org.hotplugd1.Job.xml; one that is not known is shown as it is. */
char *format_stage(const struct job *j, const char *devices)
{
	bool eject = streq(j->operation, "eject");

	if (streq(j->step, "window"))
		return xasprintf("%s begins in %" PRIu64 "s", j->operation, seconds_left(j->deadline_usec));
	if (streq(j->step, "check"))
		return xstrdup("checking");
	if (streq(j->step, "power-on"))
		return xstrdup("powering on");
	if (streq(j->step, "turn"))
		return xstrdup("waiting for its turn");
	if (streq(j->step, "unbind"))
		return xstrdup("unbinding drivers");
	if (streq(j->step, "remove"))
		return xasprintf("removing %s", *devices ? devices : "devices");
	if (streq(j->step, "rescan"))
		return xstrdup("looking for devices");
	if (streq(j->step, "power-off"))
		return xstrdup("powering off");
	if (streq(j->step, "off-wait"))
		return xstrdup("letting it discharge");
	if (streq(j->step, "card"))
		return xstrdup("waiting for a new card");
	if (streq(j->step, "confirm"))
		return xstrdup(eject ? "confirming" : "waiting for drivers");
	if (!*j->step || streq(j->step, "none"))
		return xstrdup(j->state);
	return xstrdup(j->step);
}

enum { COLUMN_SLOT, COLUMN_ADDRESS, COLUMN_BACKEND, COLUMN_KIND, COLUMN_STATE, COLUMN_DEVICES, COLUMN_JOB, COLUMN_LABEL, N_SLOT_COLUMNS };

static const struct column slot_columns[N_SLOT_COLUMNS] = {
	[COLUMN_SLOT] = { "SLOT", 0 },
	[COLUMN_ADDRESS] = { "ADDRESS", 0 },
	[COLUMN_BACKEND] = { "BACKEND", 0 },
	[COLUMN_KIND] = { "KIND", 0 },
	[COLUMN_STATE] = { "STATE", 0 },
	[COLUMN_DEVICES] = { "DEVICES", SCOLS_FL_WRAP },
	[COLUMN_JOB] = { "JOB", 0 },
	/* Last, and only if the administrator has named a slot. */
	[COLUMN_LABEL] = { "LABEL", SCOLS_FL_WRAP },
};

/* On a terminal, which may be too narrow, one device stands below the other: the name of
 * one may not be torn in two. For programs a slot is always one line. */
static bool has_device_lines(void)
{
	return isatty(STDOUT_FILENO);
}

static char *device_cell(const struct slot *s)
{
	char *text = format_devices(s);

	for (char *p = text; has_device_lines() && *p; p++)
		if (*p == '\n')
			*p = '?'; /* that of others is no line of ours */
		else if (p[0] == ',' && p[1] == ' ')
			*++p = '\n';
	return text;
}

static int add_slot(struct libscols_table *t, struct libscols_line *above, const struct model *m, const struct slot *s)
{
	size_t n_columns = scols_table_get_ncols(t);
	const struct job *j = model_slot_job(m, s);
	struct cell cells[N_SLOT_COLUMNS] = {
		[COLUMN_SLOT] = { xstrdup(s->name), NULL },
		[COLUMN_ADDRESS] = { xstrdup(s->address), NULL },
		[COLUMN_BACKEND] = { xstrdup(s->backend), NULL },
		[COLUMN_KIND] = { xstrdup(s->kind), NULL },
		[COLUMN_STATE] = { xstrdup(s->state), format_state_color(s->state) },
		[COLUMN_DEVICES] = { device_cell(s), NULL },
		[COLUMN_JOB] = { j ? format_job(j) : xstrdup(""), j && j->stalled ? COLOR_BAD : NULL },
		[COLUMN_LABEL] = { n_columns > COLUMN_LABEL ? xstrdup(s->label) : NULL, NULL },
	};

	return table_add(t, above, cells, n_columns);
}

static struct libscols_table *slot_table_new(const struct options *o, struct slot *const *slots)
{
	size_t n_columns = N_SLOT_COLUMNS - 1;
	struct libscols_column *devices;
	struct libscols_table *t;

	for (; *slots; slots++)
		if (*(*slots)->label)
			n_columns = N_SLOT_COLUMNS;
	t = table_new(o, slot_columns, n_columns);
	devices = t && has_device_lines() ? scols_table_get_column(t, COLUMN_DEVICES) : NULL;
	if (devices && (scols_column_set_safechars(devices, "\n") != 0 ||
			scols_column_set_wrapfunc(devices, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL) != 0)) {
		scols_unref_table(t);
		return NULL;
	}
	return t;
}

enum exit_code format_slot_table(const struct options *o, const struct model *m, struct slot *const *slots)
{
	struct libscols_table *t = slot_table_new(o, slots);
	int r = 0;

	for (; t && r == 0 && *slots; slots++)
		r = add_slot(t, NULL, m, *slots);
	return table_finish(t, r);
}

/* The slots right below one of the table's lines, and those below them. */
static int add_below(struct libscols_table *t, struct libscols_line *above, const struct model *m, const struct slot *s)
{
	int r = add_slot(t, above, m, s);
	struct libscols_line *line;

	if (r != 0)
		return r;
	line = scols_table_get_line(t, scols_table_get_nlines(t) - 1);
	for (size_t i = 0; r == 0 && i < m->n_slots; i++)
		if (streq(m->slots[i]->parent, s->name) && m->slots[i] != s)
			r = add_below(t, line, m, m->slots[i]);
	return r;
}

/* Whether a slot is shown below another one of them. */
static bool is_branch(const struct model *m, const struct slot *s, struct slot *const *slots)
{
	for (s = model_slot_by_name(m, s->parent); s; s = model_slot_by_name(m, s->parent))
		for (struct slot *const *one = slots; *one; one++)
			if (*one == s)
				return true;
	return false;
}

enum exit_code format_slot_tree(const struct options *o, const struct model *m, struct slot *const *slots)
{
	struct libscols_table *t = slot_table_new(o, slots);
	int r = t ? scols_column_set_flags(scols_table_get_column(t, COLUMN_SLOT), SCOLS_FL_TREE) : -1;

	for (struct slot *const *s = slots; r == 0 && *s; s++)
		if (!is_branch(m, *s, slots))
			r = add_below(t, NULL, m, *s);
	return table_finish(t, r);
}

enum exit_code format_job_table(const struct options *o, const struct model *m)
{
	static const struct column columns[] = {
		{ "ID", SCOLS_FL_RIGHT }, { "SLOT", 0 }, { "OPERATION", 0 }, { "ORIGIN", 0 },
		{ "STATE", 0 }, { "STEP", 0 }, { "AGE", SCOLS_FL_RIGHT }, { "BY", SCOLS_FL_WRAP },
	};
	const size_t n = sizeof(columns) / sizeof(columns[0]);
	struct libscols_table *t = table_new(o, columns, n);
	int r = 0;

	for (size_t i = 0; t && r == 0 && i < m->n_jobs; i++) {
		const struct job *j = m->jobs[i];
		struct cell cells[] = {
			{ xasprintf("%" PRIu32, j->id), NULL },
			{ xstrdup(j->slot), NULL },
			{ xstrdup(j->operation), NULL },
			{ xstrdup(j->origin), NULL },
			{ xasprintf("%s%s", j->state, j->stalled ? " (stalled)" : ""), j->stalled ? COLOR_BAD : NULL },
			{ xstrdup(j->step), NULL },
			{ format_job_age(j), NULL },
			{ xstrdup(j->requested_by), NULL },
		};

		r = table_add(t, NULL, cells, n);
	}
	return table_finish(t, r);
}
