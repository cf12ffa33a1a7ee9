/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an administrator has set in hotplugd.conf.
 *
 * Responsible for: the table of settings, their defaults, what is a right value.
 * What follows from a setting is the business of those who ask for it.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/time-span.h"
#include "conf-files.h"
#include "settings.h"

void settings_default(struct settings *s)
{
	*s = (struct settings){
		.log_level = LOG_INFO,
		.commit = COMMIT_BY_SHIM,
		.give_back = 10 * USEC_PER_SEC, /* long enough for a restart */
		.button = BUTTON_EJECT,
		.insert = INSERT_AUTO,
		.grace = 5 * USEC_PER_SEC,
		.driver_wait = 5 * USEC_PER_SEC,
	};
	engine_config_default(&s->engine);
}

void settings_clear(struct settings *s)
{
	s->adopt = strv_free(s->adopt);
}

/* ---- values ---- */

struct setting {
	const char *section, *key;
	size_t field;                 /* in struct settings */
	/* Returns 0, -EINVAL for a wrong value, or -ENOMEM. */
	int (*parse)(const struct setting *k, const char *value, void *field);
	const char *right;            /* what it should be */
	usec_t min, max;              /* time spans only */
	bool infinity;                /* likewise: "infinity" is allowed */
};

static int parse_span(const struct setting *k, const char *value, void *field)
{
	uint64_t usec;

	if (time_span_parse(value, &usec) < 0)
		return -EINVAL;
	if (usec == TIME_SPAN_INFINITY ? !k->infinity : usec < k->min || usec > k->max)
		return -EINVAL;
	*(usec_t *)field = usec;
	return 0;
}

static int parse_button(const struct setting *k, const char *value, void *field)
{
	enum button_policy b = button_policy_from_string(value);

	if (b == _BUTTON_POLICY_INVALID)
		return -EINVAL;
	*(enum button_policy *)field = b;
	return 0;
}

static int parse_insert(const struct setting *k, const char *value, void *field)
{
	enum insert_policy i = insert_policy_from_string(value);

	if (i == _INSERT_POLICY_INVALID)
		return -EINVAL;
	*(enum insert_policy *)field = i;
	return 0;
}

static int parse_commit(const struct setting *k, const char *value, void *field)
{
	if (strcmp(value, "shim") == 0)
		*(enum commit_by *)field = COMMIT_BY_SHIM;
	else if (strcmp(value, "kernel") == 0)
		*(enum commit_by *)field = COMMIT_BY_KERNEL;
	else
		return -EINVAL;
	return 0;
}

static int parse_yes(const struct setting *k, const char *value, void *field)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return -EINVAL;
	*(bool *)field = yes;
	return 0;
}

static int parse_log_level(const struct setting *k, const char *value, void *field)
{
	static const char *const names[] = {
		[LOG_ERR] = "err", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};

	for (int level = LOG_ERR; level <= LOG_DEBUG; level++) {
		if (strcmp(value, names[level]) != 0)
			continue;
		*(int *)field = level;
		return 0;
	}
	return -EINVAL;
}

static int append(char ***list, const char *word)
{
	size_t n = 0;
	char **more;

	while (*list && (*list)[n])
		n++;
	more = reallocarray(*list, n + 2, sizeof(*more));
	if (!more)
		return -ENOMEM;
	*list = more;
	more[n + 1] = NULL;
	more[n] = strdup(word);
	return more[n] ? 0 : -ENOMEM;
}

/* "!" takes a pattern away; "yes" and "no" need no opposite. */
static bool is_adopt_word(const char *word)
{
	return word[0] != '!' || (word[1] && strcmp(word, "!yes") != 0 && strcmp(word, "!no") != 0);
}

/* Assignments add up; an empty one takes all before it back. */
static int parse_adopt(const struct setting *k, const char *value, void *field)
{
	_cleanup_free_ char *copy = strdup(value);
	_cleanup_strv_ char **words = NULL;
	char ***list = field, *save = NULL;
	int r = copy ? 0 : -ENOMEM;

	if (value[0] == '\0')
		*list = strv_free(*list);
	for (char *word = copy ? strtok_r(copy, " \t", &save) : NULL; word && r >= 0; word = strtok_r(NULL, " \t", &save))
		r = is_adopt_word(word) ? append(&words, word) : -EINVAL;
	for (char **word = words; word && *word && r >= 0; word++)
		r = append(list, *word);
	return r;
}

/* ---- the table ---- */

/* clang-format off */
#define HOUR (3600 * USEC_PER_SEC)
#define VALUE(section_, key_, field_, parse_, right_)                                                  \
	{ .section = section_, .key = key_, .field = offsetof(struct settings, field_), .parse = parse_, \
	  .right = right_ }
#define SPAN(section_, key_, field_, min_, max_, right_)                                               \
	{ .section = section_, .key = key_, .field = offsetof(struct settings, field_),                  \
	  .parse = parse_span, .min = min_, .max = max_, .right = right_ }
#define DEADLINE(key_, step_)                                                                          \
	{ .section = "Timeouts", .key = key_, .field = offsetof(struct settings, engine.deadline[step_]), \
	  .parse = parse_span, .min = USEC_PER_SEC, .max = HOUR, .infinity = true,                       \
	  .right = "a time from 1s to 1h, such as 30s, or infinity" }

static const struct setting settings[] = {
	VALUE("Daemon", "LogLevel", log_level, parse_log_level, "err, warning, notice, info or debug"),
	VALUE("Daemon", "Commit", commit, parse_commit, "shim or kernel"),
	VALUE("Daemon", "Unbind", engine.unbind, parse_yes, "yes or no"),
	VALUE("Daemon", "Adopt", adopt, parse_adopt, "yes, no, or names of slots"),
	/* The longest is hpshim's, see hpshim.yaml. */
	SPAN("Daemon", "GiveBackSec", give_back, USEC_PER_SEC, 600 * USEC_PER_SEC, "a time from 1s to 10min, such as 10s"),

	VALUE("Policy", "Button", button, parse_button, "eject, notify or ignore"),
	VALUE("Policy", "Insert", insert, parse_insert, "auto, notify or ignore"),
	SPAN("Policy", "GraceSec", grace, 0, HOUR, "a time from 0 to 1h, such as 5s"),
	SPAN("Policy", "LinkDownSec", engine.debounce, 0, 60 * USEC_PER_SEC, "a time from 0 to 1min, such as 200ms"),
	SPAN("Policy", "RefusedBlinkSec", engine.refused_blink, 0, HOUR, "a time from 0 to 1h, such as 5s"),

	SPAN("Timeouts", "DriverSec", driver_wait, 0, HOUR, "a time from 0 to 1h, such as 5s"),
	DEADLINE("CheckSec", STEP_CHECK),
	DEADLINE("PowerOnSec", STEP_POWER_ON),
	DEADLINE("UnbindSec", STEP_UNBIND),
	DEADLINE("RemoveSec", STEP_REMOVE),
	DEADLINE("RescanSec", STEP_RESCAN),
	DEADLINE("PowerOffSec", STEP_POWER_OFF),
	DEADLINE("ConfirmSec", STEP_CONFIRM),
};
/* clang-format on */
#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static size_t field_size(const struct setting *k)
{
	if (k->parse == parse_span)
		return sizeof(usec_t);
	if (k->parse == parse_yes)
		return sizeof(bool);
	if (k->parse == parse_adopt)
		return 0; /* knows by itself what an empty value is */
	return sizeof(int); /* enums */
}
_Static_assert(sizeof(enum button_policy) == sizeof(int) && sizeof(enum insert_policy) == sizeof(int) &&
		       sizeof(enum commit_by) == sizeof(int),
	       "field_size() takes enums for ints");

/* ---- reading ---- */

struct reading {
	struct settings *s;
	settings_wrong_t wrong;
	void *userdata;
	int error;
};

static void wrong_line(struct reading *r, const char *file, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void wrong_line(struct reading *r, const char *file, unsigned int line, const char *format, ...)
{
	char reason[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	r->wrong(file, line, reason, r->userdata);
}

/* No such setting: says what may have been meant. */
static void unknown(struct reading *r, const char *file, unsigned int line, const char *section, const char *key)
{
	const struct setting *elsewhere = NULL;
	bool section_known = false;

	for (size_t i = 0; i < N_SETTINGS; i++) {
		section_known |= strcmp(settings[i].section, section) == 0;
		if (strcmp(settings[i].key, key) == 0)
			elsewhere = &settings[i];
	}
	if (elsewhere && section[0] == '\0')
		wrong_line(r, file, line, "%s= is above the first section, and is ignored: it belongs below [%s]", key,
			   elsewhere->section);
	else if (elsewhere)
		wrong_line(r, file, line, "%s= is ignored in [%s]: it belongs below [%s]", key, section, elsewhere->section);
	else if (section_known || section[0] == '\0')
		wrong_line(r, file, line, "there is no setting %s=: ignored. See hotplugd.conf(5)", key);
	else
		wrong_line(r, file, line, "%s= is ignored: there is no section [%s]. See hotplugd.conf(5)", key, section);
}

static void on_assign(const char *file, unsigned int line, const char *section, const char *key, const char *value,
		      void *userdata)
{
	struct reading *reading = userdata;
	const struct setting *k = NULL;
	char *field;
	int r;

	for (size_t i = 0; !k && i < N_SETTINGS; i++)
		if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
			k = &settings[i];
	if (!k) {
		unknown(reading, file, line, section, key);
		return;
	}
	field = (char *)reading->s + k->field;
	if (value[0] == '\0' && k->parse != parse_adopt) {
		struct settings fresh;

		settings_default(&fresh);
		memcpy(field, (const char *)&fresh + k->field, field_size(k));
		return;
	}
	r = k->parse(k, value, field);
	if (r == -EINVAL)
		wrong_line(reading, file, line, "%s=%s is ignored: it should be %s", key, value, k->right);
	else if (r < 0)
		reading->error = r;
}

static void on_wrong(const char *file, unsigned int line, const char *reason, void *userdata)
{
	struct reading *r = userdata;

	r->wrong(file, line, reason, r->userdata);
}

int settings_read(struct settings *s, const char *root, settings_wrong_t wrong, void *userdata)
{
	static const struct conf_files_ops ops = { .assign = on_assign, .wrong = on_wrong };
	struct reading reading = { .s = s, .wrong = wrong, .userdata = userdata };
	int r;

	settings_default(s);
	r = conf_files_read(root, SETTINGS_NAME, &ops, &reading);
	if (r >= 0)
		r = reading.error;
	if (r < 0) {
		settings_clear(s);
		settings_default(s);
	}
	return r;
}

/* ---- questions ---- */

const char *settings_key(size_t i)
{
	return i < N_SETTINGS ? settings[i].key : NULL;
}

static bool matches_any(const char *word, const char *const *names, size_t n)
{
	if (strcmp(word, "yes") == 0 || strcmp(word, "no") == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (fnmatch(word, names[i], 0) == 0)
			return true;
	return false;
}

bool settings_adopts(const struct settings *s, const char *const *names, size_t n)
{
	bool adopts;

	if (!s->adopt)
		return true;
	/* A list that begins by taking away takes away from all. */
	adopts = s->adopt[0][0] == '!';
	for (char **word = s->adopt; *word; word++) {
		bool not = (*word)[0] == '!';

		if (matches_any(*word + not, names, n))
			adopts = strcmp(*word, "no") == 0 ? false : !not;
	}
	return adopts;
}
