/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one hotplugd leaves to the next.
 *
 * Responsible for: the file and its format (JSON), and for believing nothing
 * in it that is not as it must be: a wrong word makes the whole file wrong, for
 * half a memory is worse than none. Knows neither manager nor shim.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>

#include "base/cleanup.h"
#include "state.h"

/* Far more than all slots of a machine with a job each; more is not ours. */
#define STATE_SIZE_MAX (16 * 1024 * 1024)

void state_clear(struct state *st)
{
	for (size_t i = 0; i < st->n_slots; i++)
		free(st->slots[i].name);
	for (size_t i = 0; i < st->n_jobs; i++) {
		free(st->jobs[i].slot);
		free(st->jobs[i].job.reason);
		free(st->jobs[i].job.requested_by);
	}
	free(st->slots);
	free(st->jobs);
	free(st->legacy);
	*st = (struct state){ 0 };
}

const struct state_slot *state_slot_by_name(const struct state *st, const char *name)
{
	for (size_t i = 0; i < st->n_slots; i++)
		if (strcmp(st->slots[i].name, name) == 0)
			return &st->slots[i];
	return NULL;
}

const struct state_job *state_job_by_id(const struct state *st, uint32_t id)
{
	for (size_t i = 0; i < st->n_jobs; i++)
		if (st->jobs[i].job.id == id)
			return &st->jobs[i];
	return NULL;
}

/* ---- writing ---- */

/* It is written several times a job, so it is kept short and made without copies: keys
 * are constants, each is put once, and flags that are not set are left out. */
static void put(json_object *o, const char *key, json_object *value, bool *ok)
{
	const unsigned int how = JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY;

	if (!value || json_object_object_add_ex(o, key, value, how) < 0) {
		json_object_put(value);
		*ok = false;
	}
}

static void put_number(json_object *o, const char *key, uint64_t value, bool *ok)
{
	put(o, key, json_object_new_uint64(value), ok);
}

static void put_flag(json_object *o, const char *key, bool value, bool *ok)
{
	if (value)
		put(o, key, json_object_new_boolean(true), ok);
}

static void put_text(json_object *o, const char *key, const char *value, bool *ok)
{
	if (value)
		put(o, key, json_object_new_string(value), ok);
}

static void put_slot(json_object *o, const struct state_slot *s, bool *ok)
{
	put_text(o, "slot", s->name, ok);
	put_flag(o, "shim", s->shim, ok);
	put_number(o, "id", s->shim_id, ok);
	put_number(o, "generation", s->generation, ok);
	put_number(o, "presses", s->presses, ok);
	put_flag(o, "present", s->present, ok);
	put_flag(o, "locate", s->locate, ok);
	put_flag(o, "hold", s->hold, ok);
	put_flag(o, "released", s->released, ok);
	put_flag(o, "loss-seen", s->seen.loss, ok);
	put_flag(o, "link-down-seen", s->seen.link_down, ok);
	put_flag(o, "card-seen", s->seen.card, ok);
	put_flag(o, "fault-seen", s->seen.fault, ok);
	put_flag(o, "given-up", s->seen.given_up, ok);
}

static void put_job(json_object *o, const struct state_job *s, bool *ok)
{
	const struct job *j = &s->job;

	put_number(o, "id", j->id, ok);
	put_text(o, "slot", s->slot, ok);
	put_flag(o, "shim", s->shim, ok);
	put_number(o, "generation", s->generation, ok);
	put_text(o, "operation", operation_to_string(j->operation), ok);
	put_text(o, "origin", origin_to_string(j->origin), ok);
	put_text(o, "state", job_state_to_string(j->state), ok);
	put_text(o, "step", job_step_to_string(j->step), ok);
	put_flag(o, "stalled", j->stalled, ok);
	put_flag(o, "force", j->force, ok);
	put_flag(o, "cancel-requested", j->cancel_requested, ok);
	put_flag(o, "undo", j->undo, ok);
	put_flag(o, "inserting", j->inserting, ok);
	put_flag(o, "unbound", j->unbound, ok);
	put_number(o, "unbinder-pid", (uint64_t)s->unbinder_pid, ok);
	put_number(o, "unbinder-start", s->unbinder_start, ok);
	put_number(o, "created", j->created, ok);
	put_number(o, "state-since", j->state_since, ok);
	put_number(o, "step-since", j->step_since, ok);
	put_number(o, "step-deadline", j->step_deadline, ok);
	put_number(o, "error", (uint64_t)j->error, ok);
	put_text(o, "reason", j->reason, ok);
	put_text(o, "requested-by", j->requested_by, ok);
}

/* Text of one object, to be freed; takes the object. */
static char *object_text(json_object *o, bool ok)
{
	const char *text = ok && o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN) : NULL;
	char *copy = text ? strdup(text) : NULL;

	json_object_put(o);
	return copy;
}

/* ---- what was written before ---- */

struct state_slot_text {
	struct state_slot is; /* its name is a copy */
	char *text;
};

struct state_job_text {
	struct state_job is; /* its strings are copies */
	char *text;
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Bytes are compared, padding too: if that differs, text is made once more than need be. */
static bool same_slot(struct state_slot a, struct state_slot b)
{
	bool same = same_text(a.name, b.name);

	a.name = b.name = NULL;
	return same && memcmp(&a, &b, sizeof(a)) == 0;
}

static bool same_job(struct state_job a, struct state_job b)
{
	bool same = same_text(a.slot, b.slot) && same_text(a.job.reason, b.job.reason) &&
		    same_text(a.job.requested_by, b.job.requested_by);

	a.slot = b.slot = a.job.reason = b.job.reason = a.job.requested_by = b.job.requested_by = NULL;
	return same && memcmp(&a, &b, sizeof(a)) == 0;
}

static void slot_text_clear(struct state_slot_text *t)
{
	free(t->is.name);
	free(t->text);
	memset(t, 0, sizeof(*t));
}

static void job_text_clear(struct state_job_text *t)
{
	free(t->is.slot);
	free(t->is.job.reason);
	free(t->is.job.requested_by);
	free(t->text);
	memset(t, 0, sizeof(*t));
}

static char *copy_of(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;

	*ok = *ok && (copy || !text);
	return copy;
}

/* The text of a slot, of which @t is what is remembered in its place; NULL without memory. */
static const char *slot_text(struct state_slot_text *t, const struct state_slot *s)
{
	json_object *o;
	bool ok = true;

	if (t->text && same_slot(t->is, *s))
		return t->text;
	slot_text_clear(t);
	memcpy(&t->is, s, sizeof(*s));
	t->is.name = copy_of(s->name, &ok);
	o = json_object_new_object();
	if (o)
		put_slot(o, s, &ok);
	return t->text = object_text(o, ok);
}

static const char *job_text(struct state_job_text *t, const struct state_job *s)
{
	json_object *o;
	bool ok = true;

	if (t->text && same_job(t->is, *s))
		return t->text;
	job_text_clear(t);
	memcpy(&t->is, s, sizeof(*s));
	t->is.slot = copy_of(s->slot, &ok);
	t->is.job.reason = copy_of(s->job.reason, &ok);
	t->is.job.requested_by = copy_of(s->job.requested_by, &ok);
	o = json_object_new_object();
	if (o)
		put_job(o, s, &ok);
	return t->text = object_text(o, ok);
}

static void move_job(struct state_memo *from, uint32_t id, struct state_job_text *to)
{
	for (size_t i = 0; i < from->n_jobs; i++) {
		if (from->jobs[i].is.job.id != id)
			continue;
		*to = from->jobs[i];
		memset(&from->jobs[i], 0, sizeof(from->jobs[i]));
		return;
	}
}

/* Room for what is there now, with what is remembered of it: slots stay where they are,
 * jobs end in any order. */
static int memo_renew(struct state_memo *memo, const struct state *st)
{
	struct state_memo new = {
		.slots = calloc(st->n_slots + 1, sizeof(*new.slots)), .n_slots = st->n_slots,
		.jobs = calloc(st->n_jobs + 1, sizeof(*new.jobs)), .n_jobs = st->n_jobs,
	};

	if (!new.slots || !new.jobs) {
		free(new.slots);
		free(new.jobs);
		return -ENOMEM;
	}
	for (size_t i = 0; i < st->n_slots && i < memo->n_slots; i++) {
		new.slots[i] = memo->slots[i];
		memset(&memo->slots[i], 0, sizeof(memo->slots[i]));
	}
	for (size_t i = 0; i < st->n_jobs; i++)
		move_job(memo, st->jobs[i].job.id, &new.jobs[i]);
	state_memo_clear(memo);
	*memo = new;
	return 0;
}

void state_memo_clear(struct state_memo *memo)
{
	for (size_t i = 0; i < memo->n_slots; i++)
		slot_text_clear(&memo->slots[i]);
	for (size_t i = 0; i < memo->n_jobs; i++)
		job_text_clear(&memo->jobs[i]);
	free(memo->slots);
	free(memo->jobs);
	*memo = (struct state_memo){ 0 };
}

/* ---- all of it ---- */

static char *legacy_text(const struct state_legacy *s)
{
	json_object *o = json_object_new_object();
	bool ok = true;

	if (o) {
		put_number(o, "request", s->request, &ok);
		put_number(o, "job", s->job_id, &ok);
	}
	return object_text(o, ok);
}

/* What is about no slot and no job, as an object that is open still. */
static int print_top(FILE *f, const struct state *st)
{
	json_object *o = json_object_new_object();
	_cleanup_free_ char *text = NULL;
	bool ok = true;

	if (o) {
		put_number(o, "version", STATE_VERSION, &ok);
		put_number(o, "family", (uint64_t)st->family, &ok);
		put_number(o, "seq", st->seq, &ok);
		put_number(o, "last-job", st->last_job_id, &ok);
		put_number(o, "worker-pid", (uint64_t)st->worker_pid, &ok);
		put_number(o, "worker-start", st->worker_start, &ok);
	}
	text = object_text(o, ok);
	return text && fprintf(f, "%.*s", (int)strlen(text) - 1, text) >= 0 ? 0 : -ENOMEM;
}

static int print_one(FILE *f, size_t i, const char *text)
{
	return text && fprintf(f, "%s%s", i ? "," : "", text) >= 0 ? 0 : -ENOMEM;
}

static int print_lists(FILE *f, const struct state *st, struct state_memo *memo)
{
	int r = memo_renew(memo, st);

	fputs(",\"slots\":[", f);
	for (size_t i = 0; r >= 0 && i < st->n_slots; i++)
		r = print_one(f, i, slot_text(&memo->slots[i], &st->slots[i]));
	fputs("],\"jobs\":[", f);
	for (size_t i = 0; r >= 0 && i < st->n_jobs; i++)
		r = print_one(f, i, job_text(&memo->jobs[i], &st->jobs[i]));
	fputs("],\"legacy\":[", f);
	for (size_t i = 0; r >= 0 && i < st->n_legacy; i++) {
		_cleanup_free_ char *text = legacy_text(&st->legacy[i]);

		r = print_one(f, i, text);
	}
	fputs("]}\n", f);
	return r;
}

char *state_format(const struct state *st, struct state_memo *memo)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return NULL;
	r = print_top(f, st);
	if (r >= 0)
		r = print_lists(f, st, memo);
	if (fclose(f) == 0 && r >= 0)
		return text;
	free(text);
	return NULL;
}

/* ---- reading ---- */

static uint64_t get_number(json_object *o, const char *key, uint64_t max, bool *ok)
{
	json_object *v;
	uint64_t n;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_int)) {
		*ok = false;
		return 0;
	}
	n = json_object_get_uint64(v);
	if (n > max || json_object_get_int64(v) < 0)
		*ok = false;
	return n;
}

static bool get_flag(json_object *o, const char *key, bool *ok)
{
	json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return false;
	if (!json_object_is_type(v, json_type_boolean))
		*ok = false;
	return json_object_get_boolean(v);
}

/* NULL where it is not there. Belongs to @o. */
static const char *get_text(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string) ?
		       json_object_get_string(v) : NULL;
}

static char *get_copy(json_object *o, const char *key, bool must, bool *ok)
{
	const char *text = get_text(o, key);
	char *copy = text ? strdup(text) : NULL;

	if (text ? !copy : must)
		*ok = false;
	return copy;
}

static enum job_step step_from_string(const char *text)
{
	for (int i = 0; text && i < _STEP_MAX; i++)
		if (strcmp(job_step_to_string(i), text) == 0)
			return i;
	return _STEP_INVALID;
}

static void get_slot(json_object *o, struct state_slot *s, bool *ok)
{
	s->name = get_copy(o, "slot", true, ok);
	s->shim = get_flag(o, "shim", ok);
	s->shim_id = (uint32_t)get_number(o, "id", UINT32_MAX, ok);
	s->generation = (uint32_t)get_number(o, "generation", UINT32_MAX, ok);
	s->presses = get_number(o, "presses", UINT64_MAX, ok);
	s->present = get_flag(o, "present", ok);
	s->locate = get_flag(o, "locate", ok);
	s->hold = get_flag(o, "hold", ok);
	s->released = get_flag(o, "released", ok);
	s->seen.loss = get_flag(o, "loss-seen", ok);
	s->seen.link_down = get_flag(o, "link-down-seen", ok);
	s->seen.card = get_flag(o, "card-seen", ok);
	s->seen.fault = get_flag(o, "fault-seen", ok);
	s->seen.given_up = get_flag(o, "given-up", ok);
}

static void get_job(json_object *o, struct state_job *s, bool *ok)
{
	const char *operation = get_text(o, "operation"), *origin = get_text(o, "origin"), *state = get_text(o, "state");
	struct job *j = &s->job;

	j->id = (uint32_t)get_number(o, "id", UINT32_MAX, ok);
	s->slot = get_copy(o, "slot", true, ok);
	s->shim = get_flag(o, "shim", ok);
	s->generation = (uint32_t)get_number(o, "generation", UINT32_MAX, ok);
	j->operation = operation ? operation_from_string(operation) : _OPERATION_INVALID;
	j->origin = origin ? origin_from_string(origin) : _ORIGIN_INVALID;
	j->state = state ? job_state_from_string(state) : _JOB_STATE_INVALID;
	j->step = step_from_string(get_text(o, "step"));
	j->stalled = get_flag(o, "stalled", ok);
	j->force = get_flag(o, "force", ok);
	j->cancel_requested = get_flag(o, "cancel-requested", ok);
	j->undo = get_flag(o, "undo", ok);
	j->inserting = get_flag(o, "inserting", ok);
	j->unbound = get_flag(o, "unbound", ok);
	s->unbinder_pid = (pid_t)get_number(o, "unbinder-pid", INT32_MAX, ok);
	s->unbinder_start = get_number(o, "unbinder-start", UINT64_MAX, ok);
	j->created = get_number(o, "created", UINT64_MAX, ok);
	j->state_since = get_number(o, "state-since", UINT64_MAX, ok);
	j->step_since = get_number(o, "step-since", UINT64_MAX, ok);
	j->step_deadline = get_number(o, "step-deadline", UINT64_MAX, ok);
	j->error = (int)get_number(o, "error", 4095, ok);
	j->reason = get_copy(o, "reason", false, ok);
	j->requested_by = get_copy(o, "requested-by", true, ok);
	if (j->id == 0 || j->operation < 0 || j->origin < 0 || j->state < 0 || j->step < 0)
		*ok = false;
}

static void get_legacy(json_object *o, struct state_legacy *s, bool *ok)
{
	s->request = get_number(o, "request", UINT64_MAX, ok);
	s->job_id = (uint32_t)get_number(o, "job", UINT32_MAX, ok);
}

/* The list @key of @top, its length, and zeroed room for as many in *ret_room. */
static json_object *get_list(json_object *top, const char *key, size_t size, void **ret_room, size_t *ret_n, bool *ok)
{
	json_object *list;

	if (!json_object_object_get_ex(top, key, &list) || !json_object_is_type(list, json_type_array)) {
		*ok = false;
		return NULL;
	}
	*ret_room = calloc(json_object_array_length(list) + 1, size);
	if (!*ret_room) {
		*ok = false;
		return NULL;
	}
	*ret_n = json_object_array_length(list);
	return list;
}

static bool parse_top(struct state *st, json_object *top)
{
	json_object *list;
	bool ok = true;

	st->family = (int)get_number(top, "family", INT32_MAX, &ok);
	st->seq = get_number(top, "seq", UINT64_MAX, &ok);
	st->last_job_id = (uint32_t)get_number(top, "last-job", UINT32_MAX, &ok);
	st->worker_pid = (pid_t)get_number(top, "worker-pid", INT32_MAX, &ok);
	st->worker_start = get_number(top, "worker-start", UINT64_MAX, &ok);
	list = get_list(top, "slots", sizeof(*st->slots), (void **)&st->slots, &st->n_slots, &ok);
	for (size_t i = 0; list && i < st->n_slots; i++)
		get_slot(json_object_array_get_idx(list, i), &st->slots[i], &ok);
	list = get_list(top, "jobs", sizeof(*st->jobs), (void **)&st->jobs, &st->n_jobs, &ok);
	for (size_t i = 0; list && i < st->n_jobs; i++)
		get_job(json_object_array_get_idx(list, i), &st->jobs[i], &ok);
	list = get_list(top, "legacy", sizeof(*st->legacy), (void **)&st->legacy, &st->n_legacy, &ok);
	for (size_t i = 0; list && i < st->n_legacy; i++)
		get_legacy(json_object_array_get_idx(list, i), &st->legacy[i], &ok);
	return ok;
}

int state_parse(struct state *ret, const char *text, size_t size)
{
	json_tokener *tokener = json_tokener_new();
	json_object *top;
	int r = -EBADMSG;
	bool ok = true;

	*ret = (struct state){ 0 };
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	top = json_tokener_parse_ex(tokener, text, (int)size);
	if (top && json_tokener_get_error(tokener) == json_tokener_success && json_object_is_type(top, json_type_object)) {
		uint64_t version = get_number(top, "version", UINT64_MAX, &ok);

		if (ok && version != STATE_VERSION)
			r = -EPROTO;
		else if (ok && parse_top(ret, top))
			r = 0;
	}
	json_object_put(top);
	json_tokener_free(tokener);
	if (r < 0)
		state_clear(ret);
	return r;
}

/* ---- the file ---- */

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

int state_write(const char *path, const char *text)
{
	_cleanup_free_ char *new = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&new, "%s.new", path) < 0) {
		new = NULL;
		return -ENOMEM;
	}
	/* No fsync: /run does not outlive the kernel, and neither does what the
	 * file is about. */
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (r >= 0 && rename(new, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(new);
	return r;
}

int state_read(struct state *ret, const char *path)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	ssize_t n;

	*ret = (struct state){ 0 };
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > STATE_SIZE_MAX)
		return -EBADMSG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, (size_t)st.st_size); /* a regular file of /run: all at once */
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return state_parse(ret, text, (size_t)n + 1);
}
