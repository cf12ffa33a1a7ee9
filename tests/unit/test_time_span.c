/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time spans are read as systemd.time(7) says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time-span.h"

#define MSEC 1000ULL
#define SEC  (1000 * MSEC)
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)

static void assert_span(const char *text, uint64_t usec)
{
	uint64_t got = 1;

	if (time_span_parse(text, &got) != 0 || got != usec)
		fail_msg("\"%s\": %llu us, not %llu", text, (unsigned long long)got, (unsigned long long)usec);
}

static void assert_error(const char *text, int error)
{
	uint64_t got = 12345;
	int r = time_span_parse(text, &got);

	if (r != error)
		fail_msg("\"%s\": returned %d, not %d", text, r, error);
	assert_int_equal(got, 12345);
}

static void a_number_alone_is_seconds(void **state)
{
	assert_span("0", 0);
	assert_span("5", 5 * SEC);
	assert_span(" 5 ", 5 * SEC);
	assert_span("3600", HOUR);
}

static void units_have_their_short_and_long_names(void **state)
{
	assert_span("7us", 7);
	assert_span("7usec", 7);
	assert_span("7µs", 7);
	assert_span("500ms", 500 * MSEC);
	assert_span("500msec", 500 * MSEC);
	assert_span("5s", 5 * SEC);
	assert_span("5sec", 5 * SEC);
	assert_span("1second", SEC);
	assert_span("2 seconds", 2 * SEC);
	assert_span("1min", MIN);
	assert_span("1m", MIN);
	assert_span("3 minutes", 3 * MIN);
	assert_span("1h", HOUR);
	assert_span("1hr", HOUR);
	assert_span("2 hours", 2 * HOUR);
	assert_span("2d", 48 * HOUR);
	assert_span("1week", 7 * 24 * HOUR);
}

static void parts_add_up(void **state)
{
	assert_span("1min 30s", 90 * SEC);
	assert_span("1min30s", 90 * SEC);
	assert_span("2h 1min 1s 1ms 1us", 2 * HOUR + MIN + SEC + MSEC + 1);
	assert_span("30s 1min", 90 * SEC);
	assert_span("1min 30", 90 * SEC);
}

static void fractions_are_exact_to_the_microsecond(void **state)
{
	assert_span("0.5", 500 * MSEC);
	assert_span(".5", 500 * MSEC);
	assert_span("1.", SEC);
	assert_span("2.5min", 150 * SEC);
	assert_span("0.000001", 1);
	assert_span("0.123456789", 123456);
	assert_span("1.3s", 1300 * MSEC);
}

static void infinity_is_a_span(void **state)
{
	assert_span("infinity", TIME_SPAN_INFINITY);
	assert_span(" infinity ", TIME_SPAN_INFINITY);
}

static void what_is_no_span_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", " ", "s", "soon", "-5", "+5", "5x", "5 5x", "5s, 3s", "1..5", ".", "1.2.3", "infinity 5", "infinitys",
		"5 secs", "0x10", "1e3", "5S",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_error(wrong[i], -EINVAL);
}

static void a_span_that_does_not_fit_is_told_from_a_wrong_one(void **state)
{
	assert_span("18446744073709551614us", TIME_SPAN_INFINITY - 1);
	assert_error("18446744073709551615us", -ERANGE); /* that would be infinity */
	assert_error("18446744073709551616us", -ERANGE);
	assert_error("18446744073709551614us 1us", -ERANGE);
	assert_error("99999999999999999999999", -ERANGE);
	assert_error("30500569w", -ERANGE);
	assert_error("30500568.99w", -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_alone_is_seconds),
		cmocka_unit_test(units_have_their_short_and_long_names),
		cmocka_unit_test(parts_add_up),
		cmocka_unit_test(fractions_are_exact_to_the_microsecond),
		cmocka_unit_test(infinity_is_a_span),
		cmocka_unit_test(what_is_no_span_is_refused),
		cmocka_unit_test(a_span_that_does_not_fit_is_told_from_a_wrong_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
