/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which slots there are: the shim's and those of the kernel's own drivers. */
#ifndef HOTPLUGD_REGISTRY_H
#define HOTPLUGD_REGISTRY_H

#include "manager.h"

/* Reads the slots of native drivers. Returns 0 or a negative errno. */
int registry_init(struct manager *m);
void registry_free(struct manager *m);

struct slot *registry_by_shim(struct manager *m, uint32_t shim_id, uint32_t generation);

/* The shim has a slot: makes it, or takes it over from a native driver. */
void registry_put_shim(struct manager *m, const struct shim_slot *from);
/* It has it no longer; what the native driver has now is read soon. */
void registry_remove_shim(struct manager *m, uint32_t shim_id, uint32_t generation);
/* These are all it has. */
void registry_resync_shim(struct manager *m, const struct shim_slot *slots, size_t n);

/* Asks the shim for each port that a native driver has and Adopt= wants. */
void registry_adopt_all(struct manager *m);

/* Asks the shim for a port, or to give it back; from then on it is, or is not, taken
 * by itself. The answer is HPSHIM_EVENT_OP_DONE with @cookie. Returns 0 or a negative errno. */
int registry_adopt(struct manager *m, const char *port, uint64_t cookie);
int registry_release(struct manager *m, const char *port, uint64_t cookie);
/* Whether it was given back by hand. */
bool registry_is_released(struct manager *m, const char *port);
/* Remembers that a port is not to be adopted by itself, or forgets it. Returns 0 or -ENOMEM. */
int registry_set_released(struct manager *m, const char *port, bool released);

/* Other defaults hold: reads policy of all slots again, soon. */
void registry_reread_policy(struct manager *m);
/* Reads everything again: something has changed, and nobody knows what. */
void registry_reread_all(struct manager *m);

/* Reads stale slots again, soon; with @list also which native slots there are. */
void registry_schedule_refresh(struct manager *m, bool list);
/* Reads now which native slots there are, if that is due: for who tells of a change of them. */
void registry_list(struct manager *m);

/* Somebody asks about a slot: reads its devices if they wait for that. And a native
 * driver does not tell of cards that come and go in a slot that is off: looks at the
 * slot's files, if that was not done just now. */
void registry_look(struct manager *m, struct slot *s);

/* A device came, went or changed, by an action of udev: its slots are read again, soon. */
void registry_device_changed(struct manager *m, const char *action, const char *syspath);

/* The kernel says that it has its driver: a job may wait for that. */
void registry_device_bound(struct manager *m, const char *syspath);

/* The job of a slot that is gone has ended: nobody asks for its name any more. */
void registry_forget_departed(struct manager *m, slot_handle_t handle);

/* The job of a slot below @port, however far below, and in *ret its slot; NULL: none. Under
 * another owner of the port these slots and jobs would end. */
const struct job *registry_port_job(struct manager *m, const char *port, struct slot **ret);

/* The nearest slot above, 0 at the root. */
slot_handle_t registry_parent(struct manager *m, struct slot *s);

#endif
