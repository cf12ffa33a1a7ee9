// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How slots and jobs look to programs: JSON.
 *
 * Responsible for: the keys of the contract, made with json-c. Where the bus
 * says "" for what is not there, JSON says null.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "error.h"
#include "format-json.h"
#include "util.h"

static struct json_object *checked(struct json_object *object)
{
	if (object)
		return object;
	error_print("out of memory");
	exit(EXIT_CODE_FAILED);
}

struct json_object *json_new_object(void)
{
	return checked(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return checked(json_object_new_array());
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		checked(NULL);
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		checked(NULL);
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_add(object, key, checked(json_object_new_string(value)));
}

void json_add_string_or_null(struct json_object *object, const char *key, const char *value)
{
	json_add(object, key, *value ? checked(json_object_new_string(value)) : NULL);
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
	json_add(object, key, checked(json_object_new_boolean(value)));
}

static void add_uint(struct json_object *object, const char *key, uint64_t value)
{
	json_add(object, key, checked(json_object_new_uint64(value)));
}

void json_add_seconds(struct json_object *object, const char *key, uint64_t usec)
{
	_cleanup_free_ char *text = xasprintf("%.3f", (double)usec / (double)USEC_PER_SEC);

	json_add(object, key, checked(json_object_new_double_s((double)usec / (double)USEC_PER_SEC, text)));
}

void json_add_time(struct json_object *object, const char *key, uint64_t usec)
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	_cleanup_free_ char *text = NULL;
	struct tm utc;
	char date[32];

	if (usec == USEC_INFINITY) {
		json_add(object, key, NULL);
		return;
	}
	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	text = xasprintf("%s.%06" PRIu64 "Z", date, usec % USEC_PER_SEC);
	json_add_string(object, key, text);
}

/* json-c escapes control characters below U+0020 only, and does not ask whether a text is
 * UTF-8. All that is not ASCII stands within strings. */
static void put_text(const char *text)
{
	while (*text) {
		size_t n = *text == '\n' ? 1 : printable_size(text);
		unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];

		if (n > 0) {
			fwrite(text, 1, n, stdout);
		} else if (first == 0xc2 && second >= 0x80 && second < 0xa0) {
			printf("\\u%04x", second);
			n = 2;
		} else {
			printf("\\u%04x", first == 0x7f ? 0x7f : 0xfffd);
		}
		text += n ?: 1;
	}
	putchar('\n');
}

enum exit_code json_print(struct json_object *object, enum json_mode mode)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *text;

	flags |= mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
	text = json_object_to_json_string_ext(object, flags);
	if (!text)
		checked(NULL);
	put_text(text);
	json_object_put(object);
	return EXIT_CODE_OK;
}

static struct json_object *json_device(const struct device *d)
{
	struct json_object *object = json_new_object(), *nodes = json_new_array();

	json_add_string(object, "address", d->address);
	json_add_string(object, "name", d->name);
	json_add_string_or_null(object, "driver", d->driver);
	for (char **node = d->nodes; *node; node++)
		json_append(nodes, checked(json_object_new_string(*node)));
	json_add(object, "nodes", nodes);
	return object;
}

static struct json_object *json_devices(const struct slot *s)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < s->n_devices; i++)
		json_append(array, json_device(&s->devices[i]));
	return array;
}

/* The job as a slot shows it; NULL, that is null, for none. */
static struct json_object *json_slot_job(const struct job *j)
{
	struct json_object *object;

	if (!j)
		return NULL;
	object = json_new_object();
	add_uint(object, "id", j->id);
	json_add_string(object, "operation", j->operation);
	json_add_string(object, "state", j->state);
	json_add_string(object, "step", j->step);
	add_bool(object, "stalled", j->stalled);
	return object;
}

static struct json_object *json_policy(const struct slot *s)
{
	struct json_object *object = json_new_object();

	json_add_string_or_null(object, "button", s->button_policy);
	json_add_string_or_null(object, "insert", s->insert_policy);
	add_bool(object, "protected", s->protect);
	json_add_seconds(object, "grace_sec", s->grace_usec);
	return object;
}

static struct json_object *json_indicators(const struct slot *s)
{
	struct json_object *object = json_new_object();

	json_add_string_or_null(object, "power", s->power_indicator);
	json_add_string_or_null(object, "attention", s->attention_indicator);
	return object;
}

struct json_object *json_slot(const struct model *m, const struct slot *s)
{
	struct json_object *object = json_new_object();

	json_add_string(object, "slot", s->name);
	json_add_string(object, "address", s->address);
	json_add_string_or_null(object, "port", s->port);
	json_add_string_or_null(object, "label", s->label);
	json_add_string(object, "backend", s->backend);
	json_add_string(object, "kind", s->kind);
	json_add_string(object, "state", s->state);
	add_bool(object, "power", s->power);
	add_bool(object, "present", s->present);
	json_add_string_or_null(object, "latch", s->latch);
	if (*s->link)
		add_bool(object, "link", streq(s->link, "up"));
	else
		json_add(object, "link", NULL);
	add_bool(object, "locate", s->locate);
	add_bool(object, "hold", s->hold);
	json_add_string_or_null(object, "parent", s->parent);
	json_add(object, "indicators", json_indicators(s));
	json_add(object, "policy", json_policy(s));
	json_add(object, "devices", json_devices(s));
	json_add(object, "job", json_slot_job(model_slot_job(m, s)));
	return object;
}

struct json_object *json_slots(const struct model *m, struct slot *const *slots)
{
	struct json_object *object = json_new_object(), *array = json_new_array();

	for (; *slots; slots++)
		json_append(array, json_slot(m, *slots));
	json_add(object, "slots", array);
	return object;
}

struct json_object *json_job(const struct job *j)
{
	struct json_object *object = json_new_object();
	uint64_t now = now_monotonic();

	add_uint(object, "id", j->id);
	json_add_string(object, "slot", j->slot);
	json_add_string(object, "operation", j->operation);
	json_add_string(object, "origin", j->origin);
	json_add_string(object, "state", j->state);
	json_add_string(object, "step", j->step);
	add_bool(object, "stalled", j->stalled);
	json_add_string_or_null(object, "stack", j->stack);
	json_add_string(object, "requested_by", j->requested_by);
	json_add_seconds(object, "age_sec", now > j->state_since_usec ? now - j->state_since_usec : 0);
	json_add_seconds(object, "step_age_sec", now > j->step_since_usec ? now - j->step_since_usec : 0);
	if (j->deadline_usec == USEC_INFINITY)
		json_add(object, "due_in_sec", NULL);
	else
		json_add_seconds(object, "due_in_sec", j->deadline_usec > now ? j->deadline_usec - now : 0);
	json_add_string_or_null(object, "reason", j->reason);
	return object;
}

/* Under which key of json_slot() a property is found. */
static const char *const slot_keys[_SLOT_PROPERTY_MAX] = {
	[SLOT_NAME] = "slot",
	[SLOT_ADDRESS] = "address",
	[SLOT_PORT] = "port",
	[SLOT_BACKEND] = "backend",
	[SLOT_KIND] = "kind",
	[SLOT_LABEL] = "label",
	[SLOT_STATE] = "state",
	[SLOT_POWER] = "power",
	[SLOT_PRESENT] = "present",
	[SLOT_LATCH] = "latch",
	[SLOT_LINK] = "link",
	[SLOT_LOCATE] = "locate",
	[SLOT_HOLD] = "hold",
	[SLOT_PARENT] = "parent",
	[SLOT_POWER_INDICATOR] = "indicators",
	[SLOT_ATTENTION_INDICATOR] = "indicators",
	[SLOT_BUTTON_POLICY] = "policy",
	[SLOT_INSERT_POLICY] = "policy",
	[SLOT_PROTECTED] = "policy",
	[SLOT_GRACE] = "policy",
	[SLOT_DEVICES] = "devices",
	[SLOT_JOB] = "job",
};

struct json_object *json_slot_changes(const struct model *m, const struct slot *s, uint32_t changed)
{
	struct json_object *whole = json_slot(m, s), *object = json_new_object(), *value;

	for (int p = 0; p < _SLOT_PROPERTY_MAX; p++)
		if (SLOT_CHANGED(changed, p) && json_object_object_get_ex(whole, slot_keys[p], &value))
			json_add(object, slot_keys[p], json_object_get(value));
	json_object_put(whole);
	return object;
}
