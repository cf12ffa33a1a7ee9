/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events come in order, once, without gaps, whatever the socket loses; a press
 * is told once. What is told is written down as words and compared.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake-shim.h"
#include "shim-internal.h"

#define MSEC 1000
#define GENERATION 1 /* of all slots of the fake */

static char told[1024];
static unsigned int n_events;
static sd_event *event;
static struct shim_link *link_;

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	size_t n = strlen(told);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(told + n, sizeof(told) - n, format, arguments);
	va_end(arguments);
}

static bool in_reading; /* events have come, and their end was not told */
static void on_event(const struct shim_event *e, void *userdata)
{
	in_reading = true;
	n_events++;
	switch (e->type) {
	case HPSHIM_EVENT_BUTTON:
		tell("press(%u,%u) ", e->slot.id, (unsigned int)e->slot.presses);
		break;
	case HPSHIM_EVENT_OP_DONE:
		tell("done(%u,%d,%s) ", (unsigned int)e->cookie, e->error, e->report);
		break;
	default:
		tell("event(%u,%u) ", e->type, (unsigned int)e->seq);
	}
}

static void on_resync(const struct shim_slot *slots, size_t n, void *userdata)
{
	tell("slots(%zu) ", n);
}

static void on_appeared(void *userdata)
{
	tell("appeared ");
}

static void on_lost(void *userdata)
{
	tell("lost ");
}

static void on_live(bool lost, void *userdata)
{
	if (lost)
		tell("lost-answers ");
}

static void on_read(void *userdata)
{
	in_reading = false;
}

static const struct shim_link_ops ops = {
	.event = on_event,
	.resync = on_resync,
	.live = on_live,
	.read = on_read,
	.appeared = on_appeared,
	.lost = on_lost,
};

/* Lets the link read all there is. */
static void turn(void)
{
	while (sd_event_run(event, 0) > 0)
		;
	assert_false(in_reading);
}

#define assert_told(text)                          \
	do {                                       \
		turn();                            \
		assert_string_equal(told, (text)); \
		told[0] = '\0';                    \
	} while (0)

/* The link last sent this command, as its @n-th message. */
static uint32_t assert_asked(uint8_t cmd, unsigned int n)
{
	turn();
	assert_int_equal(fake_sent_count(), n);
	assert_int_equal(fake_sent().cmd, cmd);
	return fake_sent().nl_seq;
}

static int start(bool loaded)
{
	fake_load(loaded);
	return shim_link_new(&link_, event, &ops, NULL, NULL);
}

/* A link that has seen slots 1 and 2, with so many presses, up to event 10. */
static void start_live(uint64_t presses)
{
	uint32_t n;

	assert_int_equal(start(true), 0);
	n = assert_asked(HPSHIM_CMD_SLOT_GET, 1);
	fake_answer_slot(n, 1, 10, presses);
	fake_answer_slot(n, 2, 10, 0);
	fake_answer_end(n);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 2);
	fake_answer_end(n);
	assert_told("appeared slots(2) ");
}

static int setup(void **state)
{
	told[0] = '\0';
	return sd_event_new(&event) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	link_ = shim_link_free(link_);
	event = sd_event_unref(event);
	fake_reset();
	return 0;
}

static void without_the_module_it_waits(void **state)
{
	assert_int_equal(start(false), 0);
	assert_false(shim_link_present(link_));
	assert_int_equal(shim_link_adopt(link_, "0000:00:02.0", 1), -ENOTCONN);
	assert_told("");
	fake_load(true);
	fake_notify();
	assert_told("appeared ");
	assert_true(shim_link_present(link_));
	fake_load(false);
	fake_notify();
	assert_told("lost ");
	assert_false(shim_link_present(link_));
	fake_load(true);
	fake_notify();
	assert_told("appeared ");
}

static void a_module_whose_coming_was_lost_is_found(void **state)
{
	assert_int_equal(start(false), 0);
	fake_lose_notice();
	assert_told("");
	fake_load(true);
	fake_lose_notice();
	assert_told("appeared ");
	fake_lose_notice();
	assert_told("");
}

static void it_starts_with_all_slots_and_what_happened_since(void **state)
{
	uint32_t n;

	assert_int_equal(start(true), 0);
	n = assert_asked(HPSHIM_CMD_SLOT_GET, 1);
	fake_answer_slot(n, 1, 10, 0);
	fake_event(HPSHIM_EVENT_PRESENCE, 1, 11, 0); /* the replay brings it again */
	fake_answer_slot(n, 2, 11, 0);
	fake_answer_end(n);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 2);
	assert_int_equal(fake_sent().after, 10);
	fake_answer_event(n, HPSHIM_EVENT_PRESENCE, 1, 11, 0);
	fake_answer_end(n);
	assert_told("appeared slots(2) event(2,11) ");
	fake_event(HPSHIM_EVENT_LINK, 1, 12, 0);
	assert_told("event(3,12) ");
}

/* A link of a daemon that is no more had dealt with event @seq, and with one press
 * of slot 1. Returns the number of the new link's dump. */
static uint32_t start_after(uint64_t seq, bool same_module)
{
	struct shim_presses presses[] = { { .slot = 1, .generation = GENERATION, .count = 1 } };
	struct shim_resume resume = { .fd = -1, .seq = seq, .presses = presses, .n_presses = 1 };
	uint64_t is;

	start_live(0);
	shim_link_position(link_, &resume.family, &is);
	assert_true(resume.family > 0 && is == 10);
	resume.family += !same_module;
	link_ = shim_link_free(link_);
	fake_reset();
	fake_load(true);
	assert_int_equal(shim_link_new(&link_, event, &ops, NULL, &resume), 0);
	return assert_asked(HPSHIM_CMD_SLOT_GET, 1);
}

static void after_a_restart_it_goes_on_where_the_last_one_was(void **state)
{
	uint32_t n = start_after(20, true);

	fake_answer_slot(n, 1, 23, 3);
	fake_answer_end(n);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 2);
	assert_int_equal(fake_sent().after, 20);
	fake_answer_event(n, HPSHIM_EVENT_BUTTON, 1, 21, 2);
	fake_answer_event(n, HPSHIM_EVENT_OP_DONE, 1, 22, 2);
	fake_answer_event(n, HPSHIM_EVENT_BUTTON, 1, 23, 3);
	fake_answer_end(n);
	assert_told("appeared slots(1) press(1,2) done(0,0,) press(1,3) ");
	assert_true(shim_link_live(link_));
	assert_int_equal(shim_link_presses(link_, 1, GENERATION), 3);
}

static void what_the_replay_has_no_more_is_found_by_the_count_of_presses(void **state)
{
	uint32_t n = start_after(20, true);

	fake_answer_slot(n, 1, 9000, 3);
	fake_answer_end(n);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 2);
	fake_answer_overrun(n, HPSHIM_EVENT_LINK, 1, 5000, 3);
	fake_answer_end(n);
	n = assert_asked(HPSHIM_CMD_SLOT_GET, 3);
	assert_false(shim_link_live(link_));
	fake_answer_slot(n, 1, 9000, 3);
	fake_answer_end(n);
	assert_told("appeared slots(1) slots(1) press(1,2) press(1,3) ");
}

static void after_the_module_was_loaded_anew_it_starts_afresh(void **state)
{
	uint32_t n = start_after(20, false);

	fake_answer_slot(n, 1, 3, 2);
	fake_answer_end(n);
	assert_asked(HPSHIM_CMD_EVENT_REPLAY, 2);
	assert_int_equal(fake_sent().after, 3);
	assert_told("appeared slots(1) ");
}

static void what_came_already_is_dropped(void **state)
{
	start_live(0);
	fake_event(HPSHIM_EVENT_LINK, 1, 11, 0);
	fake_event(HPSHIM_EVENT_LINK, 1, 11, 0);
	fake_event(HPSHIM_EVENT_LINK, 1, 9, 0);
	assert_told("event(3,11) ");
}

static void a_gap_is_filled_in_order(void **state)
{
	uint32_t n;

	start_live(0);
	fake_event(HPSHIM_EVENT_LINK, 1, 13, 0);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 3);
	assert_int_equal(fake_sent().after, 10);
	fake_event(HPSHIM_EVENT_LINK, 1, 14, 0);
	for (uint64_t seq = 11; seq <= 13; seq++)
		fake_answer_event(n, HPSHIM_EVENT_LINK, 1, seq, 0);
	fake_answer_end(n);
	assert_told("event(3,11) event(3,12) event(3,13) ");
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 4); /* for 14 */
	fake_answer_event(n, HPSHIM_EVENT_LINK, 1, 14, 0);
	fake_answer_end(n);
	fake_event(HPSHIM_EVENT_LINK, 1, 15, 0);
	assert_told("event(3,14) event(3,15) ");
	assert_int_equal(fake_sent_count(), 4);
}

static void presses_before_its_time_are_not_told(void **state)
{
	start_live(7);
	fake_event(HPSHIM_EVENT_BUTTON, 1, 11, 8);
	assert_told("press(1,8) ");
}

/* Counted when the slots were dumped, sent after that. */
static void presses_that_were_not_sent_at_the_dump_are_told(void **state)
{
	start_live(7);
	fake_event(HPSHIM_EVENT_BUTTON, 1, 11, 6);
	fake_event(HPSHIM_EVENT_BUTTON, 1, 12, 7);
	assert_told("press(1,6) press(1,7) ");
}

/* Brings a link that is live at event 10 to where a replay said overrun. */
static uint32_t overrun(void)
{
	uint32_t n;

	fake_event(HPSHIM_EVENT_LINK, 1, 9000, 0);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 3);
	fake_answer_overrun(n, HPSHIM_EVENT_BUTTON, 1, 5000, 9);
	fake_answer_end(n);
	return assert_asked(HPSHIM_CMD_SLOT_GET, 4);
}

static void what_nobody_can_replay_leads_to_all_slots_and_each_press_once(void **state)
{
	uint32_t n;

	start_live(7);
	fake_event(HPSHIM_EVENT_BUTTON, 1, 11, 8);
	assert_told("press(1,8) ");
	n = overrun();
	fake_answer_slot(n, 1, 9000, 10);
	fake_answer_slot(n, 2, 9003, 1);
	fake_answer_end(n);
	assert_told("slots(2) press(1,9) press(1,10) press(2,1) ");
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 5);
	assert_int_equal(fake_sent().after, 9000);
	/* These were in the dump, or were not: 2,1 was, 1,11 was not. */
	fake_answer_event(n, HPSHIM_EVENT_BUTTON, 2, 9001, 1);
	fake_answer_event(n, HPSHIM_EVENT_BUTTON, 1, 9002, 11);
	fake_answer_event(n, HPSHIM_EVENT_LINK, 1, 9003, 0);
	fake_answer_end(n);
	assert_told("press(1,11) event(3,9003) lost-answers ");
}

static void presses_of_a_slot_that_came_unseen_are_told(void **state)
{
	uint32_t n;

	start_live(0);
	n = overrun();
	fake_answer_slot(n, 1, 9000, 0);
	fake_answer_slot(n, 3, 9000, 2); /* slot 2 has gone */
	fake_answer_end(n);
	assert_told("slots(2) press(3,1) press(3,2) ");
}

static void messages_lost_while_it_asks_are_asked_for_later(void **state)
{
	uint32_t n;

	start_live(0);
	fake_lose();
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 3);
	fake_lose();
	turn();
	assert_int_equal(fake_sent_count(), 3); /* the kernel would say EBUSY */
	fake_answer_event(n, HPSHIM_EVENT_LINK, 1, 11, 0);
	fake_answer_end(n);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 4);
	fake_answer_event(n, HPSHIM_EVENT_LINK, 1, 12, 0);
	fake_answer_end(n);
	fake_event(HPSHIM_EVENT_LINK, 1, 13, 0);
	assert_told("event(3,11) event(3,12) lost-answers event(3,13) ");
}

static void a_replay_that_is_refused_is_asked_for_again(void **state)
{
	uint32_t n;

	start_live(0);
	fake_event(HPSHIM_EVENT_LINK, 1, 12, 0);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 3);
	fake_ack(n, -EBUSY, NULL);
	fake_event(HPSHIM_EVENT_LINK, 1, 13, 0);
	assert_told("");
	assert_true(sd_event_run(event, 2000 * MSEC) > 0);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 4);
	for (uint64_t seq = 11; seq <= 13; seq++)
		fake_answer_event(n, HPSHIM_EVENT_LINK, 1, seq, 0);
	fake_answer_end(n);
	fake_event(HPSHIM_EVENT_LINK, 1, 14, 0);
	assert_told("event(3,11) event(3,12) event(3,13) event(3,14) ");
}

static void a_refused_command_ends_with_its_cookie_and_the_reason(void **state)
{
	uint32_t n;

	start_live(0);
	assert_int_equal(shim_link_adopt(link_, "0000:00:02.0", 41), 0);
	n = assert_asked(HPSHIM_CMD_PORT_ADOPT, 3);
	assert_int_equal(fake_sent().cookie, 41);
	fake_ack(n, -EPERM, "this socket is not the controller");
	assert_told("done(41,-1,this socket is not the controller) ");
	fake_ack(n, -EPERM, NULL); /* it has ended */
	assert_told("");
}

/* Its end comes from the shim, except for the controller's, which has none. */
static void an_accepted_command_has_not_ended(void **state)
{
	uint32_t n;

	start_live(0);
	assert_int_equal(shim_link_set_power(link_, 1, 1, true, 42), 0);
	n = assert_asked(HPSHIM_CMD_SET_POWER, 3);
	fake_ack(n, 0, NULL);
	assert_told("");
	assert_int_equal(shim_link_become_controller(link_, 10000, 43), 0);
	n = assert_asked(HPSHIM_CMD_CONTROLLER_SET, 4);
	fake_ack(n, 0, NULL);
	assert_told("done(43,0,) ");
}

/* ENOBUFS: acknowledgements may be among what the socket threw away. */
static void answers_that_may_be_lost_are_told_of_once(void **state)
{
	uint32_t refused, n;

	start_live(0);
	assert_int_equal(shim_link_set_power(link_, 1, 1, true, 42), 0);
	refused = assert_asked(HPSHIM_CMD_SET_POWER, 3);
	fake_lose();
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 4);
	fake_answer_end(n);
	assert_told("lost-answers ");
	fake_ack(refused, -EBUSY, NULL); /* it came after all: who asked has asked again */
	fake_event(HPSHIM_EVENT_LINK, 1, 12, 0);
	n = assert_asked(HPSHIM_CMD_EVENT_REPLAY, 5);
	for (uint64_t seq = 11; seq <= 12; seq++)
		fake_answer_event(n, HPSHIM_EVENT_LINK, 1, seq, 0);
	fake_answer_end(n);
	assert_told("event(3,11) event(3,12) ");
}

/* Whoever is about to do something asks first whether he knows all. */
static void what_waits_can_be_read_at_once(void **state)
{
	start_live(0);
	assert_true(shim_link_read(link_));
	fake_event(HPSHIM_EVENT_LINK, 1, 11, 0);
	assert_true(shim_link_read(link_));
	assert_string_equal(told, "event(3,11) ");
	for (uint64_t i = 1; i <= 2000; i++)
		fake_event(HPSHIM_EVENT_BUTTON, 2, 11 + i, i);
	assert_false(shim_link_read(link_));
}

static void a_controller_shows_signs_of_life(void **state)
{
	uint32_t n;

	start_live(0);
	link_->heartbeat_usec = 1 * MSEC;
	assert_int_equal(shim_link_become_controller(link_, 10000, 43), 0);
	n = assert_asked(HPSHIM_CMD_CONTROLLER_SET, 3);
	fake_ack(n, 0, NULL);
	assert_told("done(43,0,) ");
	assert_asked(HPSHIM_CMD_HEARTBEAT, 4);
	assert_true(sd_event_run(event, 20000 * MSEC) > 0);
	assert_asked(HPSHIM_CMD_HEARTBEAT, 5);
	assert_true(sd_event_run(event, 20000 * MSEC) > 0);
	n = assert_asked(HPSHIM_CMD_HEARTBEAT, 6);
	fake_ack(n, -EPERM, "this socket is not the controller"); /* nobody waits for it */
	assert_told("");
}

static void who_is_refused_control_shows_none(void **state)
{
	uint32_t n;

	start_live(0);
	link_->heartbeat_usec = 1 * MSEC;
	assert_int_equal(shim_link_become_controller(link_, 10000, 43), 0);
	n = assert_asked(HPSHIM_CMD_CONTROLLER_SET, 3);
	fake_ack(n, -EBUSY, NULL);
	assert_told("done(43,-16,) ");
	assert_int_equal(sd_event_run(event, 200 * MSEC), 0);
	assert_int_equal(fake_sent_count(), 3);
}

static void what_makes_no_sense_is_left_out(void **state)
{
	start_live(0);
	fake_garbage();
	fake_event(HPSHIM_EVENT_LINK, 1, 11, 0);
	assert_told("event(3,11) ");
}

/* A storm does not keep timers and others waiting. */
static void one_turn_takes_so_many_messages_and_no_more(void **state)
{
	start_live(0);
	n_events = 0;
	for (uint64_t i = 1; i <= 2000; i++)
		fake_event(HPSHIM_EVENT_BUTTON, 2, 10 + i, i);
	assert_true(sd_event_run(event, 0) > 0);
	assert_in_range(n_events, 1, 500);
	turn();
	assert_int_equal(n_events, 2000);
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(without_the_module_it_waits),
		claim(a_module_whose_coming_was_lost_is_found),
		claim(it_starts_with_all_slots_and_what_happened_since),
		claim(after_a_restart_it_goes_on_where_the_last_one_was),
		claim(what_the_replay_has_no_more_is_found_by_the_count_of_presses),
		claim(after_the_module_was_loaded_anew_it_starts_afresh),
		claim(what_came_already_is_dropped),
		claim(a_gap_is_filled_in_order),
		claim(presses_before_its_time_are_not_told),
		claim(presses_that_were_not_sent_at_the_dump_are_told),
		claim(what_nobody_can_replay_leads_to_all_slots_and_each_press_once),
		claim(presses_of_a_slot_that_came_unseen_are_told),
		claim(messages_lost_while_it_asks_are_asked_for_later),
		claim(a_replay_that_is_refused_is_asked_for_again),
		claim(a_refused_command_ends_with_its_cookie_and_the_reason),
		claim(an_accepted_command_has_not_ended),
		claim(answers_that_may_be_lost_are_told_of_once),
		claim(what_waits_can_be_read_at_once),
		claim(a_controller_shows_signs_of_life),
		claim(who_is_refused_control_shows_none),
		claim(what_makes_no_sense_is_left_out),
		claim(one_turn_takes_so_many_messages_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
