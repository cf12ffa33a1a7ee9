/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work is done by another process, answered once, and goes on after that process
 * has died. The worker is the real one where it must not touch anything (names
 * that do not exist), else this program, which then does what FAKE_WORKER says.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker-link.h"

#define SEC 1000000

static sd_event *event;
static struct worker_link *link_;
static char self[4096];

static int answers, last_error;
static char last_text[512];

/* ---- the fake ---- */

static int fake_worker(const char *what)
{
	static char request[WORKER_MESSAGE_MAX];

	signal(SIGSEGV, SIG_DFL); /* a sanitizer would look into it first */
	while (recv(WORKER_FD, request, sizeof(request), 0) > 0) {
		if (strcmp(what, "die") == 0)
			raise(SIGKILL);
		if (strcmp(what, "hang") == 0)
			for (;;)
				pause();
		snprintf(request, sizeof(request), "0 %s", strcmp(what, "name") == 0 ? program_invocation_name : "");
		send(WORKER_FD, request, strlen(request), 0);
		if (strcmp(what, "answer-and-die") == 0)
			raise(SIGKILL);
	}
	return 0;
}

/* ---- what the tests share ---- */

static void on_done(int error, const char *text, void *userdata)
{
	answers++;
	last_error = error;
	snprintf(last_text, sizeof(last_text), "%s", text);
}

static const struct worker_request insert_no_slot = { .type = WORKER_INSERT_NATIVE, .slot = "no-such-slot" };

static int submit(const struct worker_request *request)
{
	return worker_link_submit(link_, request, on_done, NULL);
}

static void wait_for_answers(int n)
{
	while (answers < n)
		assert_true(sd_event_run(event, 20 * SEC) > 0);
	assert_int_equal(answers, n);
}

static void use_fake(const char *what)
{
	setenv("FAKE_WORKER", what, 1);
	assert_int_equal(worker_link_new(&link_, event, self), 0);
}

static void use_real(void)
{
	const char *path = getenv("TEST_WORKER");

	if (!path)
		skip();
	assert_int_equal(worker_link_new(&link_, event, path), 0);
}

static pid_t worker_pid(void)
{
	uint64_t start;
	pid_t pid = 0;

	assert_int_equal(worker_link_identity(link_, &pid, &start), 0);
	return pid;
}

static int setup(void **state)
{
	answers = 0;
	return sd_event_new(&event) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	link_ = worker_link_free(link_);
	event = sd_event_unref(event);
	unsetenv("FAKE_WORKER");
	return 0;
}

/* ---- the real worker ---- */

static void what_failed_is_told_with_its_file(void **state)
{
	use_real();
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(1);
	assert_int_equal(last_error, ENOENT);
	assert_non_null(strstr(last_text, "/sys/bus/pci/slots/no-such-slot/power"));
}

static void a_function_that_has_gone_is_no_failure(void **state)
{
	const char *functions[] = { "ffff:ff:1f.6", "ffff:ff:1f.7" };
	const struct worker_request request = {
		.type = WORKER_REMOVE_NATIVE, .slot = "no-such-slot", .functions = functions, .n_functions = 2
	};

	use_real();
	assert_int_equal(submit(&request), 0);
	wait_for_answers(1);
	/* It got as far as the slot. */
	assert_non_null(strstr(last_text, "no-such-slot/power"));
}

static void a_slot_may_have_a_space_in_its_name(void **state)
{
	const struct worker_request request = { .type = WORKER_INSERT_NATIVE, .slot = "no such slot" };

	use_real();
	assert_int_equal(submit(&request), 0);
	wait_for_answers(1);
	assert_non_null(strstr(last_text, "/no such slot/power"));
}

static void the_bus_below_a_port_that_is_gone_cannot_be_rescanned(void **state)
{
	const struct worker_request rescan = { .type = WORKER_RESCAN_BUS, .address = "ffff:ff:1f.7" };

	use_real();
	assert_int_equal(submit(&rescan), -ENODEV);
}

static void functions_can_be_removed_without_touching_the_slots_power(void **state)
{
	const char *functions[] = { "ffff:ff:1f.7" };
	const struct worker_request request = { .type = WORKER_REMOVE_NATIVE, .functions = functions, .n_functions = 1 };

	use_real();
	assert_int_equal(submit(&request), 0);
	wait_for_answers(1);
	assert_int_equal(last_error, 0);
}

static void a_driver_that_has_let_go_already_is_no_failure(void **state)
{
	const char *functions[] = { "ffff:ff:1f.6", "ffff:ff:1f.7" }, *drivers[] = { "no-such-driver", "nor this" };
	struct worker_request request = {
		.type = WORKER_UNBIND, .functions = functions, .drivers = drivers, .n_functions = 2
	};

	use_real();
	assert_int_equal(submit(&request), 0);
	wait_for_answers(1);
	assert_int_equal(last_error, 0);
	drivers[0] = drivers[1] = ""; /* it has let go, as far as sysfs shows */
	assert_int_equal(submit(&request), 0);
	wait_for_answers(2);
	assert_int_equal(last_error, 0);
	request.n_functions = 0; /* a round trip */
	assert_int_equal(submit(&request), 0);
	wait_for_answers(3);
	assert_int_equal(last_error, 0);
}

static void nothing_outside_of_pci_is_written(void **state)
{
	const struct worker_request slot = { .type = WORKER_INSERT_NATIVE, .slot = "../x" };
	const char *functions[] = { "../../x" };
	const struct worker_request function = {
		.type = WORKER_REMOVE_NATIVE, .slot = "no-such-slot", .functions = functions, .n_functions = 1
	};
	const struct worker_request driver = {
		.type = WORKER_UNBIND, .functions = functions, .drivers = functions, .n_functions = 1
	};

	use_real();
	assert_int_equal(submit(&slot), -EINVAL);
	assert_int_equal(submit(&driver), -EINVAL);
	assert_int_equal(submit(&function), 0);
	wait_for_answers(1);
	assert_int_equal(last_error, EPERM);
}

static void one_worker_does_one_piece_after_the_other(void **state)
{
	pid_t pid;

	use_real();
	assert_int_equal(submit(&insert_no_slot), 0);
	pid = worker_pid();
	assert_int_equal(submit(&insert_no_slot), -EBUSY);
	wait_for_answers(1);
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(2);
	assert_int_equal(worker_pid(), pid);
}

static void it_ends_when_the_daemon_is_gone(void **state)
{
	int status;
	pid_t pid;

	use_real();
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(1);
	pid = worker_pid();
	link_ = worker_link_free(link_);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the fake one ---- */

/* systemd knows it by its first letter. */
static void a_shutdown_does_not_wait_for_a_process_of_its_name(void **state)
{
	use_fake("name");
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(1);
	assert_int_equal(last_text[0], '@');
	assert_string_equal(last_text + 1, self);
}

static void who_waits_for_a_dead_worker_is_told(void **state)
{
	use_fake("die");
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(1);
	assert_int_equal(last_error, EOWNERDEAD);
	setenv("FAKE_WORKER", "answer", 1);
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(2);
	assert_int_equal(last_error, 0);
}

/* Its answer comes first; its death, when work follows at once, is not noticed. */
static void a_worker_that_died_while_idle_is_replaced(void **state)
{
	siginfo_t dead;

	use_fake("answer-and-die");
	assert_int_equal(submit(&insert_no_slot), 0);
	assert_int_equal(waitid(P_PID, (id_t)worker_pid(), &dead, WEXITED | WNOWAIT), 0);
	wait_for_answers(1);
	assert_int_equal(last_error, 0);
	setenv("FAKE_WORKER", "answer", 1);
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(2);
	assert_int_equal(last_error, 0);
}

static void on_done_submit_again(int error, const char *text, void *userdata)
{
	on_done(error, text, NULL);
	setenv("FAKE_WORKER", "answer", 1);
	assert_int_equal(submit(&insert_no_slot), 0);
}

static void the_next_piece_may_be_given_when_the_last_one_ends(void **state)
{
	use_fake("die");
	assert_int_equal(worker_link_submit(link_, &insert_no_slot, on_done_submit_again, NULL), 0);
	wait_for_answers(2);
	assert_int_equal(last_error, 0);
}

static void where_it_is_stuck_can_be_asked_while_it_works(void **state)
{
	uint64_t start = 0;
	char *stack = NULL;
	pid_t pid;
	int r;

	use_fake("hang");
	assert_int_equal(worker_link_stack(link_, &stack), -ENOENT);
	assert_int_equal(worker_link_identity(link_, &pid, &start), -ENOENT);
	assert_int_equal(submit(&insert_no_slot), 0);
	assert_int_equal(worker_link_identity(link_, &pid, &start), 0);
	assert_true(pid > 0 && start > 0);
	r = worker_link_stack(link_, &stack);
	assert_true(r == -EACCES || (r == 0 && stack[0] != '\0'));
	free(stack);
	kill(pid, SIGSEGV); /* as the kernel does after an oops: that is not tried again */
	wait_for_answers(1);
	assert_int_equal(last_error, EOWNERDEAD);
}

static void a_worker_that_was_killed_is_replaced_and_the_work_done(void **state)
{
	pid_t pid;

	use_fake("hang");
	assert_int_equal(submit(&insert_no_slot), 0);
	pid = worker_pid();
	setenv("FAKE_WORKER", "answer", 1);
	kill(pid, SIGKILL);
	wait_for_answers(1);
	assert_int_equal(last_error, 0);
	assert_int_not_equal(worker_pid(), pid);
}

/* What is called when a worker starts: notes who, and ends the first ones. */
static pid_t started[4];
static size_t n_started, n_to_kill;

static void on_started(void *userdata)
{
	siginfo_t dead;
	uint64_t start;

	assert_true(n_started < sizeof(started) / sizeof(started[0]));
	assert_int_equal(worker_link_identity(link_, &started[n_started], &start), 0);
	if (n_started++ >= n_to_kill)
		return;
	kill(started[n_started - 1], SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)started[n_started - 1], &dead, WEXITED | WNOWAIT), 0);
}

static void note_starts(size_t to_kill)
{
	n_started = 0;
	n_to_kill = to_kill;
	worker_link_on_start(link_, on_started, NULL);
}

static void who_it_is_is_told_before_it_has_work(void **state)
{
	use_fake("answer");
	note_starts(1);
	assert_int_equal(submit(&insert_no_slot), 0);
	/* With the work in its socket the first would have been the last. */
	assert_int_equal(n_started, 2);
	assert_int_equal(started[1], worker_pid());
	wait_for_answers(1);
	assert_int_equal(last_error, 0);
}

static void who_replaces_a_killed_worker_is_told(void **state)
{
	use_fake("hang");
	note_starts(0);
	assert_int_equal(submit(&insert_no_slot), 0);
	setenv("FAKE_WORKER", "answer", 1);
	kill(started[0], SIGKILL);
	wait_for_answers(1);
	assert_int_equal(n_started, 2);
	assert_int_equal(started[1], worker_pid());
}

/* A process that stands for the worker of another daemon; ends when told so. */
static pid_t other_worker(int *ret_tell)
{
	int ends[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &c, 1) < 0);
	}
	close(ends[0]);
	*ret_tell = ends[1];
	return pid;
}

static uint64_t start_of(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	       &start);
	return start;
}

static void work_waits_for_the_worker_of_the_daemon_before(void **state)
{
	uint64_t start = 0;
	pid_t pid, is = 0;
	int tell;

	use_fake("answer");
	pid = other_worker(&tell);
	assert_int_equal(worker_link_succeed(link_, pid, start_of(pid)), 1);
	assert_int_equal(submit(&insert_no_slot), 0);
	assert_int_equal(worker_link_identity(link_, &is, &start), 0);
	assert_int_equal(is, pid);
	note_starts(0);
	while (sd_event_run(event, 200000) > 0)
		;
	assert_int_equal(answers, 0);
	close(tell);
	wait_for_answers(1);
	assert_int_equal(last_error, 0);
	assert_int_equal(n_started, 1);
	assert_int_equal(started[0], worker_pid());
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void another_process_of_that_number_is_not_waited_for(void **state)
{
	int tell;
	pid_t pid;

	use_fake("answer");
	pid = other_worker(&tell);
	assert_int_equal(worker_link_succeed(link_, pid, start_of(pid) + 1), 0);
	assert_int_equal(submit(&insert_no_slot), 0);
	wait_for_answers(1);
	close(tell);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(worker_link_succeed(link_, pid, 1), 0);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
	assert_int_equal(worker_link_new(&link_, event, "/no/such/program"), 0);
	assert_int_equal(submit(&insert_no_slot), -ENOENT);
	assert_int_equal(submit(&insert_no_slot), -ENOENT);
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(what_failed_is_told_with_its_file),
		claim(a_function_that_has_gone_is_no_failure),
		claim(a_slot_may_have_a_space_in_its_name),
		claim(the_bus_below_a_port_that_is_gone_cannot_be_rescanned),
		claim(functions_can_be_removed_without_touching_the_slots_power),
		claim(a_driver_that_has_let_go_already_is_no_failure),
		claim(nothing_outside_of_pci_is_written),
		claim(one_worker_does_one_piece_after_the_other),
		claim(it_ends_when_the_daemon_is_gone),
		claim(a_shutdown_does_not_wait_for_a_process_of_its_name),
		claim(who_waits_for_a_dead_worker_is_told),
		claim(a_worker_that_died_while_idle_is_replaced),
		claim(the_next_piece_may_be_given_when_the_last_one_ends),
		claim(where_it_is_stuck_can_be_asked_while_it_works),
		claim(a_worker_that_was_killed_is_replaced_and_the_work_done),
		claim(who_it_is_is_told_before_it_has_work),
		claim(who_replaces_a_killed_worker_is_told),
		claim(work_waits_for_the_worker_of_the_daemon_before),
		claim(another_process_of_that_number_is_not_waited_for),
		claim(a_program_that_is_not_there_is_an_error),
	};
	const char *fake = getenv("FAKE_WORKER");

	if (fake)
		return fake_worker(fake);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
