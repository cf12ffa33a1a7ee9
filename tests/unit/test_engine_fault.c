// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: the latch, power faults, and cards whose link does not hold. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

static enum verdict latch(struct world *w, slot_handle_t slot, bool open)
{
	world_set(w, slot, latch_open = open);
	return world_event(w, slot, SLOT_EVENT_LATCH);
}

static enum verdict fault(struct world *w, slot_handle_t slot)
{
	world_set(w, slot, fault = true);
	return world_event(w, slot, SLOT_EVENT_POWER_FAULT);
}

static void assert_surprise(struct world *w, slot_handle_t slot)
{
	assert_int_equal(world_job(w, slot)->operation, OPERATION_EJECT);
	assert_int_equal(world_job(w, slot)->origin, ORIGIN_SURPRISE);
}

/* Another slot's eject holds the commit until its remove is answered. */
static void occupy_commit(struct world *w)
{
	world_add_on(w, 9, 0);
	world_start(w, 9, OPERATION_EJECT);
	world_go_on_to(w, 9, STEP_REMOVE);
}

/* --- latch ----------------------------------------------------------------------- */

CASE(open_latch_ends_the_window_of_an_insert)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_press(w, 1);
	assert_verdict(latch(w, 1, true), VERDICT_CANCELLED);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_reason(w, 1, "latch");
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
}

CASE(no_card_comes_up_under_an_open_latch)
{
	static const enum job_step steps[] = { STEP_CHECK, STEP_POWER_ON, STEP_TURN };
	WORLD;

	occupy_commit(w);
	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		uint32_t id;

		world_add_off(w, slot, 0);
		id = world_start(w, slot, OPERATION_INSERT);
		world_go_on_to(w, slot, steps[slot - 1]);
		latch(w, slot, true);
		if (engine_job(w->e, id))
			world_finish(w, slot);
		assert_state(world_ended(w, id), JOB_CANCELLED);
		assert_reason(w, id, "latch");
		assert_false(engine_slot(w->e, slot)->power);
		assert_true(w->power_led[slot] <= INDICATOR_OFF && w->attention_led[slot] <= INDICATOR_OFF);
	}
	assert_int_equal(w->count[ACTION_RESCAN], 0);
}

CASE(latch_closed_while_its_opening_is_undone_is_a_new_card)
{
	WORLD;
	uint32_t id;

	world_add_off(w, 1, 0);
	id = world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	latch(w, 1, true);
	latch(w, 1, false);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_CANCELLED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	assert_int_equal(world_job(w, 1)->origin, ORIGIN_SURPRISE);
	world_finish(w, 1);
	assert_true(engine_slot(w->e, 1)->occupied);
}

CASE(new_card_of_a_replace_does_not_come_up_under_an_open_latch)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_CARD);
	world_change_card(w, 1);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
	latch(w, 1, true);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_int_equal(w->count[ACTION_RESCAN], 0);
}

CASE(latch_opened_on_a_live_slot_is_told_and_removes_nothing)
{
	WORLD;

	world_add_on(w, 1, 0);
	assert_verdict(latch(w, 1, true), VERDICT_NOTIFY);
	assert_int_equal(w->attention_led[1], INDICATOR_ON);
	assert_idle_slot(w, 1);
	assert_verdict(latch(w, 1, false), VERDICT_NOTHING);
	assert_int_equal(w->attention_led[1], INDICATOR_OFF);
	assert_true(engine_idle(w->e));
}

CASE(latch_does_not_stop_an_eject)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	assert_verdict(latch(w, 1, true), VERDICT_NOTIFY);
	assert_state(world_job(w, 1)->state, JOB_GRACE);
	assert_leds(w, 1, INDICATOR_BLINK, INDICATOR_OFF);
}

CASE(latch_that_cuts_the_power_is_a_surprise)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, power = false);
	assert_verdict(latch(w, 1, true), VERDICT_STARTED);
	assert_surprise(w, 1);

	world_add_on(w, 2, 0);
	world_press(w, 2);
	world_set(w, 2, power = false);
	assert_verdict(latch(w, 2, true), VERDICT_STARTED);
	assert_state(world_ended(w, 2), JOB_CANCELLED);
	assert_reason(w, 2, "latch");
	assert_surprise(w, 2);
}

CASE(card_behind_a_latch_comes_up_when_it_is_closed)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, latch_open = true);
	assert_verdict(world_event(w, 1, SLOT_EVENT_PRESENCE), VERDICT_REFUSED);
	assert_verdict(latch(w, 1, false), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(policy_says_what_becomes_of_a_card_behind_a_latch)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, insert = INSERT_NOTIFY);
	latch(w, 1, true);
	assert_verdict(latch(w, 1, false), VERDICT_NOTIFY);
	world_set(w, 1, present = false);
	latch(w, 1, true);
	assert_verdict(latch(w, 1, false), VERDICT_NOTHING);
}

CASE(latch_closed_on_a_held_slot_counts_when_it_is_let_go)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, hold = true);
	latch(w, 1, true);
	assert_verdict(latch(w, 1, false), VERDICT_IGNORED);
	assert_idle_slot(w, 1);
	world_set(w, 1, hold = false);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(replace_takes_the_card_that_came_while_held)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_CARD);
	world_set(w, 1, hold = true);
	world_change_card(w, 1);
	assert_step(world_job(w, 1)->step, STEP_CARD);
	world_set(w, 1, hold = false);
	assert_step(world_job(w, 1)->step, STEP_POWER_ON);
}

/* --- power fault -------------------------------------------------------------------- */

CASE(power_fault_removes_what_has_lost_its_power)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	assert_verdict(fault(w, 1), VERDICT_STARTED);
	assert_surprise(w, 1);
	assert_int_equal(w->attention_led[1], INDICATOR_ON);
	id = world_job(w, 1)->id;
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_reason(w, id, "power fault");
	assert_int_equal(w->count[ACTION_POWER_OFF], 1);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_true(engine_idle(w->e)); /* and the card stays off */
}

CASE(another_card_comes_up_after_a_power_fault)
{
	WORLD;

	world_add_on(w, 1, 0);
	fault(w, 1);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	world_change_card(w, 1);
	world_go_on(w, 1);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	world_finish(w, 1);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
}

CASE(power_fault_is_shown_until_the_card_is_up_again)
{
	WORLD;

	world_add_on(w, 1, 0);
	fault(w, 1);
	world_finish(w, 1);
	world_press(w, 1);
	assert_leds(w, 1, INDICATOR_BLINK, INDICATOR_ON);
	world_press(w, 1);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	assert_leds(w, 1, INDICATOR_BLINK, INDICATOR_ON);
	world_finish(w, 1);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
}

CASE(link_that_goes_with_the_power_does_not_wipe_the_fault)
{
	WORLD;

	world_add_on(w, 1, 0);
	fault(w, 1);
	world_set(w, 1, link = false);
	world_event(w, 1, SLOT_EVENT_LINK);
	world_finish(w, 1);
	world_pass(w, USEC_PER_SEC);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_true(engine_idle(w->e));
}

CASE(power_fault_cancels_what_was_planned)
{
	static const enum job_step steps[] = { STEP_WINDOW, STEP_CHECK, STEP_TURN };
	WORLD;

	occupy_commit(w);
	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		uint32_t id;

		world_add_on(w, slot, 0);
		world_press(w, slot);
		world_go_on_to(w, slot, steps[slot - 1]);
		id = world_job(w, slot)->id;
		assert_verdict(fault(w, slot), VERDICT_STARTED);
		assert_state(world_ended(w, id), JOB_CANCELLED);
		assert_reason(w, id, "power fault");
		assert_surprise(w, slot);
	}
}

CASE(eject_that_commits_covers_the_fault)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_verdict(fault(w, 1), VERDICT_JOINED);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_DONE);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_true(engine_idle(w->e));
}

CASE(insert_whose_power_fails_is_undone)
{
	static const enum job_step steps[] = { STEP_TURN, STEP_RESCAN, STEP_CONFIRM };
	WORLD;

	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		uint32_t id;

		if (slot == 1)
			occupy_commit(w);
		world_add_off(w, slot, 0);
		id = world_start(w, slot, OPERATION_INSERT);
		world_go_on_to(w, slot, steps[slot - 1]);
		fault(w, slot);
		if (engine_job(w->e, id))
			world_go_on_to(w, slot, slot == 1 ? STEP_POWER_OFF : STEP_RESCAN);
		if (slot == 1)
			world_finish(w, 9);
		while (engine_slot_job(w->e, slot))
			world_finish(w, slot);
		assert_state(world_ended(w, id), JOB_FAILED);
		assert_int_equal(w->jobs[id].error, EIO);
		assert_false(engine_slot(w->e, slot)->occupied || engine_slot(w->e, slot)->power);
		assert_leds(w, slot, INDICATOR_OFF, INDICATOR_ON);
	}
}

CASE(power_that_came_on_with_a_fault_is_off_again)
{
	WORLD;
	uint32_t id;

	world_add_off(w, 1, 0);
	id = world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	assert_verdict(fault(w, 1), VERDICT_NOTHING);
	assert_leds(w, 1, INDICATOR_BLINK, INDICATOR_OFF);
	world_answer_only(w, world_job(w, 1), 0, NULL);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_int_equal(w->count[ACTION_RESCAN], 0);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
}

CASE(fault_on_a_held_slot_counts_when_it_is_let_go)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, hold = true);
	assert_verdict(fault(w, 1), VERDICT_IGNORED);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_idle_slot(w, 1);
	world_set(w, 1, hold = false);
	assert_surprise(w, 1);
}

/* A remove that fails is not tried again and again. */
CASE(fault_is_dealt_with_once)
{
	WORLD;

	world_add_on(w, 1, 0);
	fault(w, 1);
	world_answer(w, 1, STEP_REMOVE, EIO);
	assert_true(engine_idle(w->e));
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
}

/* --- a link that does not hold ----------------------------------------------------- */

/* The link goes, the devices are removed; the card stays in. Returns the job. */
static uint32_t lose_link(struct world *w)
{
	uint32_t id;

	world_set(w, 1, link = false);
	world_event(w, 1, SLOT_EVENT_LINK);
	world_pass(w, USEC_PER_SEC);
	assert_surprise(w, 1);
	id = world_job(w, 1)->id;
	while (engine_job(w->e, id))
		world_go_on(w, 1);
	return id;
}

static void come_up(struct world *w)
{
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	world_set(w, 1, link = true);
	world_finish(w, 1);
}

static uint32_t give_up(struct world *w)
{
	world_add_on(w, 1, 0);
	for (int turn = 0; turn < 3; turn++) {
		lose_link(w);
		come_up(w);
	}
	return lose_link(w);
}

CASE(card_whose_link_is_lost_again_and_again_stays_off)
{
	WORLD;
	uint32_t id = give_up(w);

	assert_state(world_ended(w, id), JOB_DONE);
	assert_reason(w, id, "again and again");
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_ON);
	assert_verdict(world_event(w, 1, SLOT_EVENT_PRESENCE), VERDICT_REFUSED);
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_true(engine_idle(w->e));
}

CASE(people_can_bring_it_up_again)
{
	WORLD;

	give_up(w);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	world_go_on_to(w, 1, STEP_POWER_ON);
	come_up(w);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_OFF);
	lose_link(w);
	come_up(w);
	world_start(w, 1, OPERATION_EJECT);
}

CASE(command_brings_it_up_again)
{
	WORLD;

	give_up(w);
	world_start(w, 1, OPERATION_INSERT);
	come_up(w);
	lose_link(w);
	come_up(w);
}

CASE(card_that_was_out_comes_up_again)
{
	WORLD;

	give_up(w);
	world_change_card(w, 1);
	come_up(w);
}

CASE(link_that_is_lost_now_and_then_is_no_reason_to_give_up)
{
	WORLD;

	world_add_on(w, 1, 0);
	for (int turn = 0; turn < 9; turn++) {
		lose_link(w);
		come_up(w);
		world_pass(w, 30 * USEC_PER_SEC);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(open_latch_ends_the_window_of_an_insert),
		TEST(no_card_comes_up_under_an_open_latch),
		TEST(latch_closed_while_its_opening_is_undone_is_a_new_card),
		TEST(new_card_of_a_replace_does_not_come_up_under_an_open_latch),
		TEST(latch_opened_on_a_live_slot_is_told_and_removes_nothing),
		TEST(latch_does_not_stop_an_eject),
		TEST(latch_that_cuts_the_power_is_a_surprise),
		TEST(card_behind_a_latch_comes_up_when_it_is_closed),
		TEST(policy_says_what_becomes_of_a_card_behind_a_latch),
		TEST(latch_closed_on_a_held_slot_counts_when_it_is_let_go),
		TEST(replace_takes_the_card_that_came_while_held),
		TEST(power_fault_removes_what_has_lost_its_power),
		TEST(another_card_comes_up_after_a_power_fault),
		TEST(power_fault_is_shown_until_the_card_is_up_again),
		TEST(link_that_goes_with_the_power_does_not_wipe_the_fault),
		TEST(power_fault_cancels_what_was_planned),
		TEST(eject_that_commits_covers_the_fault),
		TEST(insert_whose_power_fails_is_undone),
		TEST(power_that_came_on_with_a_fault_is_off_again),
		TEST(fault_on_a_held_slot_counts_when_it_is_let_go),
		TEST(fault_is_dealt_with_once),
		TEST(card_whose_link_is_lost_again_and_again_stays_off),
		TEST(people_can_bring_it_up_again),
		TEST(command_brings_it_up_again),
		TEST(card_that_was_out_comes_up_again),
		TEST(link_that_is_lost_now_and_then_is_no_reason_to_give_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
