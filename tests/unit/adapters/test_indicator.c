/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wanted last is shown in the end, whatever the shim refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fake-shim.h"
#include "indicator.h"

static struct manager m;
static struct slot slot;

static void on_event(const struct shim_event *e, void *userdata)
{
	indicator_op_done(&m, e);
}

static void on_resync(const struct shim_slot *slots, size_t n, void *userdata)
{
}

static void on_live(bool lost, void *userdata)
{
	if (lost)
		indicator_ask_again(&m);
}

static void on_change(void *userdata)
{
}

static const struct shim_link_ops ops = { on_event, on_resync, on_live, on_change, on_change, on_change };

static void turn(void)
{
	while (sd_event_run(m.event, 0) > 0)
		;
}

static uint32_t assert_sent(unsigned int n, uint8_t cmd, uint32_t value)
{
	turn();
	assert_int_equal(fake_sent_count(), n);
	assert_int_equal(fake_sent().cmd, cmd);
	assert_int_equal(fake_sent().value, value);
	return fake_sent().nl_seq;
}

/* A link that is live, at event 10, after two messages. */
static int setup(void **state)
{
	m = (struct manager){ 0 };
	TAILQ_INIT(&m.slots);
	slot = (struct slot){ .name = "slot1", .backend = BACKEND_SHIM, .shim_id = 1, .generation = 1,
			      .has_power_indicator = true, .has_attention_indicator = true,
			      .attention_wanted = INDICATOR_OFF };
	TAILQ_INSERT_TAIL(&m.slots, &slot, entry);
	if (sd_event_new(&m.event) < 0)
		return -1;
	fake_load(true);
	if (shim_link_new(&m.shim, m.event, &ops, NULL, NULL) < 0)
		return -1;
	fake_answer_slot(fake_sent().nl_seq, 1, 10, 0);
	fake_answer_end(fake_sent().nl_seq);
	turn();
	fake_answer_end(fake_sent().nl_seq);
	turn();
	return shim_link_live(m.shim) ? 0 : -1;
}

static int teardown(void **state)
{
	m.shim = shim_link_free(m.shim);
	m.event = sd_event_unref(m.event);
	fake_reset();
	return 0;
}

/* The last of many is refused: without another try it would blink for ever. */
static void what_is_refused_is_sent_again_when_another_has_ended(void **state)
{
	uint32_t blink, off;

	indicator_set(&m, &slot, INDICATOR_BLINK, INDICATOR_KEEP);
	blink = assert_sent(3, HPSHIM_CMD_SET_POWER_INDICATOR, HPSHIM_INDICATOR_BLINK);
	fake_ack(blink, 0, NULL);
	indicator_set(&m, &slot, INDICATOR_OFF, INDICATOR_KEEP);
	off = assert_sent(4, HPSHIM_CMD_SET_POWER_INDICATOR, HPSHIM_INDICATOR_OFF);
	fake_ack(off, -EBUSY, "too many operations are under way");
	turn();
	assert_int_equal(fake_sent_count(), 4); /* it would be refused again */
	fake_event(HPSHIM_EVENT_OP_DONE, 1, 11, 0);
	assert_sent(5, HPSHIM_CMD_SET_POWER_INDICATOR, HPSHIM_INDICATOR_OFF);
	fake_event(HPSHIM_EVENT_OP_DONE, 1, 12, 0);
	turn();
	assert_int_equal(fake_sent_count(), 5); /* once */
}

static void another_refusal_is_no_news(void **state)
{
	indicator_set(&m, &slot, INDICATOR_KEEP, INDICATOR_ON);
	fake_ack(assert_sent(3, HPSHIM_CMD_SET_ATTENTION_INDICATOR, HPSHIM_INDICATOR_ON), -ESTALE, NULL);
	fake_event(HPSHIM_EVENT_OP_DONE, 1, 11, 0);
	turn();
	assert_int_equal(fake_sent_count(), 3);
}

static void who_looks_for_the_slot_sees_it_blink_whatever_is_refused(void **state)
{
	slot.locate = slot.attention_told = true;
	slot.attention_wanted = INDICATOR_ON;
	indicator_set(&m, &slot, INDICATOR_ON, INDICATOR_OFF);
	fake_ack(assert_sent(3, HPSHIM_CMD_SET_POWER_INDICATOR, HPSHIM_INDICATOR_ON), -EBUSY, NULL);
	fake_event(HPSHIM_EVENT_OP_DONE, 1, 11, 0);
	assert_sent(5, HPSHIM_CMD_SET_ATTENTION_INDICATOR, HPSHIM_INDICATOR_BLINK);
}

static void when_answers_are_lost_all_is_sent_again(void **state)
{
	indicator_set(&m, &slot, INDICATOR_BLINK, INDICATOR_KEEP);
	assert_sent(3, HPSHIM_CMD_SET_POWER_INDICATOR, HPSHIM_INDICATOR_BLINK);
	fake_lose();
	turn();
	fake_answer_end(fake_sent().nl_seq);
	assert_sent(5, HPSHIM_CMD_SET_POWER_INDICATOR, HPSHIM_INDICATOR_BLINK);
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(what_is_refused_is_sent_again_when_another_has_ended),
		claim(another_refusal_is_no_news),
		claim(who_looks_for_the_slot_sees_it_blink_whatever_is_refused),
		claim(when_answers_are_lost_all_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
