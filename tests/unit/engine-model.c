// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The engine's invariants, for random sequences of calls.
 *
 * Responsible for: believing nothing; a failure prints the seed of its sequence.
 */
#include <string.h>

#include "engine-model.h"

struct seen *model_seen(struct model *m, uint32_t id)
{
	check(m, id > 0 && id < JOBS_MAX);
	return &m->seen[id];
}

bool model_is_surprise(const struct job *j)
{
	return j->operation == OPERATION_EJECT && j->origin == ORIGIN_SURPRISE;
}

static bool ejects(const struct job *j)
{
	return j->operation == OPERATION_EJECT || (j->operation == OPERATION_REPLACE && !j->inserting);
}

const struct job *model_ejecting_ancestor(const struct model *m, slot_handle_t slot)
{
	const struct engine_slot *s = engine_slot(m->e, slot);

	while (s && s->parent) {
		const struct job *j = engine_slot_job(m->e, s->parent);

		if (j && ejects(j) && j->state >= JOB_COMMITTING && j->step != STEP_CARD)
			return j;
		s = engine_slot(m->e, s->parent);
	}
	return NULL;
}

static bool is_below(const struct model *m, slot_handle_t slot, slot_handle_t above)
{
	const struct engine_slot *s = engine_slot(m->e, slot);

	for (; s && s->parent; s = engine_slot(m->e, s->parent))
		if (s->parent == above)
			return true;
	return false;
}

static void check_commit(struct model *m, const struct job *j)
{
	struct seen *s = model_seen(m, j->id);

	check(m, m->commit == 0);
	check(m, !j->cancel_requested && !j->undo);
	check(m, j->operation == OPERATION_REPLACE && j->inserting ? !s->rescanned : !s->committed);
	check(m, !model_ejecting_ancestor(m, j->slot));
	for (const struct job *k = NULL; (k = engine_job_next(m->e, k));) {
		if (k == j)
			continue;
		if (ejects(j) && is_below(m, k->slot, j->slot)) /* and commits nothing more */
			check(m, k->state == JOB_SETTLING && k->step != STEP_CARD);
		if (k->step != STEP_TURN || model_ejecting_ancestor(m, k->slot))
			continue;
		check(m, model_is_surprise(j) || !model_is_surprise(k));
		if (model_is_surprise(j) == model_is_surprise(k) && model_seen(m, k->id)->turn_step) /* first come, first served */
			check(m, s->turn_step && s->turn_step <= model_seen(m, k->id)->turn_step);
	}
	s->committed = true;
	s->rescanned |= j->inserting;
	s->turn_step = 0;
	m->commit = j->id;
	m->commits++;
}

static void take_ended(struct model *m, const struct job *j)
{
	struct seen *s = model_seen(m, j->id);

	check(m, job_state_is_final(j->state));
	check(m, s->asked == STEP_NONE || j->state == JOB_GONE || s->asked == STEP_CHECK || s->asked == STEP_CONFIRM);
	check(m, m->commit != j->id);
	if (j->state == JOB_CANCELLED || j->state == JOB_REFUSED)
		check(m, !s->committed);
	if (j->state == JOB_DONE)
		check(m, s->committed && j->error == 0 && (j->operation != OPERATION_REPLACE || s->rescanned));
	if (j->state == JOB_FAILED || j->state == JOB_REFUSED)
		check(m, j->error != 0);
	if (j->state != JOB_DONE)
		check(m, j->reason && strlen(j->reason) > 10);
	s->ended = true;
	s->asked = STEP_NONE;
	m->ended++;
	m->ends[j->state]++;
}

static void take_question(struct model *m, const struct job *j, enum action_type type)
{
	static const enum job_step step[_ACTION_MAX] = {
		[ACTION_CHECK] = STEP_CHECK,	     [ACTION_POWER_ON] = STEP_POWER_ON,
		[ACTION_POWER_OFF] = STEP_POWER_OFF, [ACTION_REMOVE] = STEP_REMOVE,
		[ACTION_RESCAN] = STEP_RESCAN,	     [ACTION_CONFIRM] = STEP_CONFIRM,
	};
	struct seen *s = model_seen(m, j->id);

	check(m, s->asked == STEP_NONE);
	check(m, j->step == step[type]);
	s->asked = step[type];
	if (type == ACTION_REMOVE || type == ACTION_RESCAN)
		check_commit(m, j);
	if (type == ACTION_POWER_OFF)
		check(m, j->undo || (s->removed && !j->inserting)); /* never under a driver that has not let go */
}

static void take_leds(struct model *m, const struct action *a)
{
	for (unsigned int i = 0; i < m->n_slots; i++) {
		if (m->slots[i] != a->slot)
			continue;
		if (a->power_led != INDICATOR_KEEP)
			m->power_led[i] = a->power_led;
		if (a->attention_led != INDICATOR_KEEP)
			m->attention_led[i] = a->attention_led;
		return;
	}
	check(m, !"LEDs of a slot that is not there");
}

void model_take_actions(struct model *m)
{
	struct action a;

	while (engine_next_action(m->e, &a)) {
		struct seen *s;

		if (a.type == ACTION_INDICATORS) {
			take_leds(m, &a);
			continue;
		}
		s = model_seen(m, a.job->id);
		check(m, !s->ended && a.job->slot == a.slot);
		check(m, s->told == (a.type != ACTION_JOB_NEW));
		if (a.type == ACTION_JOB_NEW) {
			check(m, a.job->id == ++m->last_id);
			s->told = true;
			m->started++;
		} else if (a.type == ACTION_JOB_ENDED) {
			take_ended(m, a.job);
		} else if (a.type != ACTION_JOB_CHANGED) {
			take_question(m, a.job, a.type);
		} else if (a.job->stalled) {
			m->stalls++;
		}
	}
}

static bool step_fits(const struct job *j)
{
	switch (j->state) {
	case JOB_GRACE:
		return j->step == STEP_WINDOW && j->origin == ORIGIN_BUTTON;
	case JOB_CHECKING:
		return j->step == STEP_CHECK && !model_is_surprise(j);
	case JOB_QUIESCING:
		return j->step == STEP_TURN ||
		       (j->step == STEP_POWER_ON && !ejects(j) && j->operation != OPERATION_RESCAN);
	case JOB_COMMITTING:
		return j->step == (ejects(j) ? STEP_REMOVE : STEP_RESCAN);
	case JOB_SETTLING:
		if (j->step == STEP_CARD)
			return !j->undo && j->operation == OPERATION_REPLACE && ejects(j);
		return j->step == STEP_CONFIRM ? !j->undo && !ejects(j)
					       : j->step == STEP_POWER_OFF || j->step == STEP_OFF_WAIT;
	default:
		return false;
	}
}

static void check_job(struct model *m, const struct job *j)
{
	struct seen *s = model_seen(m, j->id);
	bool timer = j->step == STEP_WINDOW || j->step == STEP_OFF_WAIT;
	bool asks = !timer && j->step != STEP_TURN && j->step != STEP_CARD;

	check(m, s->told && !s->ended);
	check(m, step_fits(j));
	/* Never backwards, but for a replace that begins its second half, once. */
	check(m, j->state >= s->state || (j->inserting && !s->inserting));
	check(m, j->inserting >= s->inserting);
	s->state = j->state;
	s->inserting = j->inserting;
	check(m, (j->state == JOB_COMMITTING) == (m->commit == j->id));
	check(m, s->asked == (asks ? j->step : STEP_NONE));
	check(m, !j->stalled || (asks && j->step_deadline <= m->now));
	check(m, engine_slot_job(m->e, j->slot) == j || (j->state == JOB_COMMITTING && !engine_slot(m->e, j->slot)));
	check(m, (j->step != STEP_TURN && j->step != STEP_CARD) || j->step_deadline == USEC_INFINITY);
	if (j->step == STEP_TURN) {
		check(m, m->commit || model_ejecting_ancestor(m, j->slot)); /* nobody waits for nothing */
		if (!s->turn_step)
			s->turn_step = m->step;
	}
}

void model_check(struct model *m)
{
	unsigned int listed = 0;
	uint32_t last = 0;

	model_take_actions(m);
	for (const struct job *j = NULL; (j = engine_job_next(m->e, j)); listed++) {
		check(m, j->id > last);
		last = j->id;
		check_job(m, j);
	}
	check(m, m->started == m->ended + listed);
	check(m, !m->commit || engine_job(m->e, m->commit));
}
