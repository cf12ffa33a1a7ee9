// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: the one commit, its order, slots above and below, slots that go away. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

static unsigned int commits(const struct world *w)
{
	return w->count[ACTION_REMOVE] + w->count[ACTION_RESCAN];
}

/* Slot 1, and below it 2 and 3; below 3 slot 4. All on. */
static void add_tree(struct world *w)
{
	world_add_on(w, 1, 0);
	world_add_on(w, 2, 1);
	world_add_on(w, 3, 1);
	world_add_on(w, 4, 3);
}

/* Slot 1's eject holds the commit. */
static void commit_eject_of_1(struct world *w)
{
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
}

CASE(only_one_job_commits)
{
	WORLD;

	for (slot_handle_t slot = 1; slot <= 16; slot++) {
		world_add_on(w, slot, 0);
		world_start(w, slot, OPERATION_EJECT);
		world_answer(w, slot, STEP_CHECK, 0);
	}
	for (slot_handle_t slot = 1; slot <= 16; slot++) {
		assert_int_equal(commits(w), slot);
		world_answer(w, slot, STEP_REMOVE, 0); /* in the order they became ready */
	}
	for (slot_handle_t slot = 1; slot <= 16; slot++)
		world_answer(w, slot, STEP_POWER_OFF, 0);
	world_pass(w, USEC_PER_SEC); /* the second after power-off is spent together */
	assert_true(engine_idle(w->e));
}

CASE(ready_jobs_go_first_come_first_served)
{
	WORLD;

	add_tree(w);
	world_add_on(w, 9, 0);
	commit_eject_of_1(w);
	world_add_on(w, 10, 0);
	world_start(w, 9, OPERATION_EJECT);
	world_start(w, 10, OPERATION_EJECT);
	world_answer(w, 10, STEP_CHECK, 0);
	world_answer(w, 9, STEP_CHECK, 0);
	world_answer(w, 1, STEP_REMOVE, 0);
	assert_step(world_job(w, 10)->step, STEP_REMOVE);
	assert_step(world_job(w, 9)->step, STEP_TURN);
}

CASE(power_on_of_inserts_overlaps_with_a_commit)
{
	WORLD;

	add_tree(w);
	commit_eject_of_1(w);
	for (slot_handle_t slot = 9; slot <= 12; slot++) {
		world_add_off(w, slot, 0);
		world_start(w, slot, OPERATION_INSERT);
		world_go_on_to(w, slot, STEP_TURN);
	}
	assert_int_equal(w->count[ACTION_POWER_ON], 4);
	assert_int_equal(commits(w), 1);
}

CASE(stalled_commit_lets_nobody_pass)
{
	WORLD;

	add_tree(w);
	world_add_on(w, 9, 0);
	commit_eject_of_1(w);
	world_start(w, 9, OPERATION_EJECT);
	world_answer(w, 9, STEP_CHECK, 0);
	world_pass(w, 3600 * USEC_PER_SEC);
	assert_true(world_job(w, 1)->stalled);
	assert_int_equal(commits(w), 1);
}

/* --- above and below ---------------------------------------------------------------- */

CASE(eject_takes_what_is_planned_below_with_it)
{
	WORLD;

	add_tree(w);
	world_press(w, 2);
	world_start(w, 4, OPERATION_EJECT);
	commit_eject_of_1(w);
	assert_state(world_ended(w, 1), JOB_GONE);
	assert_reason(w, 1, "job 3");
	assert_int_equal(w->power_led[2], INDICATOR_ON);
	assert_state(world_ended(w, 2), JOB_GONE);
	assert_int_equal(commits(w), 1);
}

CASE(waiting_ancestor_takes_nothing_yet)
{
	WORLD;

	add_tree(w);
	world_press(w, 2);
	world_start(w, 1, OPERATION_EJECT);
	assert_state(world_job(w, 2)->state, JOB_GRACE);
	world_cancel(w, 2);
	assert_state(world_job(w, 2)->state, JOB_GRACE);
}

CASE(commit_below_is_waited_for)
{
	WORLD;

	add_tree(w);
	world_start(w, 4, OPERATION_EJECT);
	world_go_on_to(w, 4, STEP_REMOVE);
	world_start(w, 1, OPERATION_EJECT);
	world_answer(w, 1, STEP_CHECK, 0);
	assert_step(world_job(w, 1)->step, STEP_TURN);
	world_answer(w, 4, STEP_REMOVE, 0);
	assert_step(world_job(w, 1)->step, STEP_REMOVE);
	assert_step(world_job(w, 4)->step, STEP_POWER_OFF); /* settles beside it */
	world_finish(w, 4);
	assert_state(world_ended(w, 1), JOB_DONE);
}

CASE(press_below_an_ejecting_slot_starts_nothing)
{
	static const enum job_step steps[] = { STEP_REMOVE, STEP_POWER_OFF, STEP_OFF_WAIT };
	WORLD;
	uint32_t id;

	add_tree(w);
	world_start(w, 1, OPERATION_EJECT);
	for (size_t i = 0; i < 3; i++) {
		world_go_on_to(w, 1, steps[i]);
		assert_verdict(world_press(w, 4), VERDICT_ANCESTOR);
		assert_int_equal(world_request(w, 4, OPERATION_EJECT, false, &id), -EBUSY);
		assert_int_equal(id, 1);
	}
	assert_int_equal(w->count[ACTION_JOB_NEW], 1);
}

CASE(press_beside_an_ejecting_slot_is_free)
{
	WORLD;

	add_tree(w);
	world_start(w, 2, OPERATION_EJECT);
	world_go_on_to(w, 2, STEP_REMOVE);
	assert_verdict(world_press(w, 3), VERDICT_STARTED);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
}

CASE(insert_above_does_not_forbid_jobs_below)
{
	WORLD;

	add_tree(w);
	world_start(w, 1, OPERATION_RESCAN);
	world_go_on_to(w, 1, STEP_RESCAN);
	assert_verdict(world_press(w, 2), VERDICT_STARTED);
}

CASE(card_lost_below_counts_if_the_eject_above_fails)
{
	WORLD;

	add_tree(w);
	commit_eject_of_1(w);
	world_set(w, 4, present = false);
	assert_verdict(world_event(w, 4, SLOT_EVENT_PRESENCE), VERDICT_ANCESTOR);
	assert_idle_slot(w, 4);
	world_answer(w, 1, STEP_REMOVE, EIO);
	assert_int_equal(world_job(w, 4)->origin, ORIGIN_SURPRISE);
	assert_step(world_job(w, 4)->step, STEP_REMOVE);
}

CASE(subsumed_surprise_counts_if_the_eject_above_fails)
{
	WORLD;

	add_tree(w);
	world_add_on(w, 9, 0);
	world_start(w, 9, OPERATION_EJECT);
	world_go_on_to(w, 9, STEP_REMOVE);
	world_set(w, 1, present = false);
	world_event(w, 1, SLOT_EVENT_PRESENCE);
	world_set(w, 4, present = false);
	world_event(w, 4, SLOT_EVENT_PRESENCE);
	world_answer(w, 9, STEP_REMOVE, 0);
	assert_state(world_ended(w, 3), JOB_GONE);
	world_answer(w, 1, STEP_REMOVE, EIO);
	assert_int_equal(world_job(w, 4)->origin, ORIGIN_SURPRISE);
}

CASE(subsumed_insert_begins_again_if_the_eject_above_fails)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	world_add_off(w, 2, 1);
	id = world_start(w, 2, OPERATION_INSERT);
	world_go_on_to(w, 2, STEP_POWER_ON);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	assert_state(world_ended(w, id), JOB_GONE);
	world_answer(w, 1, STEP_REMOVE, EIO);
	assert_int_equal(world_job(w, 2)->operation, OPERATION_INSERT);
	world_finish(w, 2);
	assert_true(engine_slot(w->e, 2)->occupied);
}

CASE(card_lost_below_is_forgotten_when_the_eject_above_is_done)
{
	WORLD;

	add_tree(w);
	commit_eject_of_1(w);
	world_set(w, 4, present = false);
	world_event(w, 4, SLOT_EVENT_PRESENCE);
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
	assert_int_equal(w->count[ACTION_JOB_NEW], 1);
}

CASE(link_lost_below_waits_for_the_eject_above)
{
	WORLD;

	add_tree(w);
	world_set(w, 4, link = false);
	assert_verdict(world_event(w, 4, SLOT_EVENT_LINK), VERDICT_DEBOUNCING);
	commit_eject_of_1(w);
	world_pass(w, USEC_PER_SEC);
	assert_idle_slot(w, 4);
	world_answer(w, 1, STEP_REMOVE, EIO);
	world_pass(w, USEC_PER_SEC);
	assert_int_equal(world_job(w, 4)->origin, ORIGIN_SURPRISE);
}

CASE(slot_that_moves_below_an_ejecting_slot_waits)
{
	WORLD;

	world_add_on(w, 1, 0);
	world_add_on(w, 5, 0);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	world_start(w, 5, OPERATION_EJECT);
	world_set(w, 5, parent = 1);
	world_answer(w, 5, STEP_CHECK, 0);
	assert_step(world_job(w, 5)->step, STEP_TURN);
	world_finish(w, 1);
	assert_step(world_job(w, 5)->step, STEP_REMOVE);
}

CASE(circle_of_parents_does_no_harm)
{
	WORLD;

	world_add_on(w, 1, 2);
	world_add_on(w, 2, 1);
	world_add_on(w, 3, 3);
	for (slot_handle_t slot = 1; slot <= 3; slot++)
		assert_verdict(world_press(w, slot), VERDICT_STARTED);
	world_go_on_to(w, 3, STEP_REMOVE);
	world_finish(w, 3);
	world_finish(w, 1);
	assert_true(engine_idle(w->e));
}

/* --- slots that go away -------------------------------------------------------------- */

static void remove_slot(struct world *w, slot_handle_t slot)
{
	engine_slot_remove(w->e, slot, w->now);
	world_take_actions(w);
}

CASE(jobs_of_a_slot_that_goes_away_are_gone)
{
	WORLD;

	add_tree(w);
	world_press(w, 1);
	world_press(w, 4);
	remove_slot(w, 1);
	assert_state(world_ended(w, 1), JOB_GONE);
	assert_reason(w, 1, "slot went away");
	assert_state(world_ended(w, 2), JOB_GONE);
	assert_null(engine_slot(w->e, 1));
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, false, NULL), -ENOENT);
	remove_slot(w, 1); /* unknown by now */
	assert_true(engine_idle(w->e));
}

CASE(commit_is_held_until_the_answer_though_the_slot_is_gone)
{
	WORLD;

	add_tree(w);
	world_add_on(w, 9, 0);
	commit_eject_of_1(w);
	world_start(w, 9, OPERATION_EJECT);
	world_answer(w, 9, STEP_CHECK, 0);
	remove_slot(w, 1);
	assert_state(engine_job(w->e, 1)->state, JOB_COMMITTING);
	assert_int_equal(world_cancel(w, 1), -EALREADY);
	world_pass(w, 60 * USEC_PER_SEC);
	assert_true(engine_job(w->e, 1)->stalled);
	assert_int_equal(commits(w), 1);
	assert_int_equal(engine_step_done(w->e, 1, STEP_REMOVE, 0, NULL, w->now), 0);
	world_take_actions(w);
	assert_state(world_ended(w, 1), JOB_GONE);
	assert_step(world_job(w, 9)->step, STEP_REMOVE);
}

CASE(slot_gone_after_power_off_was_ejected)
{
	WORLD;

	add_tree(w);
	world_start(w, 4, OPERATION_EJECT);
	world_go_on_to(w, 4, STEP_OFF_WAIT);
	world_start(w, 2, OPERATION_EJECT);
	world_go_on_to(w, 2, STEP_POWER_OFF);
	remove_slot(w, 1);
	assert_state(world_ended(w, 1), JOB_DONE);
	assert_state(world_ended(w, 2), JOB_GONE);
}

CASE(slot_gone_during_the_undo_has_failed)
{
	WORLD;

	world_add_off(w, 1, 0);
	world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_POWER_ON);
	world_answer(w, 1, STEP_POWER_ON, EIO);
	world_go_on_to(w, 1, STEP_OFF_WAIT);
	remove_slot(w, 1);
	assert_state(world_ended(w, 1), JOB_FAILED);
}

CASE(settling_below_ends_as_gone_only_with_its_slot)
{
	WORLD;

	add_tree(w);
	world_start(w, 4, OPERATION_EJECT);
	world_go_on_to(w, 4, STEP_POWER_OFF);
	commit_eject_of_1(w);
	assert_step(world_job(w, 4)->step, STEP_POWER_OFF);
	remove_slot(w, 4);
	assert_state(world_ended(w, 1), JOB_GONE);
}

CASE(jobs_are_listed_oldest_first)
{
	const struct job *j = NULL;
	WORLD;

	add_tree(w);
	world_start(w, 4, OPERATION_EJECT);
	world_start(w, 2, OPERATION_EJECT);
	world_start(w, 3, OPERATION_EJECT);
	for (uint32_t id = 1; id <= 3; id++) {
		j = engine_job_next(w->e, j);
		assert_int_equal(j->id, id);
	}
	assert_null(engine_job_next(w->e, j));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(only_one_job_commits),
		TEST(ready_jobs_go_first_come_first_served),
		TEST(power_on_of_inserts_overlaps_with_a_commit),
		TEST(stalled_commit_lets_nobody_pass),
		TEST(eject_takes_what_is_planned_below_with_it),
		TEST(waiting_ancestor_takes_nothing_yet),
		TEST(commit_below_is_waited_for),
		TEST(press_below_an_ejecting_slot_starts_nothing),
		TEST(press_beside_an_ejecting_slot_is_free),
		TEST(insert_above_does_not_forbid_jobs_below),
		TEST(card_lost_below_counts_if_the_eject_above_fails),
		TEST(subsumed_surprise_counts_if_the_eject_above_fails),
		TEST(subsumed_insert_begins_again_if_the_eject_above_fails),
		TEST(card_lost_below_is_forgotten_when_the_eject_above_is_done),
		TEST(link_lost_below_waits_for_the_eject_above),
		TEST(circle_of_parents_does_no_harm),
		TEST(jobs_of_a_slot_that_goes_away_are_gone),
		TEST(commit_is_held_until_the_answer_though_the_slot_is_gone),
		TEST(slot_gone_after_power_off_was_ejected),
		TEST(slot_gone_during_the_undo_has_failed),
		TEST(settling_below_ends_as_gone_only_with_its_slot),
		TEST(jobs_are_listed_oldest_first),
		TEST(slot_that_moves_below_an_ejecting_slot_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
