// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * String tables of the engine's enums: the wire names.
 *
 * Responsible for: names and nothing else. Others rely on them (D-Bus, JSON,
 * udev properties, the journal): add, never change.
 */
#include <string.h>

#include "engine.h"

static const char *to_string(const char *const *table, int max, int value)
{
	return value >= 0 && value < max ? table[value] : NULL;
}

static int from_string(const char *const *table, int max, const char *s)
{
	for (int i = 0; s && i < max; i++)
		if (table[i] && strcmp(table[i], s) == 0)
			return i;
	return -1;
}

#define DEFINE_TO_STRING(name, max)                               \
	const char *name##_to_string(enum name value)             \
	{                                                         \
		return to_string(name##_table, max, (int) value); \
	}
#define DEFINE_FROM_STRING(name, max)                                    \
	enum name name##_from_string(const char *s)                      \
	{                                                                \
		return (enum name) from_string(name##_table, max, s);    \
	}

static const char *const operation_table[_OPERATION_MAX] = {
	[OPERATION_EJECT] = "eject",
	[OPERATION_INSERT] = "insert",
	[OPERATION_REPLACE] = "replace",
	[OPERATION_RESCAN] = "rescan",
};
DEFINE_TO_STRING(operation, _OPERATION_MAX)
DEFINE_FROM_STRING(operation, _OPERATION_MAX)

static const char *const origin_table[_ORIGIN_MAX] = {
	[ORIGIN_BUTTON] = "button",
	[ORIGIN_SURPRISE] = "surprise",
	[ORIGIN_SYSFS] = "sysfs",
	[ORIGIN_DBUS] = "dbus",
	[ORIGIN_UDEV] = "udev",
	[ORIGIN_BOOT] = "boot",
};
DEFINE_TO_STRING(origin, _ORIGIN_MAX)
DEFINE_FROM_STRING(origin, _ORIGIN_MAX)

static const char *const job_state_table[_JOB_STATE_MAX] = {
	[JOB_QUEUED] = "queued",
	[JOB_GRACE] = "grace",
	[JOB_CHECKING] = "checking",
	[JOB_QUIESCING] = "quiescing",
	[JOB_COMMITTING] = "committing",
	[JOB_SETTLING] = "settling",
	[JOB_DONE] = "done",
	[JOB_FAILED] = "failed",
	[JOB_CANCELLED] = "cancelled",
	[JOB_REFUSED] = "refused",
	[JOB_GONE] = "gone",
};
DEFINE_TO_STRING(job_state, _JOB_STATE_MAX)
DEFINE_FROM_STRING(job_state, _JOB_STATE_MAX)

static const char *const job_step_table[_STEP_MAX] = {
	[STEP_NONE] = "none",
	[STEP_WINDOW] = "window",
	[STEP_CHECK] = "check",
	[STEP_POWER_ON] = "power-on",
	[STEP_UNBIND] = "unbind",
	[STEP_TURN] = "turn",
	[STEP_REMOVE] = "remove",
	[STEP_RESCAN] = "rescan",
	[STEP_POWER_OFF] = "power-off",
	[STEP_OFF_WAIT] = "off-wait",
	[STEP_CONFIRM] = "confirm",
	[STEP_CARD] = "card",
};
DEFINE_TO_STRING(job_step, _STEP_MAX)

static const char *const button_policy_table[_BUTTON_POLICY_MAX] = {
	[BUTTON_EJECT] = "eject",
	[BUTTON_NOTIFY] = "notify",
	[BUTTON_IGNORE] = "ignore",
};
DEFINE_TO_STRING(button_policy, _BUTTON_POLICY_MAX)
DEFINE_FROM_STRING(button_policy, _BUTTON_POLICY_MAX)

static const char *const insert_policy_table[_INSERT_POLICY_MAX] = {
	[INSERT_AUTO] = "auto",
	[INSERT_NOTIFY] = "notify",
	[INSERT_IGNORE] = "ignore",
};
DEFINE_TO_STRING(insert_policy, _INSERT_POLICY_MAX)
DEFINE_FROM_STRING(insert_policy, _INSERT_POLICY_MAX)

static const char *const verdict_table[_VERDICT_MAX] = {
	[VERDICT_STARTED] = "started",
	[VERDICT_CANCELLED] = "cancelled",
	[VERDICT_JOINED] = "joined",
	[VERDICT_LATE] = "late",
	[VERDICT_NOTIFY] = "notify",
	[VERDICT_IGNORED] = "ignored",
	[VERDICT_NOTHING] = "nothing",
	[VERDICT_DEBOUNCING] = "debouncing",
	[VERDICT_ANCESTOR] = "ancestor",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_FOREIGN] = "foreign",
};
DEFINE_TO_STRING(verdict, _VERDICT_MAX)
