// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The life of one job: (state, event) → (state, step, action).
 *
 * Responsible for: the switch in engine_job_dispatch(): where a job goes from
 * where it is, and what it shows on the LEDs. May not decide which job is
 * started or whose turn it is (engine-event.c, engine.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"

#define POWER_FAULT "A power fault has cut the slot's power, and the slot was switched off: look at the card and at " \
		    "its supply, reseat it, then insert it again."

static void job_wait_turn(struct engine *e, struct engine_job *j)
{
	j->ready = ++e->last_ready;
	engine_job_set_step(e, j, STEP_TURN);
}

static void job_quiesce(struct engine *e, struct engine_job *j)
{
	engine_job_set_state(e, j, JOB_QUIESCING);
	engine_job_blink(e, j);
	j->job.unbound = engine_job_unbinds(e, j);
	if (engine_job_inserts(j) && !j->node->s.native)
		engine_job_set_step(e, j, STEP_POWER_ON);
	else if (j->job.unbound)
		engine_job_set_step(e, j, STEP_UNBIND);
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
		return engine_job_end(e, j, JOB_CANCELLED);
	if (asprintf(&reason, "No new card was brought up, and the slot is off: %s", j->job.reason ?: "cancelled.") < 0)
		reason = NULL;
	j->job.error = ECANCELED;
	engine_job_take_reason(j, reason);
	return engine_job_end(e, j, JOB_FAILED);
}

/* The card that a replace has waited for. */
static enum verdict job_take_card(struct engine *e, struct engine_job *j)
{
	struct engine_node *n = j->node;

	n->seen.card = true;
	if (!n->s.present || n->s.latch_open)
		return VERDICT_JOINED; /* the latch's closing is awaited, too */
	n->seen.card = false;
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
	/* Should the slot stay all the same, its card is still to be brought up. */
	if (engine_job_inserts(j))
		j->node->seen.card = true;
	return engine_job_end_by_level(e, j, JOB_GONE);
}

/* The slot is off and its devices are gone: now it is people's turn. */
static void job_await_card(struct engine *e, struct engine_job *j)
{
	struct engine_node *n = j->node;
	struct engine_job *above = engine_node_ejecting_ancestor(e, n);
	bool swapped = n->seen.card && n->s.present;

	engine_node_forget_below(e, n);
	n->seen = (struct engine_memory){ 0 };
	if (j->job.state != JOB_SETTLING)
		engine_job_set_state(e, j, JOB_SETTLING);
	engine_job_set_step(e, j, STEP_CARD);
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
	engine_job_end_by_level(e, j, JOB_REFUSED);
	if (j->job.origin == ORIGIN_BUTTON)
		engine_leds_refuse(e, n);
}

/* Refuses what policy forbids; returns whether the job goes on. */
static bool job_is_allowed(struct engine *e, struct engine_job *j)
{
	if (!engine_job_ejects(j) || !j->node->s.protect || j->job.force ||
	    engine_job_is_surprise_eject(j))
		return true;
	job_refuse(e, j, EPERM, "The slot is protected by policy (HOTPLUGD_PROTECT): take that udev property away, "
				"or eject it with --force.");
	return false;
}

static void job_check(struct engine *e, struct engine_job *j)
{
	engine_job_set_state(e, j, JOB_CHECKING);
	if (job_is_allowed(e, j))
		engine_job_set_step(e, j, STEP_CHECK);
}

static enum verdict job_on_start(struct engine *e, struct engine_job *j)
{
	if (engine_job_is_surprise_eject(j)) {
		job_quiesce(e, j);
	} else if (j->window) {
		engine_job_set_state(e, j, JOB_GRACE);
		engine_job_blink(e, j);
		engine_job_set_step(e, j, STEP_WINDOW);
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
	if (!engine_job_is_past_return(j) && !job_is_allowed(e, j))
		return;
	e->commit = j;
	engine_job_set_state(e, j, JOB_COMMITTING);
	if (engine_job_ejects(j)) {
		for (k = TAILQ_FIRST(&e->jobs); k; k = next) {
			next = TAILQ_NEXT(k, entry);
			if (k->node && engine_node_is_below(e, k->node, j->node))
				engine_job_dispatch(e, k, &subsume);
		}
	}
	engine_job_set_step(e, j, engine_job_ejects(j) ? STEP_REMOVE : STEP_RESCAN);
}

/* An insert was cancelled or failed: the end of the way back. */
static void job_end_undone(struct engine *e, struct engine_job *j)
{
	if (j->job.cancel_requested && !j->job.error) {
		job_end_cancelled(e, j);
		return;
	}
	engine_leds(e, j->node, INDICATOR_OFF, INDICATOR_ON);
	engine_job_end(e, j, JOB_FAILED);
}

/* Devices are there, again or still, and lose their power with the slot. */
static enum verdict job_end_occupied(struct engine *e, struct engine_job *j)
{
	char *reason = NULL;

	if (asprintf(&reason, "%s%sThere are devices in the slot, so it stays powered: do not pull the card. To take it "
			      "out, eject it once more.", j->job.reason ?: "", j->job.reason ? " " : "") < 0)
		reason = NULL;
	if (!j->job.error)
		j->job.error = EBUSY;
	engine_job_take_reason(j, reason);
	engine_leds(e, j->node, INDICATOR_ON, INDICATOR_ON);
	return engine_job_end(e, j, JOB_FAILED);
}

/* They came after the last look and have lost their power: a surprise like any other. */
static void job_end_powerless(struct engine *e, struct engine_job *j)
{
	engine_job_set_failure(j, EBUSY, "Devices came into the slot while its power was switched off; they are taken out "
					 "now. Somebody may have had the bus scanned.");
	j->node->seen.loss = true;
	engine_leds(e, j->node, INDICATOR_OFF, INDICATOR_ON);
	engine_job_end(e, j, JOB_FAILED);
}

static void job_power_off(struct engine *e, struct engine_job *j)
{
	if (j->node->s.occupied) {
		job_end_occupied(e, j);
		return;
	}
	engine_job_set_state(e, j, JOB_SETTLING);
	engine_job_set_step(e, j, STEP_POWER_OFF);
}

static void job_undo(struct engine *e, struct engine_job *j)
{
	j->job.undo = true;
	if (j->node->s.native)
		job_end_undone(e, j);
	else
		job_power_off(e, j);
}

static void job_on_check_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (in->error == 0 && j->job.operation == OPERATION_REPLACE && !engine_node_is_on(j->node)) {
		engine_job_blink(e, j);
		job_await_card(e, j);
	} else if (in->error == 0) {
		job_quiesce(e, j);
	} else if (in->error == EACCES) {
		job_refuse(e, j, EACCES, in->reason);
	} else {
		engine_job_set_failure(j, in->error, in->reason);
		engine_job_end_by_level(e, j, JOB_FAILED);
	}
}

static void job_fail_on(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	engine_job_set_failure(j, in->error, in->reason);
	engine_leds(e, j->node, INDICATOR_ON, INDICATOR_ON);
	engine_job_end(e, j, JOB_FAILED);
}

static void job_on_power_on_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (j->job.cancel_requested) {
		job_undo(e, j);
	} else if (in->error || j->node->s.fault) {
		engine_job_set_failure(j, in->error ?: EIO, in->error ? in->reason : POWER_FAULT);
		job_undo(e, j);
	} else {
		j->node->s.power = true;
		job_wait_turn(e, j);
	}
}

static void job_on_quiesce_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (j->job.step == STEP_POWER_ON)
		job_on_power_on_answer(e, j, in);
	else if (in->error)
		job_fail_on(e, j, in);
	else if (j->job.cancel_requested)
		engine_job_end_unbound(e, j);
	else
		job_wait_turn(e, j);
}

static void job_on_remove_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (in->error) {
		job_fail_on(e, j, in);
		return;
	}
	if (j->node->s.native)
		engine_job_end(e, j, JOB_DONE);
	else
		job_power_off(e, j);
}

/* What went wrong with the card of an insert while devices came up. Returns
 * whether anything did: then the job has failed, and a surprise eject follows. */
static bool job_has_lost_card(struct engine *e, struct engine_job *j)
{
	struct engine_node *n = j->node;

	if (engine_job_inserts(j) && !n->s.native && !n->s.present)
		n->seen.loss = true;
	if (n->seen.fault)
		engine_job_set_failure(j, EIO, POWER_FAULT);
	else if (n->seen.loss)
		engine_job_set_failure(j, ENODEV, "The card was removed while its devices were being added: "
					   "what was added is removed again.");
	else
		return false;
	engine_job_end_by_level(e, j, JOB_FAILED);
	return true;
}

static void job_on_rescan_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (in->error) {
		engine_job_set_failure(j, in->error, in->reason);
		if (engine_job_inserts(j))
			job_undo(e, j);
		else
			engine_job_end(e, j, JOB_FAILED);
	} else if (!job_has_lost_card(e, j)) {
		engine_job_set_state(e, j, JOB_SETTLING);
		engine_job_set_step(e, j, STEP_CONFIRM);
	}
}

static void job_on_commit_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	if (j->slot_gone)
		engine_job_end_by_level(e, j, JOB_GONE);
	else if (j->job.step == STEP_REMOVE)
		job_on_remove_answer(e, j, in);
	else
		job_on_rescan_answer(e, j, in);
}

static void job_on_settle_answer(struct engine *e, struct engine_job *j, const struct job_input *in)
{
	struct engine_job *above = engine_node_ejecting_ancestor(e, j->node);
	bool insert = engine_job_inserts(j);

	if (j->job.step == STEP_POWER_OFF && !in->error) {
		j->node->s.power = false;
		if (j->node->s.occupied) /* somebody had the bus scanned in the last moment */
			job_end_powerless(e, j);
		else
			engine_job_set_step(e, j, STEP_OFF_WAIT);
	} else if (j->job.step == STEP_POWER_OFF && in->error == ENODEV && above) {
		job_on_ancestor(e, j, above->job.id);
	} else if (j->job.step == STEP_POWER_OFF && j->node->s.occupied) {
		job_end_occupied(e, j);
	} else if (in->error) {
		job_fail_on(e, j, in); /* power is on, or has to be taken for on */
	} else if (!job_has_lost_card(e, j)) {
		if (in->reason)
			engine_job_take_reason(j, strdup(in->reason));
		if (insert)
			engine_leds(e, j->node, INDICATOR_ON, INDICATOR_OFF);
		engine_job_end(e, j, JOB_DONE);
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
	if (engine_job_is_surprise_eject(j) && j->node->s.fault) {
		/* This card is not to come up by itself. */
		engine_job_set_failure(j, EIO, POWER_FAULT);
		engine_job_end(e, j, JOB_FAILED);
		return;
	}
	engine_job_end(e, j, JOB_DONE);
}

static enum verdict job_cancel_untouched(struct engine *e, struct engine_job *j, const char *reason)
{
	engine_job_take_reason(j, strdup(reason ? reason : "Cancelled on request."));
	return engine_job_end_by_level(e, j, JOB_CANCELLED);
}

/* An insert has to be powered off again; a power-on under way is let finish. */
static enum verdict job_cancel_quiescing(struct engine *e, struct engine_job *j, const char *reason)
{
	bool unbound = engine_job_is_past_return(j);

	if (engine_job_is_surprise_eject(j))
		return VERDICT_LATE;
	if (!unbound && (!engine_job_inserts(j) || j->node->s.native))
		return job_cancel_untouched(e, j, reason);
	if (!j->job.cancel_requested)
		engine_job_take_reason(j, strdup(reason ? reason : "Cancelled on request."));
	j->job.cancel_requested = true;
	if (j->job.step == STEP_TURN && unbound)
		return engine_job_end_unbound(e, j);
	if (j->job.step == STEP_TURN)
		job_undo(e, j);
	else
		engine_job_changed(e, j);
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
	engine_job_changed(e, j);
	return VERDICT_JOINED;
}

/* It does not stop for what happens to the card. */
static bool job_goes_through(const struct engine_job *j)
{
	return j->job.state == JOB_COMMITTING || (j->job.state == JOB_QUIESCING && engine_job_is_past_return(j));
}

static enum verdict job_on_card_lost(struct engine *e, struct engine_job *j, const char *reason)
{
	if (job_goes_through(j)) {
		/* If the commit does not cover it, a surprise eject follows. */
		if (j->node)
			j->node->seen.loss = true;
		return VERDICT_JOINED;
	}
	if (engine_job_is_surprise_eject(j))
		return VERDICT_JOINED;
	if (j->job.state == JOB_QUIESCING)
		return job_cancel_quiescing(e, j, reason);
	if (j->job.step != STEP_CONFIRM)
		return VERDICT_JOINED;
	engine_job_set_failure(j, ENODEV, reason);
	return engine_job_end_by_level(e, j, JOB_FAILED);
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
	return engine_job_ejects(j) && (engine_job_is_surprise_eject(j) || engine_job_is_past_return(j)) ? VERDICT_JOINED :
													 VERDICT_NOTHING;
}

/* A press says that the card in the slot is the new one. */
static enum verdict job_on_press(struct engine *e, struct engine_job *j)
{
	if (j->job.step != STEP_CARD || !j->node->s.present || j->node->s.latch_open)
		return VERDICT_LATE;
	return job_take_card(e, j);
}

/* Before its commit an insert is left, or undone: no card comes up under an open
 * latch. Past it, its devices are there. */
static enum verdict job_on_latch_open(struct engine *e, struct engine_job *j)
{
	static const char *const reason = "The latch was opened: close it, then press the button again.";

	if (!engine_job_inserts(j))
		return VERDICT_NOTHING;
	return j->job.state == JOB_QUIESCING ? job_cancel_quiescing(e, j, reason) : job_cancel_untouched(e, j, reason);
}

/* What plans something with the card gives way to what is to be done now; while
 * power is switched, the answer to that step tells. */
static enum verdict job_on_power_fault(struct engine *e, struct engine_job *j, const char *reason)
{
	if (engine_job_is_surprise_eject(j))
		return VERDICT_JOINED;
	if (job_goes_through(j) && j->node) {
		j->node->seen.fault = true;
		return VERDICT_JOINED;
	}
	if (j->job.step == STEP_POWER_ON || j->job.step == STEP_POWER_OFF || j->job.step == STEP_OFF_WAIT)
		return VERDICT_NOTHING;
	if (j->job.step == STEP_CONFIRM) {
		engine_job_set_failure(j, EIO, POWER_FAULT);
		return engine_job_end_by_level(e, j, JOB_FAILED);
	}
	if (!engine_job_inserts(j))
		return j->job.step == STEP_CARD ? VERDICT_NOTHING : job_cancel_untouched(e, j, reason);
	if (j->job.step != STEP_TURN)
		return VERDICT_NOTHING; /* it has not switched on yet */
	engine_job_set_failure(j, EIO, POWER_FAULT);
	job_undo(e, j);
	return VERDICT_JOINED;
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
		engine_job_changed(e, j);
		return VERDICT_NOTHING;
	}
	return engine_job_end_by_level(e, j, JOB_GONE);
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
	AT(JOB_GRACE, JOB_EVENT_LATCH_OPEN):
	AT(JOB_CHECKING, JOB_EVENT_LATCH_OPEN):
	AT(JOB_QUIESCING, JOB_EVENT_LATCH_OPEN): return job_on_latch_open(e, j);
	AT(JOB_GRACE, JOB_EVENT_CANCEL):
	AT(JOB_GRACE, JOB_EVENT_CARD_LOST):
	AT(JOB_CHECKING, JOB_EVENT_CANCEL):
	AT(JOB_CHECKING, JOB_EVENT_CARD_LOST): return job_cancel_untouched(e, j, in->reason);

	AT(JOB_CHECKING, JOB_EVENT_ANSWER): job_on_check_answer(e, j, in); return VERDICT_NOTHING;

	AT(JOB_QUIESCING, JOB_EVENT_ANSWER): job_on_quiesce_answer(e, j, in); return VERDICT_NOTHING;
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

	AT(JOB_GRACE, JOB_EVENT_POWER_FAULT):
	AT(JOB_CHECKING, JOB_EVENT_POWER_FAULT):
	AT(JOB_QUIESCING, JOB_EVENT_POWER_FAULT):
	AT(JOB_COMMITTING, JOB_EVENT_POWER_FAULT):
	AT(JOB_SETTLING, JOB_EVENT_POWER_FAULT): return job_on_power_fault(e, j, in->reason);

	AT(JOB_SETTLING, JOB_EVENT_OCCUPIED):
		return j->job.step == STEP_POWER_OFF ? job_end_occupied(e, j) : VERDICT_NOTHING;

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
