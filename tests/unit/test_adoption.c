/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port that cannot be taken is not tried for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adoption.h"
#include "base/cleanup.h"
#include "manager.h"

#define PORT  "0000:00:02.0"
#define OTHER "0000:00:03.0"

static struct manager m;

static void fails(const char *port, int times)
{
	for (int i = 0; i < times; i++)
		adoption_failed(&m, port, "no interrupt");
}

static int setup(void **state)
{
	TAILQ_INIT(&m.adoption_failures);
	return 0;
}

static int teardown(void **state)
{
	adoption_forget(&m, NULL);
	return 0;
}

static void it_is_given_up_after_some_tries(void **state)
{
	assert_false(adoption_given_up(&m, PORT));
	fails(PORT, 2);
	assert_false(adoption_given_up(&m, PORT));
	fails(PORT, 1);
	assert_true(adoption_given_up(&m, PORT));
	assert_false(adoption_given_up(&m, OTHER));
}

static void who_asks_for_it_begins_anew(void **state)
{
	fails(PORT, 3);
	fails(OTHER, 3);
	adoption_forget(&m, PORT);
	assert_false(adoption_given_up(&m, PORT));
	assert_true(adoption_given_up(&m, OTHER));
	adoption_forget(&m, NULL);
	assert_false(adoption_given_up(&m, OTHER));
}

static void what_was_refused_at_once_counts_for_no_port(void **state)
{
	fails("", 5);
	assert_false(adoption_given_up(&m, ""));
	assert_true(TAILQ_EMPTY(&m.adoption_failures));
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(it_is_given_up_after_some_tries),
		claim(who_asks_for_it_begins_anew),
		claim(what_was_refused_at_once_counts_for_no_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
