// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The daemon's slots and jobs as hpctl knows them: read from bus messages.
 *
 * Responsible for: two tables, from property to field, and the reader that
 * follows them. Sends nothing and prints nothing.
 */
#include <errno.h>

#include "base/names.h"
#include "model.h"
#include "util.h"

enum type {
	TYPE_STRING, /* also object paths */
	TYPE_BOOL,
	TYPE_UINT32,
	TYPE_UINT64,
	TYPE_DEVICES,
};

struct property {
	const char *name;
	const char *signature;
	enum type type;
	size_t offset;
};

#define DEVICE_SIGNATURE  "(sssas)"
#define DEVICES_SIGNATURE "a" DEVICE_SIGNATURE

#define SLOT(name, signature, type, field) { name, signature, type, offsetof(struct slot, field) }
static const struct property slot_properties[_SLOT_PROPERTY_MAX] = {
	[SLOT_NAME] = SLOT("Name", "s", TYPE_STRING, name),
	[SLOT_ADDRESS] = SLOT("Address", "s", TYPE_STRING, address),
	[SLOT_PORT] = SLOT("Port", "s", TYPE_STRING, port),
	[SLOT_BACKEND] = SLOT("Backend", "s", TYPE_STRING, backend),
	[SLOT_KIND] = SLOT("Kind", "s", TYPE_STRING, kind),
	[SLOT_LABEL] = SLOT("Label", "s", TYPE_STRING, label),
	[SLOT_STATE] = SLOT("State", "s", TYPE_STRING, state),
	[SLOT_POWER] = SLOT("Power", "b", TYPE_BOOL, power),
	[SLOT_PRESENT] = SLOT("Present", "b", TYPE_BOOL, present),
	[SLOT_LATCH] = SLOT("Latch", "s", TYPE_STRING, latch),
	[SLOT_LINK] = SLOT("Link", "s", TYPE_STRING, link),
	[SLOT_LOCATE] = SLOT("Locate", "b", TYPE_BOOL, locate),
	[SLOT_HOLD] = SLOT("Hold", "b", TYPE_BOOL, hold),
	[SLOT_PARENT] = SLOT("Parent", "s", TYPE_STRING, parent),
	[SLOT_POWER_INDICATOR] = SLOT("PowerIndicator", "s", TYPE_STRING, power_indicator),
	[SLOT_ATTENTION_INDICATOR] = SLOT("AttentionIndicator", "s", TYPE_STRING, attention_indicator),
	[SLOT_BUTTON_POLICY] = SLOT("ButtonPolicy", "s", TYPE_STRING, button_policy),
	[SLOT_INSERT_POLICY] = SLOT("InsertPolicy", "s", TYPE_STRING, insert_policy),
	[SLOT_PROTECTED] = SLOT("Protected", "b", TYPE_BOOL, protect),
	[SLOT_GRACE] = SLOT("GraceUSec", "t", TYPE_UINT64, grace_usec),
	[SLOT_DEVICES] = SLOT("Devices", DEVICES_SIGNATURE, TYPE_DEVICES, devices),
	[SLOT_JOB] = SLOT("Job", "o", TYPE_STRING, job),
};

#define JOB(name, signature, type, field) { name, signature, type, offsetof(struct job, field) }
static const struct property job_properties[] = {
	JOB("Id", "u", TYPE_UINT32, id),
	JOB("Slot", "s", TYPE_STRING, slot),
	JOB("SlotPath", "o", TYPE_STRING, slot_path),
	JOB("Operation", "s", TYPE_STRING, operation),
	JOB("Origin", "s", TYPE_STRING, origin),
	JOB("RequestedBy", "s", TYPE_STRING, requested_by),
	JOB("State", "s", TYPE_STRING, state),
	JOB("Step", "s", TYPE_STRING, step),
	JOB("Stalled", "b", TYPE_BOOL, stalled),
	JOB("Stack", "s", TYPE_STRING, stack),
	JOB("StateSinceUSec", "t", TYPE_UINT64, state_since_usec),
	JOB("StepSinceUSec", "t", TYPE_UINT64, step_since_usec),
	JOB("DeadlineUSec", "t", TYPE_UINT64, deadline_usec),
	JOB("Reason", "s", TYPE_STRING, reason),
};
#define N_JOB_PROPERTIES (sizeof(job_properties) / sizeof(job_properties[0]))

/* Each string field becomes "", so that nobody has to look for NULL. */
static void init_strings(void *record, const struct property *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].type == TYPE_STRING)
			*(char **)((char *)record + table[i].offset) = xstrdup("");
}

static void free_strings(void *record, const struct property *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].type == TYPE_STRING)
			free(*(char **)((char *)record + table[i].offset));
}

static void devices_clear(struct slot *s)
{
	for (size_t i = 0; i < s->n_devices; i++) {
		free(s->devices[i].address);
		free(s->devices[i].name);
		free(s->devices[i].driver);
		strv_free(s->devices[i].nodes);
	}
	free(s->devices);
	s->devices = NULL;
	s->n_devices = 0;
}

struct slot *slot_new(const char *path)
{
	struct slot *s = xcalloc(1, sizeof(*s));

	init_strings(s, slot_properties, _SLOT_PROPERTY_MAX);
	s->path = xstrdup(path);
	return s;
}

struct slot *slot_free(struct slot *s)
{
	if (!s)
		return NULL;
	free_strings(s, slot_properties, _SLOT_PROPERTY_MAX);
	devices_clear(s);
	free(s->path);
	free(s);
	return NULL;
}

bool model_job_id(const char *path, uint32_t *ret)
{
	const char *number = strrchr(path, '/') + 1;
	unsigned long id;
	char *end;

	errno = 0;
	id = strtoul(number, &end, 10);
	if (errno || end == number || *end || id > UINT32_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

struct job *job_new(const char *path)
{
	struct job *j = xcalloc(1, sizeof(*j));

	init_strings(j, job_properties, N_JOB_PROPERTIES);
	j->path = xstrdup(path);
	j->deadline_usec = USEC_INFINITY;
	return j;
}

struct job *job_free(struct job *j)
{
	if (!j)
		return NULL;
	free_strings(j, job_properties, N_JOB_PROPERTIES);
	free(j->path);
	free(j);
	return NULL;
}

static int read_nodes(sd_bus_message *message, char ***ret)
{
	_cleanup_free_ char **nodes = NULL;
	int r = sd_bus_message_read_strv(message, &nodes);

	if (r < 0)
		return r;
	/* sd-bus gives NULL for an empty array. */
	*ret = nodes ?: xcalloc(1, sizeof(char *));
	nodes = NULL;
	return 0;
}

static int read_devices(struct slot *s, sd_bus_message *message)
{
	int r = sd_bus_message_enter_container(message, 'a', DEVICE_SIGNATURE);

	if (r < 0)
		return r;
	devices_clear(s);
	while ((r = sd_bus_message_enter_container(message, 'r', "sssas")) > 0) {
		const char *address, *name, *driver;
		struct device *d;
		char **nodes;

		r = sd_bus_message_read(message, "sss", &address, &name, &driver);
		if (r >= 0)
			r = read_nodes(message, &nodes);
		if (r < 0)
			return r;
		s->devices = xrealloc_array(s->devices, s->n_devices + 1, sizeof(*s->devices));
		d = &s->devices[s->n_devices++];
		d->address = xstrdup(address);
		d->name = xstrdup(name);
		d->driver = xstrdup(driver);
		d->nodes = nodes;
		r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_value(void *record, const struct property *p, sd_bus_message *message)
{
	void *field = (char *)record + p->offset;
	const char *text;
	int flag, r;

	switch (p->type) {
	case TYPE_STRING:
		r = sd_bus_message_read_basic(message, p->signature[0], &text);
		if (r > 0)
			xreplace(field, text);
		return r;
	case TYPE_BOOL:
		r = sd_bus_message_read_basic(message, 'b', &flag);
		if (r > 0)
			*(bool *)field = flag;
		return r;
	case TYPE_UINT32:
		return sd_bus_message_read_basic(message, 'u', field);
	case TYPE_UINT64:
		return sd_bus_message_read_basic(message, 't', field);
	case TYPE_DEVICES:
		return read_devices(record, message);
	}
	return -EINVAL;
}

static const struct property *find_property(const struct property *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (streq(table[i].name, name))
			return &table[i];
	return NULL;
}

static int read_properties(void *record, const struct property *table, size_t n, sd_bus_message *message,
			   uint32_t *ret_changed)
{
	uint32_t changed = 0;
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		const struct property *p;
		const char *name, *signature;

		r = sd_bus_message_read_basic(message, 's', &name);
		if (r >= 0)
			r = sd_bus_message_peek_type(message, NULL, &signature);
		if (r < 0)
			return r;
		p = find_property(table, n, name);
		if (!p || !streq(p->signature, signature)) {
			r = sd_bus_message_skip(message, "v");
		} else {
			changed |= 1U << (p - table);
			r = sd_bus_message_enter_container(message, 'v', signature);
			if (r >= 0)
				r = read_value(record, p, message);
			if (r >= 0)
				r = sd_bus_message_exit_container(message);
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r >= 0 && ret_changed)
		*ret_changed = changed;
	return r < 0 ? r : 0;
}

int slot_read(struct slot *s, sd_bus_message *message, uint32_t *ret_changed)
{
	return read_properties(s, slot_properties, _SLOT_PROPERTY_MAX, message, ret_changed);
}

int job_read(struct job *j, sd_bus_message *message)
{
	return read_properties(j, job_properties, N_JOB_PROPERTIES, message, NULL);
}

void model_clear(struct model *m)
{
	for (size_t i = 0; i < m->n_slots; i++)
		slot_free(m->slots[i]);
	for (size_t i = 0; i < m->n_jobs; i++)
		job_free(m->jobs[i]);
	free(m->slots);
	free(m->jobs);
	*m = (struct model){ 0 };
}

static int compare_slots(const void *a, const void *b)
{
	const struct slot *const *x = a, *const *y = b;

	return strverscmp((*x)->name, (*y)->name);
}

static int compare_jobs(const void *a, const void *b)
{
	const struct job *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static struct slot *get_slot(struct model *m, const char *path)
{
	struct slot *s = model_slot_by_path(m, path);

	if (s)
		return s;
	m->slots = xrealloc_array(m->slots, m->n_slots + 1, sizeof(*m->slots));
	return m->slots[m->n_slots++] = slot_new(path);
}

static struct job *get_job(struct model *m, const char *path)
{
	struct job *j = model_job_by_path(m, path);

	if (j)
		return j;
	m->jobs = xrealloc_array(m->jobs, m->n_jobs + 1, sizeof(*m->jobs));
	return m->jobs[m->n_jobs++] = job_new(path);
}

int model_read_object(struct model *m, const char *path, sd_bus_message *message, struct slot **ret_slot,
		      struct job **ret_job)
{
	struct slot *slot = NULL;
	struct job *job = NULL;
	int r = sd_bus_message_enter_container(message, 'a', "{sa{sv}}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(message, 'e', "sa{sv}")) > 0) {
		const char *interface;

		r = sd_bus_message_read_basic(message, 's', &interface);
		if (r < 0)
			return r;
		if (streq(interface, INTERFACE_SLOT)) {
			slot = get_slot(m, path);
			r = slot_read(slot, message, NULL);
		} else if (streq(interface, INTERFACE_JOB)) {
			job = get_job(m, path);
			r = job_read(job, message);
		} else {
			r = sd_bus_message_skip(message, "a{sv}");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r < 0)
		return r;
	*ret_slot = slot;
	*ret_job = job;
	return 0;
}

int model_read(struct model *m, sd_bus_message *message)
{
	int r = sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}")) > 0) {
		struct slot *slot;
		struct job *job;
		const char *path;

		r = sd_bus_message_read_basic(message, 'o', &path);
		if (r >= 0)
			r = model_read_object(m, path, message, &slot, &job);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r < 0)
		return r;
	if (m->n_slots)
		qsort(m->slots, m->n_slots, sizeof(*m->slots), compare_slots);
	if (m->n_jobs)
		qsort(m->jobs, m->n_jobs, sizeof(*m->jobs), compare_jobs);
	return 0;
}

struct job *model_steal_job(struct model *m, struct job *j)
{
	for (size_t i = 0; i < m->n_jobs; i++)
		if (m->jobs[i] == j) {
			memmove(&m->jobs[i], &m->jobs[i + 1], (--m->n_jobs - i) * sizeof(*m->jobs));
			break;
		}
	return j;
}

void model_remove(struct model *m, const char *path)
{
	struct job *j;

	for (size_t i = 0; i < m->n_slots; i++) {
		if (!streq(m->slots[i]->path, path))
			continue;
		slot_free(m->slots[i]);
		memmove(&m->slots[i], &m->slots[i + 1], (--m->n_slots - i) * sizeof(*m->slots));
		return;
	}
	j = model_job_by_path(m, path);
	if (j)
		job_free(model_steal_job(m, j));
}

struct slot *model_slot_by_path(const struct model *m, const char *path)
{
	for (size_t i = 0; i < m->n_slots; i++)
		if (streq(m->slots[i]->path, path))
			return m->slots[i];
	return NULL;
}

struct slot *model_slot_by_name(const struct model *m, const char *name)
{
	for (size_t i = 0; i < m->n_slots; i++)
		if (streq(m->slots[i]->name, name))
			return m->slots[i];
	return NULL;
}

struct job *model_job_by_path(const struct model *m, const char *path)
{
	for (size_t i = 0; i < m->n_jobs; i++)
		if (streq(m->jobs[i]->path, path))
			return m->jobs[i];
	return NULL;
}

struct job *model_job_by_id(const struct model *m, uint32_t id)
{
	for (size_t i = 0; i < m->n_jobs; i++)
		if (m->jobs[i]->id == id)
			return m->jobs[i];
	return NULL;
}

size_t model_slot_depth(const struct model *m, const struct slot *s)
{
	size_t depth = 0;

	/* A circle would be the daemon's mistake, and would have no end. */
	while (depth < m->n_slots && (s = model_slot_by_name(m, s->parent)))
		depth++;
	return depth;
}

struct job *model_slot_job(const struct model *m, const struct slot *s)
{
	return model_job_by_path(m, s->job);
}
