/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that are wrong are told apart; names that are right need a guest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "resolve.h"

static int resolve(const char *text)
{
	struct resolved found = { 0 };
	int r = resolve_name(text, &found);

	resolved_clear(&found);
	return r;
}

static void what_can_be_no_name_is_invalid(void **state)
{
	char text[8192];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(resolve(text), -EINVAL);
	assert_int_equal(resolve(""), -EINVAL);
	assert_int_equal(resolve("../../etc"), -EINVAL);
	assert_int_equal(resolve("a/b"), -EINVAL);
}

static void what_does_not_exist_is_not_found(void **state)
{
	assert_int_equal(resolve("slot99999"), -ENOENT);
	assert_int_equal(resolve("99999"), -ENOENT);
	assert_int_equal(resolve("no-such-device"), -ENOENT);
	assert_int_equal(resolve("ffff:ff:1f.7"), -ENOENT);
	assert_int_equal(resolve("FFFF:FF:1F.7"), -ENOENT);
	assert_int_equal(resolve("/sys/bus/pci/slots/99999"), -ENOENT);
	assert_int_equal(resolve("/sys/bus/pci/slots/99999/power"), -ENOENT);
	assert_int_equal(resolve("/dev/no-such-node"), -ENOENT);
	assert_int_equal(resolve("/sys/devices/no-such-device"), -ENOENT);
}

static void what_is_not_on_pci_is_no_device_of_ours(void **state)
{
	assert_int_equal(resolve("/dev/null"), -ENODEV);
	assert_int_equal(resolve("/dev/fd/0"), -ENODEV);
	assert_int_equal(resolve("/dev/shm"), -ENODEV);
	assert_int_equal(resolve("/etc/passwd"), -EINVAL);
	assert_int_equal(resolve("/sys/kernel"), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_no_name_is_invalid),
		cmocka_unit_test(what_does_not_exist_is_not_found),
		cmocka_unit_test(what_is_not_on_pci_is_no_device_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
