// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Property test of the engine: random topologies, random events, requests,
 * answers and times; after each call the invariants.
 *
 * ENGINE_STEPS (default 1000000) says how many steps, ENGINE_SEED where to
 * start. A failure prints the seed of its sequence: with ENGINE_SEED set to it
 * the first sequence fails again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "engine.h"

#define SLOTS          12
#define SEQUENCE_STEPS 400
#define JOBS_MAX       4096 /* per sequence */
#define DRAIN_ROUNDS   500

/* What is known of a job from the actions and answers alone. */
struct seen {
	bool told, ended, removed;
	bool committed, rescanned; /* a replace has two commits: remove, then rescan */
	enum job_state state;
	bool inserting;
	enum job_step asked;     /* STEP_NONE: no question is open */
	unsigned long turn_step; /* first seen waiting for its turn; 0: never */
};

struct model {
	struct engine *e;
	uint64_t random;
	uint64_t seed;           /* of the sequence */
	unsigned long step;
	usec_t now;
	slot_handle_t slots[SLOTS];
	slot_handle_t last_handle;
	unsigned int n_slots;
	enum indicator power_led[SLOTS], attention_led[SLOTS];
	struct seen seen[JOBS_MAX];
	uint32_t last_id;
	uint32_t commit;         /* the job whose commit is not answered yet */
	unsigned int started, ended;
	unsigned long ends[_JOB_STATE_MAX], verdicts[_VERDICT_MAX], stalls, commits;
};

#define check(m, condition)                                                                              \
	do {                                                                                             \
		if (!(condition)) {                                                                      \
			print_error("ENGINE_SEED=%llu, step %lu: %s\n", (unsigned long long) (m)->seed,  \
				    (m)->step, #condition);                                              \
			fail();                                                                          \
		}                                                                                        \
	} while (0)

/* splitmix64 */
static uint64_t next_random(struct model *m)
{
	uint64_t z = (m->random += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned int below(struct model *m, unsigned int n)
{
	return (unsigned int) (next_random(m) % n);
}

static bool chance(struct model *m, unsigned int percent)
{
	return below(m, 100) < percent;
}

static struct seen *seen(struct model *m, uint32_t id)
{
	check(m, id > 0 && id < JOBS_MAX);
	return &m->seen[id];
}

static bool surprise(const struct job *j)
{
	return j->operation == OPERATION_EJECT && j->origin == ORIGIN_SURPRISE;
}

static bool ejects(const struct job *j)
{
	return j->operation == OPERATION_EJECT || (j->operation == OPERATION_REPLACE && !j->inserting);
}

/* The eject above that commits or settles, by the engine's own public view. */
static const struct job *ejecting_ancestor(const struct model *m, slot_handle_t slot)
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

/* --- actions ------------------------------------------------------------------ */

static void check_commit(struct model *m, const struct job *j)
{
	struct seen *s = seen(m, j->id);

	check(m, m->commit == 0);
	check(m, !j->cancel_requested && !j->undo);
	check(m, j->operation == OPERATION_REPLACE && j->inserting ? !s->rescanned : !s->committed);
	check(m, !ejecting_ancestor(m, j->slot));
	for (const struct job *k = NULL; (k = engine_job_next(m->e, k));) {
		if (k == j)
			continue;
		if (ejects(j) && is_below(m, k->slot, j->slot)) /* and commits nothing more */
			check(m, k->state == JOB_SETTLING && k->step != STEP_CARD);
		if (k->step != STEP_TURN || ejecting_ancestor(m, k->slot))
			continue;
		check(m, surprise(j) || !surprise(k));
		if (surprise(j) == surprise(k) && seen(m, k->id)->turn_step) /* first come, first served */
			check(m, s->turn_step && s->turn_step <= seen(m, k->id)->turn_step);
	}
	s->committed = true;
	s->rescanned |= j->inserting;
	s->turn_step = 0;
	m->commit = j->id;
	m->commits++;
}

static void take_ended(struct model *m, const struct job *j)
{
	struct seen *s = seen(m, j->id);

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
	struct seen *s = seen(m, j->id);

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

static void take_actions(struct model *m)
{
	struct action a;

	while (engine_next_action(m->e, &a)) {
		struct seen *s;

		if (a.type == ACTION_INDICATORS) {
			take_leds(m, &a);
			continue;
		}
		s = seen(m, a.job->id);
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

/* --- invariants ---------------------------------------------------------------- */

static bool step_fits(const struct job *j)
{
	switch (j->state) {
	case JOB_GRACE:
		return j->step == STEP_WINDOW && j->origin == ORIGIN_BUTTON;
	case JOB_CHECKING:
		return j->step == STEP_CHECK && !surprise(j);
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
	struct seen *s = seen(m, j->id);
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
		check(m, m->commit || ejecting_ancestor(m, j->slot)); /* nobody waits for nothing */
		if (!s->turn_step)
			s->turn_step = m->step;
	}
}

static void check_all(struct model *m)
{
	unsigned int listed = 0;
	uint32_t last = 0;

	take_actions(m);
	for (const struct job *j = NULL; (j = engine_job_next(m->e, j)); listed++) {
		check(m, j->id > last);
		last = j->id;
		check_job(m, j);
	}
	check(m, m->started == m->ended + listed);
	check(m, !m->commit || engine_job(m->e, m->commit));
}

/* --- steps ---------------------------------------------------------------------- */

static void add_slot(struct model *m)
{
	struct engine_slot s = {
		.native = chance(m, 10),
		.present = chance(m, 70),
		.link_known = chance(m, 80),
		.grace = chance(m, 80) ? 5 * USEC_PER_SEC : 0,
		.protect = chance(m, 5),
	};
	unsigned int i = m->n_slots;

	if (m->n_slots == SLOTS)
		return;
	if (m->n_slots && chance(m, 60))
		s.parent = m->slots[below(m, m->n_slots)];
	s.power = s.occupied = s.link = s.present && chance(m, 70);
	m->slots[i] = ++m->last_handle;
	m->power_led[i] = m->attention_led[i] = INDICATOR_OFF;
	m->n_slots++;
	check(m, engine_slot_set(m->e, m->slots[i], &s, m->now) == 0);
}

static void remove_slot(struct model *m)
{
	unsigned int i = below(m, m->n_slots);
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

	switch (below(m, 9)) {
	case 0:
		s.button = below(m, _BUTTON_POLICY_MAX);
		break;
	case 1:
		s.insert = below(m, _INSERT_POLICY_MAX);
		break;
	case 2:
		s.protect = chance(m, 20);
		break;
	case 3:
		s.hold = chance(m, 20);
		break;
	case 4:
		s.occupied = s.present && chance(m, 50);
		break;
	case 5:
		s.button = BUTTON_EJECT;
		break;
	case 6:
		s.insert = INSERT_AUTO;
		break;
	case 7:
		s.power = chance(m, 50);
		break;
	default:
		s.fault = false;
		break;
	}
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
}

/* The verdict must say what became of the event. */
static void check_verdict(struct model *m, slot_handle_t slot, enum verdict v, bool had_job, bool had_ancestor,
			  unsigned int started, unsigned int ended)
{
	take_actions(m);
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

static void feed_event(struct model *m, slot_handle_t slot)
{
	struct engine_slot s = *engine_slot(m->e, slot);
	enum slot_event event = below(m, _SLOT_EVENT_MAX);
	unsigned int started, ended;
	bool had_job, had_ancestor;

	switch (event) {
	case SLOT_EVENT_PRESENCE:
		s.present = chance(m, 60);
		break;
	case SLOT_EVENT_LINK:
		s.link = chance(m, 60);
		break;
	case SLOT_EVENT_LATCH:
		s.latch_open = chance(m, 30);
		break;
	case SLOT_EVENT_POWER_FAULT:
		s.fault = true;
		break;
	default:
		break;
	}
	check(m, engine_slot_set(m->e, slot, &s, m->now) == 0);
	take_actions(m);
	started = m->started;
	ended = m->ended;
	had_job = engine_slot_job(m->e, slot);
	had_ancestor = ejecting_ancestor(m, slot);
	check_verdict(m, slot, engine_event(m->e, slot, event, m->now), had_job, had_ancestor, started, ended);
}

static void request(struct model *m, slot_handle_t slot)
{
	const struct request r = {
		.operation = below(m, _OPERATION_MAX),
		.origin = ORIGIN_SYSFS + below(m, 4),
		.force = chance(m, 20),
		.requested_by = "uid 1000",
	};
	const struct job *j, *had = engine_slot_job(m->e, slot), *above = ejecting_ancestor(m, slot);
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

static void answer(struct model *m, const struct job *j, bool well)
{
	static const int errors[] = { EIO, EACCES, ENODEV, EBUSY, ETIMEDOUT };
	struct seen *s = seen(m, j->id);
	enum job_step step = s->asked;
	int error = well || chance(m, 80) ? 0 : errors[below(m, 5)];

	if (step == STEP_NONE)
		return;
	s->asked = STEP_NONE;
	if (m->commit == j->id)
		m->commit = 0;
	if (step == STEP_REMOVE && error == 0)
		s->removed = true;
	check(m, engine_step_done(m->e, j->id, step, error, chance(m, 50) ? "The test said so." : NULL, m->now) == 0);
}

static const struct job *any_job(struct model *m)
{
	const struct job *j = NULL, *pick = NULL;
	unsigned int n = 0;

	while ((j = engine_job_next(m->e, j)))
		if (below(m, ++n) == 0)
			pick = j;
	return pick;
}

static void cancel(struct model *m, const struct job *j)
{
	bool between = j->operation == OPERATION_REPLACE && !j->inserting && j->state == JOB_SETTLING;
	bool late = (j->state >= JOB_COMMITTING && !between) || surprise(j);
	int result = engine_cancel(m->e, j->id, NULL, m->now);

	if (late && !j->cancel_requested)
		check(m, result == -EALREADY);
	else
		check(m, result == 0);
}

static void wrong_answer(struct model *m)
{
	uint32_t id = below(m, m->last_id + 3);
	enum job_step step = below(m, _STEP_MAX);

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
	if (chance(m, 50))
		check(m, engine_event(m->e, j->slot, SLOT_EVENT_PRESENCE, m->now) == VERDICT_JOINED);
	else
		check(m, engine_cancel(m->e, j->id, NULL, m->now) == 0);
}

static void random_step(struct model *m)
{
	slot_handle_t slot = m->slots[below(m, m->n_slots)];
	const struct job *j = any_job(m);
	unsigned int dice = below(m, 100);

	if (dice < 35 && j)
		answer(m, j, false);
	else if (dice < 38 && j)
		cancel(m, j);
	else if (dice < 50)
		request(m, slot);
	else if (dice < 80)
		feed_event(m, slot);
	else if (dice < 92)
		advance(m, chance(m, 80) ? below(m, 1500) * USEC_PER_MSEC : below(m, 40) * USEC_PER_SEC);
	else if (dice < 96)
		change_slot(m, slot);
	else if (dice < 98)
		wrong_answer(m);
	else if (chance(m, 50) || m->n_slots == 1)
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
			check_all(m);
		}
		advance(m, USEC_PER_SEC);
		check_all(m);
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
	assert_int_equal(engine_new(&m->e, &config), 0);
	m->random = m->seed = seed;
	m->now = USEC_PER_SEC;
	m->last_handle = m->n_slots = m->last_id = m->commit = m->started = m->ended = 0;
	memset(m->seen, 0, sizeof(m->seen));
	slots = 1 + below(m, SLOTS);
	for (m->step = 1; slots; slots--)
		add_slot(m);
	for (; m->step <= SEQUENCE_STEPS; m->step++) {
		random_step(m);
		check_all(m);
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

	print_message("%lu steps, %lu commits, %lu stalls\n", done, m.commits, m.stalls);
	for (int i = JOB_DONE; i < _JOB_STATE_MAX; i++)
		print_message("%10lu jobs %s\n", m.ends[i], job_state_to_string(i));
	for (int i = 0; i < _VERDICT_MAX; i++)
		print_message("%10lu events %s\n", m.verdicts[i], verdict_to_string(i));
	if (done < 100000)
		return;
	/* A test that never gets somewhere proves nothing about it. */
	assert_true(m.stalls > 0 && m.commits > 0);
	for (int i = JOB_DONE; i < _JOB_STATE_MAX; i++)
		assert_true(m.ends[i] > 0);
	for (int i = 0; i < _VERDICT_MAX; i++)
		assert_true(m.verdicts[i] > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariants_hold_for_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
