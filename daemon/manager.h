/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's centre: it owns slots, engine and adapters, and routes events
 * between them. One thread, one loop; nothing here waits.
 */
#ifndef HOTPLUGD_MANAGER_H
#define HOTPLUGD_MANAGER_H

#include <sys/queue.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "engine.h"
#include "job.h"
#include "later.h"
#include "settings.h"
#include "slot.h"
#include "state.h"

/* How the shim is. */
enum shim_state {
	SHIM_ABSENT, /* module not loaded: slots stay with their native drivers */
	SHIM_ACTIVE, /* we are its controller */
	SHIM_BUSY,   /* somebody else is */
	_SHIM_STATE_MAX,
	_SHIM_STATE_INVALID = -1,
};
const char *shim_state_to_string(enum shim_state s);

TAILQ_HEAD(slot_list, slot);

/* Cookies of commands that belong to no job; those of jobs are above 255, those of
 * indicators have the highest bit, see indicator.c. From
 * COOKIE_CALL up there is one for each caller who waits, see control-dbus.c. */
#define COOKIE_CONTROLLER 1
#define COOKIE_ADOPT      2
#define COOKIE_CALL       16
#define COOKIE_CALL_MAX   255

/* Who waits on the bus for a port to be adopted or released. */
struct port_call;
TAILQ_HEAD(port_call_list, port_call);

/* A port that could not be taken, see adoption.c. */
struct adoption_failure;
TAILQ_HEAD(adoption_failure_list, adoption_failure);

typedef void (*manager_ready_t)(void);

struct manager {
	sd_event *event;
	sd_bus *bus;
	struct bus_name *bus_name;            /* asked for when ready */
	bool named;                           /* it is ours, see job-dbus.c */
	sd_bus_message **untold;              /* ends of jobs, to be told then */
	size_t n_untold;
	struct settings settings;
	struct engine *engine;
	struct shim_link *shim;
	struct udev_link *udev;
	struct worker_link *worker;           /* does the commits */
	struct unbind *unbind;

	enum shim_state shim_state;
	bool shim_starting;                   /* asked for control, not answered yet */
	unsigned int adopting;                /* ports asked for, not answered yet */
	bool adoption_waits;                  /* ports are to be adopted, once their jobs have ended */
	bool ready;
	bool late;                            /* ready must not be waited for any longer */
	manager_ready_t on_ready;

	struct slot_list slots;
	struct slot_list departed;            /* gone, but a commit for them is not answered */
	slot_handle_t last_handle;
	bool list_stale;                      /* native slots are to be listed again */
	bool running;                         /* in manager_run_engine() */
	bool in_reading;                      /* the first event in the shim's socket was dealt with */
	bool run_due;                         /* manager_run_engine() is due at the end of that */

	struct job_run_list runs;             /* what jobs wait for, see job.c */
	struct legacy_list legacy;            /* writers waiting in slots/N/power */
	struct port_call_list port_calls;
	uint64_t last_call_cookie;
	struct adoption_failure_list adoption_failures;
	bool unwanted;                        /* a port with a job is to be given back after it */
	char **released;                      /* ports given back by hand: not to be adopted */
	sd_event_source *engine_timer;
	usec_t engine_deadline;               /* when it fires: engine_next_deadline() or before */
	usec_t behind_since;                  /* a deadline waits since then for the shim to be heard, 0: none */
	struct later *later;                  /* manager_later() */
	sd_event_source *ready_timer;
	sd_event_source *busy_timer;          /* another program is the controller: asks again */
	struct later *refresh;                /* coalesces device changes */
	struct later *read_next;              /* the next stale slot, see devices.c */
	slot_handle_t last_read;              /* likewise, the one before */
	usec_t put_off_since;                 /* or 0: no stale slot waits for jobs, see devices.c */

	/* A restart changes no outcome, see recover.c. */
	struct state before;                  /* what the daemon before this one left */
	bool restarted;                       /* a daemon before this one was not stopped for long */
	int resume_fd;                        /* its socket to the shim, -1: none; the link's */
	struct shim_presses *resume_presses;
	bool recovered;                       /* its jobs are ours now */
	bool restoring;                       /* their questions are being asked again */
	bool unsaved;                         /* something happened that may have to be written down */
	uint32_t job_saved;                   /* jobs up to this one have been written down */
	uint32_t end_saved;                   /* job whose end was written down last, before it was told */
	bool save_failed;                     /* and that was told */
	char *state_path, *saved;             /* the file, and what is in it */
	struct state_memo state_memo;         /* its parts */
	int lock_fd;                          /* held while this daemon runs, -1: not yet */
};

/* Makes everything and starts it; the loop is the caller's. @ready is called
 * once the slots are known and adopted. Errors are logged. */
int manager_new(struct manager **ret, sd_event *event, manager_ready_t ready);
struct manager *manager_free(struct manager *m);

/* CLOCK_MONOTONIC of this turn of the loop. */
usec_t manager_now(struct manager *m);

/* Carries out what the engine wants and arms its timer. To be called after
 * each call into the engine. */
void manager_run_engine(struct manager *m);

/* Writes down what is under way, before somebody is told of it. */
void manager_save(struct manager *m);

/* Has what changed written down and told on the bus when nothing else is to be
 * done, so that much of it in a row is done once. */
void manager_later(struct manager *m);

struct slot *manager_slot_by_handle(struct manager *m, slot_handle_t handle);
struct slot *manager_slot_by_name(struct manager *m, const char *name);
struct slot *manager_slot_by_path(struct manager *m, const char *path);

/* The slot that a person names; see org.hotplugd1.Manager.FindSlot. Returns 0,
 * or -ENOENT, -ENODEV, -EINVAL with *ret_why saying why (to be freed). */
int manager_find_slot(struct manager *m, const char *text, struct slot **ret, char **ret_why);

/* Tells the engine how the slot is, and later the bus what changed. */
void manager_slot_changed(struct manager *m, struct slot *s);

/* Whether nobody else is the controller of a slot: the shim takes commands of one. */
bool manager_drives(struct manager *m, const struct slot *s);

/* Something happened at a slot, @name on the bus and @what in the journal: tells
 * the engine, and all others what came of it. */
void manager_feed(struct manager *m, struct slot *s, enum slot_event event, const char *name, const char *what);

/* Tells systemd, once, when there is nothing left to wait for. */
void manager_check_ready(struct manager *m);

#endif
