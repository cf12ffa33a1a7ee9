/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How slots and jobs look to programs: JSON.
 *
 * Keys and values are a contract: add, never change. Objects returned are the
 * caller's (json_object_put).
 */
#ifndef HPCTL_FORMAT_JSON_H
#define HPCTL_FORMAT_JSON_H

#include <json-c/json.h>

#include "hpctl.h"
#include "model.h"

/* Prints an object, with a newline, and frees it. */
enum exit_code json_print(struct json_object *object, enum json_mode mode);

/* json_object_object_add() and friends, but memory that is short ends the program. */
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_add_string(struct json_object *object, const char *key, const char *value);
/* "" is null. */
void json_add_string_or_null(struct json_object *object, const char *key, const char *value);
/* Seconds with three digits: more would be noise. */
void json_add_seconds(struct json_object *object, const char *key, uint64_t usec);
/* A point of time: UTC, with microseconds; USEC_INFINITY is null. */
void json_add_time(struct json_object *object, const char *key, uint64_t usec);
struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
void json_append(struct json_object *array, struct json_object *value);

struct json_object *json_slot(const struct model *m, const struct slot *s);
struct json_object *json_slots(const struct model *m, struct slot *const *slots);
struct json_object *json_job(const struct job *j);
/* The keys of json_slot() that belong to a set of changed properties. */
struct json_object *json_slot_changes(const struct model *m, const struct slot *s, uint32_t changed);

#endif
