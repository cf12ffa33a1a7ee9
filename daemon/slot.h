/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slot as the daemon sees it: who drives it, how it is, what is in it, what
 * policy says. The engine has its own, smaller copy (struct engine_slot).
 */
#ifndef HOTPLUGD_SLOT_H
#define HOTPLUGD_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "engine.h"
#include "shim-link.h"
#include "sysfs.h"
#include "udev.h"

struct manager;

/* Properties of org.hotplugd1.Slot that change. */
#define SLOT_N_PROPERTIES 21

enum slot_state {
	SLOT_ON,
	SLOT_OFF,
	SLOT_EMPTY,
	SLOT_BUSY,
	SLOT_FAULT,
	_SLOT_STATE_MAX,
	_SLOT_STATE_INVALID = -1,
};
const char *slot_state_to_string(enum slot_state s);

enum backend { BACKEND_SHIM, BACKEND_NATIVE, _BACKEND_MAX, _BACKEND_INVALID = -1 };
const char *backend_to_string(enum backend b);

/* Owned by the manager's list of slots; everything in it by the slot. */
struct slot {
	TAILQ_ENTRY(slot) entry;
	struct manager *manager;

	char *name;    /* "slot3" */
	char *path;    /* /org/hotplugd1/slot/slot3 */
	char *address; /* PCIe: the port's; otherwise function 0's */
	char *port;    /* the port or bridge, "" if not known */
	char **above;  /* its address and those of the bridges above, NULL: not read yet */
	slot_handle_t handle;
	enum backend backend;
	enum sysfs_slot_kind kind;
	uint32_t shim_id, generation; /* BACKEND_SHIM only */

	bool present, power, link, latch_open, fault, occupied;
	bool link_known, latch_known;
	bool power_control; /* @power can be switched, and so says something */
	bool has_power_indicator, has_attention_indicator;
	bool locate; /* somebody looks for the slot: attention LED blinks */
	bool hold;   /* cards and links that come and go start nothing */
	enum indicator power_indicator, attention_indicator; /* INDICATOR_KEEP: not known */
	enum indicator power_wanted;     /* INDICATOR_KEEP: nobody has said */
	enum indicator attention_wanted; /* by jobs, also while it blinks for @locate */
	bool attention_told;             /* the shim was, by this daemon */
	bool indicators_refused;         /* the shim had too much to do: to be sent again */

	struct policy policy;
	struct sysfs_function *functions; /* what is in it */
	size_t n_functions;
	bool gone;    /* from the kernel; it waits for its job to end */
	bool unbound; /* its job left the devices without drivers, to go with the slot above */
	bool unsettled; /* shim: it may have changed while nobody told, see recover.c */
	bool was_known, was_present, was_link, was_fault; /* and what it was before that */
	char **bound; /* functions with a driver, since the last rescan by a job began; NULL: not known */
	bool stale;   /* devices are to be read again */
	bool changed; /* the bus is to be told */
	usec_t looked; /* native: when its files were read for somebody who asks */

	char *published[SLOT_N_PROPERTIES]; /* property values last told on the bus, see slot-dbus.c */
};

/* Makes a slot named "slot" + @kernel_name (3: slot3). Returns 0 or -ENOMEM. */
int slot_new(struct slot **ret, struct manager *m, const char *kernel_name, slot_handle_t handle);
struct slot *slot_free(struct slot *s);
DEFINE_CLEANUP(struct slot *, slot_free);

/* To be called when the port may be another one than when @above was read. */
void slot_forget_above(struct slot *s);
/* Whether it is below @port, at once or with bridges in between; as far as is known what is
 * above it. */
bool slot_is_below(const struct slot *s, const char *port);

/* The name in /sys/bus/pci/slots: "3" for slot3. */
const char *slot_kernel_name(const struct slot *s);

/* Takes over what the shim said. Returns 0 or -ENOMEM. */
int slot_update_from_shim(struct slot *s, const struct shim_slot *from);
/* Takes over what sysfs says of a slot that the kernel's driver has. */
int slot_update_from_sysfs(struct slot *s, const struct sysfs_slot *from);

/* Reads functions, device nodes and udev's policy anew. A slot that empties
 * while it is read is an empty slot, not an error. Returns 0, or a negative errno and
 * leaves functions and nodes as they were. */
int slot_refresh_devices(struct slot *s);
/* Functions and nodes alone; the slot stays stale. */
int slot_refresh_functions(struct slot *s);
/* Whether there are any: then they are to be read later, else all is as after
 * slot_refresh_devices(). */
int slot_refresh_occupied(struct slot *s);

/* Reads addresses and drivers of what is in it now, and nothing else. Returns 0 or -ENOMEM;
 * *ret is to be freed with sysfs_functions_free(). */
int slot_read_drivers(const struct slot *s, struct sysfs_function **ret, size_t *ret_n);

/* With devices, or with power that somebody has switched on for a card. */
bool slot_is_on(const struct slot *s);

/* What people are told; @job is the job under way, or NULL. */
enum slot_state slot_state(const struct slot *s, const struct job *job);

/* Whether the function at @address (its parent bridge being @parent) sits in
 * this slot. */
bool slot_contains(const struct slot *s, const char *parent, const char *address);

#endif
