// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Errors: from D-Bus to an exit code and a message.
 *
 * Responsible for: the table below. The daemon's own errors carry their reason
 * and often the remedy; those of the bus and of polkit get theirs here.
 */
#include <stdarg.h>
#include <stdio.h>

#include "error.h"
#include "util.h"

#define DBUS    "org.freedesktop.DBus.Error."
#define SYSTEMD "org.freedesktop.systemd1."

static const char not_running[] = "hotplugd is not running; start it with: systemctl start hotplugd";

/* Names ending in '.' stand for all that begin so. text: NULL, the error's own
 * message; otherwise a format for that message. */
struct known_error {
	const char *name;
	enum exit_code code;
	const char *text;
};

static const struct known_error known[] = {
	{ ERROR_NO_SUCH_SLOT, EXIT_CODE_NO_SUCH_SLOT, NULL },
	{ ERROR_NO_SUCH_JOB, EXIT_CODE_FAILED, "%s. Jobs under way: hpctl jobs" },
	{ ERROR_BUSY, EXIT_CODE_REFUSED, NULL },
	{ ERROR_PROTECTED, EXIT_CODE_REFUSED, NULL },
	{ ERROR_IN_USE, EXIT_CODE_REFUSED, NULL },
	{ ERROR_LATCH_OPEN, EXIT_CODE_REFUSED, NULL },
	{ ERROR_EMPTY, EXIT_CODE_FAILED, NULL },
	{ ERROR_NOT_AUTHORIZED, EXIT_CODE_NOT_AUTHORIZED, NULL },
	{ ERROR_INVALID, EXIT_CODE_USAGE, "%s. Is hotplugd of the same version as hpctl? See: hpctl status" },
	{ DBUS "AccessDenied", EXIT_CODE_NOT_AUTHORIZED,
	  "not authorised: %s. Use sudo, or let an administrator allow it in polkit" },
	{ DBUS "AuthFailed", EXIT_CODE_NOT_AUTHORIZED, "not authorised: %s. Use sudo" },
	{ DBUS "InteractiveAuthorizationRequired", EXIT_CODE_NOT_AUTHORIZED,
	  "not authorised: a password is needed and nobody may be asked for it (%s). "
	  "Use sudo, or leave out --no-ask-password" },
	{ DBUS "ServiceUnknown", EXIT_CODE_NOT_RUNNING, not_running },
	{ DBUS "NameHasNoOwner", EXIT_CODE_NOT_RUNNING, not_running },
	{ DBUS "Spawn.", EXIT_CODE_NOT_RUNNING,
	  "hotplugd is not running and the bus could not start it: %s. See: systemctl status hotplugd" },
	{ SYSTEMD, EXIT_CODE_NOT_RUNNING,
	  "hotplugd is not running and systemd could not start it: %s. See: systemctl status hotplugd" },
	{ DBUS "NoServer", EXIT_CODE_NOT_RUNNING, "hotplugd cannot be reached: there is no system bus (%s)" },
	{ DBUS "Disconnected", EXIT_CODE_NOT_RUNNING, "hotplugd cannot be reached: the system bus went away (%s)" },
	{ DBUS "NoReply", EXIT_CODE_FAILED, "hotplugd gave no answer (%s). See: systemctl status hotplugd" },
	{ DBUS "Timeout", EXIT_CODE_FAILED, "hotplugd gave no answer (%s). See: systemctl status hotplugd" },
	{ DBUS "UnknownMethod", EXIT_CODE_FAILED,
	  "this hotplugd does not know what hpctl asks for (%s). Is it of the same version? See: hpctl status" },
	{ DBUS "UnknownInterface", EXIT_CODE_FAILED,
	  "this hotplugd does not know what hpctl asks for (%s). Is it of the same version? See: hpctl status" },
};

static const struct known_error *find(const sd_bus_error *e)
{
	for (size_t i = 0; e->name && i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].name);

		if (known[i].name[n - 1] == '.' ? strncmp(e->name, known[i].name, n) == 0 :
						  streq(e->name, known[i].name))
			return &known[i];
	}
	return NULL;
}

enum exit_code error_exit_code(const sd_bus_error *e)
{
	const struct known_error *k = find(e);

	return k ? k->code : EXIT_CODE_FAILED;
}

/* A format of the table has at most one %s: it is filled in by hand. */
static char *fill_in(const char *format, const char *message)
{
	const char *mark = strstr(format, "%s");

	if (!mark)
		return xstrdup(format);
	return xasprintf("%.*s%s%s", (int)(mark - format), format, message, mark + 2);
}

char *error_text(const sd_bus_error *e)
{
	const struct known_error *k = find(e);
	_cleanup_free_ char *message = without_full_stop(e->message && *e->message ? e->message : e->name ?: "no reason given");

	return fill_in(k && k->text ? k->text : "%s", message);
}

enum exit_code error_report(const char *subject, const sd_bus_error *e)
{
	_cleanup_free_ char *text = error_text(e);
	enum exit_code code = error_exit_code(e);

	/* That there is no daemon has nothing to do with what was asked for; and
	 * the daemon's messages often begin with the slot's name. */
	if (!subject || code == EXIT_CODE_NOT_RUNNING || text_names(text, subject))
		error_print("%s", text);
	else
		error_print("%s: %s", subject, text);
	return code;
}

void error_print(const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	fflush(stdout); /* in the order in which it happened */
	print_line(stderr, "hpctl: %s.", text);
}

enum exit_code error_worse(enum exit_code a, enum exit_code b)
{
	static const enum exit_code order[] = {
		EXIT_CODE_OK,
		EXIT_CODE_CANCELLED,
		EXIT_CODE_PENDING,
		EXIT_CODE_REFUSED,
		EXIT_CODE_NO_SUCH_SLOT,
		EXIT_CODE_NOT_AUTHORIZED,
		EXIT_CODE_NOT_RUNNING,
		EXIT_CODE_USAGE,
		EXIT_CODE_FAILED,
	};
	enum exit_code worst = a;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i] == a || order[i] == b)
			worst = order[i];
	return worst;
}
