// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: links that come and go, latch, power fault. */
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

static enum verdict pull(struct world *w, slot_handle_t slot)
{
	world_set(w, slot, present = false);
	return world_event(w, slot, SLOT_EVENT_PRESENCE);
}

static enum verdict link_to(struct world *w, slot_handle_t slot, bool up)
{
	world_set(w, slot, link = up);
	return world_event(w, slot, SLOT_EVENT_LINK);
}

static void assert_surprise(struct world *w, slot_handle_t slot)
{
	const struct job *j = world_job(w, slot);

	assert_int_equal(j->operation, OPERATION_EJECT);
	assert_int_equal(j->origin, ORIGIN_SURPRISE);
	assert_string_equal(j->requested_by, "surprise");
}

/* --- link ------------------------------------------------------------------------ */

CASE(link_that_heals_starts_nothing)
{
	WORLD;

	world_add_on(w, 1, 0);
	assert_verdict(link_to(w, 1, false), VERDICT_DEBOUNCING);
	assert_int_equal(engine_next_deadline(w->e), w->now + 200 * USEC_PER_MSEC);
	world_pass(w, 199 * USEC_PER_MSEC);
	assert_verdict(link_to(w, 1, true), VERDICT_NOTHING);
	world_pass(w, USEC_PER_SEC);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
	assert_true(engine_idle(w->e));
}

CASE(link_that_stays_down_is_a_surprise)
{
	WORLD;

	world_add_on(w, 1, 0);
	link_to(w, 1, false);
	world_pass(w, 200 * USEC_PER_MSEC);
	assert_surprise(w, 1);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
}

CASE(link_that_flaps_has_to_stay_down)
{
	WORLD;

	world_add_on(w, 1, 0);
	for (int i = 0; i < 10; i++) {
		assert_verdict(link_to(w, 1, false), VERDICT_DEBOUNCING);
		world_pass(w, 150 * USEC_PER_MSEC);
		link_to(w, 1, true);
		world_pass(w, 150 * USEC_PER_MSEC);
	}
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
}

CASE(link_found_up_at_the_end_of_the_debounce_has_healed)
{
	WORLD;

	world_add_on(w, 1, 0);
	link_to(w, 1, false);
	world_set(w, 1, link = true); /* its event is still under way */
	world_pass(w, USEC_PER_SEC);
	assert_true(engine_idle(w->e));
}

CASE(card_gone_with_the_link_is_not_debounced)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, present = false);
	assert_verdict(link_to(w, 1, false), VERDICT_STARTED);
	assert_surprise(w, 1);
	assert_verdict(world_event(w, 1, SLOT_EVENT_PRESENCE), VERDICT_JOINED);
}

CASE(debounce_ends_when_the_card_is_gone)
{
	WORLD;

	world_add_on(w, 1, 0);
	link_to(w, 1, false);
	assert_verdict(pull(w, 1), VERDICT_STARTED);
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
}

CASE(lost_link_cancels_a_planned_eject)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_press(w, 1);
	assert_verdict(link_to(w, 1, false), VERDICT_DEBOUNCING);
	assert_step(world_job(w, 1)->step, STEP_WINDOW);
	world_pass(w, 200 * USEC_PER_MSEC);
	assert_state(world_ended(w, 1), JOB_CANCELLED);
	assert_reason(w, 1, "link");
	assert_surprise(w, 1);
}

CASE(link_follows_the_slot_s_own_power)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_verdict(link_to(w, 1, false), VERDICT_JOINED);
	link_to(w, 1, true);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	assert_verdict(link_to(w, 1, false), VERDICT_NOTHING);
	world_finish(w, 1);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	assert_verdict(link_to(w, 1, false), VERDICT_NOTHING);
	link_to(w, 1, true);
	world_finish(w, 1);
	assert_state(world_ended(w, 2), JOB_DONE);
	assert_true(engine_idle(w->e));
}

CASE(link_lost_while_drivers_bind_counts_afterwards)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, link = true);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_CONFIRM);
	assert_verdict(link_to(w, 1, false), VERDICT_NOTHING);
	world_finish(w, 1);
	assert_int_equal(engine_next_deadline(w->e), w->now + 200 * USEC_PER_MSEC);
	world_pass(w, 200 * USEC_PER_MSEC);
	assert_surprise(w, 1);
}

CASE(link_of_an_off_slot_means_nothing)
{
	WORLD;

	world_add_off(w, 1, 0);
	assert_verdict(link_to(w, 1, true), VERDICT_NOTHING);
	assert_verdict(link_to(w, 1, false), VERDICT_NOTHING);
	assert_true(engine_idle(w->e));
}

CASE(held_slot_ignores_card_and_link)
{
	WORLD;

	world_add_on(w, 1, 0);
	link_to(w, 1, false);
	world_set(w, 1, hold = true);
	world_pass(w, USEC_PER_SEC);
	assert_verdict(pull(w, 1), VERDICT_IGNORED);
	assert_verdict(link_to(w, 1, true), VERDICT_IGNORED);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
	assert_true(engine_idle(w->e));
	assert_verdict(world_press(w, 1), VERDICT_STARTED); /* people may */
}

static void hold(struct world *w, slot_handle_t slot, bool on)
{
	world_set(w, slot, hold = on);
}

CASE(card_that_went_while_held_is_removed_when_it_is_let_go)
{
	WORLD;

	world_add_on(w, 1, 0);
	hold(w, 1, true);
	pull(w, 1);
	hold(w, 1, false);
	assert_surprise(w, 1);
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
}

CASE(link_lost_while_held_is_debounced_when_it_is_let_go)
{
	WORLD;

	world_add_on(w, 1, 0);
	hold(w, 1, true);
	link_to(w, 1, false);
	world_pass(w, USEC_PER_SEC);
	hold(w, 1, false);
	assert_idle_slot(w, 1);
	world_pass(w, 200 * USEC_PER_MSEC);
	assert_surprise(w, 1);
}

CASE(link_lost_before_the_hold_is_judged_after_it)
{
	WORLD;

	world_add_on(w, 1, 0);
	link_to(w, 1, false);
	hold(w, 1, true);
	world_pass(w, USEC_PER_SEC);
	hold(w, 1, false);
	world_pass(w, 200 * USEC_PER_MSEC);
	assert_surprise(w, 1);
}

CASE(what_healed_while_held_starts_nothing)
{
	WORLD;

	world_add_on(w, 1, 0);
	hold(w, 1, true);
	link_to(w, 1, false);
	pull(w, 1);
	world_set(w, 1, present = true);
	world_event(w, 1, SLOT_EVENT_PRESENCE);
	link_to(w, 1, true);
	hold(w, 1, false);
	world_pass(w, USEC_PER_SEC);
	assert_int_equal(w->count[ACTION_JOB_NEW], 0);
	assert_true(engine_idle(w->e));
}

CASE(card_that_came_while_held_is_inserted_when_it_is_let_go)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_set(w, 1, present = false);
	hold(w, 1, true);
	world_set(w, 1, present = true);
	assert_verdict(world_event(w, 1, SLOT_EVENT_PRESENCE), VERDICT_IGNORED);
	hold(w, 1, false);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(card_that_was_off_before_the_hold_stays_off_after_it)
{
	WORLD;

	world_add_off(w, 1, 0);
	hold(w, 1, true);
	hold(w, 1, false);
	assert_true(engine_idle(w->e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(link_that_heals_starts_nothing),
		TEST(link_that_stays_down_is_a_surprise),
		TEST(link_that_flaps_has_to_stay_down),
		TEST(link_found_up_at_the_end_of_the_debounce_has_healed),
		TEST(card_gone_with_the_link_is_not_debounced),
		TEST(debounce_ends_when_the_card_is_gone),
		TEST(lost_link_cancels_a_planned_eject),
		TEST(link_follows_the_slot_s_own_power),
		TEST(link_lost_while_drivers_bind_counts_afterwards),
		TEST(link_of_an_off_slot_means_nothing),
		TEST(held_slot_ignores_card_and_link),
		TEST(card_that_went_while_held_is_removed_when_it_is_let_go),
		TEST(link_lost_while_held_is_debounced_when_it_is_let_go),
		TEST(link_lost_before_the_hold_is_judged_after_it),
		TEST(what_healed_while_held_starts_nothing),
		TEST(card_that_came_while_held_is_inserted_when_it_is_let_go),
		TEST(card_that_was_off_before_the_hold_stays_off_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
