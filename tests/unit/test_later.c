/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can wait is done once, when the loop is idle, and in time when it never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "later.h"

#define MSEC 1000ULL
#define SEC  (1000 * MSEC)

static sd_event *event;
static struct later *later;
static unsigned int done;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SEC + (uint64_t)t.tv_nsec / 1000;
}

static void on_later(void *userdata)
{
	done++;
}

static int on_flood(sd_event_source *source, void *userdata)
{
	return 0;
}

/* Something that is to be done in each turn of the loop, as calls on a bus are. */
static sd_event_source *flood(void)
{
	sd_event_source *source = NULL;

	assert_true(sd_event_add_defer(event, &source, on_flood, NULL) >= 0);
	assert_true(sd_event_source_set_enabled(source, SD_EVENT_ON) >= 0);
	return source;
}

/* Until it is done; returns how long that took, by the clock of the loop's turn in
 * which it was asked for. */
static uint64_t wait_for_it(void)
{
	uint64_t start;

	assert_true(sd_event_now(event, CLOCK_MONOTONIC, &start) >= 0);
	while (done == 0 && now() < start + 5 * SEC)
		assert_true(sd_event_run(event, 5 * SEC) >= 0);
	assert_int_equal(done, 1);
	return now() - start;
}

static int setup(void **state)
{
	done = 0;
	return sd_event_new(&event) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	later = later_free(later);
	event = sd_event_unref(event);
	return 0;
}

static void much_in_a_row_is_done_once_when_the_loop_is_idle(void **state)
{
	assert_int_equal(later_new(&later, event, 0, 5 * SEC, on_later, NULL), 0);
	for (int i = 0; i < 10; i++)
		later_ask(later);
	assert_int_equal(done, 0);
	assert_true(wait_for_it() < 2 * SEC);
	assert_int_equal(sd_event_run(event, 10 * MSEC), 0);
	later_ask(later);
	done = 0;
	wait_for_it();
}

static void a_burst_is_done_once_at_its_end(void **state)
{
	assert_int_equal(later_new(&later, event, 100 * MSEC, 5 * SEC, on_later, NULL), 0);
	for (uint64_t end = now() + 300 * MSEC; now() < end;) {
		later_ask(later);
		assert_true(sd_event_run(event, 10 * MSEC) >= 0);
	}
	assert_int_equal(done, 0);
	later_ask(later);
	assert_true(wait_for_it() < 2 * SEC);
}

static void a_flood_does_not_put_it_off(void **state)
{
	sd_event_source *source = flood();
	uint64_t took;

	assert_int_equal(later_new(&later, event, 0, 100 * MSEC, on_later, NULL), 0);
	later_ask(later);
	took = wait_for_it();
	assert_true(took >= 50 * MSEC); /* it does wait */
	assert_true(took < 2 * SEC);
	sd_event_source_disable_unref(source);
}

static void with_a_pause_before_it_no_flood_puts_it_off_either(void **state)
{
	sd_event_source *source = flood();

	assert_int_equal(later_new(&later, event, 20 * MSEC, 100 * MSEC, on_later, NULL), 0);
	later_ask(later);
	assert_true(wait_for_it() < 2 * SEC);
	sd_event_source_disable_unref(source);
	later_ask(later);
	done = 0;
	assert_true(wait_for_it() >= 15 * MSEC);
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(much_in_a_row_is_done_once_when_the_loop_is_idle),
		claim(a_burst_is_done_once_at_its_end),
		claim(a_flood_does_not_put_it_off),
		claim(with_a_pause_before_it_no_flood_puts_it_off_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
