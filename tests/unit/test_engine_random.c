// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Property test of the engine: random topologies that change, random events,
 * requests, answers, times and restarts; after each call the invariants.
 *
 * ENGINE_STEPS (default 1000000) says how many steps, ENGINE_SEED where to
 * start. A failure prints the seed of its sequence: with ENGINE_SEED set to it
 * the first sequence fails again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine-model.h"
#include "random.h"

#define SEQUENCE_STEPS 400
#define DRAIN_ROUNDS   500

/* --- steps ---------------------------------------------------------------------- */

static void add_slot(struct model *m)
{
	struct engine_slot s = {
		.native = chance(&m->random, 10),
		.present = chance(&m->random, 70),
		.power_control = chance(&m->random, 70),
		.link_known = chance(&m->random, 80),
		.grace = chance(&m->random, 80) ? 5 * USEC_PER_SEC : 0,
		.protect = chance(&m->random, 5),
	};
	unsigned int i = m->n_slots;

	if (m->n_slots == SLOTS)
		return;
	if (m->n_slots && chance(&m->random, 60))
		s.parent = m->slots[below(&m->random, m->n_slots)];
	s.power = s.occupied = s.link = s.present && chance(&m->random, 70);
	s.power |= !s.power_control;
	m->slots[i] = ++m->last_handle;
	m->power_led[i] = m->attention_led[i] = INDICATOR_OFF;
	m->n_slots++;
	check(m, engine_slot_set(m->e, m->slots[i], &s, m->now) == 0);
}

static void remove_slot(struct model *m)
{
	unsigned int i = below(&m->random, m->n_slots);
	slot_handle_t slot = m->slots[i];

	m->n_slots--;
	m->slots[i] = m->slots[m->n_slots];
	m->power_led[i] = m->power_led[m->n_slots];
	m->attention_led[i] = m->attention_led[m->n_slots];
	engine_slot_remove(m->e, slot, m->now);
	check(m, !engine_slot(m->e, slot) && !engine_slot_job(m->e, slot));
}

static void change_slot(struct model *m, slot_handle_t slot)
{
	struct engine_slot s = *engine_slot(m->e, slot);

	switch (below(&m->random, 9)) {
	case 0:
		s.button = below(&m->random, _BUTTON_POLICY_MAX);
		break;
	case 1:
		s.insert = below(&m->random, _INSERT_POLICY_MAX);
		break;
	case 2:
		s.protect = chance(&m->random, 20);
		break;
	case 3:
		s.hold = chance(&m->random, 20);
		break;
	case 4:
		s.occupied = s.present && chance(&m->random, 50);
		break;
	case 5:
		s.button = BUTTON_EJECT;
		break;
	case 6:
		s.insert = INSERT_AUTO;
		break;
	case 7:
		s.power = !s.power_control || chance(&m->random, 50);
		break;
	default:
		s.fault = false;
		break;
	}
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
}

/* Its port is found elsewhere in the tree, or a bridge between is. */
static void move_slot(struct model *m, slot_handle_t slot)
{
	struct engine_slot s = *engine_slot(m->e, slot);
	slot_handle_t parent = m->slots[below(&m->random, m->n_slots)];

	s.parent = parent == slot || model_is_below(m, parent, slot) ? 0 : parent;
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
}

/* It goes, and comes back elsewhere, with what is below it. */
static void replug_slot(struct model *m)
{
	unsigned int i = below(&m->random, m->n_slots);
	slot_handle_t old = m->slots[i];
	struct engine_slot s = *engine_slot(m->e, old), child;

	s.hold = s.fault = false; /* another life */
	engine_slot_remove(m->e, old, m->now);
	m->slots[i] = ++m->last_handle;
	m->power_led[i] = m->attention_led[i] = INDICATOR_OFF;
	check(m, engine_slot_set(m->e, m->slots[i], &s, m->now) == 0);
	for (unsigned int k = 0; k < m->n_slots; k++) {
		child = *engine_slot(m->e, m->slots[k]);
		if (child.parent != old)
			continue;
		child.parent = m->slots[i];
		check(m, engine_slot_set(m->e, m->slots[k], &child, m->now) == 0);
	}
	move_slot(m, m->slots[i]);
}

/* The verdict must say what became of the event. */
static void check_verdict(struct model *m, slot_handle_t slot, enum verdict v, bool had_job, bool had_ancestor,
			  unsigned int started, unsigned int ended)
{
	model_take_actions(m);
	check(m, v < _VERDICT_MAX);
	if (v < _VERDICT_MAX)
		m->verdicts[v]++;
	if (v == VERDICT_STARTED)
		check(m, m->started > started);
	if (v == VERDICT_CANCELLED)
		check(m, m->ended > ended);
	if (v == VERDICT_LATE || v == VERDICT_JOINED)
		check(m, had_job);
	if (v == VERDICT_ANCESTOR)
		check(m, had_ancestor && m->started == started);
	if (v == VERDICT_NOTIFY || v == VERDICT_IGNORED || v == VERDICT_REFUSED)
		check(m, m->started == started && m->ended == ended);
}

/* What hardware tells: the slot's level state, with the event in it. */
static enum slot_event happen(struct model *m, slot_handle_t slot)
{
	struct engine_slot s = *engine_slot(m->e, slot);
	enum slot_event event = below(&m->random, _SLOT_EVENT_MAX);

	switch (event) {
	case SLOT_EVENT_PRESENCE:
		s.present = chance(&m->random, 60);
		break;
	case SLOT_EVENT_LINK:
		s.link = chance(&m->random, 60);
		break;
	case SLOT_EVENT_LATCH:
		s.latch_open = chance(&m->random, 30);
		if (s.latch_open && s.power_control && chance(&m->random, 20))
			s.power = false; /* as SHPC hardware does */
		break;
	case SLOT_EVENT_POWER_FAULT:
		s.fault = true;
		break;
	default:
		break;
	}
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
	return event;
}

/* Events that waited together are all fed before anything is done about the first. */
static void feed_burst(struct model *m)
{
	m->in_burst = true;
	for (unsigned int n = 2 + below(&m->random, 4); n; n--) {
		slot_handle_t slot = m->slots[below(&m->random, m->n_slots)];
		enum slot_event event = happen(m, slot);

		check(m, engine_event(m->e, slot, event, m->now) < _VERDICT_MAX);
	}
	model_take_actions(m);
	m->in_burst = false;
}

static void feed_event(struct model *m, slot_handle_t slot)
{
	enum operation starts = _OPERATION_INVALID;
	enum slot_event event = happen(m, slot);
	enum verdict v, expected;
	unsigned int started, ended;
	bool had_job, had_ancestor;

	model_take_actions(m);
	started = m->started;
	ended = m->ended;
	had_job = engine_slot_job(m->e, slot);
	had_ancestor = model_ejecting_ancestor(m, slot);
	m->first_new.id = 0;
	expected = model_press(m, slot, &starts);
	v = engine_event(m->e, slot, event, m->now);
	check_verdict(m, slot, v, had_job, had_ancestor, started, ended);
	if (event != SLOT_EVENT_BUTTON)
		return;
	check(m, v == expected);
	if (v == VERDICT_STARTED)
		check(m, m->first_new.slot == slot && m->first_new.operation == starts &&
				 m->first_new.origin == ORIGIN_BUTTON);
}

static void request(struct model *m, slot_handle_t slot)
{
	const struct request r = {
		.operation = below(&m->random, _OPERATION_MAX),
		.origin = ORIGIN_SYSFS + below(&m->random, 4),
		.force = chance(&m->random, 20),
		.requested_by = "uid 1000",
	};
	const struct job *j, *had = engine_slot_job(m->e, slot), *above = model_ejecting_ancestor(m, slot);
	int result = engine_request(m->e, slot, &r, m->now, &j);

	check(m, (j != NULL) == (result == 0 || result == -EBUSY));
	if (above)
		check(m, result == -EBUSY && j == above);
	else if (had)
		check(m, j == had && (result == -EBUSY || j->operation == r.operation ||
				      (r.operation == OPERATION_INSERT && j->inserting)));
	check(m, result != -EOPNOTSUPP || (r.operation == OPERATION_REPLACE && engine_slot(m->e, slot)->native));
	check(m, result != -ENOMEM && result != -ENOENT);
}

/* What the hardware and the kernel have done by the time of the answer. */
static void do_step(struct model *m, slot_handle_t slot, enum job_step step, bool well, int error)
{
	struct engine_slot s;

	if (!engine_slot(m->e, slot))
		return;
	s = *engine_slot(m->e, slot);
	if (step == STEP_REMOVE && error == 0)
		s.occupied = !well && chance(&m->random, 10); /* somebody scanned the bus */
	else if (step == STEP_RESCAN)
		s.occupied |= error == 0 || chance(&m->random, 50);
	else if (step == STEP_POWER_ON && error == 0)
		s.fault = s.fault && chance(&m->random, 20);
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
}

/* A slot without a power controller says nothing else. */
static void keep_powered(struct model *m, slot_handle_t slot)
{
	struct engine_slot s;

	if (!engine_slot(m->e, slot) || engine_slot(m->e, slot)->power_control)
		return;
	s = *engine_slot(m->e, slot);
	s.power = true;
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
}

static void answer(struct model *m, const struct job *j, bool well)
{
	static const int errors[] = { EIO, EACCES, ENODEV, EBUSY, ETIMEDOUT };
	struct seen *s = model_seen(m, j->id);
	enum job_step step = s->asked;
	slot_handle_t slot = j->slot;
	int error = well || chance(&m->random, 80) ? 0 : errors[below(&m->random, 5)];

	if (step == STEP_NONE)
		return;
	do_step(m, slot, step, well, error);
	s->asked = STEP_NONE;
	if (m->commit == j->id)
		m->commit = 0;
	if (step == STEP_REMOVE && error == 0)
		s->removed = true;
	check(m, engine_step_done(m->e, j->id, step, error, chance(&m->random, 50) ? "The test said so." : NULL,
				  m->now) == 0);
	keep_powered(m, slot);
}

static const struct job *any_job(struct model *m)
{
	const struct job *j = NULL, *pick = NULL;
	unsigned int n = 0;

	while ((j = engine_job_next(m->e, j)))
		if (below(&m->random, ++n) == 0)
			pick = j;
	return pick;
}

static void cancel(struct model *m, const struct job *j)
{
	bool between = j->operation == OPERATION_REPLACE && !j->inserting && j->state == JOB_SETTLING;
	struct seen *s = model_seen(m, j->id);
	bool late = (j->state >= JOB_COMMITTING && !between) || model_is_surprise(j);
	int result = engine_cancel(m->e, j->id, NULL, m->now);

	if (late && !j->cancel_requested)
		check(m, result == -EALREADY);
	else
		check(m, result == 0);
	s->cancelled |= result == 0;
}

static void wrong_answer(struct model *m)
{
	uint32_t id = below(&m->random, m->last_id + 3);
	enum job_step step = below(&m->random, _STEP_MAX);

	if (id < JOBS_MAX && step != STEP_NONE && m->seen[id].asked == step)
		return;
	check(m, engine_step_done(m->e, id, step, 0, NULL, m->now) == -ESTALE);
}

static void advance(struct model *m, usec_t time)
{
	m->now += time;
	engine_advance(m->e, m->now);
	check(m, engine_next_deadline(m->e) > m->now);
}

/* What a replace waits for; or nobody does, and it is cancelled. */
static void bring_card(struct model *m, const struct job *j)
{
	struct engine_slot s = *engine_slot(m->e, j->slot);

	s.present = true;
	s.latch_open = s.hold = false;
	check(m, engine_slot_set(m->e, j->slot, &s, m->now) == 0);
	if (chance(&m->random, 50) && !model_ejecting_ancestor(m, j->slot))
		check(m, engine_event(m->e, j->slot, SLOT_EVENT_PRESENCE, m->now) == VERDICT_JOINED);
	else
		check(m, engine_cancel(m->e, j->id, NULL, m->now) == 0);
}

static void random_step(struct model *m)
{
	slot_handle_t slot = m->slots[below(&m->random, m->n_slots)];
	const struct job *j = any_job(m);
	unsigned int dice = below(&m->random, 100);

	if (dice < 35 && j)
		answer(m, j, false);
	else if (dice < 38 && j)
		cancel(m, j);
	else if (dice < 50)
		request(m, slot);
	else if (dice < 74)
		feed_event(m, slot);
	else if (dice < 80)
		feed_burst(m);
	else if (dice < 92)
		advance(m, chance(&m->random, 80) ? below(&m->random, 1500) * USEC_PER_MSEC : below(&m->random, 40) * USEC_PER_SEC);
	else if (dice < 96)
		change_slot(m, slot);
	else if (dice < 97)
		wrong_answer(m);
	else if (dice < 98)
		model_restart(m);
	else if (chance(&m->random, 30))
		move_slot(m, slot);
	else if (chance(&m->random, 30))
		replug_slot(m);
	else if (chance(&m->random, 50) || m->n_slots == 1)
		add_slot(m);
	else
		remove_slot(m);
}

/* Everything is answered and time passes: then everything must come to an end. */
static void drain(struct model *m)
{
	for (int round = 0; !engine_idle(m->e); round++) {
		check(m, round < DRAIN_ROUNDS);
		for (uint32_t id = 1; id <= m->last_id; id++) {
			const struct job *j = engine_job(m->e, id);

			if (!j)
				continue;
			if (j->step == STEP_CARD)
				bring_card(m, j);
			else
				answer(m, j, true);
			model_check(m);
		}
		advance(m, USEC_PER_SEC);
		model_check(m);
	}
	check(m, m->started == m->ended && m->commit == 0);
	for (unsigned int i = 0; i < m->n_slots; i++)
		check(m, m->power_led[i] != INDICATOR_BLINK && m->attention_led[i] != INDICATOR_BLINK);
}

static void run_sequence(struct model *m, uint64_t seed)
{
	struct engine_config config;
	unsigned int slots;

	engine_config_default(&config);
	m->random = m->seed = seed;
	config.unbind = chance(&m->random, 70);
	assert_int_equal(engine_new(&m->e, &config), 0);
	m->now = USEC_PER_SEC;
	m->last_handle = m->n_slots = m->last_id = m->commit = m->started = m->ended = 0;
	memset(m->seen, 0, sizeof(m->seen));
	slots = 1 + below(&m->random, SLOTS);
	for (m->step = 1; slots; slots--)
		add_slot(m);
	for (; m->step <= SEQUENCE_STEPS; m->step++) {
		random_step(m);
		model_check(m);
	}
	drain(m);
	m->e = engine_free(m->e);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static void invariants_hold_for_random_sequences(void **state)
{
	uint64_t seed = from_environment("ENGINE_SEED", (uint64_t) time(NULL) * 1000000);
	unsigned long steps = from_environment("ENGINE_STEPS", 1000000), done;
	static struct model m;

	print_message("ENGINE_SEED=%llu ENGINE_STEPS=%lu\n", (unsigned long long) seed, steps);
	for (done = 0; done < steps; done += SEQUENCE_STEPS)
		run_sequence(&m, seed++);

	print_message("%lu steps, %lu commits, %lu stalls, %lu restarts\n", done, m.commits, m.stalls, m.restarts);
	for (int i = JOB_DONE; i < _JOB_STATE_MAX; i++)
		print_message("%10lu jobs %s\n", m.ends[i], job_state_to_string(i));
	for (int i = 0; i < _VERDICT_MAX; i++)
		print_message("%10lu events %s\n", m.verdicts[i], verdict_to_string(i));
	if (done < 100000)
		return;
	/* A test that never gets somewhere proves nothing about it. */
	assert_true(m.stalls > 0 && m.commits > 0 && m.restarts > 0);
	for (int i = JOB_DONE; i < _JOB_STATE_MAX; i++)
		assert_true(m.ends[i] > 0);
	for (int i = 0; i < _VERDICT_MAX; i++)
		assert_true((m.verdicts[i] > 0) == (i != VERDICT_FOREIGN)); /* never the engine's */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariants_hold_for_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
