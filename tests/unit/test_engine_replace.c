// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: a card is replaced by another one in one job. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

/* A replace of slot 1, which is on, as far as the wait for the new card. */
static uint32_t until_card(struct world *w)
{
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_CARD);
	return id;
}

static enum verdict presence(struct world *w, bool present)
{
	world_set(w, 1, present = present);
	return world_event(w, 1, SLOT_EVENT_PRESENCE);
}

CASE(one_job_takes_the_old_card_out_and_brings_the_new_one_up)
{
	WORLD;
	uint32_t id = until_card(w);

	assert_int_equal(w->count[ACTION_REMOVE], 1);
	assert_int_equal(w->count[ACTION_POWER_OFF], 1);
	assert_int_equal(w->count[ACTION_RESCAN], 0);
	world_change_card(w, 1);
	assert_int_equal(world_job(w, 1)->id, id);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_DONE);
	assert_int_equal(w->count[ACTION_POWER_ON], 1);
	assert_int_equal(w->count[ACTION_RESCAN], 1);
	assert_int_equal(w->count[ACTION_CHECK], 1);
	assert_int_equal(w->count[ACTION_JOB_NEW], 1);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
	assert_true(engine_idle(w->e));
}

CASE(the_slot_that_waits_shows_itself_and_waits_for_as_long_as_it_takes)
{
	WORLD;

	until_card(w);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_BLINK);
	assert_true(engine_next_deadline(w->e) == USEC_INFINITY);
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_step(world_job(w, 1)->step, STEP_CARD);
	assert_false(world_job(w, 1)->stalled);
}

CASE(other_slots_have_their_turns_meanwhile)
{
	WORLD;

	until_card(w);
	world_add_on(w, 2, 0);
	world_start(w, 2, OPERATION_EJECT);
	world_finish(w, 2);
	assert_step(world_job(w, 1)->step, STEP_CARD);
}

CASE(a_slot_that_is_off_waits_for_a_card_at_once)
{
	WORLD;
	uint32_t id;

	world_add_off(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_answer(w, 1, STEP_CHECK, 0);
	assert_step(world_job(w, 1)->step, STEP_CARD);
	assert_int_equal(w->count[ACTION_REMOVE], 0);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_DONE);
}

CASE(a_card_swapped_before_the_slot_was_off_is_taken)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	world_change_card(w, 1);
	world_answer(w, 1, STEP_POWER_OFF, 0);
	world_pass(w, USEC_PER_SEC);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
}

CASE(the_port_s_echo_of_its_power_is_no_new_card)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	assert_verdict(presence(w, true), VERDICT_JOINED);
	world_pass(w, USEC_PER_SEC);
	assert_step(world_job(w, 1)->step, STEP_CARD);
}

CASE(a_press_or_an_insert_says_that_the_card_in_the_slot_is_the_one)
{
	WORLD;
	uint32_t id = until_card(w), other;

	assert_verdict(world_press(w, 1), VERDICT_JOINED);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
	world_finish(w, 1);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_CARD);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, &other), 0);
	assert_int_equal(other, id);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
}

CASE(without_a_card_neither_press_nor_insert_goes_on)
{
	WORLD;

	until_card(w);
	presence(w, false);
	assert_verdict(world_press(w, 1), VERDICT_LATE);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), -EBUSY);
	assert_step(world_job(w, 1)->step, STEP_CARD);
}

CASE(a_second_replace_joins_and_does_not_take_the_old_card)
{
	WORLD;
	uint32_t id = until_card(w), other;

	assert_int_equal(world_request(w, 1, OPERATION_REPLACE, false, &other), 0);
	assert_int_equal(other, id);
	assert_step(world_job(w, 1)->step, STEP_CARD);
}

CASE(an_open_latch_is_waited_for)
{
	WORLD;

	until_card(w);
	world_set(w, 1, latch_open = true);
	world_event(w, 1, SLOT_EVENT_LATCH);
	world_change_card(w, 1);
	assert_step(world_job(w, 1)->step, STEP_CARD);
	world_set(w, 1, latch_open = false);
	assert_verdict(world_event(w, 1, SLOT_EVENT_LATCH), VERDICT_JOINED);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
}

CASE(cancelled_before_the_commit_nothing_is_done)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	assert_int_equal(world_cancel(w, id), 0);
	assert_state(world_ended(w, id), JOB_CANCELLED);
	assert_int_equal(w->count[ACTION_REMOVE], 0);
}

CASE(cancelled_after_the_old_card_is_out_it_has_failed_and_says_so)
{
	static const enum job_step steps[] = { STEP_POWER_OFF, STEP_OFF_WAIT, STEP_CARD, STEP_POWER_ON };
	WORLD;

	for (slot_handle_t slot = 1; slot <= 4; slot++) {
		uint32_t id;

		world_add_on(w, slot, 0);
		id = world_start(w, slot, OPERATION_REPLACE);
		world_go_on_to(w, slot, steps[slot - 1]);
		assert_int_equal(world_cancel(w, id), 0);
		while (engine_slot_job(w->e, slot)) {
			if (world_job(w, slot)->step == STEP_OFF_WAIT)
				world_pass(w, USEC_PER_SEC);
			else
				world_answer(w, slot, world_job(w, slot)->step, 0);
		}
		assert_state(world_ended(w, id), JOB_FAILED);
		assert_int_equal(w->jobs[id].error, ECANCELED);
		assert_reason(w, id, "the slot is off");
		assert_int_equal(w->count[ACTION_RESCAN], 0);
		assert_leds(w, slot, INDICATOR_OFF, INDICATOR_OFF);
	}
	assert_true(engine_idle(w->e));
}

CASE(in_its_commits_it_is_too_late_to_cancel)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_int_equal(world_cancel(w, id), -EALREADY);
	world_go_on_to(w, 1, STEP_RESCAN);
	assert_int_equal(world_cancel(w, id), -EALREADY);
}

CASE(a_card_that_does_not_come_up_is_powered_off_again)
{
	WORLD;
	uint32_t id = until_card(w);

	world_go_on_to(w, 1, STEP_POWER_ON);
	world_answer(w, 1, STEP_POWER_ON, EIO);
	assert_step(world_job(w, 1)->step, STEP_POWER_OFF);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_true(engine_idle(w->e)); /* and is not tried again */
}

CASE(a_protected_slot_is_not_replaced_without_force)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	world_set(w, 1, protect = true);
	id = world_start(w, 1, OPERATION_REPLACE);
	assert_state(world_ended(w, id), JOB_REFUSED);
	assert_int_equal(world_request(w, 1, OPERATION_REPLACE, true, NULL), 0);
	world_go_on_to(w, 1, STEP_CARD);
}

CASE(a_card_pulled_before_the_commit_is_a_surprise_as_ever)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	presence(w, false);
	assert_state(world_ended(w, id), JOB_CANCELLED);
	assert_int_equal(world_job(w, 1)->origin, ORIGIN_SURPRISE);
}

CASE(it_goes_with_the_slot_above)
{
	static const enum job_step steps[] = { STEP_TURN, STEP_POWER_OFF, STEP_CARD };
	WORLD;

	world_add_on(w, 9, 0);
	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		world_add_on(w, slot, 9);
		world_start(w, slot, OPERATION_REPLACE);
		if (slot != 1)
			world_go_on_to(w, slot, steps[slot - 1]);
	}
	world_start(w, 9, OPERATION_EJECT);
	world_go_on_to(w, 9, STEP_REMOVE);
	assert_state(world_ended(w, 1), JOB_GONE);
	assert_state(world_ended(w, 3), JOB_GONE);
	assert_leds(w, 3, INDICATOR_OFF, INDICATOR_OFF);
	world_answer(w, 2, STEP_POWER_OFF, 0);
	world_pass(w, USEC_PER_SEC);
	assert_state(world_ended(w, 2), JOB_GONE);
	world_finish(w, 9);
	assert_true(engine_idle(w->e));
}

CASE(slots_below_do_not_wait_for_people)
{
	WORLD;
	uint32_t id, busy;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 1);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	assert_int_equal(world_request(w, 2, OPERATION_EJECT, false, &busy), -EBUSY);
	assert_int_equal(busy, id);
	assert_verdict(world_press(w, 2), VERDICT_ANCESTOR);
	world_go_on_to(w, 1, STEP_CARD);
	world_start(w, 2, OPERATION_EJECT);
	world_finish(w, 2);
}

CASE(a_slot_that_goes_away_ends_it_as_gone)
{
	WORLD;
	uint32_t id = until_card(w);

	engine_slot_remove(w->e, 1, w->now);
	world_take_actions(w);
	assert_state(world_ended(w, id), JOB_GONE);
}

CASE(it_goes_on_after_a_restart_of_the_daemon)
{
	struct job as = { .id = 7, .slot = 1, .operation = OPERATION_REPLACE, .origin = ORIGIN_DBUS, .state = JOB_SETTLING,
			  .step = STEP_CARD, .step_deadline = USEC_INFINITY, .requested_by = (char *)"uid 0" };
	WORLD;

	world_add_off(w, 1, 0);
	w->jobs[7].told_new = 1;
	assert_int_equal(engine_restore_job(w->e, &as, w->now), 0);
	world_take_actions(w);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_BLINK);
	world_finish(w, 1);
	assert_state(world_ended(w, 7), JOB_DONE);

	world_add_off(w, 2, 0);
	as = (struct job){ .id = 8, .slot = 2, .operation = OPERATION_REPLACE, .origin = ORIGIN_DBUS, .inserting = true,
			   .state = JOB_COMMITTING, .step = STEP_RESCAN, .step_deadline = USEC_INFINITY,
			   .requested_by = (char *)"uid 0" };
	w->jobs[8].told_new = 1;
	assert_int_equal(engine_restore_job(w->e, &as, w->now), 0);
	world_take_actions(w);
	world_finish(w, 2);
	assert_state(world_ended(w, 8), JOB_DONE);
	as.id = 9;
	as.inserting = false; /* then it cannot be at its rescan */
	assert_int_equal(engine_restore_job(w->e, &as, w->now), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_job_takes_the_old_card_out_and_brings_the_new_one_up),
		TEST(the_slot_that_waits_shows_itself_and_waits_for_as_long_as_it_takes),
		TEST(other_slots_have_their_turns_meanwhile),
		TEST(a_slot_that_is_off_waits_for_a_card_at_once),
		TEST(a_card_swapped_before_the_slot_was_off_is_taken),
		TEST(the_port_s_echo_of_its_power_is_no_new_card),
		TEST(a_press_or_an_insert_says_that_the_card_in_the_slot_is_the_one),
		TEST(without_a_card_neither_press_nor_insert_goes_on),
		TEST(a_second_replace_joins_and_does_not_take_the_old_card),
		TEST(an_open_latch_is_waited_for),
		TEST(cancelled_before_the_commit_nothing_is_done),
		TEST(cancelled_after_the_old_card_is_out_it_has_failed_and_says_so),
		TEST(in_its_commits_it_is_too_late_to_cancel),
		TEST(a_card_that_does_not_come_up_is_powered_off_again),
		TEST(a_protected_slot_is_not_replaced_without_force),
		TEST(a_card_pulled_before_the_commit_is_a_surprise_as_ever),
		TEST(it_goes_with_the_slot_above),
		TEST(slots_below_do_not_wait_for_people),
		TEST(a_slot_that_goes_away_ends_it_as_gone),
		TEST(it_goes_on_after_a_restart_of_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
