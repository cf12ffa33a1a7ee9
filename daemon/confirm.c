/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After an insert: waits until what came has its drivers.
 *
 * Responsible for: when that is so. A function has its driver's link while the driver's
 * probe() still runs, and may lose it again (really_probe() in drivers/base/dd.c); only
 * the uevent "bind" says that it is bound. Probing may go on by itself after the rescan
 * (device_initial_probe() in pci_bus_add_device(), of newer kernels), and drivers come later,
 * in modules that udev loads. So what has a driver before the rescan is bound, and of
 * others the kernel's word counts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "confirm.h"
#include "registry.h"

static bool is_bound(const struct slot *s, const char *address)
{
	if (s->port[0] == '\0')
		return true; /* uevents are told of by their port: here the link has to do */
	for (char **b = s->bound; b && *b; b++)
		if (strcmp(*b, address) == 0)
			return true;
	return false;
}

static int add_bound(struct slot *s, const char *address)
{
	size_t n = 0;
	char **more;

	if (is_bound(s, address))
		return 0;
	while (s->bound && s->bound[n])
		n++;
	more = reallocarray(s->bound, n + 2, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->bound = more;
	more[n] = strdup(address);
	more[n + 1] = NULL;
	return more[n] ? 0 : -ENOMEM;
}

int confirm_prepare(struct slot *s)
{
	struct sysfs_function *functions;
	size_t n;
	int r = slot_read_drivers(s, &functions, &n);

	s->bound = strv_free(s->bound);
	if (r < 0)
		return r;
	s->bound = calloc(1, sizeof(*s->bound));
	if (!s->bound)
		r = -ENOMEM;
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (functions[i].driver[0] != '\0')
			r = add_bound(s, functions[i].address);
	sysfs_functions_free(functions, n);
	return r;
}

/* Of the functions there are now: how many, and in *ret the addresses of those that are not
 * bound yet, NULL when none; to be freed. */
static int without_driver(const struct slot *s, size_t *ret_n, char **ret)
{
	struct sysfs_function *functions;
	char *text = NULL;
	size_t size, n;
	FILE *f = NULL;
	int r = slot_read_drivers(s, &functions, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		/* A bridge lets its devices work without one of its own. */
		if (functions[i].bridge || (functions[i].driver[0] != '\0' && is_bound(s, functions[i].address)))
			continue;
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
	if (without_driver(s, &n, &bare) < 0) {
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

int confirm_start(struct manager *m, struct slot *s, struct job_run *run)
{
	/* After a restart nobody has listened since the rescan: what has a driver is bound. */
	int r = s->bound ? 0 : confirm_prepare(s);

	if (r >= 0)
		r = sd_event_add_time(m->event, &run->timer, CLOCK_MONOTONIC,
				      manager_now(m) + m->settings.driver_wait, 0, on_timer, run);
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

	if (s->bound && add_bound(s, strrchr(syspath, '/') + 1) < 0)
		return; /* its time ends, and it is told as one without a driver */
	TAILQ_FOREACH(run, &m->runs, entry) {
		if (run->slot != s->handle || !waits(run))
			continue;
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
