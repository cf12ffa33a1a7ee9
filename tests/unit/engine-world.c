// SPDX-License-Identifier: LGPL-2.1-or-later
/* The world of engine-world.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine-world.h"

static int setup(void **state, bool unbind)
{
	struct engine_config config;
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	engine_config_default(&config);
	config.unbind = unbind;
	w->now = 1000 * USEC_PER_SEC;
	*state = w;
	return engine_new(&w->e, &config);
}

int world_setup(void **state)
{
	return setup(state, false);
}

int world_setup_unbinding(void **state)
{
	return setup(state, true);
}

int world_teardown(void **state)
{
	struct world *w = *state;

	engine_free(w->e);
	free(w);
	return 0;
}

static void add(struct world *w, slot_handle_t slot, slot_handle_t parent, bool on)
{
	const struct engine_slot level = {
		.parent = parent,
		.present = true,
		.power = on,
		.power_control = true,
		.occupied = on,
		.link_known = true,
		.link = on,
		.grace = 5 * USEC_PER_SEC,
	};

	assert_int_equal(engine_slot_set(w->e, slot, &level, w->now), 0);
	world_take_actions(w);
}

void world_add_on(struct world *w, slot_handle_t slot, slot_handle_t parent)
{
	add(w, slot, parent, true);
}

void world_add_off(struct world *w, slot_handle_t slot, slot_handle_t parent)
{
	add(w, slot, parent, false);
}

static void take_job_action(struct world *w, const struct action *a)
{
	struct world_job *j;

	assert_non_null(a->job);
	assert_int_equal(a->job->slot, a->slot);
	assert_in_range(a->job->id, 1, WORLD_JOBS - 1);
	j = &w->jobs[a->job->id];
	assert_int_equal(j->told_ended, 0); /* the end is the last that is told */
	if (a->type == ACTION_JOB_NEW)
		j->told_new++;
	assert_int_equal(j->told_new, 1); /* NEW is the first */
	if (a->type != ACTION_JOB_ENDED)
		return;
	assert_true(job_state_is_final(a->job->state));
	j->told_ended++;
	j->state = a->job->state;
	j->error = a->job->error;
	snprintf(j->reason, sizeof(j->reason), "%s", a->job->reason ? a->job->reason : "");
}

void world_take_actions(struct world *w)
{
	struct action a;

	while (engine_next_action(w->e, &a) || engine_next_news(w->e, &a)) {
		w->count[a.type]++;
		if (a.type != ACTION_INDICATORS) {
			take_job_action(w, &a);
			continue;
		}
		assert_null(a.job);
		if (a.power_led != INDICATOR_KEEP)
			w->power_led[a.slot] = a.power_led;
		if (a.attention_led != INDICATOR_KEEP)
			w->attention_led[a.slot] = a.attention_led;
	}
}

void world_pass(struct world *w, usec_t time)
{
	w->now += time;
	engine_advance(w->e, w->now);
	world_take_actions(w);
}

enum verdict world_event(struct world *w, slot_handle_t slot, enum slot_event event)
{
	enum verdict v = engine_event(w->e, slot, event, w->now);

	world_take_actions(w);
	return v;
}

int world_request(struct world *w, slot_handle_t slot, enum operation operation, bool force, uint32_t *ret_id)
{
	const struct request r = {
		.operation = operation,
		.origin = ORIGIN_DBUS,
		.force = force,
		.requested_by = "uid 1000",
	};
	const struct job *j = (const struct job *) &r;
	int result = engine_request(w->e, slot, &r, w->now, &j);

	if (result == 0 || result == -EBUSY)
		assert_non_null(j);
	else
		assert_null(j);
	if (ret_id)
		*ret_id = j ? j->id : 0;
	world_take_actions(w);
	return result;
}

int world_cancel(struct world *w, uint32_t job_id)
{
	int result = engine_cancel(w->e, job_id, "Cancelled by the test.", w->now);

	world_take_actions(w);
	return result;
}

uint32_t world_start(struct world *w, slot_handle_t slot, enum operation operation)
{
	uint32_t id;

	assert_int_equal(world_request(w, slot, operation, false, &id), 0);
	return id;
}

void world_answer_why(struct world *w, slot_handle_t slot, enum job_step step, int error, const char *why)
{
	const struct job *j = world_job(w, slot);
	bool known = engine_slot(w->e, slot);

	assert_step(j->step, step);
	if (error == 0 && known && step == STEP_REMOVE)
		world_set(w, slot, occupied = false);
	if (error == 0 && known && step == STEP_RESCAN)
		world_set(w, slot, occupied = true);
	if (error == 0 && known && step == STEP_POWER_ON)
		world_set(w, slot, fault = false);
	world_answer_only(w, j, error, why);
}

void world_answer_only(struct world *w, const struct job *j, int error, const char *why)
{
	assert_int_equal(engine_step_done(w->e, j->id, j->step, error, why, w->now), 0);
	world_take_actions(w);
}

void world_answer(struct world *w, slot_handle_t slot, enum job_step step, int error)
{
	world_answer_why(w, slot, step, error, NULL);
}

void world_change_card(struct world *w, slot_handle_t slot)
{
	world_set(w, slot, present = false);
	world_event(w, slot, SLOT_EVENT_PRESENCE);
	world_set(w, slot, present = true);
	world_event(w, slot, SLOT_EVENT_PRESENCE);
}

/* One step further, all being well. */
static void go_on(struct world *w, const struct job *j)
{
	if (j->step == STEP_WINDOW || j->step == STEP_OFF_WAIT)
		world_pass(w, j->step_deadline - w->now);
	else if (j->step == STEP_CARD)
		world_change_card(w, j->slot);
	else
		world_answer(w, j->slot, j->step, 0);
}

void world_go_on(struct world *w, slot_handle_t slot)
{
	go_on(w, world_job(w, slot));
}

void world_go_on_to(struct world *w, slot_handle_t slot, enum job_step step)
{
	while (world_job(w, slot)->step != step)
		go_on(w, world_job(w, slot));
}

void world_finish(struct world *w, slot_handle_t slot)
{
	uint32_t id = world_job(w, slot)->id;

	while (engine_job(w->e, id))
		go_on(w, engine_job(w->e, id));
}

const struct job *world_job(const struct world *w, slot_handle_t slot)
{
	const struct job *j = engine_slot_job(w->e, slot);

	assert_non_null(j);
	return j;
}

enum job_state world_ended(const struct world *w, uint32_t id)
{
	assert_in_range(id, 1, WORLD_JOBS - 1);
	assert_int_equal(w->jobs[id].told_ended, 1);
	return w->jobs[id].state;
}
