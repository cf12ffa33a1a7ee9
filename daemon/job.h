/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries out what the engine wants done for a job, and brings back the answer.
 */
#ifndef HOTPLUGD_JOB_H
#define HOTPLUGD_JOB_H

#include <sys/queue.h>

#include <systemd/sd-event.h>

#include "engine.h"

struct manager;
struct slot;
struct shim_event;

/* A step whose answer is awaited. */
struct job_run {
	TAILQ_ENTRY(job_run) entry;
	struct manager *manager;
	uint32_t job_id;
	slot_handle_t slot;
	enum job_step step;
	bool again;             /* asked already, perhaps by the daemon before this one */
	/* STEP_CONFIRM, see confirm.c. */
	sd_event_source *timer; /* how long drivers are waited for */
};
TAILQ_HEAD(job_run_list, job_run);

/* A writer of slots/N/power that waits for a job (KERNEL-NOTES: legacy writers). */
struct legacy {
	TAILQ_ENTRY(legacy) entry;
	uint64_t request;
	uint32_t job_id;
};
TAILQ_HEAD(legacy_list, legacy);

/* Starts one action of the engine. The answer comes later, through the engine. */
void job_run_action(struct manager *m, const struct action *a);

/* A control of the shim completed (HPSHIM_EVENT_OP_DONE). */
void job_on_op_done(struct manager *m, const struct shim_event *e);

/* Answers of the shim may be lost: asks again for all that jobs wait for. */
void job_ask_again(struct manager *m);

/* The shim is gone, and its slots with their jobs: nobody answers any more. */
void job_shim_lost(struct manager *m);

/* The answer of a step goes to the engine. Takes the run. */
void job_run_done(struct job_run *run, int error, const char *reason);

/* Somebody writes slots/N/power and waits (HPSHIM_EVENT_REQUEST). */
void job_on_legacy_request(struct manager *m, struct slot *s, const struct shim_event *e);
void job_on_legacy_cancel(struct manager *m, const struct shim_event *e);

/* Where in the kernel the commit of a stalled job is, or the unbinding before it, a line
 * a function; to be freed. NULL when it is in neither, not stalled, or it cannot be seen. */
char *job_stack(struct manager *m, const struct job *job);

/* Frees all waits; the answers of what is under way are lost, and ends that were still to be told. */
void job_runs_free(struct manager *m);

#endif
