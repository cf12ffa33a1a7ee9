/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's slots and jobs as hpctl knows them: read from bus messages.
 *
 * Responsible for: turning a{sv} into records. Sends nothing; a property that
 * is missing or of another type than expected leaves its field as it was.
 */
#ifndef HPCTL_MODEL_H
#define HPCTL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-bus.h>

struct device {
	char *address;
	char *name;   /* for people: vendor and model, or empty */
	char *driver; /* empty: none is bound */
	char **nodes; /* "nvme0n1", "eth0"; never NULL */
};

/* Fields are as in dbus/org.hotplugd1.Slot.xml; strings are never NULL. */
struct slot {
	char *path;
	char *name;
	char *address;
	char *port;
	char *backend;
	char *kind;
	char *label;
	char *state;
	bool power;
	bool present;
	char *latch;
	char *link;
	bool locate;
	bool hold;
	char *parent; /* the slot above, "" for none */
	char *power_indicator;
	char *attention_indicator;
	char *button_policy;
	char *insert_policy;
	bool protect;
	uint64_t grace_usec;
	struct device *devices;
	size_t n_devices;
	char *job; /* object path, "/" for none */
};

/* Fields are as in dbus/org.hotplugd1.Job.xml; strings are never NULL. */
struct job {
	char *path;
	uint32_t id;
	char *slot;
	char *slot_path;
	char *operation;
	char *origin;
	char *requested_by;
	char *state;
	char *step;
	bool stalled;
	char *stack;
	uint64_t state_since_usec;
	uint64_t step_since_usec;
	uint64_t deadline_usec;
	char *reason;
};

/* Slots are sorted as people count (slot2 before slot10), jobs by number. */
struct model {
	struct slot **slots;
	size_t n_slots;
	struct job **jobs;
	size_t n_jobs;
};

/* Properties of a slot; the bits of a set of changed ones. */
enum slot_property {
	SLOT_NAME,
	SLOT_ADDRESS,
	SLOT_PORT,
	SLOT_BACKEND,
	SLOT_KIND,
	SLOT_LABEL,
	SLOT_STATE,
	SLOT_POWER,
	SLOT_PRESENT,
	SLOT_LATCH,
	SLOT_LINK,
	SLOT_LOCATE,
	SLOT_HOLD,
	SLOT_PARENT,
	SLOT_POWER_INDICATOR,
	SLOT_ATTENTION_INDICATOR,
	SLOT_BUTTON_POLICY,
	SLOT_INSERT_POLICY,
	SLOT_PROTECTED,
	SLOT_GRACE,
	SLOT_DEVICES,
	SLOT_JOB,
	_SLOT_PROPERTY_MAX,
};
#define SLOT_CHANGED(set, property) ((set) & (1U << (property)))

void model_clear(struct model *m);

/* Reads a{oa{sa{sv}}}, the answer of GetManagedObjects, into an empty model.
 * Returns 0 or a negative errno: the message is not what it should be. */
int model_read(struct model *m, sd_bus_message *message);

/* Reads a{sa{sv}}: an object that is new or seen again. *ret_slot or *ret_job
 * is the record, owned by the model; both NULL for an object of another kind. */
int model_read_object(struct model *m, const char *path, sd_bus_message *message, struct slot **ret_slot,
		      struct job **ret_job);

/* Takes a job out of the model; it is the caller's then. */
struct job *model_steal_job(struct model *m, struct job *j);

/* Forgets an object; unknown paths are ignored. */
void model_remove(struct model *m, const char *path);

struct slot *model_slot_by_path(const struct model *m, const char *path);
struct slot *model_slot_by_name(const struct model *m, const char *name);
struct job *model_job_by_path(const struct model *m, const char *path);
struct job *model_job_by_id(const struct model *m, uint32_t id);
/* How many slots there are above a slot. */
size_t model_slot_depth(const struct model *m, const struct slot *s);
/* The job under way on a slot, or NULL. */
struct job *model_slot_job(const struct model *m, const struct slot *s);

/* Read a{sv}, all or changed properties. ret_changed takes NULL. */
int slot_read(struct slot *s, sd_bus_message *message, uint32_t *ret_changed);
int job_read(struct job *j, sd_bus_message *message);

struct slot *slot_new(const char *path);
struct slot *slot_free(struct slot *s);
/* The number of a job is the end of its object path; false: it is not. */
bool model_job_id(const char *path, uint32_t *ret);
struct job *job_new(const char *path);
struct job *job_free(struct job *j);

#endif
