/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people read in the journal.
 *
 * Responsible for: priorities, and where messages go: to the journal when
 * systemd has connected standard error to it, else to standard error. That the
 * journal keeps nobody waiting is journal-socket.c's.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-messages.h>

#include "base/cleanup.h"
#include "base/journal-socket.h"
#include "base/log.h"

#define FIELDS_MAX 24

static int max_priority = LOG_INFO;
static bool level_from_environment;

void log_init(void)
{
	static const char *const names[] = {
		[LOG_ERR] = "err", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};
	const char *wanted = getenv("HOTPLUGD_LOG_LEVEL");

	for (int p = LOG_ERR; wanted && p <= LOG_DEBUG; p++)
		if (strcmp(wanted, names[p]) == 0) {
			max_priority = p;
			level_from_environment = true;
		}
}

void log_set_level(int level)
{
	if (!level_from_environment)
		max_priority = level;
}

/* Appends "NAME=value", as the journal takes it; without memory it is left out. */
static void append_field(struct iovec *v, int *count, const char *name, const char *value)
{
	char *text;
	int n = asprintf(&text, "%s=%s", name, value);

	if (n >= 0)
		v[(*count)++] = (struct iovec){ .iov_base = text, .iov_len = (size_t)n };
}

static void send_to_journal(int priority, const char *id, const struct log_field *fields, size_t n, const char *message)
{
	char level[2] = { (char)('0' + priority), '\0' };
	struct iovec v[FIELDS_MAX + 3];
	int count = 0;

	append_field(v, &count, "MESSAGE", message);
	if (id)
		append_field(v, &count, "MESSAGE_ID", id);
	append_field(v, &count, "PRIORITY", level);
	for (size_t i = 0; i < n && i < FIELDS_MAX; i++)
		append_field(v, &count, fields[i].name, fields[i].value);
	journal_socket_send(v, (size_t)count);
	for (int i = 0; i < count; i++)
		free(v[i].iov_base);
}

static void __attribute__((format(printf, 5, 0)))
say(int priority, const char *id, const struct log_field *fields, size_t n, const char *format, va_list arguments)
{
	_cleanup_free_ char *message = NULL;

	if (vasprintf(&message, format, arguments) < 0) {
		message = NULL;
		return;
	}
	if (getenv("JOURNAL_STREAM"))
		send_to_journal(priority, id, fields, n, message);
	else
		fprintf(stderr, "%s\n", message);
}

void log_fields(int priority, const char *id, const struct log_field *fields, size_t n, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(priority, id, fields, n, format, arguments);
	va_end(arguments);
}

void log_wrong_line(const char *file, unsigned int line, const char *reason)
{
	char place[32] = "", number[16], id[SD_ID128_STRING_MAX];
	const struct log_field fields[] = { { "CONFIG_FILE", file }, { "CONFIG_LINE", number } };

	if (line > 0)
		snprintf(place, sizeof(place), ":%u", line);
	snprintf(number, sizeof(number), "%u", line);
	log_fields(LOG_WARNING, sd_id128_to_string(SD_MESSAGE_INVALID_CONFIGURATION, id), fields, 2, "%s%s: %s", file, place,
		   reason);
}

void log_message(int priority, const char *format, ...)
{
	va_list arguments;

	if (priority > max_priority)
		return;
	va_start(arguments, format);
	say(priority, NULL, NULL, 0, format, arguments);
	va_end(arguments);
}
