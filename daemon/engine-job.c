// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The life of one job: (state, event) → (state, step, action).
 *
 * Responsible for: job_set_state() and job_set_step(), the only places where
 * these change; the switch in engine_job_dispatch(); what a job asks of the
 * caller, tells the world and shows on the LEDs. May not decide which job is
 * started or whose turn it is (engine-event.c, engine.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"

bool engine_job_is_surprise_eject(const struct engine_job *j)
{
	return j->job.operation == OPERATION_EJECT && j->job.origin == ORIGIN_SURPRISE;
}

bool engine_job_ejects(const struct engine_job *j)
{
	return j->job.operation == OPERATION_EJECT || (j->job.operation == OPERATION_REPLACE && !j->job.inserting);
}

bool engine_job_inserts(const struct engine_job *j)
{
	return j->job.operation == OPERATION_INSERT || (j->job.operation == OPERATION_REPLACE && j->job.inserting);
}

/* The job's pending CHANGED, or NEW, will show the latest state when taken. */
static void job_changed(struct engine *e, struct engine_job *j)
{
	if (!j->tell_new.queued)
		engine_queue(e, &j->tell_changed);
}

static void job_set_state(struct engine *e, struct engine_job *j, enum job_state state)
{
	if (e->commit == j && state != JOB_COMMITTING)
		e->commit = NULL;
	j->job.state = state;
	j->job.state_since = e->now;
	if (!job_state_is_final(state))
		job_changed(e, j);
}

/* Queues the question of the job's step, if it has one. */
void engine_job_ask(struct engine *e, struct engine_job *j)
{
	static const enum action_type question[_STEP_MAX] = {
		[STEP_CHECK] = ACTION_CHECK,	     [STEP_POWER_ON] = ACTION_POWER_ON,
		[STEP_REMOVE] = ACTION_REMOVE,	     [STEP_RESCAN] = ACTION_RESCAN,
		[STEP_POWER_OFF] = ACTION_POWER_OFF, [STEP_CONFIRM] = ACTION_CONFIRM,
	};

	if (j->job.step == STEP_CHECK || question[j->job.step] != ACTION_CHECK) {
		j->ask.action.type = question[j->job.step];
		engine_queue(e, &j->ask);
	}
}

static void job_set_step(struct engine *e, struct engine_job *j, enum job_step step)
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

	engine_unqueue(e, &j->ask);
	engine_job_ask(e, j);
	if (step != STEP_NONE)
		job_changed(e, j);
}

static enum verdict job_end(struct engine *e, struct engine_job *j, enum job_state state)
{
	struct engine_node *n = j->node;

	assert(job_state_is_final(state) && !job_state_is_final(j->job.state));
	job_set_step(e, j, STEP_NONE);
	job_set_state(e, j, state);
	TAILQ_REMOVE(&e->jobs, j, entry);
	TAILQ_INSERT_TAIL(&e->ended, j, entry);
	engine_queue(e, &j->tell_ended);
	if (!n)
		return VERDICT_CANCELLED;

	n->job = NULL;
	if (j->job.operation == OPERATION_EJECT && state == JOB_DONE)
		engine_node_forget_below(e, n);
	if (engine_job_is_surprise_eject(j)) {
		/* A card that is there again by now is a new one. */
		n->card_seen = state == JOB_DONE;
		if (state == JOB_GONE)
			n->loss_pending = true;
	}
	return VERDICT_CANCELLED;
}

/* Ends a job whose LEDs shall show how the slot is now. */
static enum verdict job_end_by_level(struct engine *e, struct engine_job *j, enum job_state state)
{
	struct engine_node *n = j->node;

	if (n && j->leds_changed)
		engine_leds(e, n, engine_node_is_on(n) && !n->s.fault ? INDICATOR_ON : INDICATOR_OFF,
			    j->job.step == STEP_CARD ? INDICATOR_OFF : INDICATOR_KEEP);
	return job_end(e, j, state);
}

static void job_blink(struct engine *e, struct engine_job *j)
{
	if (j->leds_changed || j->job.operation == OPERATION_RESCAN)
		return;
	j->leds_changed = true;
	engine_leds(e, j->node, INDICATOR_BLINK, INDICATOR_OFF);
}

static void job_wait_turn(struct engine *e, struct engine_job *j)
{
	j->ready = ++e->last_ready;
	job_set_step(e, j, STEP_TURN);
}

static void job_quiesce(struct engine *e, struct engine_job *j)
{
	job_set_state(e, j, JOB_QUIESCING);
	job_blink(e, j);
	if (engine_job_inserts(j) && !j->node->s.native)
		job_set_step(e, j, STEP_POWER_ON);
	else
		job_wait_turn(e, j);
}

/*
 * Cancelled, and the slot is off. "Cancelled" says that nothing was done, so a
 * replace has failed: what was in the slot is out.
 */
static enum verdict job_end_cancelled(struct engine *e, struct engine_job *j)
{
	char *reason = NULL;

	engine_leds(e, j->node, INDICATOR_OFF, INDICATOR_OFF);
	if (j->job.operation != OPERATION_REPLACE)
		return job_end(e, j, JOB_CANCELLED);
	if (asprintf(&reason, "No new card was brought up, and the slot is off: %s", j->job.reason ?: "cancelled.") < 0)
		reason = NULL;
	j->job.error = ECANCELED;
	engine_job_take_reason(j, reason);
	return job_end(e, j, JOB_FAILED);
}

/* The card that a replace has waited for. */
static enum verdict job_take_card(struct engine *e, struct engine_job *j)
{
	struct engine_node *n = j->node;

	n->card_seen = true;
	if (!n->s.present || n->s.latch_open)
		return VERDICT_JOINED; /* the latch's closing is awaited, too */
	n->card_seen = false;
	j->job.inserting = true;
	engine_leds(e, n, INDICATOR_BLINK, INDICATOR_OFF);
	job_quiesce(e, j);
	return VERDICT_JOINED;
}

static enum verdict job_on_ancestor(struct engine *e, struct engine_job *j, uint32_t ancestor)
{
	char *reason;

	if (asprintf(&reason, "A slot above is being ejected by job %u, and this slot goes with it.", ancestor) < 0)
		reason = NULL;
	engine_job_take_reason(j, reason);
	return job_end_by_level(e, j, JOB_GONE);
}

/* The slot is off and its devices are gone: now it is people's turn. */
static void job_await_card(struct engine *e, struct engine_job *j)
{
	struct engine_node *n = j->node;
	struct engine_job *above = engine_node_ejecting_ancestor(e, n);
	bool swapped = n->card_seen && n->s.present;

	engine_node_forget_below(e, n);
	n->loss_pending = n->link_down_seen = n->card_seen = false;
	if (j->job.state != JOB_SETTLING)
		job_set_state(e, j, JOB_SETTLING);
	job_set_step(e, j, STEP_CARD);
	if (above) {
		job_on_ancestor(e, j, above->job.id);
	} else if (j->job.cancel_requested) {
		job_end_cancelled(e, j);
	} else {
		/* A blinking attention indicator says: this one (PCIe r6.0, sec 6.7.1.1.1). */
		engine_leds(e, n, INDICATOR_OFF, INDICATOR_BLINK);
		if (swapped)
			job_take_card(e, j);
	}
}

static void job_refuse(struct engine *e, struct engine_job *j, int error, const char *reason)
{
	struct engine_node *n = j->node;

	j->job.error = error;
	if (!reason)
		reason = "The devices in the slot are in use: hpctl check says by whom.";
	engine_job_take_reason(j, strdup(reason));
	job_end_by_level(e, j, JOB_REFUSED);
	if (j->job.origin == ORIGIN_BUTTON)
		engine_leds_refuse(e, n);
}

/* Refuses what policy forbids; returns whether the job goes on. */
static bool job_is_allowed(struct engine *e, struct engine_job *j)
{
	if (!engine_job_ejects(j) || !j->node->s.protect || j->job.force ||
	    engine_job_is_surprise_eject(j))
		return true;
	job_refuse(e, j, EPERM, "The slot is protected by policy (HOTPLUGD_PROTECT): "
				"unprotect it first, or eject it with --force.");
	return false;
}

static void job_check(struct engine *e, struct engine_job *j)
{
	job_set_state(e, j, JOB_CHECKING);
	if (job_is_allowed(e, j))
		job_set_step(e, j, STEP_CHECK);
}

static enum verdict job_on_start(struct engine *e, struct engine_job *j)
{
	if (engine_job_is_surprise_eject(j)) {
		job_quiesce(e, j);
	} else if (j->window) {
		job_set_state(e, j, JOB_GRACE);
		job_blink(e, j);
		job_set_step(e, j, STEP_WINDOW);
	} else {
		job_check(e, j);
	}
	return VERDICT_STARTED;
}

/* Takes the commit. What waits below goes with the slot; what settles there
 * commits nothing more and may end by itself. */
static void job_on_turn(struct engine *e, struct engine_job *j)
{
	const struct job_input subsume = { .event = JOB_EVENT_ANCESTOR, .ancestor = j->job.id };
	struct engine_job *k, *next;

	assert(!e->commit);
	/* It may have waited for long: policy is that of now. */
	if (!job_is_allowed(e, j))
		return;
	e->commit = j;
	job_set_state(e, j, JOB_COMMITTING);
	if (engine_job_ejects(j)) {
		for (k = TAILQ_FIRST(&e->jobs); k; k = next) {
			next = TAILQ_NEXT(k, entry);
			if (k->node && engine_node_is_below(e, k->node, j->node))
				engine_job_dispatch(e, k, &subsume);
		}
	}
	job_set_step(e, j, engine_job_ejects(j) ? STEP_REMOVE : STEP_RESCAN);
}

/* An insert was cancelled or failed: the end of the way back. */
static void job_end_undone(struct engine *e, struct engine_job *j)
{
	if (j->job.cancel_requested && !j->job.error) {
		job_end_cancelled(e, j);
		return;
	}
	engine_leds(e, j->node, INDICATOR_OFF, INDICATOR_ON);
	job_end(e, j, JOB_FAILED);
}

static void job_undo(struct engine *e, struct engine_job *j)
{
	j->job.undo = true;
	if (j->node->s.native) {
		job_end_undone(e, j);
		return;
	}
	job_set_state(e, j, JOB_SETTLING);
	job_set_step(e, j, STEP_POWER_OFF);
}

static void job_on_check_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (in->error == 0 && j->job.operation == OPERATION_REPLACE && !engine_node_is_on(j->node)) {
		job_blink(e, j);
		job_await_card(e, j);
	} else if (in->error == 0) {
		job_quiesce(e, j);
	} else if (in->error == EACCES) {
		job_refuse(e, j, EACCES, in->reason);
	} else {
		engine_job_set_failure(j, in->error, in->reason);
		job_end_by_level(e, j, JOB_FAILED);
	}
}

static void job_on_power_on_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (j->job.cancel_requested) {
		job_undo(e, j);
	} else if (in->error) {
		engine_job_set_failure(j, in->error, in->reason);
		job_undo(e, j);
	} else {
		j->node->s.power = true;
		job_wait_turn(e, j);
	}
}

static void job_on_remove_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (in->error) {
		engine_job_set_failure(j, in->error, in->reason);
		engine_leds(e, j->node, INDICATOR_ON, INDICATOR_ON);
		job_end(e, j, JOB_FAILED);
		return;
	}
	j->node->s.occupied = false;
	if (j->node->s.native) {
		job_end(e, j, JOB_DONE);
		return;
	}
	job_set_state(e, j, JOB_SETTLING);
	job_set_step(e, j, STEP_POWER_OFF);
}

static void job_on_rescan_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (in->error) {
		engine_job_set_failure(j, in->error, in->reason);
		if (engine_job_inserts(j))
			job_undo(e, j);
		else
			job_end(e, j, JOB_FAILED);
	} else if (j->node->loss_pending) {
		engine_job_set_failure(j, ENODEV, "The card was removed while its devices were being added: "
					   "what was added is removed again.");
		job_end_by_level(e, j, JOB_FAILED);
	} else {
		job_set_state(e, j, JOB_SETTLING);
		job_set_step(e, j, STEP_CONFIRM);
	}
}

static void job_on_commit_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (j->slot_gone)
		job_end_by_level(e, j, JOB_GONE);
	else if (j->job.step == STEP_REMOVE)
		job_on_remove_answer(e, j, in);
	else
		job_on_rescan_answer(e, j, in);
}

static void job_on_settle_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	bool insert = engine_job_inserts(j);

	if (j->job.step == STEP_POWER_OFF && !in->error) {
		j->node->s.power = false;
		job_set_step(e, j, STEP_OFF_WAIT);
	} else if (in->error) {
		/* Power is on, or has to be taken for on. */
		engine_job_set_failure(j, in->error, in->reason);
		engine_leds(e, j->node, INDICATOR_ON, INDICATOR_ON);
		job_end(e, j, JOB_FAILED);
	} else {
		if (in->reason)
			engine_job_take_reason(j, strdup(in->reason));
		if (insert)
			engine_leds(e, j->node, INDICATOR_ON, INDICATOR_OFF);
		job_end(e, j, JOB_DONE);
	}
}

static void job_on_off_wait_over(struct engine *e, struct engine_job *j)
{
	if (j->job.undo) {
		job_end_undone(e, j);
		return;
	}
	if (j->job.operation == OPERATION_REPLACE) {
		job_await_card(e, j);
		return;
	}
	engine_leds(e, j->node, INDICATOR_OFF, INDICATOR_OFF);
	job_end(e, j, JOB_DONE);
}

static enum verdict job_cancel_untouched(struct engine *e, struct engine_job *j, const char *reason)
{
	engine_job_take_reason(j, strdup(reason ? reason : "Cancelled on request."));
	return job_end_by_level(e, j, JOB_CANCELLED);
}

/* An insert has to be powered off again; a power-on under way is let finish. */
static enum verdict job_cancel_quiescing(struct engine *e, struct engine_job *j, const char *reason)
{
	if (engine_job_is_surprise_eject(j))
		return VERDICT_LATE;
	if (!engine_job_inserts(j) || j->node->s.native)
		return job_cancel_untouched(e, j, reason);
	if (!j->job.cancel_requested)
		engine_job_take_reason(j, strdup(reason ? reason : "Cancelled on request."));
	j->job.cancel_requested = true;
	if (j->job.step == STEP_TURN)
		job_undo(e, j);
	else
		job_changed(e, j);
	return VERDICT_JOINED;
}

/* Between its two commits a replace can still be left at the first. */
static enum verdict job_on_cancel_past_commit(struct engine *e, struct engine_job *j, const char *reason)
{
	bool between = j->job.operation == OPERATION_REPLACE && !j->job.inserting && j->job.state == JOB_SETTLING;

	if (!between)
		return j->job.undo && j->job.cancel_requested ? VERDICT_JOINED : VERDICT_LATE;
	engine_job_take_reason(j, strdup(reason ? reason : "Cancelled on request."));
	if (j->job.step == STEP_CARD)
		return job_end_cancelled(e, j);
	j->job.cancel_requested = true;
	job_changed(e, j);
	return VERDICT_JOINED;
}

static enum verdict job_on_card_lost(struct engine *e, struct engine_job *j, const char *reason)
{
	if (engine_job_is_surprise_eject(j) || j->job.state == JOB_COMMITTING) {
		/* If the commit does not cover it, a surprise eject follows. */
		if (j->job.state == JOB_COMMITTING && j->node)
			j->node->loss_pending = true;
		return VERDICT_JOINED;
	}
	if (j->job.state == JOB_QUIESCING)
		return job_cancel_quiescing(e, j, reason);
	if (j->job.step != STEP_CONFIRM)
		return VERDICT_JOINED;
	engine_job_set_failure(j, ENODEV, reason);
	return job_end_by_level(e, j, JOB_FAILED);
}

static enum verdict job_on_card_found(struct engine *e, struct engine_job *j)
{
	if (j->job.step == STEP_CARD)
		return job_take_card(e, j);
	if (engine_job_inserts(j)) {
		if (j->job.state == JOB_GRACE)
			job_check(e, j);
		return VERDICT_JOINED;
	}
	if (engine_job_ejects(j) &&
	    (engine_job_is_surprise_eject(j) || j->job.state >= JOB_COMMITTING))
		return VERDICT_JOINED;
	return VERDICT_NOTHING;
}

/* A press says that the card in the slot is the new one. */
static enum verdict job_on_press(struct engine *e, struct engine_job *j)
{
	if (j->job.step != STEP_CARD || !j->node->s.present || j->node->s.latch_open)
		return VERDICT_LATE;
	return job_take_card(e, j);
}

static enum verdict job_on_latch_open(struct engine *e, struct engine_job *j)
{
	if (j->job.operation != OPERATION_INSERT)
		return VERDICT_NOTHING;
	return job_cancel_untouched(e, j, "The latch was opened: close it, then press the button again.");
}

static enum verdict job_on_slot_gone(struct engine *e, struct engine_job *j)
{
	bool last = j->job.operation != OPERATION_REPLACE || j->job.undo;

	if (j->job.step == STEP_OFF_WAIT && last) {
		job_on_off_wait_over(e, j);
		return VERDICT_NOTHING;
	}
	engine_job_take_reason(j, strdup("The slot went away: its port, or a bridge above it, was removed."));
	if (j->job.state == JOB_COMMITTING) {
		j->slot_gone = true;
		job_changed(e, j);
		return VERDICT_NOTHING;
	}
	return job_end_by_level(e, j, JOB_GONE);
}

/* clang-format off */
#define AT(state, event) case (int) (state) * (int) _JOB_EVENT_MAX + (int) (event)

enum verdict engine_job_dispatch(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	switch ((int) j->job.state * (int) _JOB_EVENT_MAX + (int) in->event) {
	AT(JOB_QUEUED, JOB_EVENT_START): return job_on_start(e, j);

	AT(JOB_GRACE, JOB_EVENT_TIMER): job_check(e, j); return VERDICT_NOTHING;
	AT(JOB_GRACE, JOB_EVENT_JOIN): job_check(e, j); return VERDICT_JOINED;
	AT(JOB_GRACE, JOB_EVENT_PRESS):
		return job_cancel_untouched(e, j, "The attention button was pressed a second time: nothing was done.");
	AT(JOB_GRACE, JOB_EVENT_LATCH_OPEN): return job_on_latch_open(e, j);
	AT(JOB_GRACE, JOB_EVENT_CANCEL):
	AT(JOB_GRACE, JOB_EVENT_CARD_LOST):
	AT(JOB_CHECKING, JOB_EVENT_CANCEL):
	AT(JOB_CHECKING, JOB_EVENT_CARD_LOST): return job_cancel_untouched(e, j, in->reason);

	AT(JOB_CHECKING, JOB_EVENT_ANSWER): job_on_check_answer(e, j, in); return VERDICT_NOTHING;

	AT(JOB_QUIESCING, JOB_EVENT_ANSWER): job_on_power_on_answer(e, j, in); return VERDICT_NOTHING;
	AT(JOB_QUIESCING, JOB_EVENT_TURN): job_on_turn(e, j); return VERDICT_NOTHING;
	AT(JOB_QUIESCING, JOB_EVENT_CANCEL): return job_cancel_quiescing(e, j, in->reason);

	AT(JOB_COMMITTING, JOB_EVENT_ANSWER): job_on_commit_answer(e, j, in); return VERDICT_NOTHING;

	AT(JOB_SETTLING, JOB_EVENT_ANSWER): job_on_settle_answer(e, j, in); return VERDICT_NOTHING;
	AT(JOB_SETTLING, JOB_EVENT_TIMER): job_on_off_wait_over(e, j); return VERDICT_NOTHING;

	AT(JOB_COMMITTING, JOB_EVENT_CANCEL):
	AT(JOB_SETTLING, JOB_EVENT_CANCEL): return job_on_cancel_past_commit(e, j, in->reason);

	AT(JOB_CHECKING, JOB_EVENT_PRESS):
	AT(JOB_QUIESCING, JOB_EVENT_PRESS):
	AT(JOB_COMMITTING, JOB_EVENT_PRESS): return VERDICT_LATE;
	AT(JOB_SETTLING, JOB_EVENT_PRESS): return job_on_press(e, j);

	AT(JOB_CHECKING, JOB_EVENT_JOIN):
	AT(JOB_QUIESCING, JOB_EVENT_JOIN):
	AT(JOB_COMMITTING, JOB_EVENT_JOIN):
	AT(JOB_SETTLING, JOB_EVENT_JOIN): return VERDICT_JOINED;

	AT(JOB_QUIESCING, JOB_EVENT_CARD_LOST):
	AT(JOB_COMMITTING, JOB_EVENT_CARD_LOST):
	AT(JOB_SETTLING, JOB_EVENT_CARD_LOST): return job_on_card_lost(e, j, in->reason);

	AT(JOB_GRACE, JOB_EVENT_CARD_FOUND):
	AT(JOB_CHECKING, JOB_EVENT_CARD_FOUND):
	AT(JOB_QUIESCING, JOB_EVENT_CARD_FOUND):
	AT(JOB_COMMITTING, JOB_EVENT_CARD_FOUND):
	AT(JOB_SETTLING, JOB_EVENT_CARD_FOUND): return job_on_card_found(e, j);

	AT(JOB_GRACE, JOB_EVENT_ANCESTOR):
	AT(JOB_CHECKING, JOB_EVENT_ANCESTOR):
	AT(JOB_QUIESCING, JOB_EVENT_ANCESTOR): return job_on_ancestor(e, j, in->ancestor);
	AT(JOB_SETTLING, JOB_EVENT_ANCESTOR):
		return j->job.step == STEP_CARD ? job_on_ancestor(e, j, in->ancestor) : VERDICT_NOTHING;

	AT(JOB_GRACE, JOB_EVENT_SLOT_GONE):
	AT(JOB_CHECKING, JOB_EVENT_SLOT_GONE):
	AT(JOB_QUIESCING, JOB_EVENT_SLOT_GONE):
	AT(JOB_COMMITTING, JOB_EVENT_SLOT_GONE):
	AT(JOB_SETTLING, JOB_EVENT_SLOT_GONE): return job_on_slot_gone(e, j);

	default: return VERDICT_NOTHING; /* means nothing in this state */
	}
}

#undef AT
/* clang-format on */

void engine_job_set_stalled(struct engine *e, struct engine_job *j)
{
	j->job.stalled = true;
	job_changed(e, j);
}

void engine_job_set_force(struct engine *e, struct engine_job *j)
{
	j->job.force = true;
	job_changed(e, j);
}
