/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people read in the journal.
 *
 * Responsible for: priorities, and where messages go: to the journal when
 * systemd has connected standard error to it, else to standard error.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-journal.h>

#include "base/log.h"

static int max_priority = LOG_INFO;

void log_init(void)
{
	static const char *const names[] = {
		[LOG_ERR] = "err", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};
	const char *wanted = getenv("HOTPLUGD_LOG_LEVEL");

	for (int p = LOG_ERR; wanted && p <= LOG_DEBUG; p++)
		if (strcmp(wanted, names[p]) == 0)
			max_priority = p;
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
