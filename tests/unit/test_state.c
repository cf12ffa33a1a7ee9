/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon leaves behind is read back as it was, or not at all: whatever is
 * cut off, changed or of another version makes nothing up.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state.h"

static struct state_slot slots[] = {
	{ .name = (char *)"slot3", .shim = true, .shim_id = 7, .generation = 2, .presses = 5, .present = true, .locate = true,
	  .seen = { .card = true, .given_up = true } },
	{ .name = (char *)"slotPHB 1", .hold = true, .released = true,
	  .seen = { .loss = true, .link_down = true, .fault = true } },
};

static struct state_job jobs[] = {
	{ .job = { .id = 41, .operation = OPERATION_EJECT, .origin = ORIGIN_BUTTON, .state = JOB_COMMITTING,
		   .step = STEP_REMOVE, .stalled = true, .force = true, .created = 1, .state_since = 2, .step_since = 3,
		   .step_deadline = 4, .requested_by = (char *)"button" },
	  .slot = (char *)"slot3", .shim = true, .generation = 2 },
	{ .job = { .id = 42, .operation = OPERATION_INSERT, .origin = ORIGIN_DBUS, .state = JOB_QUIESCING,
		   .step = STEP_TURN, .cancel_requested = true, .undo = true, .unbound = true, .step_deadline = USEC_INFINITY, .error = EIO,
		   .reason = (char *)"a \"sentence\",\nof two lines\t\xc3\xa9", .requested_by = (char *)"uid 0" },
	  .slot = (char *)"slotPHB 1", .unbinder_pid = 815, .unbinder_start = 123457 },
	{ .job = { .id = 43, .operation = OPERATION_REPLACE, .origin = ORIGIN_DBUS, .state = JOB_SETTLING, .step = STEP_CARD,
		   .inserting = true, .step_deadline = USEC_INFINITY, .requested_by = (char *)"uid 0" },
	  .slot = (char *)"slotPHB 1" },
};

static struct state_legacy legacy[] = { { .request = UINT64_MAX, .job_id = 41 } };

static const struct state sample = {
	.family = 31, .seq = UINT64_MAX - 1, .last_job_id = 42, .worker_pid = 812, .worker_start = 123456,
	.slots = slots, .jobs = jobs, .legacy = legacy, .n_slots = 2, .n_jobs = 3, .n_legacy = 1,
};

static char *text_of(const struct state *st)
{
	struct state_memo memo = { 0 };
	char *text = state_format(st, &memo);

	assert_non_null(text);
	state_memo_clear(&memo);
	return text;
}

static char *sample_text(void)
{
	return text_of(&sample);
}

static void what_was_written_is_read_back(void **state)
{
	char *text = sample_text(), *again;
	struct state st;

	assert_int_equal(state_parse(&st, text, strlen(text)), 0);
	assert_int_equal(st.family, 31);
	assert_true(st.seq == UINT64_MAX - 1);
	assert_int_equal(st.n_jobs, 3);
	assert_int_equal(st.jobs[0].job.step, STEP_REMOVE);
	assert_true(st.jobs[1].job.step_deadline == USEC_INFINITY);
	assert_string_equal(st.jobs[1].job.reason, jobs[1].job.reason);
	assert_null(st.jobs[0].job.reason);
	assert_int_equal(state_slot_by_name(&st, "slot3")->presses, 5);
	assert_false(state_slot_by_name(&st, "slot3")->hold);
	assert_true(state_slot_by_name(&st, "slotPHB 1")->hold);
	assert_true(state_slot_by_name(&st, "slotPHB 1")->released);
	assert_int_equal(st.jobs[2].job.step, STEP_CARD);
	assert_true(st.jobs[2].job.inserting);
	for (size_t i = 0; i < 2; i++)
		assert_memory_equal(&st.slots[i].seen, &slots[i].seen, sizeof(slots[i].seen));
	assert_null(state_slot_by_name(&st, "slot4"));
	again = text_of(&st);
	assert_string_equal(again, text);
	free(again);
	free(text);
	state_clear(&st);
}

static void a_file_cut_off_anywhere_is_not_used(void **state)
{
	char *text = sample_text();
	struct state st;

	/* All but the newline at the end. */
	for (size_t n = 0; n < strlen(text) - 1; n++) {
		assert_int_equal(state_parse(&st, text, n), -EBADMSG);
		assert_null(st.slots);
	}
	free(text);
}

static void what_stands_behind_the_end_makes_it_damaged(void **state)
{
	char *text = sample_text(), *twice;
	struct state st;

	assert_true(asprintf(&twice, "%s%s", text, text) > 0);
	assert_int_equal(state_parse(&st, twice, strlen(twice)), -EBADMSG);
	free(twice);
	free(text);
}

/* Whatever one byte turns into, the parser ends, and what it gives can be freed. */
static void a_damaged_byte_is_survived(void **state)
{
	static const char with[] = { 0, '0', '-', '"', '{', '}', ',', (char)0xff };
	char *text = sample_text();
	struct state st;

	for (size_t i = 0; i < strlen(text); i++) {
		for (size_t k = 0; k < sizeof(with); k++) {
			char was = text[i];
			size_t n = strlen(text);

			text[i] = with[k];
			if (state_parse(&st, text, n) == 0)
				state_clear(&st);
			text[i] = was;
		}
	}
	free(text);
}

static void replace_and_expect(const char *what, const char *with, int expected)
{
	char *text = sample_text(), *at = strstr(text, what), *changed;
	struct state st;

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what)) > 0);
	assert_int_equal(state_parse(&st, changed, strlen(changed)), expected);
	assert_null(st.jobs);
	free(changed);
	free(text);
}

/* With what is remembered of the text before, the same comes out as without. */
static void expect_same(const struct state *st, struct state_memo *memo)
{
	char *text = state_format(st, memo), *anew = text_of(st);

	assert_string_equal(text, anew);
	free(text);
	free(anew);
}

static void what_is_remembered_is_never_old(void **state)
{
	struct state_memo memo = { 0 };
	char reason[] = "a reason", *text = sample_text();
	struct state st;
	struct state_job job;

	assert_int_equal(state_parse(&st, text, strlen(text)), 0);
	expect_same(&st, &memo);
	expect_same(&st, &memo);
	st.slots[0].presses++;
	expect_same(&st, &memo);
	st.slots[1].seen.fault = !st.slots[1].seen.fault;
	expect_same(&st, &memo);
	st.jobs[0].job.step_since++;
	expect_same(&st, &memo);
	/* the same place in memory, other words in it */
	free(st.jobs[1].job.reason);
	st.jobs[1].job.reason = reason;
	expect_same(&st, &memo);
	reason[0] = 'A';
	expect_same(&st, &memo);
	st.slots[0].name[0] = 'S';
	expect_same(&st, &memo);
	/* jobs end in any order, and begin */
	job = st.jobs[0];
	st.jobs[0] = st.jobs[2];
	st.jobs[2] = job;
	expect_same(&st, &memo);
	st.n_jobs = 2;
	expect_same(&st, &memo);
	st.n_jobs = 3;
	st.n_slots = 1;
	expect_same(&st, &memo);
	st.n_slots = 2;
	expect_same(&st, &memo);
	st.n_jobs = st.n_slots = 0;
	expect_same(&st, &memo);

	st.n_jobs = 3;
	st.n_slots = 2;
	st.jobs[1].job.reason = NULL;
	state_clear(&st);
	state_memo_clear(&memo);
	free(text);
}

static void another_version_is_told_from_damage(void **state)
{
	replace_and_expect("\"version\":5", "\"version\":2", -EPROTO);
	replace_and_expect("\"version\":5", "\"version\":0", -EPROTO);
	replace_and_expect("\"version\":5", "\"version\":\"4\"", -EBADMSG);
	replace_and_expect("\"version\":5,", "", -EBADMSG);
}

static void what_cannot_be_makes_the_whole_file_wrong(void **state)
{
	replace_and_expect("\"eject\"", "\"erase\"", -EBADMSG);
	replace_and_expect("\"committing\"", "\"commit\"", -EBADMSG);
	replace_and_expect("\"remove\"", "\"removed\"", -EBADMSG);
	replace_and_expect("\"id\":41", "\"id\":0", -EBADMSG);
	replace_and_expect("\"id\":41", "\"id\":-1", -EBADMSG);
	replace_and_expect("\"id\":41", "\"id\":4294967296", -EBADMSG);
	replace_and_expect("\"present\":true", "\"present\":1", -EBADMSG);
	replace_and_expect("\"slots\":[", "\"slots\":[7,", -EBADMSG);
	replace_and_expect("\"jobs\":[", "\"jobs\":[null,", -EBADMSG);
	replace_and_expect("\"slot\":\"slot3\",", "", -EBADMSG);
}

/* ---- the file ---- */

static char directory[] = "/tmp/test-state-XXXXXX", path[64], new[80];

static int make_directory(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state", directory);
	snprintf(new, sizeof(new), "%s.new", path);
	return 0;
}

static int remove_directory(void **state)
{
	unlink(new);
	unlink(path);
	return rmdir(directory);
}

static void put(const char *where, const char *text)
{
	FILE *f = fopen(where, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void no_file_is_no_state(void **state)
{
	struct state st;

	assert_int_equal(state_read(&st, path), -ENOENT);
	assert_null(st.slots);
}

static void only_root_can_read_the_file(void **state)
{
	struct stat st;

	assert_int_equal(state_write(path, "{}"), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_write_that_was_cut_off_leaves_the_old_file(void **state)
{
	char *text = sample_text();
	struct state st;

	assert_int_equal(state_write(path, text), 0);
	put(new, "{\"version\":5,\"fam"); /* killed here */
	assert_int_equal(state_read(&st, path), 0);
	assert_int_equal(st.n_jobs, 3);
	state_clear(&st);
	/* And is in nobody's way. */
	assert_int_equal(state_write(path, text), 0);
	assert_int_equal(access(new, F_OK), -1);
	free(text);
}

static void an_empty_file_is_damaged(void **state)
{
	struct state st;

	put(path, "");
	assert_int_equal(state_read(&st, path), -EBADMSG);
}

static void what_cannot_be_written_is_told(void **state)
{
	assert_int_equal(state_write("/no/such/directory/state", "{}"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(a_file_cut_off_anywhere_is_not_used),
		cmocka_unit_test(what_stands_behind_the_end_makes_it_damaged),
		cmocka_unit_test(a_damaged_byte_is_survived),
		cmocka_unit_test(what_is_remembered_is_never_old),
		cmocka_unit_test(another_version_is_told_from_damage),
		cmocka_unit_test(what_cannot_be_makes_the_whole_file_wrong),
		cmocka_unit_test(no_file_is_no_state),
		cmocka_unit_test(only_root_can_read_the_file),
		cmocka_unit_test(a_write_that_was_cut_off_leaves_the_old_file),
		cmocka_unit_test(an_empty_file_is_damaged),
		cmocka_unit_test(what_cannot_be_written_is_told),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
