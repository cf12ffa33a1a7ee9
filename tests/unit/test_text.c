/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that others wrote is made such that bus and terminal bear it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static const char *printable(const char *text)
{
	static char to[64];

	text_make_printable(text, to, sizeof(to));
	return to;
}

static void what_is_utf8_stays(void **state)
{
	assert_string_equal(printable("nvme0n1"), "nvme0n1");
	assert_string_equal(printable("Gestell 7, Einschub 12, vorne – links 😀"), "Gestell 7, Einschub 12, vorne – links 😀");
	assert_true(text_is_utf8("\xf4\x8f\xbf\xbf"));
}

static void what_is_not_utf8_is_marked(void **state)
{
	static const char *const wrong[] = { "\xff", "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
					     "\xf4\x90\x80\x80", "\xe2\x82" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(text_is_utf8(wrong[i]));
		assert_true(text_is_utf8(printable(wrong[i])));
		assert_int_equal(strspn(printable(wrong[i]), "?"), strlen(wrong[i]));
	}
	assert_string_equal(printable("eth\xff" "1"), "eth?1");
}

static void control_characters_are_marked(void **state)
{
	assert_string_equal(printable("a\033[31mb\nc\x7f"), "a?[31mb?c?");
	assert_string_equal(printable("a\xc2\x9b" "31m"), "a?31m");
}

static void a_short_place_holds_whole_characters(void **state)
{
	char to[4];

	text_make_printable("abä", to, sizeof(to));
	assert_string_equal(to, "ab");
	text_make_printable("aä", to, sizeof(to));
	assert_string_equal(to, "aä");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_utf8_stays),
		cmocka_unit_test(what_is_not_utf8_is_marked),
		cmocka_unit_test(control_characters_are_marked),
		cmocka_unit_test(a_short_place_holds_whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
