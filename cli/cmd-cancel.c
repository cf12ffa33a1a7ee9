// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl cancel: cancels jobs that have not reached their commit.
 *
 * Responsible for: the verb. "Cancelled" is said when the job has ended so: the
 * daemon first takes back what can be taken back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent.h"
#include "client.h"
#include "error.h"
#include "format-json.h"
#include "util.h"

struct cancel {
	uint32_t id;
	bool asked;    /* the daemon has agreed */
	char *slot, *operation; /* empty if not known */
	char *result;  /* of the job, NULL while it runs */
	char *error;   /* its name on the bus, NULL: none */
	char *reason;
	enum exit_code code;
};

struct cancels {
	const struct options *o;
	struct client client;
	struct cancel *list;
	size_t n;
	size_t n_running; /* asked and not ended */
	uint64_t deadline; /* for the answers, too; USEC_INFINITY: none */
};

static void cancels_clear(struct cancels *all)
{
	client_close(&all->client);
	for (size_t i = 0; i < all->n; i++) {
		free(all->list[i].slot);
		free(all->list[i].operation);
		free(all->list[i].result);
		free(all->list[i].error);
		free(all->list[i].reason);
	}
	free(all->list);
}

static bool parse_id(const char *text, uint32_t *ret)
{
	unsigned long id;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || *end || id > UINT32_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

static bool is_listed(const struct cancels *all, uint32_t id)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].id == id)
			return true;
	return false;
}

static enum exit_code parse_ids(struct cancels *all, char **texts)
{
	for (; *texts; texts++) {
		uint32_t id;

		if (!parse_id(*texts, &id)) {
			error_print("'%s' is not the number of a job. Jobs under way: hpctl jobs", *texts);
			return EXIT_CODE_USAGE;
		}
		if (is_listed(all, id))
			continue;
		all->list = xrealloc_array(all->list, all->n + 1, sizeof(*all->list));
		all->list[all->n++] = (struct cancel){
			.id = id, .slot = xstrdup(""), .operation = xstrdup(""), .reason = xstrdup(""),
		};
	}
	return EXIT_CODE_OK;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct cancels *all = userdata;
	const char *path, *slot, *result, *reason;
	uint32_t id;

	if (sd_bus_message_read(m, "uosss", &id, &path, &slot, &result, &reason) < 0)
		return 0;
	for (size_t i = 0; i < all->n; i++) {
		struct cancel *c = &all->list[i];

		if (c->id != id || c->result)
			continue;
		c->result = xstrdup(result);
		xreplace(&c->slot, slot);
		xreplace(&c->reason, reason);
		if (c->asked)
			all->n_running--;
	}
	return 0;
}

/* How long to wait for an answer; 0 would mean sd-bus's own time. */
static uint64_t call_timeout(const struct cancels *all)
{
	uint64_t now = now_monotonic(), longest = client_call_timeout(&all->client);

	if (now >= all->deadline)
		return 1;
	return all->deadline - now < longest ? all->deadline - now : longest;
}

static void ask(struct cancels *all, struct cancel *c)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_free_ char *subject = xasprintf("job %" PRIu32, c->id);
	int r = client_new_call(&all->client, PATH_MANAGER, INTERFACE_MANAGER, "CancelJob", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "u", c->id);
	if (r < 0) {
		c->code = client_bus_error("cannot ask hotplugd", r);
		xreplace(&c->reason, "cannot ask hotplugd");
		return;
	}
	r = sd_bus_call(all->client.bus, m, call_timeout(all), &error, NULL);
	if (r == -ETIMEDOUT && now_monotonic() >= all->deadline) {
		c->code = EXIT_CODE_PENDING;
		c->result = xstrdup("pending");
		xreplace(&c->reason, "hotplugd has not answered in time, and may yet cancel it. See: hpctl jobs");
		error_print("%s: %s", subject, c->reason);
		return;
	}
	if (r < 0) {
		_cleanup_free_ char *text = error_text(&error);

		c->code = error_report(subject, &error);
		c->error = xstrdup(error.name ?: "");
		xreplace(&c->reason, text);
		return;
	}
	c->asked = true;
	if (!c->result)
		all->n_running++;
}

/* Waits until all that were asked have ended, or the time is over. */
static enum exit_code wait_for_ends(struct cancels *all)
{
	while (all->n_running > 0) {
		uint64_t now = now_monotonic(), end = all->deadline;
		int r = sd_bus_process(all->client.bus, NULL);

		if (r > 0)
			continue;
		if (now >= end)
			return EXIT_CODE_OK;
		if (r >= 0)
			r = sd_bus_wait(all->client.bus, end == USEC_INFINITY ? USEC_INFINITY : end - now);
		if (r < 0 && r != -EINTR)
			return client_bus_error("cannot follow the jobs", r);
	}
	return EXIT_CODE_OK;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct cancels *all = userdata;
	const char *name, *old_owner, *new_owner;

	if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
		return 0;
	/* Whether a job is still there after a restart, "hpctl jobs" tells. */
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].asked && !all->list[i].result) {
			error_print("job %" PRIu32 ": hotplugd went away before the job had ended. See: hpctl jobs", all->list[i].id);
			all->list[i].result = xstrdup("pending");
			all->list[i].code = EXIT_CODE_PENDING;
		}
	all->n_running = 0;
	return 0;
}

static void report(struct cancels *all, struct cancel *c)
{
	_cleanup_free_ char *reason = without_full_stop(c->reason);

	if (!c->asked || c->code != EXIT_CODE_OK)
		return; /* told already */
	if (!c->result && !all->o->block) {
		if (!all->o->json)
			print_line(stdout, "job %" PRIu32 ": asked to cancel", c->id);
	} else if (!c->result) {
		c->code = EXIT_CODE_PENDING;
		error_print("job %" PRIu32 ": still takes back what it has begun. See: hpctl jobs", c->id);
	} else if (streq(c->result, "cancelled")) {
		if (!all->o->json)
			print_line(stdout, "job %" PRIu32 ": cancelled, nothing was changed on %s", c->id, c->slot);
	} else {
		c->code = EXIT_CODE_FAILED;
		error_print("job %" PRIu32 " on %s %s: it ended as %s%s%s", c->id, c->slot,
			    streq(c->result, "failed") ? "could not take all back" : "was not cancelled in time",
			    c->result, *reason ? ": " : "", reason);
	}
}

static enum exit_code print_json(const struct cancels *all)
{
	struct json_object *object = json_new_object(), *array = json_new_array();

	for (size_t i = 0; i < all->n; i++) {
		const struct cancel *c = &all->list[i];
		struct json_object *entry = json_new_object();

		json_add_string_or_null(entry, "slot", c->slot);
		json_add_string_or_null(entry, "operation", c->operation);
		json_add(entry, "job", json_object_new_uint64(c->id));
		json_add_string(entry, "result", c->result ?: c->asked ? "pending" : "error");
		json_add_string_or_null(entry, "error", c->error ?: "");
		json_add_string_or_null(entry, "reason", c->reason);
		json_add(entry, "exit_code", json_object_new_int(c->code));
		json_append(array, entry);
	}
	json_add(object, "results", array);
	return json_print(object, all->o->json);
}

/* People know what they cancel; programs are told. */
static enum exit_code read_jobs(struct cancels *all)
{
	_cleanup_(model_clear) struct model m = { 0 };
	enum exit_code code = client_load(&all->client, &m);

	for (size_t i = 0; i < all->n && code == EXIT_CODE_OK; i++) {
		const struct job *j = model_job_by_id(&m, all->list[i].id);

		if (!j)
			continue;
		xreplace(&all->list[i].slot, j->slot);
		xreplace(&all->list[i].operation, j->operation);
	}
	return code;
}

int cmd_cancel(const struct options *o, char **ids)
{
	_cleanup_(cancels_clear) struct cancels all = { .o = o };
	enum exit_code code = parse_ids(&all, ids);

	if (code == EXIT_CODE_OK)
		code = client_open(&all.client, o);
	if (code == EXIT_CODE_OK)
		code = client_subscribe(&all.client,
					"path='" PATH_MANAGER "',interface='" INTERFACE_MANAGER "',member='JobRemoved'",
					on_job_removed, &all);
	if (code == EXIT_CODE_OK)
		code = client_subscribe_owner(&all.client, on_owner_changed, &all);
	if (code == EXIT_CODE_OK && o->json)
		code = read_jobs(&all);
	if (code != EXIT_CODE_OK)
		return code;

	agent_start(o);
	all.deadline = o->timeout == USEC_INFINITY ? USEC_INFINITY : now_monotonic() + o->timeout;
	for (size_t i = 0; i < all.n; i++)
		ask(&all, &all.list[i]);
	agent_stop();
	if (o->block)
		code = wait_for_ends(&all);
	for (size_t i = 0; i < all.n; i++) {
		report(&all, &all.list[i]);
		code = error_worse(code, all.list[i].code);
	}
	if (o->json)
		print_json(&all);
	return code;
}
