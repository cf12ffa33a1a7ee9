// SPDX-License-Identifier: LGPL-2.1-or-later
/* Claims about the engine: slots without a power controller, and power that is
 * never cut under devices. */
#include <errno.h>
#include <string.h>

#include "engine-world.h"

#define CASE(name) static void name(void **state)
#define WORLD struct world *w = *state

/* "Powered" is all that such a slot ever says. */
static void add_uncontrolled(struct world *w, slot_handle_t slot, bool occupied)
{
	world_add_off(w, slot, 0);
	world_set(w, slot, power_control = false);
	world_set(w, slot, power = true);
	world_set(w, slot, link = true);
	world_set(w, slot, occupied = occupied);
}

/* Ejects the card, which stays in. */
static void eject_uncontrolled(struct world *w, slot_handle_t slot)
{
	add_uncontrolled(w, slot, true);
	world_start(w, slot, OPERATION_EJECT);
	world_finish(w, slot);
	world_set(w, slot, power = true);
}

/* --- no power controller --------------------------------------------------------- */

CASE(press_after_an_eject_inserts)
{
	WORLD;

	eject_uncontrolled(w, 1);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
	world_finish(w, 1);
	assert_verdict(world_press(w, 1), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_EJECT);
}

CASE(pulling_an_ejected_card_is_no_surprise)
{
	WORLD;

	eject_uncontrolled(w, 1);
	world_set(w, 1, link = false);
	assert_verdict(world_event(w, 1, SLOT_EVENT_LINK), VERDICT_NOTHING);
	world_set(w, 1, present = false);
	assert_verdict(world_event(w, 1, SLOT_EVENT_PRESENCE), VERDICT_NOTHING);
	assert_true(engine_idle(w->e));
}

CASE(press_that_comes_before_its_card_does_not_eject_it)
{
	WORLD;

	add_uncontrolled(w, 1, false);
	world_set(w, 1, present = false);
	assert_verdict(world_press(w, 1), VERDICT_NOTHING);
	world_set(w, 1, present = true);
	assert_verdict(world_event(w, 1, SLOT_EVENT_PRESENCE), VERDICT_STARTED);
	assert_int_equal(world_job(w, 1)->operation, OPERATION_INSERT);
}

CASE(ejecting_it_again_is_nothing_to_do)
{
	WORLD;

	eject_uncontrolled(w, 1);
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, false, NULL), 1);
	assert_int_equal(world_request(w, 1, OPERATION_RESCAN, false, NULL), 1);
	assert_int_equal(world_request(w, 1, OPERATION_INSERT, false, NULL), 0);
}

CASE(cancelled_insert_shows_an_off_slot)
{
	WORLD;

	eject_uncontrolled(w, 1);
	world_press(w, 1);
	assert_verdict(world_press(w, 1), VERDICT_CANCELLED);
	assert_leds(w, 1, INDICATOR_OFF, INDICATOR_OFF);
}

CASE(a_slot_of_the_kernel_s_driver_is_on_when_it_has_devices)
{
	WORLD;

	add_uncontrolled(w, 1, false);
	world_set(w, 1, native = true);
	assert_int_equal(world_request(w, 1, OPERATION_EJECT, false, NULL), 1);
	world_start(w, 1, OPERATION_INSERT);
	world_finish(w, 1);
	world_start(w, 1, OPERATION_EJECT);
}

/* --- never under devices ----------------------------------------------------------- */

static void assert_left_powered(struct world *w, slot_handle_t slot, uint32_t id)
{
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_true(w->jobs[id].error != 0);
	assert_reason(w, id, "stays powered: do not pull the card");
	assert_leds(w, slot, INDICATOR_ON, INDICATOR_ON);
	assert_int_equal(w->count[ACTION_POWER_OFF], 0);
}

CASE(devices_that_are_back_after_the_remove_keep_their_power)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	world_answer_only(w, world_job(w, 1), 0, NULL);
	assert_left_powered(w, 1, id);
}

CASE(devices_that_come_before_power_is_off_keep_it)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	w->count[ACTION_POWER_OFF] = 0;
	world_set(w, 1, occupied = true);
	world_answer(w, 1, STEP_POWER_OFF, EBUSY); /* the caller has looked */
	assert_left_powered(w, 1, id);
}

CASE(devices_that_came_under_the_power_off_are_taken_out)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_POWER_OFF);
	world_set(w, 1, occupied = true);
	world_answer(w, 1, STEP_POWER_OFF, 0);
	assert_state(world_ended(w, id), JOB_FAILED);
	assert_reason(w, id, "Devices came into the slot");
	assert_int_equal(world_job(w, 1)->operation, OPERATION_EJECT);
	assert_int_equal(world_job(w, 1)->origin, ORIGIN_SURPRISE);
}

CASE(rescan_that_fails_halfway_keeps_what_it_has_added)
{
	WORLD;
	uint32_t id;

	world_add_off(w, 1, 0);
	id = world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_RESCAN);
	world_set(w, 1, occupied = true);
	world_answer_why(w, 1, STEP_RESCAN, EOWNERDEAD, "The worker has died.");
	assert_left_powered(w, 1, id);
	assert_reason(w, id, "The worker has died.");
	assert_int_equal(w->jobs[id].error, EOWNERDEAD);
}

CASE(insert_cancelled_after_somebody_added_the_devices_keeps_them)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 9, 0);
	world_start(w, 9, OPERATION_EJECT);
	world_go_on_to(w, 9, STEP_REMOVE);
	world_add_off(w, 1, 0);
	id = world_start(w, 1, OPERATION_INSERT);
	world_go_on_to(w, 1, STEP_TURN);
	world_set(w, 1, occupied = true);
	assert_int_equal(world_cancel(w, id), 0);
	assert_left_powered(w, 1, id);
	assert_int_equal(w->jobs[id].error, EBUSY);
}

CASE(second_half_of_a_replace_keeps_what_it_has_added)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	id = world_start(w, 1, OPERATION_REPLACE);
	world_go_on_to(w, 1, STEP_RESCAN);
	w->count[ACTION_POWER_OFF] = 0;
	world_set(w, 1, occupied = true);
	world_answer(w, 1, STEP_RESCAN, EIO);
	assert_left_powered(w, 1, id);
}

/* The port of the slot is gone with the remove of one above, and so are the devices. */
CASE(slot_that_went_with_its_ancestor_has_not_failed)
{
	WORLD;
	uint32_t id;

	world_add_on(w, 1, 0);
	world_add_on(w, 2, 1);
	id = world_start(w, 2, OPERATION_EJECT);
	world_go_on_to(w, 2, STEP_POWER_OFF);
	world_start(w, 1, OPERATION_EJECT);
	world_go_on_to(w, 1, STEP_REMOVE);
	world_answer(w, 2, STEP_POWER_OFF, ENODEV);
	assert_state(world_ended(w, id), JOB_GONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(press_after_an_eject_inserts),
		TEST(pulling_an_ejected_card_is_no_surprise),
		TEST(press_that_comes_before_its_card_does_not_eject_it),
		TEST(ejecting_it_again_is_nothing_to_do),
		TEST(cancelled_insert_shows_an_off_slot),
		TEST(a_slot_of_the_kernel_s_driver_is_on_when_it_has_devices),
		TEST(devices_that_are_back_after_the_remove_keep_their_power),
		TEST(devices_that_come_before_power_is_off_keep_it),
		TEST(devices_that_came_under_the_power_off_are_taken_out),
		TEST(rescan_that_fails_halfway_keeps_what_it_has_added),
		TEST(insert_cancelled_after_somebody_added_the_devices_keeps_them),
		TEST(second_half_of_a_replace_keeps_what_it_has_added),
		TEST(slot_that_went_with_its_ancestor_has_not_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
