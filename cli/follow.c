// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Start a job on each of some slots, and follow them to their ends.
 *
 * Responsible for: the order (subscribe, then ask), the daemon's signals about
 * our jobs, Ctrl-C, time-outs, and a daemon that is restarted meanwhile. What
 * is shown is follow-view.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "error.h"
#include "follow.h"
#include "format.h"
#include "util.h"

/* How long a daemon that went away may take to come back: systemd restarts it
 * within a second, an upgrade takes a few. */
#define LOST_USEC (15 * USEC_PER_SEC)
#define TICK_USEC USEC_PER_SEC

static int start_next(struct follow *f);
static void cancel_next(struct follow *f);

static struct item *item_by_job(struct follow *f, const char *path)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (f->items[i].job && streq(f->items[i].job->path, path))
			return &f->items[i];
	return NULL;
}

static void remember_ended(struct follow *f, const char *path, const char *result, const char *reason)
{
	f->ended = xrealloc_array(f->ended, f->n_ended + 1, sizeof(*f->ended));
	f->ended[f->n_ended++] = (struct ended){ xstrdup(path), xstrdup(result), xstrdup(reason) };
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct follow *f = userdata;
	const char *path, *slot, *result, *reason;
	struct item *item;
	uint32_t id;

	if (sd_bus_message_read(m, "uosss", &id, &path, &slot, &result, &reason) < 0)
		return 0;
	item = item_by_job(f, path);
	if (item)
		item_removed(item, result, reason);
	else
		remember_ended(f, path, result, reason);
	return 0;
}

static int on_job_changed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct follow *f = userdata;
	struct item *item = item_by_job(f, sd_bus_message_get_path(m));
	const char *interface;

	if (!item || item->state != ITEM_RUNNING)
		return 0;
	if (sd_bus_message_read(m, "s", &interface) > 0 && streq(interface, INTERFACE_JOB) &&
	    job_read(item->job, m) >= 0)
		view_changed(f, item);
	return 0;
}

static int on_job_properties(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct item *item = userdata;

	/* An error: the job has ended already, and JobRemoved tells how. */
	if (item->state == ITEM_RUNNING && !sd_bus_message_is_method_error(reply, NULL) &&
	    job_read(item->job, reply) >= 0)
		view_changed(item->follow, item);
	return 0;
}

static int on_cancel_answer(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct item *item = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	_cleanup_free_ char *text = NULL;

	item->cancel = CANCEL_ANSWERED;
	if (error && item->state == ITEM_RUNNING && !sd_bus_error_has_name(error, ERROR_NO_SUCH_JOB)) {
		text = error_text(error);
		view_note(item->follow, "%s: not cancelled: %s. It goes on; waiting for its end. "
			  "Ctrl-C once more leaves it running", item->slot, text);
	} else {
		view_changed(item->follow, NULL);
	}
	cancel_next(item->follow);
	return 0;
}

static void item_cancel(struct item *item)
{
	struct follow *f = item->follow;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = client_new_call(&f->client, PATH_MANAGER, INTERFACE_MANAGER, "CancelJob", &m);

	item->cancel = CANCEL_ASKED;
	if (r >= 0)
		r = sd_bus_message_append(m, "u", item->job->id);
	if (r >= 0)
		r = sd_bus_call_async(f->client.bus, NULL, m, on_cancel_answer, item, client_call_timeout(&f->client));
	if (r < 0) {
		item->cancel = CANCEL_ANSWERED;
		view_note(f, "%s: cannot ask to cancel: %s", item->slot, strerror(-r));
	}
}

/* Ctrl-C was the agent's end, too. A second one ends the wait for the new one. */
static void renew_agent(struct follow *f)
{
	if (f->agent_renewed)
		return;
	f->agent_renewed = true;
	agent_stop();
	agent_start(f->o);
}

/* All at once, or one after the other where a person may be asked for passwords: an
 * agent asks for one at a time. */
static void cancel_next(struct follow *f)
{
	for (size_t i = 0; i < f->n_items; i++) {
		struct item *item = &f->items[i];

		if (item->state == ITEM_RUNNING && item->cancel == CANCEL_NONE) {
			view_clear(f);
			renew_agent(f);
			item_cancel(item);
		}
		if (item->cancel == CANCEL_ASKED && !f->at_once)
			return;
	}
}

static bool take_job(struct item *item, const char *path)
{
	uint32_t id;

	if (!model_job_id(path, &id))
		return false;
	item->job = job_new(path);
	item->job->id = id;
	xreplace(&item->job->operation, item->follow->operation->name);
	xreplace(&item->job->state, "queued");
	item->state = ITEM_RUNNING;
	return true;
}

static void item_started(struct item *item, const char *path)
{
	struct follow *f = item->follow;

	if (streq(path, "/")) {
		item_end(item, "nothing", EXIT_CODE_OK, "");
		return;
	}
	if (!take_job(item, path)) {
		item_end(item, "error", EXIT_CODE_FAILED, "hotplugd answered with something that is no job");
		return;
	}
	if (!f->o->block) {
		item_end(item, "started", EXIT_CODE_OK, "");
		return;
	}
	for (size_t i = 0; i < f->n_ended; i++)
		if (streq(f->ended[i].path, path)) {
			item_removed(item, f->ended[i].result, f->ended[i].reason);
			return;
		}
	view_changed(f, item);
	/* Of a job that we did not start, and for whoever looks: its state, then changes. */
	if (f->live || item->job->id <= f->last_known)
		client_get_all(&f->client, path, INTERFACE_JOB, on_job_properties, item);
	if (f->interrupts)
		cancel_next(f);
}

/* Nobody is asked again after the first "no", and nobody who is not there. */
static void end_waiting(struct follow *f, enum exit_code code, const char *result, const char *reason)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (f->items[i].state == ITEM_WAITING)
			item_end(&f->items[i], result, code, reason);
}

static int on_started(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct item *item = userdata;
	struct follow *f = item->follow;
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	const char *path;
	int r;

	if (item->state != ITEM_CALLING)
		return 0;
	if (error && f->interrupts && error_exit_code(error) == EXIT_CODE_NOT_AUTHORIZED) {
		item_end(item, "cancelled", EXIT_CODE_CANCELLED, "it was not started"); /* Ctrl-C at the password */
	} else if (error) {
		item_end_error(item, error);
	} else {
		r = sd_bus_message_read(reply, "o", &path);
		if (r < 0)
			item_end(item, "error", EXIT_CODE_FAILED, strerror(-r));
		else
			item_started(item, path);
	}
	if (item->code == EXIT_CODE_NOT_AUTHORIZED || item->code == EXIT_CODE_NOT_RUNNING)
		end_waiting(f, item->code, "error", "not tried, for the same reason");
	f->at_once = geteuid() == 0;
	return start_next(f);
}

static int item_start(struct item *item)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	struct follow *f = item->follow;
	int r;

	item->state = ITEM_CALLING;
	r = client_new_call(&f->client, PATH_MANAGER, INTERFACE_MANAGER, f->operation->method, &m);
	if (r >= 0)
		r = sd_bus_message_append(m, "s", item->slot);
	if (r >= 0)
		r = f->o->force ? sd_bus_message_append(m, "a{sv}", 1, "force", "b", 1) :
				  sd_bus_message_append(m, "a{sv}", 0);
	if (r >= 0)
		r = sd_bus_call_async(f->client.bus, NULL, m, on_started, item, client_call_timeout(&f->client));
	return r;
}

static struct item *next_waiting(struct follow *f)
{
	struct item *next = NULL;

	for (size_t i = 0; i < f->n_items; i++)
		if (f->items[i].state == ITEM_WAITING && (!next || f->items[i].depth > next->depth))
			next = &f->items[i];
	return next;
}

/* The first one alone, as its answer may count for all; then all, or again one
 * after the other where a person may be asked for passwords. */
static int start_next(struct follow *f)
{
	struct item *item;
	int r = 0;

	while (r >= 0 && (item = next_waiting(f))) {
		r = item_start(item);
		if (!f->at_once)
			break;
	}
	return r;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct follow *f = userdata;

	f->interrupts++;
	if (f->interrupts == 1) {
		view_note(f, "asking to cancel what has not reached its commit. Ctrl-C once more leaves it running");
		end_waiting(f, EXIT_CODE_CANCELLED, "cancelled", "it was not started");
	}
	for (size_t i = 0; i < f->n_items; i++) {
		struct item *item = &f->items[i];

		if (item->state == ITEM_FINISHING)
			item_end_result(item, "done", item->reason);
		else if (f->interrupts > 1 && item->state == ITEM_RUNNING) {
			_cleanup_free_ char *reason = xasprintf("left running as job %" PRIu32 ". See: hpctl jobs", item->job->id);

			item_end(item, "pending", EXIT_CODE_PENDING, reason);
		} else if (f->interrupts > 1 && item->state == ITEM_CALLING)
			item_end(item, "pending", EXIT_CODE_PENDING, "hotplugd has not answered; the job may yet start. See: hpctl jobs");
	}
	if (f->interrupts == 1)
		cancel_next(f);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t now, void *userdata)
{
	struct follow *f = userdata;
	_cleanup_free_ char *span = format_span(f->o->timeout);

	end_waiting(f, EXIT_CODE_CANCELLED, "cancelled", "it was not started");
	for (size_t i = 0; i < f->n_items; i++) {
		struct item *item = &f->items[i];
		_cleanup_free_ char *reason = NULL, *stage = NULL;

		if (item->state == ITEM_ENDED)
			continue;
		if (item->state == ITEM_FINISHING) {
			item_end_result(item, "done", item->reason);
			continue;
		}
		if (item->state == ITEM_RUNNING) {
			stage = format_stage(item->job, item->devices);
			reason = xasprintf("still pending after %s (%s): it goes on as job %" PRIu32 ". See: hpctl jobs", span,
					   stage, item->job->id);
		} else {
			reason = xasprintf("not started after %s: hotplugd has not answered. See: hpctl jobs", span);
		}
		item_end(item, "pending", EXIT_CODE_PENDING, reason);
	}
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t now, void *userdata)
{
	view_changed(userdata, NULL);
	sd_event_source_set_time_relative(source, TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_lost(sd_event_source *source, uint64_t now, void *userdata)
{
	struct follow *f = userdata;

	for (size_t i = 0; i < f->n_items; i++)
		item_end(&f->items[i], "error", EXIT_CODE_NOT_RUNNING,
			 "hotplugd stopped and did not come back, so how the job ended is not known. "
			 "Start it with: systemctl start hotplugd, then see: hpctl list");
	return 0;
}

/* After a restart of the daemon: our job by its number, or another one that
 * does the same; or else what the slot looks like. */
static void item_resync(struct item *item, struct model *m)
{
	struct slot *s = model_slot_by_name(m, item->slot);
	struct job *j = model_job_by_path(m, item->job->path);
	_cleanup_free_ char *reason = NULL;

	if (!j || !streq(j->slot, item->slot) || !streq(j->operation, item->follow->operation->name))
		j = s ? model_slot_job(m, s) : NULL;
	if (j && streq(j->operation, item->follow->operation->name)) {
		job_free(item->job);
		item->job = model_steal_job(m, j);
		view_changed(item->follow, item);
		return;
	}
	if (!s) {
		item_removed(item, "gone", "It went while hotplugd was restarted.");
		return;
	}
	/* A slot that is on has the new card in it, or still the old one. */
	if (streq(item->follow->operation->name, "replace")) {
		reason = xasprintf("hotplugd was restarted and does not know the job any more. See: hpctl history %s",
				   item->slot);
		item_end(item, "error", EXIT_CODE_FAILED, reason);
		return;
	}
	if (item->follow->operation->shows_devices ? streq(s->state, "on") :
						     streq(s->state, "off") || streq(s->state, "empty")) {
		item_removed(item, "done", "");
		return;
	}
	reason = xasprintf("hotplugd was restarted and does not know the job any more; the slot is '%s'", s->state);
	item_removed(item, "failed", reason);
}

static void resync(struct follow *f)
{
	_cleanup_(model_clear) struct model m = { 0 };
	enum exit_code code = client_load(&f->client, &m);

	for (size_t i = 0; i < f->n_items; i++) {
		struct item *item = &f->items[i];

		if (item->state == ITEM_RUNNING && code == EXIT_CODE_OK)
			item_resync(item, &m);
		else if (item->state == ITEM_RUNNING)
			item_end(item, "error", code, "how the job ended is not known");
	}
}

/* What has ended meanwhile it has told before it answered. An error: it is away again. */
static int on_back(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct follow *f = userdata;

	if (sd_bus_message_is_method_error(reply, NULL))
		return 0;
	sd_event_source_set_enabled(f->lost_timer, SD_EVENT_OFF);
	resync(f);
	return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct follow *f = userdata;
	const char *name, *old_owner, *new_owner;
	bool running = false;

	if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0)
		return 0;
	for (size_t i = 0; i < f->n_items; i++)
		running = running || f->items[i].state == ITEM_RUNNING || f->items[i].state == ITEM_FINISHING;
	if (!running)
		return 0;
	sd_event_source_set_time_relative(f->lost_timer, LOST_USEC);
	sd_event_source_set_enabled(f->lost_timer, SD_EVENT_ONESHOT);
	if (!*new_owner)
		view_note(f, "hotplugd went away; waiting for it to come back");
	else if (client_get_all(&f->client, PATH_MANAGER, INTERFACE_MANAGER, on_back, f) < 0)
		resync(f);
	return 0;
}

static enum exit_code subscribe(struct follow *f)
{
	enum exit_code code = client_subscribe(&f->client, "path='" PATH_MANAGER "',interface='" INTERFACE_MANAGER
					       "',member='JobRemoved'", on_job_removed, f);

	if (code == EXIT_CODE_OK)
		code = client_subscribe(&f->client,
					"path_namespace='" PATH_JOBS "',interface='" INTERFACE_PROPERTIES "',member='PropertiesChanged'",
					on_job_changed, f);
	if (code == EXIT_CODE_OK)
		code = client_subscribe_owner(&f->client, on_owner_changed, f);
	return code;
}

static void add_items(struct follow *f, const struct model *m, struct slot **slots)
{
	for (; *slots; slots++) {
		struct item *item;

		f->items = xrealloc_array(f->items, f->n_items + 1, sizeof(*f->items));
		item = &f->items[f->n_items++];
		*item = (struct item){
			.slot = xstrdup((*slots)->name),
			.slot_path = xstrdup((*slots)->path),
			.devices = format_device_names(*slots),
			.depth = f->operation->deepest_first ? model_slot_depth(m, *slots) : 0,
		};
	}
	/* Only now do the items stay where they are. */
	for (size_t i = 0; i < f->n_items; i++)
		f->items[i].follow = f;
}

static enum exit_code prepare(struct follow *f, char **names)
{
	_cleanup_(model_clear) struct model m = { 0 };
	_cleanup_free_ struct slot **slots = NULL;
	enum exit_code code;

	code = client_open(&f->client, f->o);
	if (code == EXIT_CODE_OK)
		code = subscribe(f);
	if (code == EXIT_CODE_OK)
		code = client_load(&f->client, &m);
	if (code == EXIT_CODE_OK)
		code = f->o->all ? client_select_all(&f->client, &m, names, f->operation->concerns, &slots) :
				   client_select_slots(&f->client, &m, names, &slots);
	if (code == EXIT_CODE_OK)
		add_items(f, &m, slots);
	if (m.n_jobs > 0)
		f->last_known = m.jobs[m.n_jobs - 1]->id;
	return code;
}

static int add_sources(struct follow *f)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(f->event, NULL, SIGINT, on_interrupt, f);
	if (r >= 0)
		r = items_init(f);
	if (r >= 0)
		r = sd_event_add_time_relative(f->event, &f->lost_timer, CLOCK_MONOTONIC, USEC_INFINITY / 2, 0, on_lost, f);
	if (r >= 0)
		r = sd_event_source_set_enabled(f->lost_timer, SD_EVENT_OFF);
	if (r >= 0 && f->o->timeout != USEC_INFINITY)
		r = sd_event_add_time_relative(f->event, NULL, CLOCK_MONOTONIC, f->o->timeout, 1, on_timeout, f);
	if (r >= 0 && f->live)
		r = sd_event_add_time_relative(f->event, NULL, CLOCK_MONOTONIC, TICK_USEC, 0, on_tick, f);
	return r;
}

static enum exit_code run_loop(struct follow *f)
{
	int r = sd_event_new(&f->event);

	if (r >= 0)
		r = add_sources(f);
	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(f->client.bus, true);
	if (r >= 0)
		r = sd_bus_attach_event(f->client.bus, f->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = start_next(f);
	if (r >= 0)
		r = sd_event_loop(f->event);
	if (r > 0)
		r = -ECONNRESET; /* sd-bus ends the loop when the bus goes away */
	return r < 0 ? client_bus_error("cannot follow the job", r) : EXIT_CODE_OK;
}

static void follow_clear(struct follow *f)
{
	sd_bus_detach_event(f->client.bus);
	client_close(&f->client);
	sd_event_source_disable_unref(f->look_timer);
	sd_event_source_disable_unref(f->lost_timer);
	sd_event_unref(f->event);
	for (size_t i = 0; i < f->n_items; i++) {
		struct item *item = &f->items[i];

		free(item->slot);
		free(item->slot_path);
		free(item->devices);
		free(item->trail);
		free(item->step);
		free(item->text);
		free(item->error);
		free(item->reason);
		job_free(item->job);
	}
	free(f->items);
	for (size_t i = 0; i < f->n_ended; i++) {
		free(f->ended[i].path);
		free(f->ended[i].result);
		free(f->ended[i].reason);
	}
	free(f->ended);
}

int follow_run(const struct options *o, const struct operation *operation, char **names)
{
	_cleanup_(follow_clear) struct follow f = { .o = o, .operation = operation };
	enum exit_code code = prepare(&f, names);

	if (code != EXIT_CODE_OK)
		return code;
	view_init(&f);
	if (f.n_items > 0) {
		agent_start(o);
		code = run_loop(&f);
		agent_stop();
	}
	view_finish(&f, code);
	for (size_t i = 0; i < f.n_items; i++)
		code = error_worse(code, f.items[i].code);
	return code;
}
