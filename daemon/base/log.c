/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people read in the journal.
 *
 * Responsible for: priorities, and where messages go: to the journal when
 * systemd has connected standard error to it, else to standard error.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-journal.h>
#include <systemd/sd-messages.h>

#include "base/cleanup.h"
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
	append_field(v, &count, "MESSAGE_ID", id);
	append_field(v, &count, "PRIORITY", level);
	for (size_t i = 0; i < n && i < FIELDS_MAX; i++)
		append_field(v, &count, fields[i].name, fields[i].value);
	sd_journal_sendv(v, count);
	for (int i = 0; i < count; i++)
		free(v[i].iov_base);
}

void log_fields(int priority, const char *id, const struct log_field *fields, size_t n, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	if (!message)
		return;
	if (getenv("JOURNAL_STREAM"))
		send_to_journal(priority, id, fields, n, message);
	else
		fprintf(stderr, "%s\n", message);
}

void log_wrong_line(const char *file, unsigned int line, const char *reason)
{
	char place[32] = "";

	if (line > 0)
		snprintf(place, sizeof(place), ":%u", line);
	if (getenv("JOURNAL_STREAM"))
		sd_journal_send("MESSAGE=%s%s: %s", file, place, reason, "PRIORITY=%i", LOG_WARNING,
				"MESSAGE_ID=" SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(SD_MESSAGE_INVALID_CONFIGURATION),
				"CONFIG_FILE=%s", file, "CONFIG_LINE=%u", line, NULL);
	else
		fprintf(stderr, "%s%s: %s\n", file, place, reason);
}

void log_message(int priority, const char *format, ...)
{
	va_list arguments;

	if (priority > max_priority)
		return;
	va_start(arguments, format);
	if (getenv("JOURNAL_STREAM")) {
		sd_journal_printv(priority, format, arguments);
	} else {
		vfprintf(stderr, format, arguments);
		fputc('\n', stderr);
	}
	va_end(arguments);
}
