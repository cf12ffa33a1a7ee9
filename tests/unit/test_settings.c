/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hotplugd.conf and its drop-ins: which files are read in which order, and what
 * becomes of what is wrong in them. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "settings.h"

#define SEC USEC_PER_SEC

/* ---- a root directory of our own ---- */

struct world {
	char root[64];
	struct settings settings;
	char wrong[8192]; /* what was told, a line each: FILE:LINE: REASON */
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->root, "/tmp/hotplugd-test-XXXXXX");
	*state = w;
	return mkdtemp(w->root) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	settings_clear(&w->settings);
	nftw(w->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* Makes the directories that lead to a file below the root; returns its path. */
static const char *way_to(struct world *w, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", w->root, name);
	for (char *p = path + strlen(w->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*p = '/';
	}
	return path;
}

static void put_bytes(struct world *w, const char *name, const char *text, size_t n)
{
	FILE *f = fopen(way_to(w, name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void put(struct world *w, const char *name, const char *text)
{
	put_bytes(w, name, text, strlen(text));
}

static void on_wrong(const char *file, unsigned int line, const char *reason, void *userdata)
{
	struct world *w = userdata;
	size_t n = strlen(w->wrong);

	assert_int_equal(strncmp(file, w->root, strlen(w->root)), 0);
	snprintf(w->wrong + n, sizeof(w->wrong) - n, "%s:%u: %s\n", file + strlen(w->root), line, reason);
}

static const struct settings *read_all(struct world *w)
{
	settings_clear(&w->settings);
	w->wrong[0] = '\0';
	assert_int_equal(settings_read(&w->settings, w->root, on_wrong, w), 0);
	return &w->settings;
}

/* Reads what must be right. */
static const struct settings *read_good(struct world *w)
{
	const struct settings *s = read_all(w);

	assert_string_equal(w->wrong, "");
	return s;
}

#define GRACE(sec) "[Policy]\nGraceSec=" sec "\n"

/* ---- which files ---- */

static void without_files_the_defaults_hold(void **state)
{
	const struct settings *s = read_good(*state);

	assert_int_equal(s->button, BUTTON_EJECT);
	assert_int_equal(s->insert, INSERT_AUTO);
	assert_int_equal(s->grace, 5 * SEC);
	assert_int_equal(s->give_back, 10 * SEC);
	assert_int_equal(s->commit, COMMIT_BY_SHIM);
	assert_int_equal(s->log_level, LOG_INFO);
	assert_int_equal(s->engine.deadline[STEP_REMOVE], 30 * SEC);
	assert_null(s->adopt);
}

static void of_the_main_files_the_first_directory_counts_alone(void **state)
{
	static const char *const directories[] = { "/usr/lib", "/usr/local/lib", "/run", "/etc" };

	for (size_t i = 0; i < 4; i++) {
		char name[64], text[64];
		const struct settings *s;

		snprintf(name, sizeof(name), "%s/hotplugd.conf", directories[i]);
		snprintf(text, sizeof(text), "[Policy]\nGraceSec=%zu\n%s", i + 10, i == 0 ? "Button=notify\n" : "");
		put(*state, name, text);
		s = read_good(*state);
		assert_int_equal(s->grace, (i + 10) * SEC);
		assert_int_equal(s->button, i == 0 ? BUTTON_NOTIFY : BUTTON_EJECT);
	}
}

static void a_main_file_that_is_a_link_to_dev_null_masks_the_others(void **state)
{
	put(*state, "/usr/lib/hotplugd.conf", GRACE("9"));
	assert_int_equal(symlink("/dev/null", way_to(*state, "/etc/hotplugd.conf")), 0);
	assert_int_equal(read_good(*state)->grace, 5 * SEC);
}

static void drop_ins_override_the_main_file_wherever_they_are(void **state)
{
	put(*state, "/etc/hotplugd.conf", "[Policy]\nGraceSec=9\nButton=notify\n");
	put(*state, "/usr/lib/hotplugd.conf.d/10-vendor.conf", GRACE("8"));
	assert_int_equal(read_good(*state)->grace, 8 * SEC);
	assert_int_equal(read_good(*state)->button, BUTTON_NOTIFY);
}

static void drop_ins_are_ordered_by_file_name_over_all_directories(void **state)
{
	put(*state, "/etc/hotplugd.conf.d/10-a.conf", GRACE("1"));
	put(*state, "/usr/lib/hotplugd.conf.d/20-b.conf", GRACE("2"));
	assert_int_equal(read_good(*state)->grace, 2 * SEC);
	put(*state, "/run/hotplugd.conf.d/30-c.conf", GRACE("3"));
	assert_int_equal(read_good(*state)->grace, 3 * SEC);
	put(*state, "/usr/local/lib/hotplugd.conf.d/25-d.conf", GRACE("4"));
	assert_int_equal(read_good(*state)->grace, 3 * SEC);
	put(*state, "/usr/local/lib/hotplugd.conf.d/9-e.conf", GRACE("6"));
	assert_int_equal(read_good(*state)->grace, 6 * SEC); /* '9' sorts behind '3' */
}

static void a_drop_in_masks_those_of_the_same_name_further_down(void **state)
{
	put(*state, "/usr/lib/hotplugd.conf.d/x.conf", "[Policy]\nGraceSec=1\nButton=ignore\n");
	assert_int_equal(read_good(*state)->grace, 1 * SEC);
	put(*state, "/usr/local/lib/hotplugd.conf.d/x.conf", GRACE("2"));
	assert_int_equal(read_good(*state)->grace, 2 * SEC);
	put(*state, "/run/hotplugd.conf.d/x.conf", GRACE("3"));
	assert_int_equal(read_good(*state)->grace, 3 * SEC);
	put(*state, "/etc/hotplugd.conf.d/x.conf", GRACE("4"));
	assert_int_equal(read_good(*state)->grace, 4 * SEC);
	assert_int_equal(read_good(*state)->button, BUTTON_EJECT);
}

static void an_empty_drop_in_masks(void **state)
{
	put(*state, "/usr/lib/hotplugd.conf.d/x.conf", GRACE("1"));
	put(*state, "/run/hotplugd.conf.d/x.conf", "");
	assert_int_equal(read_good(*state)->grace, 5 * SEC);
}

static void a_link_to_dev_null_masks(void **state)
{
	put(*state, "/usr/lib/hotplugd.conf.d/x.conf", GRACE("1"));
	assert_int_equal(symlink("/dev/null", way_to(*state, "/etc/hotplugd.conf.d/x.conf")), 0);
	assert_int_equal(read_good(*state)->grace, 5 * SEC);
}

static void a_link_is_followed(void **state)
{
	put(*state, "/etc/elsewhere", GRACE("7"));
	assert_int_equal(symlink("../elsewhere", way_to(*state, "/etc/hotplugd.conf.d/x.conf")), 0);
	assert_int_equal(read_good(*state)->grace, 7 * SEC);
}

static void only_names_that_end_in_conf_are_drop_ins(void **state)
{
	put(*state, "/etc/hotplugd.conf.d/x.conf.bak", GRACE("1"));
	put(*state, "/etc/hotplugd.conf.d/x.conf~", GRACE("1"));
	put(*state, "/etc/hotplugd.conf.d/.x.conf", GRACE("1"));
	put(*state, "/etc/hotplugd.conf.d/README", "Not a line of configuration.\n");
	put(*state, "/etc/hotplugd.conf.d/.conf", GRACE("1"));
	assert_int_equal(read_good(*state)->grace, 5 * SEC);
}

/* ---- what is in them ---- */

static void each_setting_is_read(void **state)
{
	const struct settings *s;

	put(*state, "/etc/hotplugd.conf",
	    "# a comment\n"
	    "; another\n"
	    "\n"
	    "[Daemon]\n"
	    "LogLevel=debug\nCommit=kernel\nGiveBackSec=1min\nAdopt=slot1 slot2\n"
	    "[Policy]\n"
	    "  Button = notify\t\n"
	    "Insert=ignore\nGraceSec=500ms\nLinkDownSec=1s\nRefusedBlinkSec=2s\n"
	    "[Timeouts]\n"
	    "DriverSec=11\nCheckSec=12\nPowerOnSec=13\nRemoveSec=1min 30s\nRescanSec=15\nPowerOffSec=infinity\n"
	    "ConfirmSec=17\n");
	s = read_good(*state);
	assert_int_equal(s->log_level, LOG_DEBUG);
	assert_int_equal(s->commit, COMMIT_BY_KERNEL);
	assert_int_equal(s->give_back, 60 * SEC);
	assert_string_equal(s->adopt[0], "slot1");
	assert_string_equal(s->adopt[1], "slot2");
	assert_null(s->adopt[2]);
	assert_int_equal(s->button, BUTTON_NOTIFY);
	assert_int_equal(s->insert, INSERT_IGNORE);
	assert_int_equal(s->grace, SEC / 2);
	assert_int_equal(s->engine.debounce, SEC);
	assert_int_equal(s->engine.refused_blink, 2 * SEC);
	assert_int_equal(s->driver_wait, 11 * SEC);
	assert_int_equal(s->engine.deadline[STEP_CHECK], 12 * SEC);
	assert_int_equal(s->engine.deadline[STEP_POWER_ON], 13 * SEC);
	assert_int_equal(s->engine.deadline[STEP_REMOVE], 90 * SEC);
	assert_int_equal(s->engine.deadline[STEP_RESCAN], 15 * SEC);
	assert_true(s->engine.deadline[STEP_POWER_OFF] == USEC_INFINITY);
	assert_int_equal(s->engine.deadline[STEP_CONFIRM], 17 * SEC);
}

/* Reads the sample, with the marks of its settings taken away, into @text. */
static void read_sample(char *text)
{
	char path[4096], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/systemd/hotplugd.conf", getenv("SOURCE_ROOT"));
	f = fopen(path, "r");
	assert_non_null(f);
	for (*text = '\0'; fgets(line, sizeof(line), f);)
		strcat(text, line + (line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z'));
	fclose(f);
}

static void the_sample_names_each_setting_with_its_default(void **state)
{
	struct world *w = *state;
	struct settings fresh;
	char text[8192];
	size_t n;

	if (!getenv("SOURCE_ROOT"))
		skip();
	read_sample(text);
	put(w, "/etc/hotplugd.conf", text);
	read_good(w);
	assert_string_equal(w->settings.adopt[0], "yes");
	w->settings.adopt = strv_free(w->settings.adopt);
	settings_default(&fresh);
	assert_memory_equal(&fresh, &w->settings, sizeof(fresh));
	for (n = 0; settings_key(n); n++) {
		char line[64];

		snprintf(line, sizeof(line), "\n%s=", settings_key(n));
		if (!strstr(text, line))
			fail_msg("%s= is not in the sample", settings_key(n));
	}
	assert_true(n > 10);
}

static void an_empty_value_takes_a_setting_back(void **state)
{
	const struct settings *s;

	put(*state, "/etc/hotplugd.conf",
	    "[Daemon]\nAdopt=no\nLogLevel=err\nGiveBackSec=1\n[Policy]\nGraceSec=1\nButton=ignore\n");
	put(*state, "/etc/hotplugd.conf.d/x.conf",
	    "[Daemon]\nAdopt=\nLogLevel=\nGiveBackSec=\n[Policy]\nGraceSec=\nButton=\n");
	s = read_good(*state);
	assert_null(s->adopt);
	assert_int_equal(s->log_level, LOG_INFO);
	assert_int_equal(s->give_back, 10 * SEC);
	assert_int_equal(s->grace, 5 * SEC);
	assert_int_equal(s->button, BUTTON_EJECT);
}

static void a_wrong_line_is_told_with_file_and_line_and_the_rest_holds(void **state)
{
	struct world *w = *state;
	const struct settings *s;

	put(w, "/etc/hotplugd.conf",
	    "[Policy]\n"
	    "GraceSec=2\n"
	    "Button=perhaps\n"
	    "this is no assignment\n"
	    "Insert=notify\n");
	put(w, "/run/hotplugd.conf.d/x.conf",
	    "GraceSec=3\n"
	    "[Daemon]\n"
	    "GraceSec=4\n"
	    "Colour=red\n"
	    "[Nowhere]\n"
	    "Anything=1\n"
	    "[Timeouts]\n"
	    "RemoveSec=7\n");
	s = read_all(w);
	assert_string_equal(w->wrong,
			    "/etc/hotplugd.conf:4: the line is neither KEY=VALUE, nor [SECTION], nor a comment, and is ignored\n"
			    "/etc/hotplugd.conf:3: Button=perhaps is ignored: it should be eject, notify or ignore\n"
			    "/run/hotplugd.conf.d/x.conf:1: GraceSec= is above the first section, and is ignored: it belongs "
			    "below [Policy]\n"
			    "/run/hotplugd.conf.d/x.conf:3: GraceSec= is ignored in [Daemon]: it belongs below [Policy]\n"
			    "/run/hotplugd.conf.d/x.conf:4: there is no setting Colour=: ignored. See hotplugd.conf(5)\n"
			    "/run/hotplugd.conf.d/x.conf:6: Anything= is ignored: there is no section [Nowhere]. See "
			    "hotplugd.conf(5)\n");
	assert_int_equal(s->grace, 2 * SEC);
	assert_int_equal(s->button, BUTTON_EJECT);
	assert_int_equal(s->insert, INSERT_NOTIFY);
	assert_int_equal(s->engine.deadline[STEP_REMOVE], 7 * SEC);
}

static void values_out_of_their_range_are_wrong(void **state)
{
	static const char *const wrong[] = {
		"[Policy]\nGraceSec=61min", "[Policy]\nGraceSec=infinity", "[Policy]\nGraceSec=-1", "[Policy]\nGraceSec=soon",
		"[Policy]\nLinkDownSec=2min", "[Daemon]\nGiveBackSec=0", "[Daemon]\nGiveBackSec=11min",
		"[Daemon]\nGiveBackSec=infinity", "[Timeouts]\nRemoveSec=0", "[Timeouts]\nRemoveSec=2h",
		"[Daemon]\nCommit=yes", "[Daemon]\nLogLevel=7", "[Policy]\nInsert=eject", "[Daemon]\nAdopt=slot1 !",
		"[Daemon]\nAdopt=!no", "[policy]\nGraceSec=1", "[Policy]\ngracesec=1",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct settings fresh;

		put(w, "/etc/hotplugd.conf", wrong[i]);
		read_all(w);
		if (strncmp(w->wrong, "/etc/hotplugd.conf:2: ", 22) != 0)
			fail_msg("%s: told \"%s\"", wrong[i], w->wrong);
		settings_default(&fresh);
		assert_memory_equal(&fresh, &w->settings, sizeof(fresh));
	}
}

static void each_wrong_line_is_told_but_not_without_end(void **state)
{
	struct world *w = *state;
	unsigned int n = 0;
	char text[1024] = "";

	for (int i = 0; i < 50; i++)
		strcat(text, "no assignment\n");
	strcat(text, GRACE("3"));
	put(w, "/etc/hotplugd.conf", text);
	assert_int_equal(read_all(w)->grace, 3 * SEC);
	for (const char *p = w->wrong; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, 11);
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf:10: the line is neither"));
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf:11: this line and more"));
}

static void a_line_that_is_too_long_is_ignored_as_a_whole(void **state)
{
	struct world *w = *state;
	char text[2048] = "[Daemon]\nAdopt=", *end = text + strlen(text);

	memset(end, ' ', 500);
	strcpy(end + 500, "Adopt=no\n[Policy]\nGraceSec=3\n");
	put(w, "/etc/hotplugd.conf", text);
	assert_int_equal(read_all(w)->grace, 3 * SEC);
	assert_null(w->settings.adopt);
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf:2: the line is too long"));
}

static void bytes_that_are_no_text_do_no_harm(void **state)
{
	static const char text[] = "[Policy]\nGrace\0Sec=1\nButton=\xff\xfe\nGraceSec=3\n[";
	struct world *w = *state;

	put_bytes(w, "/etc/hotplugd.conf", text, sizeof(text) - 1);
	assert_int_equal(read_all(w)->grace, 3 * SEC);
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf:2: the line has a NUL byte"));
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf:3: Button="));
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf:5: the line is neither"));
}

static void what_is_no_file_is_told_and_passed_over(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdir(way_to(w, "/etc/hotplugd.conf.d/a.conf"), 0755), 0);
	assert_int_equal(mkfifo(way_to(w, "/etc/hotplugd.conf.d/b.conf"), 0644), 0);
	put(w, "/etc/hotplugd.conf.d/c.conf", GRACE("3"));
	assert_int_equal(read_all(w)->grace, 3 * SEC);
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf.d/a.conf:0: the file cannot be read"));
	assert_non_null(strstr(w->wrong, "/etc/hotplugd.conf.d/b.conf:0: the file cannot be read"));
}

/* ---- Adopt= ---- */

static bool adopts(struct world *w, const char *adopt, const char *slot, const char *port)
{
	const char *const names[] = { slot, slot + strlen("slot"), port };
	char text[256];

	snprintf(text, sizeof(text), "[Daemon]\n%s", adopt);
	put(w, "/etc/hotplugd.conf", text);
	return settings_adopts(read_good(w), names, 3);
}

static void adopt_takes_yes_no_names_and_patterns(void **state)
{
	struct world *w = *state;
	const char *p3 = "0000:00:03.0";

	assert_true(adopts(w, "", "slot3", p3));
	assert_true(adopts(w, "Adopt=yes", "slot3", p3));
	assert_false(adopts(w, "Adopt=no", "slot3", p3));
	assert_true(adopts(w, "Adopt=slot3", "slot3", p3));
	assert_false(adopts(w, "Adopt=slot3", "slot30", p3));
	assert_true(adopts(w, "Adopt=3", "slot3", p3));
	assert_true(adopts(w, "Adopt=slot1 slot3", "slot3", p3));
	assert_true(adopts(w, "Adopt=slot1\nAdopt=slot3", "slot3", p3));
	assert_true(adopts(w, "Adopt=slot1*", "slot12", p3));
	assert_true(adopts(w, "Adopt=0000:00:*", "slot3", p3));
	assert_false(adopts(w, "Adopt=0000:01:*", "slot3", p3));
}

static void in_adopt_the_last_word_that_matches_decides(void **state)
{
	struct world *w = *state;
	const char *p3 = "0000:00:03.0";

	assert_false(adopts(w, "Adopt=yes !slot3", "slot3", p3));
	assert_true(adopts(w, "Adopt=yes !slot3", "slot4", p3));
	assert_false(adopts(w, "Adopt=!slot3", "slot3", p3));
	assert_true(adopts(w, "Adopt=!slot3", "slot4", p3));
	assert_true(adopts(w, "Adopt=!slot* slot3", "slot3", p3));
	assert_false(adopts(w, "Adopt=slot3 no", "slot3", p3));
	assert_true(adopts(w, "Adopt=no slot3", "slot3", p3));
	assert_true(adopts(w, "Adopt=slot1\nAdopt=\nAdopt=slot3", "slot3", p3));
	assert_false(adopts(w, "Adopt=slot3\nAdopt=\nAdopt=slot1", "slot3", p3));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_files_the_defaults_hold),
		CASE(of_the_main_files_the_first_directory_counts_alone),
		CASE(a_main_file_that_is_a_link_to_dev_null_masks_the_others),
		CASE(drop_ins_override_the_main_file_wherever_they_are),
		CASE(drop_ins_are_ordered_by_file_name_over_all_directories),
		CASE(a_drop_in_masks_those_of_the_same_name_further_down),
		CASE(an_empty_drop_in_masks),
		CASE(a_link_to_dev_null_masks),
		CASE(a_link_is_followed),
		CASE(only_names_that_end_in_conf_are_drop_ins),
		CASE(each_setting_is_read),
		CASE(the_sample_names_each_setting_with_its_default),
		CASE(an_empty_value_takes_a_setting_back),
		CASE(a_wrong_line_is_told_with_file_and_line_and_the_rest_holds),
		CASE(values_out_of_their_range_are_wrong),
		CASE(each_wrong_line_is_told_but_not_without_end),
		CASE(a_line_that_is_too_long_is_ignored_as_a_whole),
		CASE(bytes_that_are_no_text_do_no_harm),
		CASE(what_is_no_file_is_told_and_passed_over),
		CASE(adopt_takes_yes_no_names_and_patterns),
		CASE(in_adopt_the_last_word_that_matches_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
