// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: drivers let go before the commit, each slot by itself. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

/* An eject of @slot, whose drivers were asked to let go. */
static uint32_t start_unbinding(struct world *w, slot_handle_t slot)
{
	uint32_t id;

	world_add_on(w, slot, 0);
	id = world_start(w, slot, OPERATION_EJECT);
	world_go_on_to(w, slot, STEP_UNBIND);
	return id;
}

/* A commit that does not come back. */
static void stick_commit(struct world *w, slot_handle_t slot)
{
	start_unbinding(w, slot);
	world_go_on_to(w, slot, STEP_REMOVE);
	world_pass(w, 30 * USEC_PER_SEC);
	assert_true(world_job(w, slot)->stalled);
}

CASE(drivers_let_go_before_the_commit)
{
	uint32_t id;
	WORLD;

	id = start_unbinding(w, 1);
	assert_state(world_job(w, 1)->state, JOB_QUIESCING);
	assert_int_equal(w->count[ACTION_UNBIND], 1);
	assert_int_equal(w->count[ACTION_REMOVE], 0);
	world_answer(w, 1, STEP_UNBIND, 0);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_DONE);
}

CASE(drivers_of_many_slots_let_go_at_once_and_beside_a_commit)
{
	WORLD;

	start_unbinding(w, 1);
	world_answer(w, 1, STEP_UNBIND, 0);
	for (slot_handle_t slot = 2; slot <= 16; slot++)
		start_unbinding(w, slot);
	assert_int_equal(w->count[ACTION_UNBIND], 16);
	/* in the order in which they let go */
	world_answer(w, 9, STEP_UNBIND, 0);
	world_answer(w, 2, STEP_UNBIND, 0);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_step(world_job(w, 9)->step, STEP_REMOVE);
	assert_step(world_job(w, 2)->step, STEP_TURN);
}

CASE(a_driver_that_does_not_let_go_keeps_no_other_slot)
{
	uint32_t stuck, other;
	WORLD;

	stuck = start_unbinding(w, 1);
	world_pass(w, 30 * USEC_PER_SEC);
	assert_true(world_job(w, 1)->stalled);
	other = start_unbinding(w, 2);
	world_finish(w, 2);
	assert_state(world_ended(w, other), JOB_DONE);
	/* and nothing goes on in its own */
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_step(world_job(w, 1)->step, STEP_UNBIND);
	assert_int_equal(w->count[ACTION_REMOVE], 1);
	world_finish(w, 1);
	assert_state(world_ended(w, stuck), JOB_DONE);
}

CASE(cancelled_when_drivers_have_let_go_it_has_failed)
{
	uint32_t unbinding, waiting;
	WORLD;

	start_unbinding(w, 1);
	unbinding = start_unbinding(w, 2);
	waiting = start_unbinding(w, 3);
	world_answer(w, 1, STEP_UNBIND, 0);
	world_answer(w, 3, STEP_UNBIND, 0);
	assert_step(world_job(w, 3)->step, STEP_TURN);
	assert_int_equal(world_cancel(w, waiting), 0);
	assert_state(world_ended(w, waiting), JOB_FAILED);
	assert_int_equal(w->jobs[waiting].error, ECANCELED);
	assert_non_null(strstr(w->jobs[waiting].reason, "unbound"));
	assert_leds(w, 3, INDICATOR_ON, INDICATOR_OFF);
	/* one that has not let go is waited for */
	assert_int_equal(world_cancel(w, unbinding), 0);
	assert_true(world_job(w, 2)->cancel_requested);
	world_answer(w, 2, STEP_UNBIND, 0);
	assert_state(world_ended(w, unbinding), JOB_FAILED);
	assert_int_equal(w->count[ACTION_REMOVE], 1);
}

CASE(when_drivers_have_let_go_policy_has_nothing_to_say)
{
	uint32_t id;
	WORLD;

	start_unbinding(w, 1);
	id = start_unbinding(w, 2);
	world_answer(w, 1, STEP_UNBIND, 0);
	world_answer(w, 2, STEP_UNBIND, 0);
	world_set(w, 2, protect = true);
	world_finish(w, 1);
	world_finish(w, 2);
	assert_state(world_ended(w, id), JOB_DONE);
}

CASE(behind_a_stuck_commit_a_job_waits_with_its_drivers)
{
	uint32_t id;
	WORLD;

	stick_commit(w, 1);
	world_add_on(w, 2, 0);
	id = world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 2, STEP_CHECK, 0);
	assert_step(world_job(w, 2)->step, STEP_TURN);
	assert_int_equal(world_cancel(w, id), 0);
	assert_state(world_ended(w, id), JOB_CANCELLED);
	/* one that is not cancelled gets its turn */
	id = world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 2, STEP_CHECK, 0);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_step(world_job(w, 2)->step, STEP_REMOVE);
	assert_int_equal(w->count[ACTION_UNBIND], 1);
}

CASE(who_has_no_drivers_does_not_wait_for_any)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, present = false);
	world_event(w, 1, SLOT_EVENT_PRESENCE); /* nobody asks drivers of a card that is gone */
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
	world_finish(w, 1);
	world_add_on(w, 2, 0);
	world_set(w, 2, occupied = false);
	world_start(w, 2, OPERATION_EJECT);
	world_answer(w, 2, STEP_CHECK, 0);
	assert_step(world_job(w, 2)->step, STEP_REMOVE);
	assert_int_equal(w->count[ACTION_UNBIND], 0);
}

CASE(a_replace_has_the_old_cards_drivers_unbound)
{
	uint32_t id;
	WORLD;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_UNBIND);
	world_go_on_to(w, 1, STEP_CARD);
	world_go_on_to(w, 1, STEP_POWER_ON);
	assert_false(world_job(w, 1)->unbound); /* the new card may be left again */
	world_finish(w, 1);
	assert_state(world_ended(w, id), JOB_DONE);
	assert_int_equal(w->count[ACTION_UNBIND], 1);
}

CASE(what_fails_leaves_power_on)
{
	uint32_t id;
	WORLD;

	id = start_unbinding(w, 1);
	world_answer(w, 1, STEP_UNBIND, EOWNERDEAD);
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_int_equal(w->jobs[id].error, EOWNERDEAD);
	assert_non_null(strstr(w->jobs[id].reason, "do not pull the card"));
	assert_int_equal(w->count[ACTION_REMOVE] + w->count[ACTION_POWER_OFF], 0);
	assert_leds(w, 1, INDICATOR_ON, INDICATOR_ON);
}

CASE(the_eject_covers_what_happens_to_the_card_meanwhile)
{
	static const enum slot_event events[] = { SLOT_EVENT_PRESENCE, SLOT_EVENT_POWER_FAULT };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = *state;
		uint32_t id = start_unbinding(w, 1);

		if (events[i] == SLOT_EVENT_PRESENCE)
			world_set(w, 1, present = false);
		else
			world_set(w, 1, fault = true);
		assert_verdict(world_event(w, 1, events[i]), VERDICT_JOINED);
		assert_verdict(world_event(w, 1, SLOT_EVENT_BUTTON), VERDICT_LATE);
		world_finish(w, 1);
		assert_state(world_ended(w, id), JOB_DONE);
		world_pass(w, USEC_PER_SEC);
		assert_true(engine_idle(w->e)); /* and no surprise follows */
		assert_int_equal(world_teardown(state), 0);
		assert_int_equal(world_setup_unbinding(state), 0);
	}
}

CASE(a_card_that_is_lost_meanwhile_goes_first)
{
	WORLD;

	for (slot_handle_t slot = 1; slot <= 3; slot++) {
		start_unbinding(w, slot);
		world_answer(w, slot, STEP_UNBIND, 0);
	}
	world_set(w, 3, present = false);
	world_event(w, 3, SLOT_EVENT_PRESENCE);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_step(world_job(w, 3)->step, STEP_REMOVE);
	assert_step(world_job(w, 2)->step, STEP_TURN);
}

CASE(hardware_that_does_not_answer_is_left_to_the_commit)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_set(w, 1, link = false);
	world_start(w, 1, OPERATION_EJECT);
	world_answer(w, 1, STEP_CHECK, 0);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
}

/* The commit would wait for that driver, with the lock that all need. */
CASE(the_eject_of_a_slot_above_waits_until_drivers_below_have_let_go)
{
	uint32_t id;
	WORLD;

	world_add_on(w, 9, 0);
	id = start_unbinding(w, 1);
	world_set(w, 1, parent = 9);
	world_start(w, 9, OPERATION_EJECT);
	world_go_on_to(w, 9, STEP_TURN);
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_step(world_job(w, 9)->step, STEP_TURN);
	start_unbinding(w, 2); /* nobody waits for that */
	world_go_on_to(w, 2, STEP_REMOVE);
	world_answer(w, 1, STEP_UNBIND, 0);
	assert_step(world_job(w, 1)->step, STEP_TURN);
	world_answer(w, 2, STEP_REMOVE, 0);
	assert_step(world_job(w, 9)->step, STEP_REMOVE); /* and takes it along, for it was first */
	assert_state(world_ended(w, id), JOB_GONE);
}

CASE(after_a_restart_drivers_are_asked_again)
{
	const struct job as = {
		.id = 7, .slot = 1, .operation = OPERATION_EJECT, .origin = ORIGIN_DBUS, .state = JOB_QUIESCING,
		.step = STEP_UNBIND, .unbound = true, .step_deadline = USEC_INFINITY, .requested_by = (char *)"uid 0",
	};
	struct job never = as;
	WORLD;

	world_add_on(w, 1, 0);
	never.unbound = false;
	assert_int_equal(engine_restore_job(w->e, &never, w->now), -EINVAL);
	assert_int_equal(engine_restore_job(w->e, &as, w->now), 0);
	w->jobs[7].told_new = 1;
	world_pass(w, 1);
	assert_int_equal(w->count[ACTION_UNBIND], 1);
	world_finish(w, 1);
	assert_state(world_ended(w, 7), JOB_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup_unbinding, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(drivers_let_go_before_the_commit),
		TEST(drivers_of_many_slots_let_go_at_once_and_beside_a_commit),
		TEST(a_driver_that_does_not_let_go_keeps_no_other_slot),
		TEST(cancelled_when_drivers_have_let_go_it_has_failed),
		TEST(when_drivers_have_let_go_policy_has_nothing_to_say),
		TEST(a_card_that_is_lost_meanwhile_goes_first),
		TEST(behind_a_stuck_commit_a_job_waits_with_its_drivers),
		TEST(who_has_no_drivers_does_not_wait_for_any),
		TEST(a_replace_has_the_old_cards_drivers_unbound),
		TEST(what_fails_leaves_power_on),
		TEST(the_eject_covers_what_happens_to_the_card_meanwhile),
		TEST(hardware_that_does_not_answer_is_left_to_the_commit),
		TEST(the_eject_of_a_slot_above_waits_until_drivers_below_have_let_go),
		TEST(after_a_restart_drivers_are_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
