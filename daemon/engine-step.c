// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where a job is: its state and its step, and how it ends.
 *
 * Responsible for: engine_job_set_state() and engine_job_set_step(), the only
 * places where these change; what a step asks of the caller; what is left of a
 * job in its slot when it ends. May not decide where a job goes: engine-job.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"

/* So often a card whose link was lost is brought up again by itself in that time. */
#define TURNS_MAX  3
#define TURNS_TIME (60 * USEC_PER_SEC)

bool engine_job_is_surprise_eject(const struct engine_job *j)
{
	return j->job.operation == OPERATION_EJECT && j->job.origin == ORIGIN_SURPRISE;
}

bool engine_job_ejects(const struct engine_job *j)
{
	return j->job.operation == OPERATION_EJECT || (j->job.operation == OPERATION_REPLACE && !j->job.inserting);
}

bool engine_job_is_past_return(const struct engine_job *j)
{
	return j->job.state >= JOB_COMMITTING || (j->job.unbound && engine_job_ejects(j));
}

/* Drivers let go before the commit, so that one that does not keeps nobody but its own
 * slot. Behind a commit that is stuck nobody knows when the turn comes: there a job
 * waits as it is, and can be cancelled. */
bool engine_job_unbinds(const struct engine *e, const struct engine_job *j)
{
	const struct engine_slot *s = &j->node->s;
	bool alive = s->present && !s->fault && (s->link || !s->link_known);

	return e->config.unbind && engine_job_ejects(j) && !engine_job_is_surprise_eject(j) && s->occupied && alive &&
	       !(e->commit && e->commit->job.stalled);
}

bool engine_job_inserts(const struct engine_job *j)
{
	return j->job.operation == OPERATION_INSERT || (j->job.operation == OPERATION_REPLACE && j->job.inserting);
}

/* The job's pending CHANGED, or NEW, will show the latest state when taken. */
void engine_job_changed(struct engine *e, struct engine_job *j)
{
	if (!j->tell_new.in)
		engine_queue_news(e, &j->tell_changed);
}

void engine_job_set_state(struct engine *e, struct engine_job *j, enum job_state state)
{
	if (e->commit == j && state != JOB_COMMITTING)
		e->commit = NULL;
	j->job.state = state;
	j->job.state_since = e->now;
	if (!job_state_is_final(state))
		engine_job_changed(e, j);
}

/* Queues the question of the job's step, if it has one. */
void engine_job_ask(struct engine *e, struct engine_job *j)
{
	static const enum action_type question[_STEP_MAX] = {
		[STEP_CHECK] = ACTION_CHECK,	     [STEP_POWER_ON] = ACTION_POWER_ON,
		[STEP_REMOVE] = ACTION_REMOVE,	     [STEP_RESCAN] = ACTION_RESCAN,
		[STEP_POWER_OFF] = ACTION_POWER_OFF, [STEP_CONFIRM] = ACTION_CONFIRM,
		[STEP_UNBIND] = ACTION_UNBIND,
	};

	if (j->job.step == STEP_CHECK || question[j->job.step] != ACTION_CHECK) {
		j->ask.action.type = question[j->job.step];
		/* All others wait for a commit, and telling of them can wait; but nothing is
		 * done for a job that nobody was told of. */
		if ((j->job.step == STEP_REMOVE || j->job.step == STEP_RESCAN) && !j->tell_new.in)
			engine_queue_first(e, &j->ask);
		else
			engine_queue(e, &j->ask);
	}
}

void engine_job_set_step(struct engine *e, struct engine_job *j, enum job_step step)
{
	usec_t wait = e->config.deadline[step];

	if (step == STEP_WINDOW)
		wait = j->window;
	else if (step == STEP_OFF_WAIT)
		wait = e->config.off_wait;
	else if (step == STEP_NONE || step == STEP_TURN || step == STEP_CARD)
		wait = USEC_INFINITY;
	j->job.step = step;
	j->job.stalled = false;
	j->job.step_since = e->now;
	j->job.step_deadline = engine_time_add(e->now, wait);

	engine_unqueue(&j->ask);
	engine_job_ask(e, j);
	if (step != STEP_NONE)
		engine_job_changed(e, j);
}

/* The card has stayed in: bring it up again, but not for ever. */
static bool job_gives_up(struct engine *e, struct engine_job *j)
{
	struct engine_node *n = j->node;

	if (!n->s.present)
		return false;
	if (n->turns == 0 || e->now > engine_time_add(n->turns_since, TURNS_TIME)) {
		n->turns = 0;
		n->turns_since = e->now;
	}
	if (++n->turns <= TURNS_MAX)
		return false;
	n->seen.given_up = true;
	engine_leds(e, n, INDICATOR_KEEP, INDICATOR_ON);
	engine_job_take_reason(j, strdup("The link to the card is lost again and again, so the card is not brought up "
					 "any more by itself: reseat it, or try it once more with 'hpctl insert'."));
	return true;
}

enum verdict engine_job_end(struct engine *e, struct engine_job *j, enum job_state state)
{
	struct engine_node *n = j->node;

	assert(job_state_is_final(state) && !job_state_is_final(j->job.state));
	engine_job_set_step(e, j, STEP_NONE);
	engine_job_set_state(e, j, state);
	engine_unqueue(&j->tell_changed); /* its end says it all */
	TAILQ_REMOVE(&e->jobs, j, entry);
	TAILQ_INSERT_TAIL(&e->ended, j, entry);
	engine_queue(e, &j->tell_ended);
	if (!n)
		return VERDICT_CANCELLED;

	n->job = NULL;
	if (j->job.operation == OPERATION_EJECT && state == JOB_DONE)
		engine_node_forget_below(e, n);
	if (engine_job_is_surprise_eject(j)) {
		/* A card that is there by now is a new one, or one whose link is lost
		 * again and again. */
		if (state == JOB_DONE)
			n->seen.card = !job_gives_up(e, j);
		if (state == JOB_GONE)
			n->seen.loss = true;
	}
	return VERDICT_CANCELLED;
}

/* Ends a job whose LEDs shall show how the slot is now. */
enum verdict engine_job_end_by_level(struct engine *e, struct engine_job *j, enum job_state state)
{
	struct engine_node *n = j->node;

	if (n && j->leds_changed)
		engine_leds(e, n, engine_node_is_on(n) ? INDICATOR_ON : INDICATOR_OFF,
			    j->job.step == STEP_CARD ? INDICATOR_OFF : INDICATOR_KEEP);
	return engine_job_end(e, j, state);
}

/* Cancelled, but drivers had let go: whoever used the devices has lost them. */
enum verdict engine_job_end_unbound(struct engine *e, struct engine_job *j)
{
	char *reason = NULL;

	if (asprintf(&reason, "The slot is on, but its drivers had been unbound; they may take their devices again: %s",
		     j->job.reason ?: "cancelled.") < 0)
		reason = NULL;
	j->job.error = ECANCELED;
	engine_job_take_reason(j, reason);
	return engine_job_end_by_level(e, j, JOB_FAILED);
}

void engine_job_blink(struct engine *e, struct engine_job *j)
{
	if (j->leds_changed || j->job.operation == OPERATION_RESCAN)
		return;
	j->leds_changed = true;
	engine_leds(e, j->node, INDICATOR_BLINK, INDICATOR_OFF);
}

void engine_job_set_stalled(struct engine *e, struct engine_job *j)
{
	j->job.stalled = true;
	engine_job_changed(e, j);
}

void engine_job_set_force(struct engine *e, struct engine_job *j)
{
	j->job.force = true;
	engine_job_changed(e, j);
}
