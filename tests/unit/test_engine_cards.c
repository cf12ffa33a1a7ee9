// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: cards that come and go. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

static enum verdict pull(struct world *w, slot_handle_t slot)
{
	world_set(w, slot, present = false);
	return world_event(w, slot, SLOT_EVENT_PRESENCE);
}

static enum verdict plug(struct world *w, slot_handle_t slot)
{
	world_set(w, slot, present = true);
	return world_event(w, slot, SLOT_EVENT_PRESENCE);
}

static void assert_surprise(struct world *w, slot_handle_t slot)
{
	const struct job *j = world_job(w, slot);

	assert_int_equal(j->operation, OPERATION_EJECT);
	assert_int_equal(j->origin, ORIGIN_SURPRISE);
	assert_string_equal(j->requested_by, "surprise");
}

/* Another slot's eject holds the commit until its remove is answered. */
static void occupy_commit(struct world *w, slot_handle_t slot)
{
	world_add_on(w, slot, 0);
	world_start(w, slot, OPERATION_EJECT);
	world_go_on_to(w, slot, STEP_REMOVE);
}

/* --- card lost ---------------------------------------------------------------- */

CASE(pulled_card_is_removed_at_once)
{
	WORLD;

	world_add_on(w, 1, 0);
	assert_verdict(pull(w, 1), VERDICT_STARTED);
	assert_surprise(w, 1);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
	assert_int_equal(w->count[ACTION_CHECK], 0);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
	assert_true(engine_idle(w->e));
}

CASE(protection_does_not_keep_a_pulled_card)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, protect = true);
	assert_verdict(pull(w, 1), VERDICT_STARTED);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
}

CASE(pulled_card_goes_ahead_of_user_jobs)
{
	WORLD;

	occupy_commit(w, 1);
	world_add_on(w, 2, 0);
	world_add_on(w, 3, 0);
	world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 2, STEP_CHECK, 0);
	pull(w, 3);
	assert_step(world_job(w, 3)->step, STEP_TURN);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_step(world_job(w, 3)->step, STEP_REMOVE);
	assert_step(world_job(w, 2)->step, STEP_TURN);
}

CASE(pulled_card_cancels_what_users_planned)
{
	static const enum job_step steps[] = { STEP_WINDOW, STEP_CHECK, STEP_TURN };
	WORLD;

	occupy_commit(w, 9);
	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		uint32_t id;

		world_add_on(w, slot, 0);
		world_press(w, slot);
		world_go_on_to(w, slot, steps[slot - 1]);
		id = world_job(w, slot)->id;
		assert_verdict(pull(w, slot), VERDICT_STARTED);
		assert_state(world_ended(w, id), JOB_CANCELLED);
		assert_reason(w, id, "card was removed");
		assert_surprise(w, slot);
	}
}

CASE(committing_eject_covers_the_loss)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_verdict(pull(w, 1), VERDICT_JOINED);
	assert_int_equal(world_job(w, 1)->id, 1);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_true(engine_idle(w->e));
}

CASE(failed_eject_does_not_cover_the_loss)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	pull(w, 1);
	world_answer(w, 1, STEP_REMOVE, EIO);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_surprise(w, 1);
	world_answer(w, 1, STEP_REMOVE, EIO); /* and once is enough */
	assert_true(engine_idle(w->e));
}

CASE(surprise_eject_cannot_be_cancelled)
{
	WORLD;

	occupy_commit(w, 9);
	world_add_on(w, 1, 0);
	pull(w, 1);
	assert_int_equal(world_cancel(w, world_job(w, 1)->id), -EALREADY);
	assert_step(world_job(w, 1)->step, STEP_TURN);
}

CASE(request_joins_a_surprise_eject)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	pull(w, 1);
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, false, &id), 0);
	assert_int_equal(id, 1);
	assert_verdict(world_press(w, 1), VERDICT_LATE);
}

CASE(insert_in_its_window_ends_when_the_card_goes)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_press(w, 1);
	assert_verdict(pull(w, 1), VERDICT_CANCELLED);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
	assert_true(engine_idle(w->e));
}

CASE(insert_powering_on_is_undone_when_the_card_goes)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	assert_verdict(pull(w, 1), VERDICT_JOINED);
	world_answer(w, 1, STEP_POWER_ON, ENODEV);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_reason(w, 1, "card was removed");
	assert_int_equal(w->count[ACTION_RESCAN], 0);
	assert_true(engine_idle(w->e));
}

CASE(card_lost_in_an_insert_s_commit_is_removed_after_it)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_RESCAN);
	assert_verdict(pull(w, 1), VERDICT_JOINED);
	plug(w, 1); /* another card: the devices are the old one's */
	world_answer(w, 1, STEP_RESCAN, 0);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_surprise(w, 1);
	world_finish(w, 1);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(card_lost_while_drivers_bind_is_removed_at_once)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_CONFIRM);
	assert_verdict(pull(w, 1), VERDICT_STARTED);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_int_equal(w->jobs[1].error, ENODEV);
	assert_surprise(w, 1);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
}

CASE(pull_from_an_off_slot_does_nothing)
{
	WORLD;

	world_add_off(w, 1, 0);
	assert_verdict(pull(w, 1), VERDICT_NOTHING);
	assert_true(engine_idle(w->e));
}

/* --- card found ---------------------------------------------------------------- */

CASE(new_card_is_inserted_without_a_window)
{
	WORLD;

	world_add_off(w, 1, 0);
	pull(w, 1);
	assert_verdict(plug(w, 1), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	assert_int_equal(world_job(w, 1)->origin, ORIGIN_SURPRISE);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
	assert_verdict(world_press(w, 1), VERDICT_LATE);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_DONE);
}

CASE(insert_policy_decides_on_a_new_card)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, insert = INSERT_NOTIFY);
	assert_verdict(plug(w, 1), VERDICT_NOTIFY);
	world_set(w, 1, insert = INSERT_IGNORE);
	assert_verdict(plug(w, 1), VERDICT_IGNORED);
	world_set(w, 1, insert = INSERT_AUTO);
	world_set(w, 1, latch_open = true);
	assert_verdict(plug(w, 1), VERDICT_REFUSED);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(card_that_arrives_in_the_window_ends_it)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_press(w, 1);
	assert_verdict(plug(w, 1), VERDICT_JOINED);
	assert_step(world_job(w, 1)->step, STEP_CHECK);
	assert_int_equal(world_job(w, 1)->id, 1);
}

CASE(presence_of_a_card_in_use_means_nothing)
{
	WORLD;

	world_add_on(w, 1, 0);
	assert_verdict(plug(w, 1), VERDICT_NOTHING);
	assert_true(engine_idle(w->e));
}

CASE(card_swapped_during_an_eject_is_inserted_after_it)
{
	static const enum job_step steps[] = { STEP_REMOVE, STEP_POWER_OFF, STEP_OFF_WAIT };
	WORLD;

	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		world_add_on(w, slot, 0);
		world_start(w, slot, OPERATION_EJECT);
		world_go_on_to(w, slot, steps[slot - 1]);
		assert_verdict(pull(w, slot), VERDICT_JOINED);
		assert_verdict(plug(w, slot), VERDICT_JOINED);
		world_finish(w, slot);
		assert_int_equal(world_job(w, slot)->operation, OPERATION_INSERT);
		assert_int_equal(world_job(w, slot)->origin, ORIGIN_SURPRISE);
		world_finish(w, slot);
	}
	assert_true(engine_idle(w->e));
}

CASE(card_left_in_an_ejected_slot_stays_out)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	assert_verdict(plug(w, 1), VERDICT_JOINED); /* the port's echo of its power */
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
}

CASE(card_pulled_during_an_eject_ends_with_it)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	pull(w, 1);
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
}

CASE(card_swapped_during_a_surprise_eject_is_inserted_after_it)
{
	WORLD;

	world_add_on(w, 1, 0);
	pull(w, 1);
	assert_verdict(plug(w, 1), VERDICT_JOINED);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	world_finish(w, 1);
	assert_state(world_ended(w, 2), JOB_DONE);
	assert_true(engine_idle(w->e));
}

CASE(slot_that_cannot_be_powered_off_gets_no_new_card)
{
	WORLD;

	world_add_on(w, 1, 0);
	pull(w, 1);
	plug(w, 1);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	world_answer(w, 1, STEP_POWER_OFF, EIO);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_true(engine_idle(w->e));
}

CASE(swapped_card_obeys_the_insert_policy)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, insert = INSERT_NOTIFY);
	pull(w, 1);
	plug(w, 1);
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
}

CASE(failed_insert_is_not_tried_again_by_itself)
{
	WORLD;

	world_add_off(w, 1, 0);
	plug(w, 1);
	world_go_on_to(w, 1, STEP_POWER_ON);
	world_answer(w, 1, STEP_POWER_ON, EIO);
	assert_verdict(plug(w, 1), VERDICT_JOINED);
	world_finish(w, 1);
	assert_state(world_ended(w, 1), JOB_FAILED);
	assert_true(engine_idle(w->e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(pulled_card_is_removed_at_once),
		TEST(protection_does_not_keep_a_pulled_card),
		TEST(pulled_card_goes_ahead_of_user_jobs),
		TEST(pulled_card_cancels_what_users_planned),
		TEST(committing_eject_covers_the_loss),
		TEST(failed_eject_does_not_cover_the_loss),
		TEST(surprise_eject_cannot_be_cancelled),
		TEST(request_joins_a_surprise_eject),
		TEST(insert_in_its_window_ends_when_the_card_goes),
		TEST(insert_powering_on_is_undone_when_the_card_goes),
		TEST(card_lost_in_an_insert_s_commit_is_removed_after_it),
		TEST(card_lost_while_drivers_bind_is_removed_at_once),
		TEST(pull_from_an_off_slot_does_nothing),
		TEST(new_card_is_inserted_without_a_window),
		TEST(insert_policy_decides_on_a_new_card),
		TEST(card_that_arrives_in_the_window_ends_it),
		TEST(presence_of_a_card_in_use_means_nothing),
		TEST(card_swapped_during_an_eject_is_inserted_after_it),
		TEST(card_left_in_an_ejected_slot_stays_out),
		TEST(card_pulled_during_an_eject_ends_with_it),
		TEST(card_swapped_during_a_surprise_eject_is_inserted_after_it),
		TEST(slot_that_cannot_be_powered_off_gets_no_new_card),
		TEST(swapped_card_obeys_the_insert_policy),
		TEST(failed_insert_is_not_tried_again_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
