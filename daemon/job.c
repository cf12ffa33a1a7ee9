/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries out what the engine wants done for a job, and brings back the answer.
 *
 * Responsible for: turning each action into commands of the shim, work of the
 * worker, or a wait for drivers; keeping track of whose answer is awaited;
 * answering legacy writers. Decides nothing: what comes next is the engine's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "confirm.h"
#include "devices.h"
#include "indicator.h"
#include "job-dbus.h"
#include "journal.h"
#include "manager.h"
#include "recover.h"
#include "registry.h"
#include "unbind.h"
#include "worker-link.h"

/* A cookie names the job and the step that a command belongs to; what nobody
 * waits for has the job 0. */
static uint64_t cookie_of(uint32_t job_id, enum job_step step)
{
	return (uint64_t)job_id << 8 | (uint64_t)step;
}

static struct job_run *run_find(struct manager *m, uint32_t job_id, enum job_step step)
{
	struct job_run *run;

	TAILQ_FOREACH(run, &m->runs, entry)
		if (run->job_id == job_id && run->step == step)
			return run;
	return NULL;
}

static void run_free(struct job_run *run)
{
	TAILQ_REMOVE(&run->manager->runs, run, entry);
	sd_event_source_disable_unref(run->timer);
	free(run);
}

void job_run_done(struct job_run *run, int error, const char *reason)
{
	struct manager *m = run->manager;
	uint32_t job_id = run->job_id;
	enum job_step step = run->step;

	run_free(run);
	if (engine_step_done(m->engine, job_id, step, error, reason, manager_now(m)) < 0)
		log_debug("job %" PRIu32 ": late answer of step %s", job_id, job_step_to_string(step));
	manager_run_engine(m);
}

static struct job_run *run_new(struct manager *m, const struct job *job, enum job_step step)
{
	struct job_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->manager = m;
	run->job_id = job->id;
	run->slot = job->slot;
	run->step = step;
	run->again = m->restoring;
	TAILQ_INSERT_TAIL(&m->runs, run, entry);
	return run;
}

/* The kernel's own driver says ENODEV for a slot that is on, or off, already; so it is when
 * the worker was killed in its write and another one has written once more. */
static bool native_power_is(const struct slot *s, bool on)
{
	struct sysfs_slot now = { 0 };
	bool is = s->backend == BACKEND_NATIVE && sysfs_slot_read(slot_kernel_name(s), &now) > 0 && now.power == on;

	sysfs_slot_clear(&now);
	return is;
}

static void on_commit_done(int error, const char *text, void *userdata)
{
	struct job_run *run = userdata;
	struct slot *s = manager_slot_by_handle(run->manager, run->slot);

	if (s && error == ENODEV && native_power_is(s, run->step == STEP_RESCAN))
		error = 0;
	/* Others wait for the commit: what came is looked at when there is time. */
	if (s && slot_refresh_occupied(s) >= 0) {
		registry_schedule_refresh(run->manager, false);
		manager_slot_changed(run->manager, s);
	}
	job_run_done(run, error, error ? text : NULL);
}

/* Whether the shim's own attributes do the commit, and not the kernel's. */
static bool commits_by_shim(struct manager *m, const struct slot *s)
{
	return s->backend == BACKEND_SHIM && m->settings.commit == COMMIT_BY_SHIM;
}

/* The worker is there and what it is to do is written down, so that a daemon
 * after this one finds both. */
static int prepare_commit(struct manager *m)
{
	int r = worker_link_prepare(m->worker);

	m->unsaved = true;
	recover_save(m);
	return r;
}

static void on_unbound(int error, const char *text, void *userdata)
{
	struct job_run *run = userdata;
	struct slot *s = manager_slot_by_handle(run->manager, run->slot);

	if (s && error && slot_refresh_devices(s) >= 0)
		manager_slot_changed(run->manager, s);
	job_run_done(run, error, NULL);
}

static int start_unbind(struct manager *m, struct slot *s, struct job_run *run)
{
	const struct state_job *before = run->again ? state_job_by_id(&m->before, run->job_id) : NULL;

	int r = unbind_start(m->unbind, s, run->job_id, before ? before->unbinder_pid : 0,
			     before ? before->unbinder_start : 0, on_unbound, run);

	if (r < 0) /* then the commit does it */
		job_run_done(run, 0, NULL);
	return 0;
}

static int start_remove(struct manager *m, struct slot *s, struct job_run *run)
{
	struct worker_request request = { 0 };
	int r = prepare_commit(m);

	if (r < 0)
		return r;
	if (commits_by_shim(m, s)) {
		request.type = WORKER_REMOVE_SHIM;
		request.address = s->address;
		request.generation = s->generation;
		return worker_link_submit(m->worker, &request, on_commit_done, run);
	}
	/* Each function by hand; a slot that the shim has is powered off later. */
	r = slot_refresh_devices(s);
	if (r < 0)
		return r;

	_cleanup_free_ const char **functions = calloc(s->n_functions + 1, sizeof(*functions));

	if (!functions)
		return -ENOMEM;
	manager_slot_changed(m, s);
	if (s->n_functions == 0 && (s->backend == BACKEND_SHIM || (run->again && !s->power))) {
		job_run_done(run, 0, NULL);
		return 0;
	}
	for (size_t i = 0; i < s->n_functions; i++)
		functions[i] = s->functions[i].address;
	request.type = WORKER_REMOVE_NATIVE;
	request.slot = s->backend == BACKEND_NATIVE ? slot_kernel_name(s) : NULL;
	request.functions = functions;
	request.n_functions = s->n_functions;
	return worker_link_submit(m->worker, &request, on_commit_done, run);
}

/* Looks for more devices in a slot that is on, whoever drives it. */
static bool is_rescan(struct manager *m, const struct job_run *run)
{
	const struct job *job = engine_job(m->engine, run->job_id);

	return job && job->operation == OPERATION_RESCAN;
}

static int start_rescan(struct manager *m, struct slot *s, struct job_run *run)
{
	struct worker_request request = { 0 };
	int r = prepare_commit(m);

	if (r < 0)
		return r;
	if (commits_by_shim(m, s)) {
		request.type = WORKER_RESCAN_SHIM;
		request.address = s->address;
		request.generation = s->generation;
	} else if (s->backend == BACKEND_SHIM) {
		request.type = WORKER_RESCAN_BUS;
		request.address = s->port;
	} else if (is_rescan(m, run) && s->port[0] != '\0') {
		request.type = WORKER_RESCAN_BUS;
		request.address = s->port;
	} else if (run->again && s->power && s->n_functions > 0) {
		job_run_done(run, 0, NULL);
		return 0;
	} else {
		request.type = WORKER_INSERT_NATIVE;
		request.slot = slot_kernel_name(s);
	}
	return worker_link_submit(m->worker, &request, on_commit_done, run);
}

/* Looks whether there are devices in a slot that is to have none; if so, the engine knows.
 * Returns 0, EBUSY when there are, or why it cannot be known. */
static int no_devices(struct manager *m, struct slot *s)
{
	int r = s ? slot_refresh_functions(s) : 0;

	if (r < 0)
		return -r;
	if (!s || s->n_functions == 0)
		return 0;
	manager_slot_changed(m, s);
	return EBUSY;
}

/* Starts the step of a job; a step that cannot be started fails. */
static void start_step(struct manager *m, const struct action *a)
{
	static const enum job_step steps[_ACTION_MAX] = {
		[ACTION_CHECK] = STEP_CHECK,
		[ACTION_POWER_ON] = STEP_POWER_ON,
		[ACTION_POWER_OFF] = STEP_POWER_OFF,
		[ACTION_UNBIND] = STEP_UNBIND,
		[ACTION_REMOVE] = STEP_REMOVE,
		[ACTION_RESCAN] = STEP_RESCAN,
		[ACTION_CONFIRM] = STEP_CONFIRM,
	};
	struct slot *s = manager_slot_by_handle(m, a->slot);
	uint32_t id = a->job->id;
	enum job_step step = steps[a->type];
	struct job_run *run = s ? run_new(m, a->job, step) : NULL;
	int r = 0;

	if (!run) {
		engine_step_done(m->engine, id, step, s ? ENOMEM : ENODEV, NULL, manager_now(m));
		return;
	}
	switch (a->type) {
	case ACTION_CHECK:
		job_run_done(run, 0, NULL);
		return;
	case ACTION_POWER_ON:
	case ACTION_POWER_OFF:
		recover_save(m);
		/* Somebody may have had the bus scanned meanwhile: the last look, as late as can be. */
		r = a->type == ACTION_POWER_OFF ? no_devices(m, s) : 0;
		if (r > 0) {
			job_run_done(run, r, r == EBUSY ? NULL : "it cannot be seen whether the slot is empty");
			return;
		}
		r = shim_link_set_power(m->shim, s->shim_id, s->generation, a->type == ACTION_POWER_ON,
					cookie_of(id, step));
		break;
	case ACTION_UNBIND:
		r = start_unbind(m, s, run);
		break;
	case ACTION_REMOVE:
		r = start_remove(m, s, run);
		break;
	case ACTION_RESCAN:
		r = confirm_prepare(s);
		if (r >= 0)
			r = start_rescan(m, s, run);
		break;
	case ACTION_CONFIRM:
		r = confirm_start(m, s, run);
		break;
	default:
		r = -EINVAL;
	}
	if (r < 0)
		job_run_done(run, -r, NULL);
}

void job_on_op_done(struct manager *m, const struct shim_event *e)
{
	struct job_run *run = run_find(m, (uint32_t)(e->cookie >> 8), (enum job_step)(e->cookie & 0xff));

	/* Refused, not failed: what was asked for before is still under way, and
	 * its end comes with the same cookie. */
	if (run && run->again && e->seq == 0 && e->error == -EBUSY)
		return;
	if (run && run->step == STEP_POWER_OFF && e->error == 0) /* was nobody quicker? */
		no_devices(m, manager_slot_by_handle(m, run->slot));
	if (run)
		job_run_done(run, -e->error, e->report[0] != '\0' ? e->report : NULL);
	else if (e->error)
		log_warning("%s: a command of the shim failed: %s", e->slot.name[0] != '\0' ? e->slot.name : "hpshim",
			    e->report[0] != '\0' ? e->report : strerror(-e->error));
}

void job_ask_again(struct manager *m)
{
	struct job_run *run, *next;

	for (run = TAILQ_FIRST(&m->runs); run; run = next) {
		struct slot *s = manager_slot_by_handle(m, run->slot);
		const struct job *job = engine_job(m->engine, run->job_id);
		int r;

		next = TAILQ_NEXT(run, entry);
		if (!s || (run->step != STEP_POWER_ON && run->step != STEP_POWER_OFF))
			continue;
		if (!job || job->step != run->step) {
			run_free(run); /* its job has ended without the answer */
			continue;
		}
		r = run->step == STEP_POWER_OFF ? no_devices(m, s) : 0;
		if (r > 0) {
			job_run_done(run, r, NULL);
			next = TAILQ_FIRST(&m->runs); /* who knows which are left */
			continue;
		}
		run->again = true;
		r = shim_link_set_power(m->shim, s->shim_id, s->generation, run->step == STEP_POWER_ON,
					cookie_of(run->job_id, run->step));
		if (r < 0) /* its deadline tells */
			log_warning("%s: cannot ask for power again: %s", s->name, strerror(-r));
	}
}

void job_shim_lost(struct manager *m)
{
	struct job_run *run, *next;

	for (run = TAILQ_FIRST(&m->runs); run; run = next) {
		next = TAILQ_NEXT(run, entry);
		if (run->step == STEP_POWER_ON || run->step == STEP_POWER_OFF)
			run_free(run); /* native slots have no such steps */
	}
}

/* Answers the legacy writers that waited for @job. */
static void answer_legacy(struct manager *m, const struct job *job)
{
	struct legacy *l, *next;
	int error = 0;

	switch (job->state) {
	case JOB_DONE:
		break;
	case JOB_CANCELLED:
		error = -ECANCELED;
		break;
	case JOB_REFUSED:
		error = -EPERM;
		break;
	case JOB_GONE:
		error = -ENODEV;
		break;
	default:
		error = job->error ? -job->error : -EIO;
	}
	for (l = TAILQ_FIRST(&m->legacy); l; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->job_id != job->id)
			continue;
		shim_link_answer_request(m->shim, l->request, error);
		TAILQ_REMOVE(&m->legacy, l, entry);
		free(l);
	}
}

void job_on_legacy_request(struct manager *m, struct slot *s, const struct shim_event *e)
{
	const struct job *job = NULL;
	struct request request = {
		.operation = e->value ? OPERATION_INSERT : OPERATION_EJECT,
		.origin = ORIGIN_SYSFS,
		.requested_by = "sysfs",
	};
	struct legacy *l;
	int r;

	if (!manager_drives(m, s))
		return; /* the other controller answers */
	TAILQ_FOREACH(l, &m->legacy, entry)
		if (l->request == e->request)
			return; /* the shim tells a new controller of all that wait */
	l = calloc(1, sizeof(*l));
	r = l ? engine_request(m->engine, s->handle, &request, manager_now(m), &job) : -ENOMEM;

	log_notice("%s: somebody wrote %u to slots/%s/power%s", s->name, e->value, slot_kernel_name(s),
		   r > 0 ? ": nothing to do" : r < 0 ? ": refused" : "");
	if (r != 0) {
		shim_link_answer_request(m->shim, e->request, r < 0 ? r : 0);
		free(l);
		return;
	}
	l->request = e->request;
	l->job_id = job->id;
	TAILQ_INSERT_TAIL(&m->legacy, l, entry);
	manager_run_engine(m);
}

void job_on_legacy_cancel(struct manager *m, const struct shim_event *e)
{
	struct legacy *l;

	TAILQ_FOREACH(l, &m->legacy, entry) {
		if (l->request != e->request)
			continue;
		/* The writer was killed; what he asked for goes on, as with
		 * the kernel's own driver. */
		TAILQ_REMOVE(&m->legacy, l, entry);
		free(l);
		return;
	}
}

static const char *slot_name(struct manager *m, const struct job *job)
{
	struct slot *s = manager_slot_by_handle(m, job->slot);

	return s ? s->name : "slot";
}

char *job_stack(struct manager *m, const struct job *job)
{
	char *stack = NULL;

	if (job->stalled && (job->step == STEP_REMOVE || job->step == STEP_RESCAN))
		worker_link_stack(m->worker, &stack);
	else if (job->stalled && job->step == STEP_UNBIND)
		unbind_stack(m->unbind, job->id, &stack);
	return stack;
}

static void tell_change(struct manager *m, const struct job *job)
{
	struct slot *s = manager_slot_by_handle(m, job->slot);

	log_debug("%s: job %" PRIu32 " is %s, step %s", slot_name(m, job), job->id, job_state_to_string(job->state),
		  job_step_to_string(job->step));
	if (job->stalled) {
		_cleanup_free_ char *stack = job_stack(m, job);

		journal_job_stalled(job, s, manager_now(m), stack);
	}
	job_dbus_changed(m, job);
	if (s)
		manager_slot_changed(m, s);
}

/* The journal tells what is in the slot. While others wait, reading that does not hold them
 * up: addresses and drivers say enough. */
static void journal_end(struct manager *m, const struct job *job, struct slot *s)
{
	bool wait = devices_can_wait(m);
	struct slot now;
	int r;

	if (!s || !s->stale) {
		journal_job_ended(job, s, manager_now(m));
	} else if (!wait) {
		r = slot_refresh_devices(s);
		if (r < 0)
			log_error("%s: cannot read its devices: %s", s->name, strerror(-r));
		journal_job_ended(job, s, manager_now(m));
	} else {
		now = *s;
		if (slot_read_drivers(s, &now.functions, &now.n_functions) < 0)
			now.n_functions = 0;
		journal_job_ended(job, &now, manager_now(m));
		sysfs_functions_free(now.functions, now.n_functions);
	}
}

static void tell_end(struct manager *m, const struct job *job)
{
	struct slot *s = manager_slot_by_handle(m, job->slot);

	journal_end(m, job, s);
	job_dbus_ended(m, job, s ? s->name : "");
	answer_legacy(m, job);
	unbind_undo(m->unbind, job, s);
	/* Killed up to here it is told again, as it was; from here on never. */
	manager_save(m);
	/* The driver of a native slot told nothing. */
	if (m->adoption_waits || (s && s->backend == BACKEND_NATIVE))
		registry_schedule_refresh(m, true);
	if (s)
		manager_slot_changed(m, s);
	registry_forget_departed(m, job->slot);
}

void job_run_action(struct manager *m, const struct action *a)
{
	struct slot *s;

	switch (a->type) {
	case ACTION_INDICATORS:
		s = manager_slot_by_handle(m, a->slot);
		if (s)
			indicator_set(m, s, a->power_led, a->attention_led);
		return;
	case ACTION_JOB_NEW:
		s = manager_slot_by_handle(m, a->slot);
		journal_job_begun(a->job, s);
		job_dbus_new(m, a->job);
		if (s)
			manager_slot_changed(m, s);
		return;
	case ACTION_JOB_CHANGED:
		tell_change(m, a->job);
		return;
	case ACTION_JOB_ENDED:
		tell_end(m, a->job);
		return;
	default:
		start_step(m, a);
	}
}

void job_runs_free(struct manager *m)
{
	struct job_run *run;
	struct legacy *l;

	job_dbus_free(m);
	while ((run = TAILQ_FIRST(&m->runs)))
		run_free(run);
	while ((l = TAILQ_FIRST(&m->legacy))) {
		TAILQ_REMOVE(&m->legacy, l, entry);
		free(l);
	}
}
