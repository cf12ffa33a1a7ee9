// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: a job of a daemon that is no more goes on where it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

static struct job eject_in(enum job_state state, enum job_step step)
{
	return (struct job){ .id = 7, .slot = 1, .operation = OPERATION_EJECT, .origin = ORIGIN_BUTTON, .state = state,
			     .step = step, .step_deadline = USEC_INFINITY, .requested_by = (char *)"button" };
}

static struct job insert_in(enum job_state state, enum job_step step)
{
	struct job j = eject_in(state, step);

	j.operation = OPERATION_INSERT;
	return j;
}

static void restore(struct world *w, const struct job *as)
{
	w->jobs[as->id].told_new = 1; /* by the daemon before */
	assert_int_equal(engine_restore_job(w->e, as, w->now), 0);
	world_take_actions(w);
}

static void assert_done_without_news(struct world *w, uint32_t id)
{
	assert_state(engine_job(w->e, id) ? JOB_QUEUED : w->jobs[id].state, JOB_DONE);
	assert_int_equal(w->jobs[id].told_new, 1);
	assert_int_equal(w->jobs[id].told_ended, 1);
}

CASE(a_window_ends_when_it_would_have_ended)
{
	struct job j = eject_in(JOB_GRACE, STEP_WINDOW);
	WORLD;

	world_add_on(w, 1, 0);
	j.step_deadline = w->now + 2 * USEC_PER_SEC;
	restore(w, &j);
	assert_int_equal(w->power_led[1], INDICATOR_BLINK);
	world_pass(w, 2 * USEC_PER_SEC - 1);
	assert_state(world_job(w, 1)->state, JOB_GRACE);
	world_pass(w, 1);
	assert_state(world_job(w, 1)->state, JOB_CHECKING);
	world_finish(w, 1);
	assert_done_without_news(w, 7);
}

CASE(the_second_press_still_cancels)
{
	struct job j = eject_in(JOB_GRACE, STEP_WINDOW);
	WORLD;

	world_add_on(w, 1, 0);
	j.step_deadline = w->now + 2 * USEC_PER_SEC;
	restore(w, &j);
	assert_verdict(world_press(w, 1), VERDICT_CANCELLED);
	assert_state(w->jobs[7].state, JOB_CANCELLED);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
}

/* Each step that asks something asks it again, and the job comes to its end. */
CASE(every_step_asks_its_question_again)
{
	static const struct {
		bool insert;
		enum job_state state;
		enum job_step step;
		enum action_type question;
	} steps[] = {
		{ false, JOB_CHECKING, STEP_CHECK, ACTION_CHECK },
		{ false, JOB_COMMITTING, STEP_REMOVE, ACTION_REMOVE },
		{ false, JOB_SETTLING, STEP_POWER_OFF, ACTION_POWER_OFF },
		{ true, JOB_CHECKING, STEP_CHECK, ACTION_CHECK },
		{ true, JOB_QUIESCING, STEP_POWER_ON, ACTION_POWER_ON },
		{ true, JOB_COMMITTING, STEP_RESCAN, ACTION_RESCAN },
		{ true, JOB_SETTLING, STEP_CONFIRM, ACTION_CONFIRM },
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct job j = steps[i].insert ? insert_in(steps[i].state, steps[i].step) :
						 eject_in(steps[i].state, steps[i].step);
		struct world *w = *state;

		if (steps[i].insert)
			world_add_off(w, 1, 0);
		else
			world_add_on(w, 1, 0);
		if (steps[i].step == STEP_POWER_OFF)
			world_set(w, 1, occupied = false);
		restore(w, &j);
		assert_int_equal(w->count[steps[i].question], 1);
		assert_step(world_job(w, 1)->step, steps[i].step);
		world_finish(w, 1);
		assert_done_without_news(w, 7);
		assert_int_equal(world_teardown(state), 0);
		assert_int_equal(world_setup(state), 0);
	}
}

CASE(the_commit_under_way_keeps_others_waiting)
{
	struct job j = eject_in(JOB_COMMITTING, STEP_REMOVE);
	WORLD;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 0);
	restore(w, &j);
	world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 2, STEP_CHECK, 0);
	assert_step(world_job(w, 2)->step, STEP_TURN);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_step(world_job(w, 2)->step, STEP_REMOVE);
}

CASE(a_job_that_waits_gets_its_turn)
{
	struct job j = eject_in(JOB_QUIESCING, STEP_TURN);
	WORLD;

	world_add_on(w, 1, 0);
	restore(w, &j);
	world_pass(w, 1);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
}

CASE(a_failed_insert_goes_on_being_undone)
{
	struct job j = insert_in(JOB_SETTLING, STEP_POWER_OFF);
	WORLD;

	world_add_off(w, 1, 0);
	j.undo = true;
	j.error = EIO;
	j.reason = (char *)"power fault";
	restore(w, &j);
	world_finish(w, 1);
	assert_state(w->jobs[7].state, JOB_FAILED);
	assert_reason(w, 7, "power fault");
}

CASE(power_is_not_switched_off_under_devices_that_are_there_by_now)
{
	struct job j = eject_in(JOB_SETTLING, STEP_POWER_OFF);
	WORLD;

	world_add_on(w, 1, 0);
	restore(w, &j);
	assert_int_equal(w->count[ACTION_POWER_OFF], 0);
	assert_state(world_ended(w, 7), JOB_FAILED);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_ON);
}

/* What the engine before this one had seen of slot 1. */
static void remember(struct world *w, struct engine_memory seen)
{
	struct engine_memory again;

	engine_slot_remember(w->e, 1, &seen);
	engine_slot_memory(w->e, 1, &again);
	assert_memory_equal(&again, &seen, sizeof(seen));
	engine_slot_remember(w->e, 99, &seen);
	engine_slot_memory(w->e, 99, &again);
	assert_false(again.loss || again.link_down || again.card || again.fault || again.given_up);
}

CASE(a_card_that_was_pulled_during_the_rescan_is_still_gone)
{
	struct job j = insert_in(JOB_COMMITTING, STEP_RESCAN);
	WORLD;

	world_add_on(w, 1, 0);
	restore(w, &j);
	remember(w, (struct engine_memory){ .loss = true });
	world_answer(w, 1, STEP_RESCAN, 0);
	assert_state(world_ended(w, 7), JOB_FAILED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_EJECT);
	assert_int_equal(world_job(w, 1)->origin, ORIGIN_SURPRISE);
}

CASE(a_card_that_was_swapped_in_the_last_second_is_inserted)
{
	struct job j = eject_in(JOB_SETTLING, STEP_OFF_WAIT);
	WORLD;

	world_add_off(w, 1, 0);
	j.origin = ORIGIN_DBUS;
	j.step_deadline = w->now + USEC_PER_SEC;
	restore(w, &j);
	remember(w, (struct engine_memory){ .card = true });
	world_pass(w, USEC_PER_SEC);
	assert_state(world_ended(w, 7), JOB_DONE);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(a_card_that_came_while_held_is_brought_up_when_it_is_let_go)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, hold = true);
	remember(w, (struct engine_memory){ .card = true });
	world_pass(w, USEC_PER_SEC);
	assert_idle_slot(w, 1);
	world_set(w, 1, hold = false);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(who_waited_longer_goes_first)
{
	struct job j = eject_in(JOB_QUIESCING, STEP_TURN);
	WORLD;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 0);
	j.step_since = 200;
	restore(w, &j);
	j.id = 8;
	j.slot = 2;
	j.step_since = 100;
	restore(w, &j);
	world_pass(w, 1);
	assert_step(world_job(w, 2)->step, STEP_REMOVE);
}

CASE(numbers_go_on)
{
	struct job j = eject_in(JOB_QUIESCING, STEP_TURN);
	WORLD;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 0);
	restore(w, &j);
	assert_int_equal(world_start(w, 2, OPERATION_EJECT), 8);
	engine_restore_last_id(w->e, 3);
	assert_int_equal(engine_last_id(w->e), 8);
}

CASE(what_cannot_be_is_refused)
{
	struct job j = eject_in(JOB_COMMITTING, STEP_REMOVE), other = j;
	WORLD;

	assert_int_equal(engine_restore_job(w->e, &j, w->now), -ENOENT);
	world_add_on(w, 1, 0);
	world_add_on(w, 2, 0);
	j.step = STEP_RESCAN;
	assert_int_equal(engine_restore_job(w->e, &j, w->now), -EINVAL);
	j.step = STEP_REMOVE;
	restore(w, &j);
	assert_int_equal(engine_restore_job(w->e, &j, w->now), -EEXIST);
	other.id = 8;
	other.slot = 2;
	assert_int_equal(engine_restore_job(w->e, &other, w->now), -EEXIST); /* a second commit */
	other = eject_in(JOB_DONE, STEP_NONE);
	other.id = 8;
	other.slot = 2;
	assert_int_equal(engine_restore_job(w->e, &other, w->now), -EINVAL);
}

/* Until its end was taken, an ended job can be found, to be written down. */
CASE(an_end_that_nobody_was_told_of_is_found)
{
	struct job j = eject_in(JOB_GRACE, STEP_WINDOW);
	struct action a;
	WORLD;

	world_add_on(w, 1, 0);
	restore(w, &j);
	assert_int_equal(engine_cancel(w->e, 7, NULL, w->now), 0);
	assert_null(engine_job(w->e, 7));
	assert_non_null(engine_untold_next(w->e, NULL));
	assert_int_equal(engine_untold_next(w->e, NULL)->id, 7);
	while (engine_next_action(w->e, &a))
		;
	assert_null(engine_untold_next(w->e, NULL));
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		claim(a_window_ends_when_it_would_have_ended),
		claim(the_second_press_still_cancels),
		claim(every_step_asks_its_question_again),
		claim(the_commit_under_way_keeps_others_waiting),
		claim(a_job_that_waits_gets_its_turn),
		claim(a_failed_insert_goes_on_being_undone),
		claim(power_is_not_switched_off_under_devices_that_are_there_by_now),
		claim(a_card_that_was_pulled_during_the_rescan_is_still_gone),
		claim(a_card_that_was_swapped_in_the_last_second_is_inserted),
		claim(a_card_that_came_while_held_is_brought_up_when_it_is_let_go),
		claim(who_waited_longer_goes_first),
		claim(numbers_go_on),
		claim(what_cannot_be_is_refused),
		claim(an_end_that_nobody_was_told_of_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
