// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: what the steps of a job do, how they fail, cancelling. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

/* --- steps ------------------------------------------------------------------- */

CASE(insert_powers_on_rescans_and_confirms)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_answer(w, 1, STEP_CHECK, 0);
	assert_state(world_job(w, 1)->state, JOB_QUIESCING);
	assert_int_equal(w->power_led[1], INDICATOR_BLINK);
	world_answer(w, 1, STEP_POWER_ON, 0);
	assert_true(engine_slot(w->e, 1)->power);
	assert_state(world_job(w, 1)->state, JOB_COMMITTING);
	world_answer(w, 1, STEP_RESCAN, 0);
	assert_state(world_job(w, 1)->state, JOB_SETTLING);
	world_answer_why(w, 1, STEP_CONFIRM, 0, "No driver took 0000:02:00.0.");
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_reason(w, 1, "No driver");
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
}

CASE(native_slots_have_no_power_steps_and_no_leds)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_add_off(w, 2, 0);
	world_set(w, 1, native = true);
	world_set(w, 2, native = true);
	world_start(w, 1, OPERATION_EJECT);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_state(world_ended(w, 1), JOB_DONE);
	world_start(w, 2, OPERATION_INSERT);
	world_answer(w, 2, STEP_CHECK, 0);
	world_answer(w, 2, STEP_RESCAN, 0);
	world_answer(w, 2, STEP_CONFIRM, 0);
	assert_state(world_ended(w, 2), JOB_DONE);
	assert_int_equal(w->count[ACTION_POWER_ON] + w->count[ACTION_POWER_OFF], 0);
	assert_int_equal(w->count[ACTION_INDICATORS], 0);
}

CASE(failed_insert_of_a_native_slot_just_fails)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, native = true);
	world_start(w, 1, OPERATION_INSERT);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 1, STEP_RESCAN, EIO);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_int_equal(w->count[ACTION_POWER_OFF], 0);
}

CASE(powered_slot_without_devices_is_ejected_by_a_cheap_commit)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, occupied = false);
	world_start(w, 1, OPERATION_EJECT);
	world_finish(w, 1);
	assert_int_equal(w->count[ACTION_REMOVE], 1);
	assert_int_equal(w->count[ACTION_POWER_OFF], 1);
	assert_state(world_ended(w, 1), JOB_DONE);
}

CASE(rescan_commits_without_power_or_leds)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_RESCAN);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 1, STEP_RESCAN, 0);
	world_answer(w, 1, STEP_CONFIRM, 0);
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_int_equal(w->count[ACTION_INDICATORS], 0);
}

CASE(failed_rescan_leaves_the_slot_on)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_RESCAN);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 1, STEP_RESCAN, EIO);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_int_equal(w->count[ACTION_POWER_OFF], 0);
}

CASE(failed_check_fails_and_touches_nothing)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_answer(w, 1, STEP_CHECK, EIO);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_int_equal(w->jobs[1].error, EIO);
	assert_reason(w, 1, "nothing was touched");
	assert_int_equal(w->count[ACTION_INDICATORS], 0);
}

CASE(failed_remove_leaves_power_on)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 1, STEP_REMOVE, EBUSY);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_reason(w, 1, "do not pull the card");
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_ON);
	assert_int_equal(w->count[ACTION_POWER_OFF], 0);
}

CASE(failed_power_off_is_a_failure)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	world_answer(w, 1, STEP_POWER_OFF, ETIMEDOUT);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_int_equal(w->attention_led[1], INDICATOR_ON);
}

CASE(failed_power_on_powers_off_again)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer_why(w, 1, STEP_POWER_ON, ETIMEDOUT, "The link did not train.");
	assert_true(world_job(w, 1)->undo);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), -EBUSY);
	world_answer(w, 1, STEP_POWER_OFF, 0);
	world_pass(w, USEC_PER_SEC);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_string_equal(w->jobs[1].reason, "The link did not train.");
	assert_int_equal(w->jobs[1].error, ETIMEDOUT);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_int_equal(w->count[ACTION_RESCAN], 0);
}

CASE(failed_rescan_of_an_insert_powers_off_again)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_RESCAN);
	world_answer(w, 1, STEP_RESCAN, ENOSPC);
	world_answer(w, 1, STEP_POWER_OFF, EIO); /* the first error explains it */
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_int_equal(w->jobs[1].error, ENOSPC);
	assert_int_equal(w->attention_led[1], INDICATOR_ON);
}

CASE(answer_to_another_step_is_stale)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	assert_int_equal(engine_step_done(w->e, 1, STEP_REMOVE, 0, NULL, w->now), -ESTALE);
	assert_int_equal(engine_step_done(w->e, 2, STEP_CHECK, 0, NULL, w->now), -ESTALE);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	assert_int_equal(engine_step_done(w->e, 1, STEP_OFF_WAIT, 0, NULL, w->now), -ESTALE);
	assert_state(world_job(w, 1)->state, JOB_SETTLING);
}

/* --- cancelling ---------------------------------------------------------------- */

CASE(cancel_in_the_check_commits_nothing)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	assert_int_equal(world_cancel(w, 1), 0);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_reason(w, 1, "Cancelled by the test.");
	assert_int_equal(engine_step_done(w->e, 1, STEP_CHECK, 0, NULL, w->now), -ESTALE);
	assert_int_equal(world_cancel(w, 1), -ENOENT);
	assert_int_equal(w->count[ACTION_REMOVE], 0);
}

CASE(cancel_of_a_waiting_eject_lights_the_led_again)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 1, STEP_CHECK, 0);
	world_answer(w, 2, STEP_CHECK, 0);
	assert_step(world_job(w, 2)->step, STEP_TURN);
	assert_int_equal(w->power_led[2], INDICATOR_BLINK);
	assert_int_equal(world_cancel(w, 2), 0);
	assert_state(world_ended(w, 2), JOB_CANCELLED);
	assert_leds(w, 2, INDICATOR_ON, INDICATOR_OFF);
	world_finish(w, 1);
	assert_int_equal(w->count[ACTION_REMOVE], 1);
}

CASE(cancel_during_power_on_waits_and_powers_off)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_answer(w, 1, STEP_CHECK, 0);
	assert_int_equal(world_cancel(w, 1), 0);
	assert_int_equal(world_cancel(w, 1), 0);
	assert_true(world_job(w, 1)->cancel_requested);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
	world_answer(w, 1, STEP_POWER_ON, 0);
	assert_true(world_job(w, 1)->undo);
	assert_int_equal(world_cancel(w, 1), 0);
	world_answer(w, 1, STEP_POWER_OFF, 0);
	world_pass(w, USEC_PER_SEC);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
	assert_int_equal(w->count[ACTION_RESCAN], 0);
}

CASE(cancel_of_a_waiting_insert_powers_off)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_add_off(w, 2, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	world_start(w, 2, OPERATION_INSERT);
	world_go_on_to(w, 2, STEP_TURN);
	assert_int_equal(world_cancel(w, 2), 0);
	world_finish(w, 2);
	assert_state(world_ended(w, 2), JOB_CANCELLED);
	assert_int_equal(w->count[ACTION_RESCAN], 0);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
}

CASE(cancelled_insert_that_stays_powered_has_failed)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	world_cancel(w, 1);
	world_answer(w, 1, STEP_POWER_ON, 0);
	world_answer(w, 1, STEP_POWER_OFF, EIO);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_reason(w, 1, "could not be powered off");
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_ON);
}

CASE(cancel_past_the_commit_is_too_late)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_int_equal(world_cancel(w, 1), -EALREADY);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	assert_int_equal(world_cancel(w, 1), -EALREADY);
	assert_int_equal(world_cancel(w, 77), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(insert_powers_on_rescans_and_confirms),
		TEST(native_slots_have_no_power_steps_and_no_leds),
		TEST(failed_insert_of_a_native_slot_just_fails),
		TEST(powered_slot_without_devices_is_ejected_by_a_cheap_commit),
		TEST(rescan_commits_without_power_or_leds),
		TEST(failed_rescan_leaves_the_slot_on),
		TEST(failed_check_fails_and_touches_nothing),
		TEST(failed_remove_leaves_power_on),
		TEST(failed_power_off_is_a_failure),
		TEST(failed_power_on_powers_off_again),
		TEST(failed_rescan_of_an_insert_powers_off_again),
		TEST(answer_to_another_step_is_stale),
		TEST(cancel_in_the_check_commits_nothing),
		TEST(cancel_of_a_waiting_eject_lights_the_led_again),
		TEST(cancel_during_power_on_waits_and_powers_off),
		TEST(cancel_of_a_waiting_insert_powers_off),
		TEST(cancelled_insert_that_stays_powered_has_failed),
		TEST(cancel_past_the_commit_is_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
