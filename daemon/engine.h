/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue: which job may do what, and when.
 *
 * Responsible for: the states of all jobs, the one commit at a time, the order
 * of commits, subsumption along the topology, the button window, cancelling,
 * deadlines. It is a pure state machine: time and events are passed in,
 * actions come out. It does no I/O, reads no clock, allocates only its own
 * jobs and slots, and knows nothing of D-Bus, netlink or sysfs.
 *
 * Use: feed it with engine_slot_*(), engine_request(), engine_event(),
 * engine_step_done() and engine_advance(); after each of these take all
 * actions with engine_next_action() and carry them out, and when there is time
 * what engine_next_news() tells. Arm one timer for
 * engine_next_deadline().
 *
 *   eject    queued → [grace] → checking → quiescing → committing → settling → done
 *                      window    check      unbind      remove       power-off, off-wait
 *   insert   queued → [grace] → checking → quiescing → committing → settling → done
 *                      window    check      power-on    rescan       confirm
 *   rescan   queued → checking → quiescing → committing → settling → done
 *                     check      (turn)      rescan       confirm
 *   replace  as eject, then settling: card, then as insert from quiescing on; a
 *            slot that is off begins with "card", which ends when a card comes
 *
 * "(turn)" is the wait for the one commit; unbind and power-on overlap with other
 * jobs, and wait for their turn then. Every state can end in failed, cancelled (up to
 * the commit; failed, when drivers had been asked to let go), refused (from checking) or
 * gone (slot or an ancestor went away).
 */
#ifndef HOTPLUGD_ENGINE_H
#define HOTPLUGD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t;
#define USEC_INFINITY UINT64_MAX
#define USEC_PER_SEC  ((usec_t) 1000000)
#define USEC_PER_MSEC ((usec_t) 1000)

/* A slot's handle: chosen by the caller, never 0, never used twice. */
typedef uint32_t slot_handle_t;

enum operation {
	OPERATION_EJECT,
	OPERATION_INSERT,
	OPERATION_REPLACE,
	OPERATION_RESCAN,
	_OPERATION_MAX,
	_OPERATION_INVALID = -1,
};

enum origin {
	ORIGIN_BUTTON,
	ORIGIN_SURPRISE, /* presence or link changed without being asked */
	ORIGIN_SYSFS,    /* legacy writer of slots/N/power */
	ORIGIN_DBUS,
	ORIGIN_UDEV,
	ORIGIN_BOOT,
	_ORIGIN_MAX,
	_ORIGIN_INVALID = -1,
};

enum job_state {
	JOB_QUEUED,
	JOB_GRACE,
	JOB_CHECKING,
	JOB_QUIESCING,
	JOB_COMMITTING,
	JOB_SETTLING,
	JOB_DONE, /* first final state: job_state_is_final() */
	JOB_FAILED,
	JOB_CANCELLED,
	JOB_REFUSED,
	JOB_GONE,
	_JOB_STATE_MAX,
	_JOB_STATE_INVALID = -1,
};

/* What a running job does or waits for; each has a deadline of its own. */
enum job_step {
	STEP_NONE,
	STEP_WINDOW,    /* button window: a second press cancels */
	STEP_CHECK,     /* asks what would break; answered by the caller */
	STEP_POWER_ON,  /* power and link; answered by the caller */
	STEP_UNBIND,    /* its drivers let go, beside all other jobs; answered by the caller */
	STEP_TURN,      /* waits for the one commit */
	STEP_REMOVE,    /* the commit of an eject; answered by the caller */
	STEP_RESCAN,    /* the commit of an insert or rescan; likewise */
	STEP_POWER_OFF, /* answered by the caller */
	STEP_OFF_WAIT,  /* the second after power-off (PCIe r6.0, sec 6.7.1.8) */
	STEP_CONFIRM,   /* drivers bind; answered by the caller */
	STEP_CARD,      /* a replace waits for the new card, for as long as people take */
	_STEP_MAX,
	_STEP_INVALID = -1,
};

enum button_policy { BUTTON_EJECT, BUTTON_NOTIFY, BUTTON_IGNORE, _BUTTON_POLICY_MAX, _BUTTON_POLICY_INVALID = -1 };
enum insert_policy { INSERT_AUTO, INSERT_NOTIFY, INSERT_IGNORE, _INSERT_POLICY_MAX, _INSERT_POLICY_INVALID = -1 };

/* String tables: the wire names ("eject", "button", "grace", "power-on" …);
 * _to_string() returns NULL and _from_string() the _INVALID value for what is
 * not in the table. */
const char *operation_to_string(enum operation o);
enum operation operation_from_string(const char *s);
const char *origin_to_string(enum origin o);
enum origin origin_from_string(const char *s);
const char *job_state_to_string(enum job_state s);
enum job_state job_state_from_string(const char *s);
const char *job_step_to_string(enum job_step s);
const char *button_policy_to_string(enum button_policy p);
enum button_policy button_policy_from_string(const char *s);
const char *insert_policy_to_string(enum insert_policy p);
enum insert_policy insert_policy_from_string(const char *s);

static inline bool job_state_is_final(enum job_state s) { return s >= JOB_DONE; }

/* Level state and policy of a slot, as the caller knows them now. It is to be
 * true before a step is answered: a slot that is still occupied after REMOVE is
 * not powered off, one with a fault after POWER_ON is not on. The engine itself
 * takes in only that a good POWER_ON or POWER_OFF sets or clears power. */
struct engine_slot {
	slot_handle_t parent;   /* nearest slot above, 0 at the root */
	bool native;            /* the kernel's driver powers it: no power steps */
	bool present;           /* card in the slot */
	bool power;             /* slot powered */
	bool power_control;     /* it can be switched; else "powered" says nothing, and
				 * the slot is on when it is occupied */
	bool link_known;        /* the port reports its link */
	bool link;              /* link active */
	bool latch_open;
	bool fault;             /* power fault, kept until the next power-on */
	bool occupied;          /* devices are enumerated below */
	enum button_policy button;
	enum insert_policy insert;
	bool protect;           /* no eject without force */
	bool hold;              /* presence and link changes start nothing until it is cleared:
				 * then the slot is judged by how it is */
	usec_t grace;           /* button window, 0: none */
};

/* What the engine has seen at a slot while a job of it or of one above was under
 * way, or it was held, and will look at when that ends; and what it remembers
 * for people. The caller need not understand it, but keep it over a restart. */
struct engine_memory {
	bool loss;      /* card lost: remove what it left behind */
	bool link_down; /* link lost: look whether it came back */
	bool card;      /* card came or went: insert what is there then */
	bool fault;     /* power fault: remove what has lost its power */
	bool given_up;  /* the card's link is lost again and again: people have to ask for it */
};

/* What happened at a slot. The level state is updated first. */
enum slot_event {
	SLOT_EVENT_BUTTON,
	SLOT_EVENT_PRESENCE,
	SLOT_EVENT_LINK,
	SLOT_EVENT_LATCH,
	SLOT_EVENT_POWER_FAULT,
	_SLOT_EVENT_MAX,
};

/* What became of an event: for the log, so that every press is accounted for. */
enum verdict {
	VERDICT_STARTED,     /* a job was started */
	VERDICT_CANCELLED,   /* the press cancelled a job in its window */
	VERDICT_JOINED,      /* a job that is under way covers it */
	VERDICT_LATE,        /* press while a job is past its window: ignored */
	VERDICT_NOTIFY,      /* policy says: tell, do nothing */
	VERDICT_IGNORED,     /* policy says: ignore */
	VERDICT_NOTHING,     /* nothing to do (empty slot, state already reached) */
	VERDICT_DEBOUNCING,  /* link change: waits whether it heals */
	VERDICT_ANCESTOR,    /* a slot above is being ejected */
	VERDICT_REFUSED,     /* latch open, protected … : see reason */
	VERDICT_FOREIGN,     /* another program controls the slot: never the engine's */
	_VERDICT_MAX,
};
const char *verdict_to_string(enum verdict v);

/* One operation on one slot. Owned by the engine; read-only for callers, valid
 * until the ACTION_JOB_ENDED of the job was taken and the next engine call. */
struct job {
	uint32_t id;             /* from 1 up, never reused while the daemon runs */
	slot_handle_t slot;
	enum operation operation;
	enum origin origin;
	enum job_state state;
	enum job_step step;
	bool stalled;            /* the step is past its deadline */
	bool force;
	bool cancel_requested;   /* ends as cancelled as soon as it can be undone */
	bool undo;               /* powering off again after a failed or cancelled insert */
	bool inserting;          /* replace: the new card is there, from here on it is an insert */
	bool unbound;            /* eject: drivers were asked to let go */
	usec_t created;          /* CLOCK_MONOTONIC */
	usec_t state_since;
	usec_t step_since;
	usec_t step_deadline;    /* USEC_INFINITY: none (STEP_TURN, STEP_CARD) */
	int error;               /* errno of a failure or refusal (EPERM: protected, EACCES: in use), else 0 */
	char *reason;            /* a sentence for people, or NULL */
	char *requested_by;      /* "uid 0", "button" … */
};

enum action_type {
	ACTION_CHECK,       /* start the check of job; answer with engine_step_done() */
	ACTION_POWER_ON,    /* likewise; all of these may take any time */
	ACTION_POWER_OFF,
	ACTION_UNBIND,      /* of as many jobs at once as there are */
	ACTION_REMOVE,      /* the commit; never a second one before the answer */
	ACTION_RESCAN,
	ACTION_CONFIRM,
	ACTION_INDICATORS,  /* set LEDs of slot; no answer */
	ACTION_JOB_NEW,     /* tell the world */
	ACTION_JOB_CHANGED,
	ACTION_JOB_ENDED,
	_ACTION_MAX,
};

enum indicator { INDICATOR_KEEP, INDICATOR_OFF, INDICATOR_ON, INDICATOR_BLINK };

struct action {
	enum action_type type;
	slot_handle_t slot;
	const struct job *job;       /* NULL for ACTION_INDICATORS */
	enum indicator power_led;    /* ACTION_INDICATORS only */
	enum indicator attention_led;
};

/* Times the engine works with; engine_config_default() fills them in. */
struct engine_config {
	usec_t debounce;            /* a lost link must stay lost for this long */
	usec_t off_wait;            /* after power-off: 1 s */
	usec_t refused_blink;       /* attention LED after a refused press */
	usec_t deadline[_STEP_MAX]; /* past it a job is stalled, see STEP_* */
	bool unbind;                /* STEP_UNBIND before an eject's commit */
};
void engine_config_default(struct engine_config *ret);

struct engine;

/* Creates an engine. Returns 0 or -ENOMEM; engine_free() takes NULL, returns NULL. */
int engine_new(struct engine **ret, const struct engine_config *config);
struct engine *engine_free(struct engine *e);

/* Other times from now on: steps, waits and windows that have begun keep theirs. */
void engine_set_config(struct engine *e, const struct engine_config *config);

/* Adds or updates a slot's level state and policy. Starts a job only for what an event
 * told of before and a job, or a hold, was in the way of. Returns 0 or -ENOMEM. */
int engine_slot_set(struct engine *e, slot_handle_t slot, const struct engine_slot *state, usec_t now);

/* The slot went away: its jobs and those below end as gone (a committing job
 * keeps the commit until engine_step_done()). Unknown slots are ignored. */
void engine_slot_remove(struct engine *e, slot_handle_t slot, usec_t now);

struct request {
	enum operation operation;
	enum origin origin;
	bool force;
	const char *requested_by;
};

/*
 * Asks for a job. Returns
 *   0          *ret is the job, new or the one under way that does the same; an
 *              insert makes a replace that waits go on with the card that is in
 *   1          nothing to do, *ret is NULL (eject of an empty slot, rescan of one that is off …)
 *   -ENOENT    no such slot
 *   -EBUSY     another operation is under way on the slot or an ancestor; *ret is that job
 *   -ENOMEDIUM insert: no card
 *   -EPERM     insert: latch open
 *   -EOPNOTSUPP replace: the kernel's own driver has the slot, and tells of no card
 *   -ENOMEM
 */
int engine_request(struct engine *e, slot_handle_t slot, const struct request *r, usec_t now, const struct job **ret);

/*
 * Puts back a job as another engine had it, of a daemon that is no more. @as is
 * copied; as->slot is the slot's handle here. Its step goes on where it was, with
 * the deadline that it had, and asks its question again: what was asked may or may
 * not have been done. Nobody is told of a new job. Jobs come oldest first.
 * Returns 0, -ENOENT no such slot, -EEXIST the slot has a job, or a second commit
 * or a second job of that number is put back, -EINVAL such a job there cannot be,
 * -ENOMEM.
 */
int engine_restore_job(struct engine *e, const struct job *as, usec_t now);
/* What is remembered of a slot, and the way to remember it again: after the jobs
 * are put back; it counts from the next call on. Unknown slots have no memory. */
void engine_slot_memory(const struct engine *e, slot_handle_t slot, struct engine_memory *ret);
void engine_slot_remember(struct engine *e, slot_handle_t slot, const struct engine_memory *memory);
/* Numbers of new jobs begin above @id. */
void engine_restore_last_id(struct engine *e, uint32_t id);

/* Jobs that have ended and whose ACTION_JOB_ENDED was not taken yet, oldest first;
 * NULL behind the last. */
const struct job *engine_untold_next(const struct engine *e, const struct job *previous);

/* The number of the newest job so far. */
uint32_t engine_last_id(const struct engine *e);

/* Feeds an event. */
enum verdict engine_event(struct engine *e, slot_handle_t slot, enum slot_event event, usec_t now);

/* Asks to cancel. Returns 0 (cancelled, or will be as soon as the step under
 * way has ended), -ENOENT no such job, -EALREADY it is past the commit, or a surprise
 * eject: the card is gone already. When drivers were asked to let go it has failed then. A replace can be cancelled between
 * its two commits too; then it has failed, for the old card is out. */
int engine_cancel(struct engine *e, uint32_t job_id, const char *reason, usec_t now);

/*
 * The caller's answer to ACTION_CHECK … ACTION_CONFIRM of a job: error 0 or a
 * positive errno, reason a sentence or NULL. For STEP_CHECK EACCES refuses.
 * Returns 0, or -ESTALE if the job is not in that step or its action was not
 * taken yet. A job whose commit was asked for does not end before the answer.
 */
int engine_step_done(struct engine *e, uint32_t job_id, enum job_step step, int error, const char *reason, usec_t now);

/* Lets time pass: ends windows, debounces and waits, flags stalled jobs. */
void engine_advance(struct engine *e, usec_t now);
usec_t engine_next_deadline(const struct engine *e);

/* Takes the next action, any but ACTION_JOB_CHANGED; false when there is none. */
bool engine_next_action(struct engine *e, struct action *ret);
/* Takes the next ACTION_JOB_CHANGED; false when there is none. These can wait until
 * there is time: of many changes of a job the last one is told, of none after its end. */
bool engine_next_news(struct engine *e, struct action *ret);

/* Looking around. Jobs are listed oldest first; ended ones are not listed. */
const struct job *engine_job(const struct engine *e, uint32_t job_id);
/* Finds one that has ended, too, until its ACTION_JOB_ENDED is taken. */
const struct job *engine_job_to_tell(const struct engine *e, uint32_t job_id);
const struct job *engine_slot_job(const struct engine *e, slot_handle_t slot);
const struct job *engine_job_next(const struct engine *e, const struct job *previous);
const struct engine_slot *engine_slot(const struct engine *e, slot_handle_t slot);
bool engine_idle(const struct engine *e);

#endif
