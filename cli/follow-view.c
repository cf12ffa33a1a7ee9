// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a person sees of jobs that are followed.
 *
 * Responsible for: on a terminal one line a slot that grows with its stages;
 * elsewhere one line a result; or JSON. Failures go to the error stream.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "error.h"
#include "follow.h"
#include "format-json.h"
#include "format.h"
#include "util.h"

/* From when on it is told how long a stage takes already. */
#define SLOW_USEC (3 * USEC_PER_SEC)

static struct winsize window_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){ 0 };
	if (size.ws_col < 20)
		size.ws_col = 80;
	if (size.ws_row < 2)
		size.ws_row = 24;
	return size;
}

void view_init(struct follow *f)
{
	f->live = !f->o->json && f->o->block && format_is_terminal(STDOUT_FILENO) && f->n_items < window_size().ws_row;
}

/* A stage stays in the line once it has passed; waiting does not. */
static bool stage_is_kept(const char *step)
{
	static const char *const kept[] = { "check", "power-on", "unbind", "remove", "rescan", "power-off", "confirm" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (streq(kept[i], step))
			return true;
	return false;
}

static void take_step(struct item *item)
{
	_cleanup_free_ char *stage = NULL;
	struct job then;

	if (item->step && streq(item->step, item->job->step))
		return;
	if (item->step && stage_is_kept(item->step)) {
		then = *item->job;
		then.step = item->step;
		stage = format_stage(&then, item->devices);
		xappend(&item->trail, "%s%s ", stage, ellipsis());
	}
	free(item->step);
	item->step = xstrdup(item->job->step);
	item->step_since = now_monotonic();
}

/* What the item does right now, or "". */
static char *current_stage(const struct item *item)
{
	_cleanup_free_ char *stage = NULL, *age = NULL;
	uint64_t since;

	if (item->state == ITEM_ENDED)
		return xstrdup(item->text ?: "");
	if (item->state != ITEM_RUNNING)
		return xstrdup("");
	stage = format_stage(item->job, item->devices);
	since = now_monotonic() - item->step_since;
	if (since >= SLOW_USEC && !streq(item->job->step, "window"))
		age = format_span(since);
	return xasprintf("%s%s%s%s%s%s", stage, age ? " (" : "", age ?: "", age ? ")" : "", ellipsis(),
			 item->job->stalled ? " stalled" : streq(item->job->step, "window") ? " Ctrl-C cancels" : "");
}

/* Cuts a UTF-8 text to a number of columns. */
static void cut(char *text, size_t columns)
{
	for (; *text; text++) {
		if ((*text & 0xc0) == 0x80)
			continue;
		if (columns-- == 0) {
			*text = '\0';
			return;
		}
	}
}

static char *line_of(const char *slot, const char *trail, const char *between, const char *stage)
{
	_cleanup_free_ char *text = xasprintf("%s: %s%s%s", slot, trail, between, stage);

	return printable(text);
}

/* One line of the terminal, never wider than it. */
static char *item_line(const struct item *item, size_t columns)
{
	_cleanup_free_ char *stage = current_stage(item);
	char *line = line_of(item->slot, item->trail ?: "", "", stage);

	if (text_width(line) >= columns) {
		free(line);
		line = line_of(item->slot, ellipsis(), " ", stage);
		cut(line, columns - 1);
	}
	return line;
}

/* Back to where the first line begins. */
static void rewind_lines(struct follow *f)
{
	if (f->n_drawn > 1)
		printf("\033[%zuA", f->n_drawn - 1);
	if (f->n_drawn > 0)
		putchar('\r');
	f->n_drawn = 0;
}

/* Not while the daemon is asked: a person may be typing a password here. */
static bool is_calling(const struct follow *f)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (f->items[i].state == ITEM_CALLING ||
		    (f->items[i].state == ITEM_RUNNING && f->items[i].cancel == CANCEL_ASKED))
			return true;
	return false;
}

static void draw(struct follow *f)
{
	size_t columns = window_size().ws_col;

	if (is_calling(f))
		return;
	rewind_lines(f);
	for (size_t i = 0; i < f->n_items; i++) {
		_cleanup_free_ char *line = item_line(&f->items[i], columns);

		printf("%s%s\033[K", i ? "\n" : "", line);
	}
	f->n_drawn = f->n_items;
	fflush(stdout);
}

void view_changed(struct follow *f, struct item *item)
{
	if (!f->live)
		return;
	if (item && item->state == ITEM_RUNNING) {
		take_step(item);
		if (item->job->stalled && !item->stall_told)
			view_note(f, "%s: job %" PRIu32 " is stalled: its step takes longer than it should, and nothing goes on "
				  "before it ends. See: hpctl status %s", item->slot, item->job->id, item->slot);
		item->stall_told = item->job->stalled;
	}
	draw(f);
}

void view_clear(struct follow *f)
{
	if (!f->live || f->n_drawn == 0)
		return;
	rewind_lines(f);
	fputs("\033[J", stdout);
	fflush(stdout);
}

void view_note(struct follow *f, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (r < 0) {
		text = NULL;
		return;
	}
	view_clear(f); /* the message stands above the lines */
	error_print("%s", text);
	if (f->live)
		draw(f);
}

/* What went wrong, as one sentence and what to do next. */
static char *failure(const struct follow *f, const struct item *item)
{
	_cleanup_free_ char *reason = without_full_stop(item->reason ?: "");
	const char *colon = *reason ? ": " : "";

	if (streq(item->result, "failed"))
		return xasprintf("%s failed%s%s. See: journalctl -u hotplugd", f->operation->name, colon, reason);
	if (streq(item->result, "refused"))
		return xasprintf("%s refused%s%s. Nothing was changed", f->operation->name, colon, reason);
	if (streq(item->result, "cancelled"))
		return xasprintf("%s cancelled%s%s", f->operation->name, colon, reason);
	if (streq(item->result, "gone"))
		return xasprintf("the slot is gone%s%s", colon, reason);
	return xstrdup(reason);
}

/* The end of the line on a terminal, or the whole result elsewhere. */
static char *success(const struct follow *f, const struct item *item)
{
	bool done = streq(item->result, "done");
	const char *reason = item->reason ?: "";

	if (streq(item->result, "started"))
		return xasprintf("job %" PRIu32, item->job->id);
	if (streq(item->result, "nothing"))
		return xasprintf("nothing to do: %s", f->operation->idle);
	if (streq(item->result, "gone"))
		return xasprintf("gone%s%s", *reason ? ": " : "", reason);
	if (done && f->operation->shows_devices)
		return xasprintf("%s: %s", f->live ? "done" : f->operation->done,
				 *item->devices ? item->devices : "no device showed up");
	if (f->live || !*item->devices)
		return xstrdup(f->live ? "done" : f->operation->done);
	return xasprintf("%s %s", f->operation->done, item->devices);
}

void view_ended(struct follow *f, struct item *item)
{
	_cleanup_free_ char *message = NULL;
	bool told_twice;

	if (f->live && item->job && item->step && stage_is_kept(item->step)) {
		_cleanup_free_ char *stage = format_stage(item->job, item->devices);

		/* The last stage: the job's record still has its step. */
		xappend(&item->trail, "%s%s ", stage, ellipsis());
	}
	if (item->code == EXIT_CODE_OK) {
		item->text = success(f, item);
		if (streq(item->result, "done") && item->reason && *item->reason) {
			_cleanup_free_ char *remark = without_full_stop(item->reason);

			xappend(&item->text, " (%s)", remark);
		}
		if (!f->live && !f->o->json)
			print_line(stdout, "%s: %s", item->slot, item->text);
		if (f->live)
			draw(f);
		fflush(stdout);
		return;
	}
	message = failure(f, item);
	item->text = xstrdup(!streq(item->result, "error") ? item->result : item->job ? "not known" : "not started");
	/* The daemon's messages often begin with the slot's name. */
	told_twice = text_names(message, item->slot) || item->code == EXIT_CODE_NOT_RUNNING;
	view_note(f, "%s%s%s", told_twice ? "" : item->slot, told_twice ? "" : ": ", message);
}

static struct json_object *json_results(const struct follow *f, enum exit_code code)
{
	struct json_object *object = json_new_object(), *array = json_new_array();

	for (size_t i = 0; i < f->n_items; i++) {
		const struct item *item = &f->items[i];
		struct json_object *entry = json_new_object();

		json_add_string(entry, "slot", item->slot);
		json_add_string(entry, "operation", f->operation->name);
		json_add(entry, "job", item->job ? json_object_new_uint64(item->job->id) : NULL);
		json_add_string(entry, "result", item->result ?: "error");
		json_add_string_or_null(entry, "error", item->error ?: "");
		if (!item->result)
			json_add_string(entry, "reason", "the bus went away before the end was known");
		else if (item->reason && *item->reason)
			json_add_string(entry, "reason", item->reason);
		else
			json_add(entry, "reason", NULL);
		json_add(entry, "exit_code", json_object_new_int(item->result ? item->code : code));
		json_append(array, entry);
	}
	json_add(object, "results", array);
	return object;
}

void view_finish(struct follow *f, enum exit_code code)
{
	if (f->o->json)
		json_print(json_results(f, code), f->o->json);
	else if (f->n_items == 0)
		printf("%s: nothing to do: there is no card that is %s\n", f->operation->name,
		       f->operation->shows_devices ? "off" : "on");
	else if (f->live && f->n_drawn > 0)
		putchar('\n');
	f->n_drawn = 0;
}
