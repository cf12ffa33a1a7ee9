// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: button presses, requests, time, names. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

/* --- button ----------------------------------------------------------------- */

CASE(press_on_an_on_slot_opens_the_window)
{
	WORLD;
	const struct job *j;

	world_add_on(w, 1, 0);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	j = world_job(w, 1);
	assert_int_equal(j->operation, OPERATION_EJECT);
	assert_int_equal(j->origin, ORIGIN_BUTTON);
	assert_string_equal(j->requested_by, "button");
	assert_state(j->state, JOB_GRACE);
	assert_step(j->step, STEP_WINDOW);
	assert_int_equal(j->step_deadline, w->now + 5 * USEC_PER_SEC);
	assert_leds(w, 1, INDICATOR_BLINK, INDICATOR_OFF);
	assert_int_equal(w->count[ACTION_CHECK], 0);
}

CASE(press_ejects_after_the_window)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	world_pass(w, 5 * USEC_PER_SEC - 1);
	assert_step(world_job(w, 1)->step, STEP_WINDOW);
	world_pass(w, 1);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
	world_answer(w, 1, STEP_CHECK, 0);
	assert_state(world_job(w, 1)->state, JOB_COMMITTING);
	world_answer(w, 1, STEP_REMOVE, 0);
	world_answer(w, 1, STEP_POWER_OFF, 0);
	assert_leds(w, 1, INDICATOR_BLINK, INDICATOR_OFF);
	world_pass(w, USEC_PER_SEC);
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
	assert_true(engine_idle(w->e));
}

CASE(second_press_in_the_window_cancels)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	world_pass(w, 4 * USEC_PER_SEC);
	assert_verdict(world_press(w, 1), VERDICT_CANCELLED);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_reason(w, 1, "second time");
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
	assert_int_equal(w->count[ACTION_REMOVE], 0);
	assert_true(engine_idle(w->e));
}

CASE(second_press_on_an_off_slot_leaves_it_dark)
{
	WORLD;

	world_add_off(w, 1, 0);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	assert_verdict(world_press(w, 1), VERDICT_CANCELLED);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
	assert_int_equal(w->count[ACTION_POWER_ON], 0);
}

CASE(third_press_starts_anew)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	world_press(w, 1);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->id, 2);
}

CASE(press_past_the_window_is_late)
{
	static const enum job_step steps[] = { STEP_CHECK, STEP_REMOVE, STEP_POWER_OFF, STEP_OFF_WAIT };
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		world_go_on_to(w, 1, steps[i]);
		assert_verdict(world_press(w, 1), VERDICT_LATE);
		assert_step(world_job(w, 1)->step, steps[i]);
	}
}

CASE(window_of_zero_goes_straight_to_the_check)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, grace = 0);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
	assert_verdict(world_press(w, 1), VERDICT_LATE);
}

CASE(button_policy_decides_on_an_on_slot)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, button = BUTTON_NOTIFY);
	assert_verdict(world_press(w, 1), VERDICT_NOTIFY);
	world_set(w, 1, button = BUTTON_IGNORE);
	assert_verdict(world_press(w, 1), VERDICT_IGNORED);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(insert_policy_decides_on_an_off_slot)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, insert = INSERT_NOTIFY);
	assert_verdict(world_press(w, 1), VERDICT_NOTIFY);
	world_set(w, 1, insert = INSERT_IGNORE);
	assert_verdict(world_press(w, 1), VERDICT_IGNORED);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(press_on_an_empty_slot_does_nothing)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, present = false);
	assert_verdict(world_press(w, 1), VERDICT_NOTHING);
	assert_verdict(world_press(w, 7), VERDICT_NOTHING); /* no such slot */
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(press_with_an_open_latch_blinks_and_is_refused)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, latch_open = true);
	assert_verdict(world_press(w, 1), VERDICT_REFUSED);
	assert_int_equal(w->attention_led[1], INDICATOR_BLINK);
	assert_int_equal(engine_next_deadline(w->e), w->now + 5 * USEC_PER_SEC);
	world_pass(w, 5 * USEC_PER_SEC);
	assert_int_equal(w->attention_led[1], INDICATOR_OFF);
	assert_true(engine_idle(w->e));
}

CASE(kernel_handles_the_buttons_of_native_slots)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, native = true);
	for (enum slot_event event = 0; event < _SLOT_EVENT_MAX; event++)
		assert_verdict(world_event(w, 1, event), VERDICT_IGNORED);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(refused_press_blinks_and_the_slot_stays_on)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	world_pass(w, 5 * USEC_PER_SEC);
	world_answer_why(w, 1, STEP_CHECK, EACCES, "/srv is mounted from nvme0n1p1.");
	assert_state(world_ended(w, 1), JOB_REFUSED);
	assert_string_equal(w->jobs[1].reason, "/srv is mounted from nvme0n1p1.");
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_BLINK);
	world_pass(w, 5 * USEC_PER_SEC);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
	assert_int_equal(w->count[ACTION_REMOVE], 0);
}

CASE(attention_of_a_new_press_outlives_an_old_blink)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, grace = 0);
	world_press(w, 1);
	world_answer(w, 1, STEP_CHECK, EACCES);
	world_press(w, 1);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 1, STEP_REMOVE, EIO);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_ON);
	world_pass(w, 5 * USEC_PER_SEC);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_ON);
}

/* --- requests --------------------------------------------------------------- */

CASE(request_has_no_window)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
	assert_string_equal(world_job(w, 1)->requested_by, "uid 1000");
}

CASE(request_ends_the_window_of_the_same_eject)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, false, &id), 0);
	assert_int_equal(id, 1);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
}

CASE(repeated_request_joins)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	for (enum job_step step = STEP_CHECK; step < STEP_CONFIRM; step++) {
		if (step == STEP_POWER_ON || step == STEP_UNBIND || step == STEP_TURN || step == STEP_RESCAN)
			continue;
		world_go_on_to(w, 1, step);
		assert_int_equal(world_request(w, 1, OPERATION_EJECT, false, &id), 0);
		assert_int_equal(id, 1);
		assert_step(world_job(w, 1)->step, step);
	}
	assert_int_equal(w->count[ACTION_JOB_NEW], 1);
}

CASE(joining_with_force_forces_the_check)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, protect = true);
	world_press(w, 1);
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, true, NULL), 0);
	assert_true(world_job(w, 1)->force);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
}

CASE(other_operation_is_busy)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, &id), -EBUSY);
	assert_int_equal(id, 1);
	assert_int_equal(world_request(w, 1, OPERATION_RESCAN, false, &id), -EBUSY);
	assert_int_equal(id, 1);
}

CASE(nothing_to_do_is_not_an_error)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_add_off(w, 2, 0);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), 1);
	assert_int_equal(world_request(w, 2, OPERATION_EJECT, false, NULL), 1);
	assert_int_equal(world_request(w, 2, OPERATION_RESCAN, false, NULL), 1);
	world_set(w, 1, native = true);
	world_set(w, 1, power = false);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), 1);
}

CASE(impossible_requests_are_told_apart)
{
	WORLD;

	world_add_off(w, 1, 0);
	assert_int_equal(world_request(w, 9, OPERATION_EJECT, false, NULL), -ENOENT);
	world_set(w, 1, native = true);
	assert_int_equal(world_request(w, 1, OPERATION_REPLACE, false, NULL), -EOPNOTSUPP);
	world_set(w, 1, native = false);
	world_set(w, 1, latch_open = true);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), -EPERM);
	world_set(w, 1, present = false);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), -ENOMEDIUM);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(protected_slot_refuses_without_force)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, protect = true);
	world_start(w, 1, OPERATION_EJECT);
	assert_state(world_ended(w, 1), JOB_REFUSED);
	assert_reason(w, 1, "protected by policy (HOTPLUGD_PROTECT)");
	assert_int_equal(w->jobs[1].error, EPERM);
	assert_int_equal(w->count[ACTION_CHECK], 0);
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, true, NULL), 0);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
}

CASE(protected_slot_refuses_a_press_with_a_blink)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, protect = true);
	world_press(w, 1);
	world_pass(w, 5 * USEC_PER_SEC);
	assert_state(world_ended(w, 1), JOB_REFUSED);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_BLINK);
}

/* --- time ------------------------------------------------------------------------ */

CASE(step_past_its_deadline_is_stalled_and_goes_on)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_int_equal(engine_next_deadline(w->e), w->now + 30 * USEC_PER_SEC);
	world_pass(w, 30 * USEC_PER_SEC);
	assert_true(world_job(w, 1)->stalled);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
	assert_int_equal(engine_next_deadline(w->e), USEC_INFINITY);
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_int_equal(w->count[ACTION_POWER_OFF], 0);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_false(world_job(w, 1)->stalled);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_DONE);
}

CASE(stall_is_told_once)
{
	WORLD;
	unsigned int before;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	before = w->count[ACTION_JOB_CHANGED];
	world_pass(w, 10 * USEC_PER_SEC);
	world_pass(w, 10 * USEC_PER_SEC);
	assert_int_equal(w->count[ACTION_JOB_CHANGED], before + 1);
}

CASE(slot_protected_while_its_job_waits_is_refused_and_the_next_goes_on)
{
	WORLD;

	for (slot_handle_t s = 1; s <= 3; s++)
		world_add_on(w, s, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	for (slot_handle_t s = 2; s <= 3; s++) {
		world_start(w, s, OPERATION_EJECT);
		world_answer(w, s, STEP_CHECK, 0);
	}
	world_set(w, 2, protect = true);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_state(world_ended(w, 2), JOB_REFUSED);
	assert_int_equal(w->jobs[2].error, EPERM);
	assert_step(world_job(w, 3)->step, STEP_REMOVE);
}

CASE(waiting_for_the_turn_never_stalls)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 2, STEP_CHECK, 0);
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_true(world_job(w, 1)->stalled);
	assert_false(world_job(w, 2)->stalled);
}

CASE(ended_job_stays_readable_until_the_next_action)
{
	WORLD;
	const struct job *j;
	struct action a;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	j = world_job(w, 1);
	assert_int_equal(engine_cancel(w->e, 1, "Because.", w->now), 0);
	assert_null(engine_job(w->e, 1));
	assert_ptr_equal(engine_job_to_tell(w->e, 1), j);
	while (engine_next_action(w->e, &a) && a.type != ACTION_JOB_ENDED)
		;
	assert_ptr_equal(a.job, j);
	assert_null(engine_job_to_tell(w->e, 1));
	assert_string_equal(j->reason, "Because.");
	assert_null(engine_job_next(w->e, j));
	assert_false(engine_next_action(w->e, &a));
	assert_true(engine_idle(w->e));
}

CASE(question_of_a_cancelled_job_is_not_asked)
{
	const struct request r = { .operation = OPERATION_EJECT, .origin = ORIGIN_DBUS, .requested_by = "uid 0" };
	const struct job *j;
	WORLD;

	world_add_on(w, 1, 0);
	assert_int_equal(engine_request(w->e, 1, &r, w->now, &j), 0);
	assert_int_equal(engine_step_done(w->e, 1, STEP_CHECK, 0, NULL, w->now), -ESTALE); /* not asked yet */
	assert_int_equal(engine_cancel(w->e, j->id, NULL, w->now), 0);
	world_take_actions(w);
	assert_int_equal(w->count[ACTION_CHECK], 0);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
}

CASE(names_go_both_ways)
{
	for (int i = 0; i < _OPERATION_MAX; i++)
		assert_int_equal(operation_from_string(operation_to_string(i)), i);
	for (int i = 0; i < _ORIGIN_MAX; i++)
		assert_int_equal(origin_from_string(origin_to_string(i)), i);
	for (int i = 0; i < _JOB_STATE_MAX; i++)
		assert_int_equal(job_state_from_string(job_state_to_string(i)), i);
	for (int i = 0; i < _BUTTON_POLICY_MAX; i++)
		assert_int_equal(button_policy_from_string(button_policy_to_string(i)), i);
	for (int i = 0; i < _INSERT_POLICY_MAX; i++)
		assert_int_equal(insert_policy_from_string(insert_policy_to_string(i)), i);
	for (int i = 0; i < _STEP_MAX; i++)
		assert_non_null(job_step_to_string(i));
	for (int i = 0; i < _VERDICT_MAX; i++)
		assert_non_null(verdict_to_string(i));
	assert_int_equal(operation_from_string("explode"), _OPERATION_INVALID);
	assert_int_equal(operation_from_string(NULL), _OPERATION_INVALID);
	assert_null(job_state_to_string(_JOB_STATE_MAX));
	assert_null(job_state_to_string(_JOB_STATE_INVALID));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(press_on_an_on_slot_opens_the_window),
		TEST(press_ejects_after_the_window),
		TEST(second_press_in_the_window_cancels),
		TEST(second_press_on_an_off_slot_leaves_it_dark),
		TEST(third_press_starts_anew),
		TEST(press_past_the_window_is_late),
		TEST(window_of_zero_goes_straight_to_the_check),
		TEST(button_policy_decides_on_an_on_slot),
		TEST(insert_policy_decides_on_an_off_slot),
		TEST(press_on_an_empty_slot_does_nothing),
		TEST(press_with_an_open_latch_blinks_and_is_refused),
		TEST(kernel_handles_the_buttons_of_native_slots),
		TEST(refused_press_blinks_and_the_slot_stays_on),
		TEST(attention_of_a_new_press_outlives_an_old_blink),
		TEST(request_has_no_window),
		TEST(request_ends_the_window_of_the_same_eject),
		TEST(repeated_request_joins),
		TEST(joining_with_force_forces_the_check),
		TEST(other_operation_is_busy),
		TEST(nothing_to_do_is_not_an_error),
		TEST(impossible_requests_are_told_apart),
		TEST(protected_slot_refuses_without_force),
		TEST(protected_slot_refuses_a_press_with_a_blink),
		TEST(step_past_its_deadline_is_stalled_and_goes_on),
		TEST(stall_is_told_once),
		TEST(slot_protected_while_its_job_waits_is_refused_and_the_next_goes_on),
		TEST(waiting_for_the_turn_never_stalls),
		TEST(ended_job_stays_readable_until_the_next_action),
		TEST(question_of_a_cancelled_job_is_not_asked),
		TEST(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
