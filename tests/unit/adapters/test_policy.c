/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose udev properties are a slot's policy. udev's database is played. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "udev.h"

#define DATABASE "/run/udev/data/"

static struct {
	const char *id, *text;
} database[8];
static size_t n_database;
static int fopen_error; /* of what is not there */

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	for (size_t i = 0; i < n_database; i++)
		if (strncmp(path, DATABASE, strlen(DATABASE)) == 0 &&
		    strcmp(path + strlen(DATABASE), database[i].id) == 0)
			return fmemopen((char *)database[i].text, strlen(database[i].text), "r");
	errno = fopen_error;
	return NULL;
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	return __wrap_fopen(path, mode);
}

static void rule(const char *id, const char *text)
{
	database[n_database].id = id;
	database[n_database++].text = text;
}

/* Slot 1's port holds a switch: upstream port, downstream port with a slot, a drive in it. */
static struct sysfs_function functions[] = {
	{ .address = "0000:01:00.0", .bridge = true },
	{ .address = "0000:02:00.0", .bridge = true, .other_slot = true },
	{ .address = "0000:03:00.0", .other_slot = true },
};
static struct policy p;

static void read_policy(void)
{
	policy_default(&p);
	assert_int_equal(policy_read("0000:00:02.0", functions, 3, &p), 0);
}

static int setup(void **state)
{
	n_database = 0;
	fopen_error = ENOENT;
	p.name = NULL;
	return 0;
}

static int teardown(void **state)
{
	policy_clear(&p);
	return 0;
}

static void the_port_and_what_is_in_the_slot_count(void **state)
{
	rule("+pci:0000:00:02.0", "E:HOTPLUGD_NAME=Bay 1\nE:HOTPLUGD_BUTTON=ignore\n");
	rule("+pci:0000:01:00.0", "E:HOTPLUGD_BUTTON=notify\nE:HOTPLUGD_GRACE_SEC=9\n");
	read_policy();
	assert_string_equal(p.name, "Bay 1");
	assert_int_equal(p.button, BUTTON_NOTIFY);
	assert_int_equal(p.grace, 9 * USEC_PER_SEC);
	assert_false(p.protect);
}

static void what_cannot_be_read_may_be_a_protection(void **state)
{
	fopen_error = EMFILE;
	read_policy();
	assert_true(p.protect);
}

static void what_is_meant_for_a_slot_below_does_not(void **state)
{
	rule("+pci:0000:00:02.0", "E:HOTPLUGD_NAME=Shelf\n");
	rule("+pci:0000:02:00.0", "E:HOTPLUGD_NAME=Bay 3\nE:HOTPLUGD_BUTTON=ignore\n");
	rule("+pci:0000:03:00.0", "E:HOTPLUGD_GRACE_SEC=60\nE:HOTPLUGD_INSERT=ignore\n");
	read_policy();
	assert_string_equal(p.name, "Shelf");
	assert_int_equal(p.button, BUTTON_EJECT);
	assert_int_equal(p.insert, INSERT_AUTO);
	assert_int_equal(p.grace, 5 * USEC_PER_SEC);
}

static void but_what_is_protected_there_is_protected_here(void **state)
{
	rule("+pci:0000:03:00.0", "E:HOTPLUGD_PROTECT=1\nE:HOTPLUGD_NAME=root disk\n");
	read_policy();
	assert_true(p.protect);
	assert_null(p.name);
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(the_port_and_what_is_in_the_slot_count),
		claim(what_cannot_be_read_may_be_a_protection),
		claim(what_is_meant_for_a_slot_below_does_not),
		claim(but_what_is_protected_there_is_protected_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
