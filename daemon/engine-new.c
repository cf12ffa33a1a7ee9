// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A job is made and freed, and gets the sentence that explains its end.
 *
 * Responsible for: the job as an object. May not change its state or step once it
 * is there: that is engine-job.c's.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"

void engine_job_init_actions(struct engine_job *j)
{
	const struct action about = { .slot = j->job.slot, .job = &j->job };

	j->ask.action = j->tell_new.action = j->tell_changed.action = j->tell_ended.action = about;
	j->tell_new.action.type = ACTION_JOB_NEW;
	j->tell_changed.action.type = ACTION_JOB_CHANGED;
	j->tell_ended.action.type = ACTION_JOB_ENDED;
}

struct engine_job *engine_job_start(struct engine *e, struct engine_node *n, const struct request *r, usec_t window)
{
	const struct job_input start = { .event = JOB_EVENT_START };
	struct engine_job *j;

	assert(!n->job);
	j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->job.requested_by = strdup(r->requested_by ? r->requested_by : "");
	if (!j->job.requested_by)
		return engine_job_free(j);
	if (++e->last_job_id == 0)
		e->last_job_id = 1;
	j->job.id = e->last_job_id;
	j->job.slot = n->handle;
	j->job.operation = r->operation;
	j->job.origin = r->origin;
	j->job.force = r->force;
	j->job.created = e->now;
	j->job.state_since = j->job.step_since = e->now;
	j->job.step_deadline = USEC_INFINITY;
	j->window = window;
	j->node = n;
	n->job = j;
	engine_job_init_actions(j);
	TAILQ_INSERT_TAIL(&e->jobs, j, entry);
	engine_queue(e, &j->tell_new);
	engine_job_dispatch(e, j, &start);
	return j;
}

struct engine_job *engine_job_free(struct engine_job *j)
{
	if (!j)
		return NULL;
	free(j->job.reason);
	free(j->job.requested_by);
	free(j);
	return NULL;
}

void engine_job_take_reason(struct engine_job *j, char *reason)
{
	free(j->job.reason);
	j->job.reason = reason;
}

void engine_job_set_failure(struct engine_job *j, int error, const char *reason)
{
	static const struct {
		const char *what, *next;
	} text[_STEP_MAX] = {
		[STEP_CHECK] = { "What uses the devices could not be found out",
				 "nothing was touched; see the journal of hotplugd, then try again" },
		[STEP_POWER_ON] = { "The slot did not power on or its link did not come up",
				    "it was switched off again; reseat the card, then insert it again" },
		[STEP_UNBIND] = { "A driver could not let go of its device",
				  "the slot stays powered, do not pull the card; see the kernel's log" },
		[STEP_REMOVE] = { "The devices could not be removed",
				  "the slot stays powered, do not pull the card; see the kernel's log" },
		[STEP_RESCAN] = { "The devices could not be added", "see the kernel's log for what is missing" },
		[STEP_POWER_OFF] = { "The slot could not be powered off",
				     "do not pull the card while the power LED is on; try the eject again" },
		[STEP_CONFIRM] = { "The devices were added but are not ready",
				   "see the kernel's log for what their drivers say" },
	};
	const char *description = strerrordesc_np(error);
	char *s = NULL;

	if (j->job.error)
		return;
	j->job.error = error;
	if (reason)
		s = strdup(reason);
	else if (asprintf(&s, "%s (%s): %s.", text[j->job.step].what, description ? description : "unknown error",
			  text[j->job.step].next) < 0)
		s = NULL;
	engine_job_take_reason(j, s);
}
