/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After an insert: waits until what came has its drivers.
 *
 * Responsible for: when that is so. A function has its driver's link while the driver's
 * probe() still runs, and may lose it again (really_probe() in drivers/base/dd.c); only
 * the uevent "bind" says that it is bound. The rescan of a commit probes before it
 * returns, so what has a link then is bound; what gets its driver later, from a module
 * that udev has loaded, is awaited.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "confirm.h"
#include "registry.h"

static int await(struct job_run *run, const char *address)
{
	size_t n = 0;
	char **more;

	for (; run->awaited && run->awaited[n]; n++)
		if (strcmp(run->awaited[n], address) == 0)
			return 0;
	more = reallocarray(run->awaited, n + 2, sizeof(*more));
	if (!more)
		return -ENOMEM;
	run->awaited = more;
	more[n] = strdup(address);
	more[n + 1] = NULL;
	return more[n] ? 0 : -ENOMEM;
}

static bool is_awaited(const struct job_run *run, const char *address)
{
	for (char **a = run->awaited; a && *a; a++)
		if (strcmp(*a, address) == 0)
			return true;
	return false;
}

static void await_no_more(struct job_run *run, const char *address)
{
	for (char **a = run->awaited; a && *a; a++) {
		if (strcmp(*a, address) != 0)
			continue;
		free(*a);
		do
			a[0] = a[1];
		while (*a++);
		return;
	}
}

/* Of the functions there are now: how many, and in *ret the addresses of those that are not
 * bound yet, NULL when none; to be freed. */
static int without_driver(struct job_run *run, const struct slot *s, size_t *ret_n, char **ret)
{
	struct sysfs_function *functions;
	char *text = NULL;
	size_t size, n;
	FILE *f = NULL;
	int r = slot_read_drivers(s, &functions, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		bool linked = functions[i].driver[0] != '\0';

		/* A bridge lets its devices work without one of its own. */
		if (functions[i].bridge || (linked && !is_awaited(run, functions[i].address)))
			continue;
		if (!linked)
			r = await(run, functions[i].address);
		if (!f)
			f = open_memstream(&text, &size);
		if (f)
			fprintf(f, "%s%s", ftell(f) > 0 ? ", " : "", functions[i].address);
		else
			r = -ENOMEM;
	}
	sysfs_functions_free(functions, n);
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r < 0) {
		free(text);
		return r;
	}
	*ret = text;
	*ret_n = n;
	return 0;
}

/* Ends the step when all drivers are bound, or when @expired. Takes the run then. */
static void check(struct job_run *run, bool expired)
{
	struct slot *s = manager_slot_by_handle(run->manager, run->slot);
	_cleanup_free_ char *bare = NULL, *reason = NULL;
	size_t n = 0;

	if (!s) { /* the engine has ended the job with the slot */
		job_run_done(run, ENODEV, NULL);
		return;
	}
	if (without_driver(run, s, &n, &bare) < 0) {
		if (expired)
			job_run_done(run, ENOMEM, NULL);
	} else if (n > 0 && !bare) {
		job_run_done(run, 0, NULL);
	} else if (!expired) {
		return;
	} else if (n == 0) {
		job_run_done(run, ENODEV, "the device went away while its driver was awaited");
	} else if (asprintf(&reason, "no driver bound to %s", bare) < 0) {
		reason = NULL;
		job_run_done(run, ENOMEM, NULL);
	} else {
		job_run_done(run, 0, reason);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct job_run *run = userdata;
	struct slot *s = manager_slot_by_handle(run->manager, run->slot);

	/* udev may be late, or its word have been lost. */
	if (s && slot_refresh_devices(s) >= 0)
		manager_slot_changed(run->manager, s);
	check(run, true);
	return 0;
}

int confirm_start(struct manager *m, struct job_run *run)
{
	int r = sd_event_add_time(m->event, &run->timer, CLOCK_MONOTONIC, manager_now(m) + m->settings.driver_wait, 0,
				  on_timer, run);

	if (r >= 0)
		check(run, false);
	return r;
}

static bool waits(const struct job_run *run)
{
	return run->step == STEP_CONFIRM && run->timer && engine_job(run->manager->engine, run->job_id);
}

void confirm_bound(struct manager *m, struct slot *s, const char *syspath)
{
	struct job_run *run;

	TAILQ_FOREACH(run, &m->runs, entry) {
		if (run->slot != s->handle || !waits(run))
			continue;
		await_no_more(run, strrchr(syspath, '/') + 1);
		check(run, false);
		return; /* a slot has one job, and the list may have changed */
	}
}

void confirm_look(struct manager *m)
{
	struct job_run *run, *next;
	uint32_t last = 0;

	/* Each check may end its run, and others with it. */
	for (;;) {
		next = NULL;
		TAILQ_FOREACH(run, &m->runs, entry)
			if (waits(run) && run->job_id > last && (!next || run->job_id < next->job_id))
				next = run;
		if (!next)
			return;
		last = next->job_id;
		check(next, false);
	}
}
