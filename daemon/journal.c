/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs and "hpctl history" find in the journal again.
 *
 * Responsible for: the sentences, their MESSAGE_IDs and fields. Fields and IDs
 * are a contract (base/names.h): add, never change.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "journal.h"

#define FIELDS_MAX 16

/* The fields of one message. */
struct fields {
	struct log_field list[FIELDS_MAX];
	size_t n;
	char job[16], usec[24], error[16];
	char *devices, *drivers;
};

static void fields_clear(struct fields *f)
{
	free(f->devices);
	free(f->drivers);
}

static void add(struct fields *f, const char *name, const char *value)
{
	if (value && value[0] != '\0' && f->n < FIELDS_MAX)
		f->list[f->n++] = (struct log_field){ .name = name, .value = value };
}

static void append_word(FILE *f, const char *word)
{
	fprintf(f, "%s%s", ftell(f) > 0 ? " " : "", word);
}

/* The nodes of what is in the slot, or the address of what has none; bridges are
 * left out. NULL without memory. */
static char *device_words(const struct slot *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < s->n_functions; i++) {
		const struct sysfs_function *function = &s->functions[i];

		if (function->bridge)
			continue;
		for (char **node = function->nodes; node && *node; node++)
			append_word(f, *node);
		if (!function->nodes || !function->nodes[0])
			append_word(f, function->address);
	}
	fclose(f);
	return text;
}

static char *driver_words(const struct slot *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < s->n_functions; i++) {
		const char *driver = s->functions[i].driver;
		bool told = false;

		for (size_t j = 0; j < i; j++)
			told |= strcmp(driver, s->functions[j].driver) == 0;
		if (driver[0] != '\0' && !told && !s->functions[i].bridge)
			append_word(f, driver);
	}
	fclose(f);
	return text;
}

static void add_slot(struct fields *f, const struct slot *s)
{
	if (!s)
		return;
	f->devices = device_words(s);
	f->drivers = driver_words(s);
	add(f, FIELD_SLOT, s->name);
	add(f, FIELD_ADDRESS, s->address);
	add(f, FIELD_DEVICES, f->devices);
	add(f, FIELD_DRIVERS, f->drivers);
}

static void add_job(struct fields *f, const struct job *job)
{
	snprintf(f->job, sizeof(f->job), "%" PRIu32, job->id);
	add(f, FIELD_JOB, f->job);
	add(f, FIELD_OPERATION, operation_to_string(job->operation));
	add(f, FIELD_ORIGIN, origin_to_string(job->origin));
	add(f, FIELD_REQUESTED_BY, job->requested_by);
}

static const char *name_of(const struct slot *s)
{
	return s ? s->name : "slot";
}

static const char *why_surprise(const struct slot *s)
{
	if (!s || !s->present)
		return "the card was pulled without being ejected first";
	if (s->fault)
		return "a power fault has cut the power of the card";
	if (s->power_control && !s->power)
		return "the latch was opened, and that has cut the power of the card";
	return "the link to the card was lost and did not come back";
}

void journal_job_begun(const struct job *job, const struct slot *s)
{
	_cleanup_(fields_clear) struct fields f = { 0 };

	add_slot(&f, s);
	add_job(&f, job);
	if (job->operation == OPERATION_EJECT && job->origin == ORIGIN_SURPRISE)
		log_fields(LOG_WARNING, MESSAGE_SURPRISE, f.list, f.n, "%s: surprise removal: %s", name_of(s),
			   why_surprise(s));
	log_fields(LOG_NOTICE, MESSAGE_JOB_BEGUN, f.list, f.n, "%s: %s begins (job %" PRIu32 ", by %s)", name_of(s),
		   operation_to_string(job->operation), job->id, job->requested_by ?: "?");
}

void journal_job_stalled(const struct job *job, const struct slot *s, usec_t now, const char *stack)
{
	_cleanup_(fields_clear) struct fields f = { 0 };

	add_slot(&f, s);
	add_job(&f, job);
	add(&f, FIELD_STEP, job_step_to_string(job->step));
	add(&f, FIELD_STACK, stack);
	log_fields(LOG_WARNING, MESSAGE_JOB_STALLED, f.list, f.n,
		   "%s: job %" PRIu32 " has been in step %s for more than %" PRIu64 " s; nothing goes on before it ends%s%s",
		   name_of(s), job->id, job_step_to_string(job->step), (now - job->step_since) / USEC_PER_SEC,
		   stack ? ". The kernel is in:\n" : "", stack ?: "");
}

void journal_job_ended(const struct job *job, const struct slot *s, usec_t now)
{
	static const struct {
		const char *id;
		int priority;
	} ends[_JOB_STATE_MAX] = {
		[JOB_DONE] = { MESSAGE_JOB_DONE, LOG_NOTICE },
		[JOB_FAILED] = { MESSAGE_JOB_FAILED, LOG_WARNING },
		[JOB_CANCELLED] = { MESSAGE_JOB_CANCELLED, LOG_NOTICE },
		[JOB_REFUSED] = { MESSAGE_JOB_REFUSED, LOG_WARNING },
		[JOB_GONE] = { MESSAGE_JOB_GONE, LOG_NOTICE },
	};
	_cleanup_(fields_clear) struct fields f = { 0 };

	add_slot(&f, s);
	add_job(&f, job);
	add(&f, FIELD_RESULT, job_state_to_string(job->state));
	add(&f, FIELD_REASON, job->reason);
	snprintf(f.usec, sizeof(f.usec), "%" PRIu64, now - job->created);
	add(&f, FIELD_USEC, f.usec);
	snprintf(f.error, sizeof(f.error), "%d", job->error);
	add(&f, "ERRNO", job->error ? f.error : NULL);
	log_fields(ends[job->state].priority, ends[job->state].id, f.list, f.n, "%s: %s (job %" PRIu32 ", by %s) %s%s%s",
		   name_of(s), operation_to_string(job->operation), job->id, job->requested_by ?: "?",
		   job_state_to_string(job->state), job->reason ? ": " : "", job->reason ?: "");
}

void journal_event(const struct slot *s, enum slot_event event, const char *what, enum verdict v)
{
	static const char *const meaning[_VERDICT_MAX] = {
		[VERDICT_STARTED] = "a job begins",
		[VERDICT_CANCELLED] = "cancels the job in its window",
		[VERDICT_JOINED] = "the job under way covers it",
		[VERDICT_LATE] = "ignored, the job is past its window",
		[VERDICT_NOTIFY] = "told, nothing else, by policy",
		[VERDICT_IGNORED] = "ignored by policy",
		[VERDICT_NOTHING] = "nothing to do",
		[VERDICT_DEBOUNCING] = "waiting whether it heals",
		[VERDICT_ANCESTOR] = "ignored, a slot above is being ejected",
		[VERDICT_REFUSED] = "refused",
		[VERDICT_FOREIGN] = "ignored, another program controls the slot",
	};
	static const char *const ids[_SLOT_EVENT_MAX] = {
		[SLOT_EVENT_BUTTON] = MESSAGE_PRESS,
		[SLOT_EVENT_POWER_FAULT] = MESSAGE_POWER_FAULT,
	};
	_cleanup_(fields_clear) struct fields f = { 0 };
	bool fault = event == SLOT_EVENT_POWER_FAULT;

	add_slot(&f, s);
	add(&f, FIELD_VERDICT, verdict_to_string(v));
	if (ids[event])
		log_fields(fault ? LOG_ERR : LOG_NOTICE, ids[event], f.list, f.n, "%s: %s: %s", s->name, what, meaning[v]);
	else
		log_notice("%s: %s: %s", s->name, what, meaning[v]);
}

static void add_request(struct fields *f, const char *what, const char *who)
{
	add(f, FIELD_OPERATION, what);
	add(f, FIELD_ORIGIN, origin_to_string(ORIGIN_DBUS));
	add(f, FIELD_REQUESTED_BY, who);
}

void journal_control(const struct slot *s, const char *name, const char *what, const char *who, const char *why_not)
{
	_cleanup_(fields_clear) struct fields f = { 0 };

	add_slot(&f, s);
	if (!s)
		add(&f, FIELD_SLOT, name);
	add_request(&f, what, who);
	add(&f, FIELD_RESULT, job_state_to_string(why_not ? JOB_FAILED : JOB_DONE));
	add(&f, FIELD_REASON, why_not);
	log_fields(why_not ? LOG_WARNING : LOG_NOTICE, MESSAGE_CONTROL, f.list, f.n, "%s: %s by %s%s%s", name, what, who,
		   why_not ? ": " : "", why_not ?: "");
}

void journal_denied(const struct slot *s, enum operation operation, const char *who, const char *reason)
{
	_cleanup_(fields_clear) struct fields f = { 0 };
	const char *what = operation_to_string(operation);

	add_slot(&f, s);
	add_request(&f, what, who);
	add(&f, FIELD_RESULT, job_state_to_string(JOB_REFUSED));
	add(&f, FIELD_REASON, reason);
	log_fields(LOG_WARNING, MESSAGE_DENIED, f.list, f.n, "%s: %s asked for by %s is refused: %s", s->name, what, who, reason);
}

void journal_adopted(const struct slot *s)
{
	_cleanup_(fields_clear) struct fields f = { 0 };

	add_slot(&f, s);
	log_fields(LOG_INFO, MESSAGE_ADOPTED, f.list, f.n, "%s: the shim drives port %s", s->name, s->port);
}

void journal_released(const struct slot *s)
{
	_cleanup_(fields_clear) struct fields f = { 0 };

	add_slot(&f, s);
	log_fields(LOG_INFO, MESSAGE_RELEASED, f.list, f.n, "%s: the shim drives port %s no longer", s->name, s->port);
}
