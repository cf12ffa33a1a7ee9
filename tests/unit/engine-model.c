// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The engine's invariants, for random sequences of calls.
 *
 * Responsible for: believing nothing; a failure prints the seed of its sequence.
 */
#include <errno.h>
#include <string.h>

#include "engine-model.h"
#include "random.h"

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

bool model_is_on(const struct model *m, slot_handle_t slot)
{
	const struct engine_slot *s = engine_slot(m->e, slot);

	return s->occupied || (s->power && s->power_control);
}

bool model_is_below(const struct model *m, slot_handle_t slot, slot_handle_t above)
{
	const struct engine_slot *s = engine_slot(m->e, slot);

	for (; s && s->parent; s = engine_slot(m->e, s->parent))
		if (s->parent == above)
			return true;
	return false;
}

/* Whose turn comes first: surprises, then cards that were lost while drivers let go. */
static int urgency(const struct model *m, const struct job *j)
{
	struct engine_memory seen;

	engine_slot_memory(m->e, j->slot, &seen);
	return model_is_surprise(j) ? 2 : j->unbound && ejects(j) && (seen.loss || seen.fault);
}

static bool is_unbinding_below(const struct model *m, slot_handle_t slot)
{
	for (const struct job *k = NULL; (k = engine_job_next(m->e, k));)
		if (k->step == STEP_UNBIND && model_is_below(m, k->slot, slot))
			return true;
	return false;
}

static void check_commit(struct model *m, const struct job *j)
{
	struct seen *s = model_seen(m, j->id);

	check(m, m->commit == 0);
	if (m->restarting)
		goto commits; /* what was right when it began */
	check(m, !j->cancel_requested && !j->undo);
	check(m, j->operation == OPERATION_REPLACE && j->inserting ? !s->rescanned : !s->committed);
	check(m, !model_ejecting_ancestor(m, j->slot));
	for (const struct job *k = NULL; (k = engine_job_next(m->e, k));) {
		if (k == j)
			continue;
		/* It commits nothing more, and no driver of it is in the way. */
		if (ejects(j) && model_is_below(m, k->slot, j->slot))
			check(m, k->state == JOB_SETTLING && k->step != STEP_CARD);
		if (k->step != STEP_TURN || model_ejecting_ancestor(m, k->slot) ||
		    (ejects(k) && is_unbinding_below(m, k->slot)))
			continue;
		check(m, urgency(m, j) >= urgency(m, k));
		if (urgency(m, j) == urgency(m, k) && model_seen(m, k->id)->turn_step) /* first come, first served */
			check(m, s->turn_step && s->turn_step <= model_seen(m, k->id)->turn_step);
	}
commits:
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
		check(m, !s->committed && !s->unbound);
	check(m, j->state != JOB_DONE || !s->cancelled);
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
		[ACTION_UNBIND] = STEP_UNBIND,
	};
	struct seen *s = model_seen(m, j->id);

	check(m, s->asked == STEP_NONE);
	check(m, j->step == step[type]);
	s->asked = step[type];
	if (type == ACTION_UNBIND)
		s->unbound = true;
	if (type == ACTION_REMOVE || type == ACTION_RESCAN)
		check_commit(m, j);
	if (type == ACTION_POWER_OFF)
		/* Never under a driver that has not let go, whose devices they be. */
		check(m, (j->undo || (s->removed && !j->inserting)) && !engine_slot(m->e, j->slot)->occupied);
}

/* What starts by itself, or by a press, goes the right way. */
static void take_new(struct model *m, const struct job *j)
{
	const struct engine_slot *s = engine_slot(m->e, j->slot);

	check(m, j->id == ++m->last_id);
	if (!m->first_new.id)
		m->first_new = (struct job){ .id = j->id, .slot = j->slot, .operation = j->operation, .origin = j->origin };
	model_seen(m, j->id)->told = true;
	m->started++;
	if (m->in_burst) /* more has happened since */
		return;
	if (s && j->origin == ORIGIN_SURPRISE)
		check(m, !s->hold && !s->native);
	if (s && (j->origin == ORIGIN_SURPRISE || j->origin == ORIGIN_BUTTON))
		check(m, j->operation == OPERATION_EJECT ? model_is_on(m, j->slot) : s->present && !s->occupied);
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

	while (engine_next_action(m->e, &a) || (chance(&m->random, 50) && engine_next_news(m->e, &a))) {
		struct seen *s;

		if (a.type == ACTION_INDICATORS) {
			take_leds(m, &a);
			continue;
		}
		s = model_seen(m, a.job->id);
		check(m, !s->ended && a.job->slot == a.slot);
		check(m, s->told == (a.type != ACTION_JOB_NEW));
		if (a.type == ACTION_JOB_NEW) {
			take_new(m, a.job);
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
		return j->step == STEP_TURN || (j->step == STEP_UNBIND && ejects(j) && !model_is_surprise(j)) ||
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
	check(m, j->unbound == (s->unbound && !j->inserting)); /* nor is that taken back */
	s->state = j->state;
	s->inserting = j->inserting;
	check(m, (j->state == JOB_COMMITTING) == (m->commit == j->id));
	check(m, s->asked == (asks ? j->step : STEP_NONE));
	check(m, !j->stalled || (asks && j->step_deadline <= m->now));
	check(m, engine_slot_job(m->e, j->slot) == j || (j->state == JOB_COMMITTING && !engine_slot(m->e, j->slot)));
	check(m, (j->step != STEP_TURN && j->step != STEP_CARD) || j->step_deadline == USEC_INFINITY);
	if (j->step == STEP_TURN) {
		check(m, m->commit || model_ejecting_ancestor(m, j->slot) || /* nobody waits for nothing */
				 (ejects(j) && is_unbinding_below(m, j->slot)));
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

enum verdict model_press(const struct model *m, slot_handle_t slot, enum operation *ret_starts)
{
	static const enum verdict by_button[] = {
		[BUTTON_EJECT] = VERDICT_STARTED, [BUTTON_NOTIFY] = VERDICT_NOTIFY, [BUTTON_IGNORE] = VERDICT_IGNORED,
	};
	static const enum verdict by_insert[] = {
		[INSERT_AUTO] = VERDICT_STARTED, [INSERT_NOTIFY] = VERDICT_NOTIFY, [INSERT_IGNORE] = VERDICT_IGNORED,
	};
	const struct engine_slot *s = engine_slot(m->e, slot);
	const struct job *j = engine_slot_job(m->e, slot);
	enum verdict v;

	if (s->native)
		return VERDICT_IGNORED;
	if (model_ejecting_ancestor(m, slot))
		return VERDICT_ANCESTOR;
	if (j && j->state == JOB_GRACE)
		return VERDICT_CANCELLED;
	if (j)
		return j->step == STEP_CARD && s->present && !s->latch_open ? VERDICT_JOINED : VERDICT_LATE;
	if (model_is_on(m, slot)) {
		*ret_starts = OPERATION_EJECT;
		return by_button[s->button];
	}
	if (!s->present)
		return VERDICT_NOTHING; /* the only case: there is nothing to eject and nothing to insert */
	*ret_starts = OPERATION_INSERT;
	v = by_insert[s->insert];
	return v == VERDICT_STARTED && s->latch_open ? VERDICT_REFUSED : v;
}

static void restart_job(struct model *m, const struct job *j)
{
	struct seen *s = model_seen(m, j->id);
	int result = engine_restore_job(m->e, j, m->now);

	if (result == -ENOENT) { /* its slot went during the commit: told by who restores it */
		check(m, j->state == JOB_COMMITTING);
		s->ended = true;
		m->ended++;
		return;
	}
	check(m, result == 0);
	s->asked = STEP_NONE;
	s->turn_step = 0;
	if (j->state == JOB_COMMITTING && j->inserting)
		s->rescanned = false;
	else if (j->state == JOB_COMMITTING)
		s->committed = false;
}

/* What recover.c does with slots that nobody has told of. */
static void settle_slots(struct model *m)
{
	for (unsigned int i = 0; i < m->n_slots; i++) {
		const struct engine_slot *s = engine_slot(m->e, m->slots[i]);
		const struct job *j = engine_slot_job(m->e, m->slots[i]);

		if (s->native || (j && j->operation != OPERATION_RESCAN))
			continue;
		if (m->power_led[i] == INDICATOR_BLINK)
			m->power_led[i] = INDICATOR_OFF;
		if (m->attention_led[i] == INDICATOR_BLINK)
			m->attention_led[i] = INDICATOR_OFF;
		if (j || !s->occupied || !s->link_known || s->link)
			continue;
		model_take_actions(m);
		engine_event(m->e, m->slots[i], SLOT_EVENT_LINK, m->now);
	}
}

void model_restart(struct model *m)
{
	struct engine *before = m->e;
	struct engine_memory memory;
	struct engine_config config;

	engine_config_default(&config);
	assert_int_equal(engine_new(&m->e, &config), 0);
	engine_restore_last_id(m->e, engine_last_id(before));
	for (unsigned int i = 0; i < m->n_slots; i++)
		check(m, engine_slot_set(m->e, m->slots[i], engine_slot(before, m->slots[i]), m->now) == 0);
	m->commit = 0;
	for (const struct job *j = NULL; (j = engine_job_next(before, j));)
		restart_job(m, j);
	for (unsigned int i = 0; i < m->n_slots; i++) {
		engine_slot_memory(before, m->slots[i], &memory);
		engine_slot_remember(m->e, m->slots[i], &memory);
	}
	engine_free(before);
	m->restarting = true;
	model_take_actions(m);
	m->restarting = false;
	for (unsigned int i = 0; i < m->n_slots; i++)
		check(m, engine_slot_set(m->e, m->slots[i], engine_slot(m->e, m->slots[i]), m->now) == 0);
	settle_slots(m);
	m->restarts++;
}
