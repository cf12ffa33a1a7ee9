/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal gets what it takes, and keeps nobody waiting. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/journal-socket.h"
#include "base/log.h"

#define IDENTIFIER "SYSLOG_IDENTIFIER=test_journal_socket\n"

static char directory[] = "/tmp/test-journal-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int journald = -1;

static void listen_there(void)
{
	journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(journald, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void stop_listening(void)
{
	close(journald);
	unlink(address.sun_path);
	journald = -1;
}

/* The next entry, or "". */
static size_t receive(char *to, size_t size)
{
	ssize_t n = recv(journald, to, size - 1, 0);

	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void assert_received(const char *what)
{
	char text[4096];

	receive(text, sizeof(text));
	assert_string_equal(text, what);
}

static int setup(void **state)
{
	listen_there();
	return 0;
}

static int teardown(void **state)
{
	if (journald >= 0)
		stop_listening();
	return 0;
}

static void a_message_has_its_fields(void **state)
{
	const struct log_field fields[] = { { "HOTPLUGD_SLOT", "slot3" } };

	log_fields(LOG_NOTICE, "0123456789abcdef0123456789abcdef", fields, 1, "%s: done", "slot3");
	assert_received("MESSAGE=slot3: done\nMESSAGE_ID=0123456789abcdef0123456789abcdef\nPRIORITY=5\n"
			"HOTPLUGD_SLOT=slot3\n" IDENTIFIER);
	log_warning("no more than that");
	assert_received("MESSAGE=no more than that\nPRIORITY=4\n" IDENTIFIER);
	log_wrong_line("/etc/x.conf", 3, "bad");
	assert_received("MESSAGE=/etc/x.conf:3: bad\nMESSAGE_ID=c772d24e9a884cbeb9ea12625c306c01\nPRIORITY=4\n"
			"CONFIG_FILE=/etc/x.conf\nCONFIG_LINE=3\n" IDENTIFIER);
}

/* A kernel stack, say. */
static void several_lines_are_one_value(void **state)
{
	static const char wanted[] = "MESSAGE\n\7\0\0\0\0\0\0\0one\ntwo\nPRIORITY=3\n" IDENTIFIER;
	char text[4096];

	log_error("one\ntwo");
	assert_int_equal(receive(text, sizeof(text)), sizeof(wanted) - 1);
	assert_memory_equal(text, wanted, sizeof(wanted) - 1);
}

static void a_long_one_fits(void **state)
{
	static char text[300000];
	char *line = malloc(250000);

	memset(line, 'x', 249999);
	line[249999] = '\0';
	log_error("%s", line);
	free(line);
	assert_true(receive(text, sizeof(text)) > 250000);
}

static void who_does_not_read_keeps_nobody_waiting(void **state)
{
	char text[4096], wanted[256];
	int sent = 5000, received = 0;

	alarm(20);
	for (int i = 0; i < sent; i++)
		log_error("message %d", i);
	alarm(0);
	while (receive(text, sizeof(text)) > 0)
		received++;
	assert_in_range(received, 1, sent - 1);
	log_error("again");
	snprintf(wanted, sizeof(wanted), "MESSAGE=%d messages of hotplugd were lost: the journal did not take them\n"
		 "PRIORITY=4\n" IDENTIFIER, sent - received);
	assert_received(wanted);
	assert_received("MESSAGE=again\nPRIORITY=3\n" IDENTIFIER);
	log_error("once");
	assert_received("MESSAGE=once\nPRIORITY=3\n" IDENTIFIER);
}

static void what_is_said_while_there_is_no_journal_is_counted(void **state)
{
	stop_listening();
	log_error("a");
	log_error("b");
	listen_there();
	log_error("c");
	assert_received("MESSAGE=2 messages of hotplugd were lost: the journal did not take them\nPRIORITY=4\n" IDENTIFIER);
	assert_received("MESSAGE=c\nPRIORITY=3\n" IDENTIFIER);
}

int main(void)
{
#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		claim(a_message_has_its_fields),
		claim(several_lines_are_one_value),
		claim(a_long_one_fits),
		claim(who_does_not_read_keeps_nobody_waiting),
		claim(what_is_said_while_there_is_no_journal_is_counted),
	};
	int r;

	setenv("JOURNAL_STREAM", "1:1", 1);
	if (!mkdtemp(directory))
		return 1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	journal_socket_set_path(address.sun_path);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return r;
}
