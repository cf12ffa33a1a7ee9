/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people read in the journal. A function either logs an error or returns
 * it, never both.
 */
#ifndef HOTPLUGD_LOG_H
#define HOTPLUGD_LOG_H

#include <stddef.h>
#include <syslog.h>

/* Takes the level from HOTPLUGD_LOG_LEVEL: debug, info (the default), notice,
 * warning or err. */
void log_init(void);

/* The level from configuration, LOG_ERR to LOG_DEBUG: that of the environment,
 * if any, stays in force. */
void log_set_level(int level);

void log_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A message that programs look for: @id is its MESSAGE_ID, 32 hexadecimal digits;
 * fields are of the journal alone. Told whatever the level is. */
struct log_field {
	const char *name, *value;
};
void log_fields(int priority, const char *id, const struct log_field *fields, size_t n, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* A line of configuration that is wrong (line 0: the whole file), with the
 * fields that systemd uses for its own: CONFIG_FILE= and CONFIG_LINE=. */
void log_wrong_line(const char *file, unsigned int line, const char *reason);

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)

#endif
