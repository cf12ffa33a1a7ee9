/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the engine's own files share. Included by engine*.c only.
 *
 *   engine-turn.c    whose turn the commit is
 *   engine.c         the interface: slots, requests, time, actions, looking around
 *   engine-event.c   what a slot's event means: which job it starts, joins or cancels
 *   engine-job.c     the life of one job: (state, event) → (state, step, action)
 *   engine-step.c    state and step as such: the setters, the question, the end
 *   engine-new.c     a job is made, freed, and told why it ends
 *   engine-restore.c a job of another engine is put back
 *   engine-names.c   string tables
 *
 * The order of calls is engine.c → engine-event.c → engine-job.c → engine-step.c;
 * only the setters in engine-step.c change the state or step of a job, once it is
 * there, and only engine-job.c calls them.
 */
#ifndef HOTPLUGD_ENGINE_INTERNAL_H
#define HOTPLUGD_ENGINE_INTERNAL_H

#include <sys/queue.h>

#include "engine.h"

TAILQ_HEAD(pending_list, pending);
/* An action that waits to be taken. It is part of the job or slot it is about,
 * so that queueing cannot fail; queued twice, it stays where it was. */
struct pending {
	TAILQ_ENTRY(pending) entry;
	struct pending_list *in; /* NULL: not queued */
	struct action action;
};

struct engine_node {
	TAILQ_ENTRY(engine_node) entry;
	slot_handle_t handle;
	struct engine_slot s;
	struct engine_job *job;  /* the one under way, or NULL */
	struct pending leds;
	usec_t debounce;         /* the link is lost: believed from then on */
	usec_t blink_until;      /* attention LED blinks for a refused press */

	struct engine_memory seen; /* looked at in engine_node_reconsider() */
	unsigned int turns;      /* surprise ejects of a card that stayed in, since ... */
	usec_t turns_since;      /* ... then, and without people's doing */
};
TAILQ_HEAD(engine_node_list, engine_node);

struct engine_job {
	struct job job;           /* first: struct job pointers are cast back */
	TAILQ_ENTRY(engine_job) entry;
	struct engine_node *node; /* NULL: the slot went away during the commit */
	usec_t window;            /* button window, 0: none */
	uint64_t ready;           /* order of arrival at STEP_TURN */
	bool slot_gone;           /* ends as gone once the commit is answered */
	bool leds_changed;        /* to be restored if the job comes to nothing */
	bool ended_taken;         /* ACTION_JOB_ENDED was taken: may be freed */
	struct pending ask;       /* the step's question to the caller */
	struct pending tell_new, tell_changed, tell_ended;
};
TAILQ_HEAD(engine_job_list, engine_job);

struct engine {
	struct engine_config config;
	usec_t now;
	uint32_t last_job_id;
	uint64_t last_ready;
	struct engine_job *commit;     /* the one commit, from question to answer */
	struct engine_node_list nodes;
	struct engine_job_list jobs;   /* under way, oldest first */
	struct engine_job_list ended;  /* kept until the caller has seen the end */
	struct pending_list actions;
	struct pending_list news;      /* changes of jobs, which can wait */
};

/* What can happen to a job. */
enum job_event {
	JOB_EVENT_START,
	JOB_EVENT_TIMER,      /* window or off-wait is over */
	JOB_EVENT_ANSWER,     /* the caller answers the step's question */
	JOB_EVENT_TURN,       /* the commit is free for it */
	JOB_EVENT_CANCEL,
	JOB_EVENT_PRESS,
	JOB_EVENT_JOIN,       /* somebody else asks for the same */
	JOB_EVENT_CARD_FOUND,
	JOB_EVENT_CARD_LOST,  /* or its link, for good */
	JOB_EVENT_LATCH_OPEN,
	JOB_EVENT_POWER_FAULT,
	JOB_EVENT_OCCUPIED,   /* devices are there, and power is about to go */
	JOB_EVENT_ANCESTOR,   /* the eject of a slot above starts its commit */
	JOB_EVENT_SLOT_GONE,
	_JOB_EVENT_MAX,
};

struct job_input {
	enum job_event event;
	int error;             /* JOB_EVENT_ANSWER */
	const char *reason;    /* JOB_EVENT_ANSWER, _CANCEL, _CARD_LOST, _POWER_FAULT; NULL: none */
	uint32_t ancestor;     /* JOB_EVENT_ANCESTOR: the eject's job id */
};

/* engine.c */
struct engine_node *engine_node_find(const struct engine *e, slot_handle_t handle);
bool engine_node_is_below(const struct engine *e, const struct engine_node *n, const struct engine_node *above);
/* The slots below went away, or will be reported so: what was seen there is void. */
void engine_node_forget_below(struct engine *e, const struct engine_node *above);
/* The eject of a slot above that is committing or settling, or NULL. */
struct engine_job *engine_node_ejecting_ancestor(const struct engine *e, const struct engine_node *n);
/* Queues what the caller shall do; _first: before all else that is queued; _news: when
 * there is time. */
void engine_queue(struct engine *e, struct pending *p);
void engine_queue_first(struct engine *e, struct pending *p);
void engine_queue_news(struct engine *e, struct pending *p);
void engine_unqueue(struct pending *p);
/* Sets LEDs; a slot of the kernel's driver and NULL are left alone. A power fault
 * shows through: attention on instead of off, power off instead of on. */
void engine_leds(struct engine *e, struct engine_node *n, enum indicator power, enum indicator attention);
/* Blinks the attention LED for a refused press. */
void engine_leds_refuse(struct engine *e, struct engine_node *n);
usec_t engine_time_add(usec_t a, usec_t b);

/* A slot is on when it has devices, or power that somebody has switched on: one
 * without a power controller, or whose power is the kernel's driver's affair,
 * says "powered" for ever. */
static inline bool engine_node_is_on(const struct engine_node *n)
{
	return n->s.occupied || (n->s.power && n->s.power_control);
}

/* engine-turn.c */
/* A job that gets its turn takes the commit, or ends; while there is one. */
void engine_give_turn(struct engine *e);

/* engine-event.c */
enum verdict engine_node_event(struct engine *e, struct engine_node *n, enum slot_event event);
/* The link stayed lost. */
void engine_node_debounce_over(struct engine *e, struct engine_node *n);
/* Starts what an event asked for that came while a job was in the way. */
void engine_node_reconsider(struct engine *e, struct engine_node *n);
/* The slot is not held any more. */
void engine_node_let_go(struct engine *e, struct engine_node *n);
/* People have done something about the slot: cards may come up by themselves again. */
void engine_node_rest(struct engine_node *n);

/* engine-new.c */
/* Makes a job and starts it. Returns NULL when out of memory. The slot must
 * not have a job. */
struct engine_job *engine_job_start(struct engine *e, struct engine_node *n, const struct request *r, usec_t window);
void engine_job_init_actions(struct engine_job *j);
struct engine_job *engine_job_free(struct engine_job *j);
/* Takes over @reason; NULL when out of memory: then a reason is not worth failing for. */
void engine_job_take_reason(struct engine_job *j, char *reason);
/* The first failure is the one that explains the rest, so it stays. @reason: NULL, the step's own. */
void engine_job_set_failure(struct engine_job *j, int error, const char *reason);

/* engine-job.c */
/* The one way to make a job go on. The job may have ended when this returns;
 * its memory stays. The verdict is meant for events of the slot. */
enum verdict engine_job_dispatch(struct engine *e, struct engine_job *j, const struct job_input *in);

/* engine-step.c: the setters are for engine-job.c only */
void engine_job_set_state(struct engine *e, struct engine_job *j, enum job_state state);
void engine_job_set_step(struct engine *e, struct engine_job *j, enum job_step step);
enum verdict engine_job_end(struct engine *e, struct engine_job *j, enum job_state state);
/* Ends a job whose LEDs shall show how the slot is now. */
enum verdict engine_job_end_by_level(struct engine *e, struct engine_job *j, enum job_state state);
/* Ends one that was cancelled when drivers had let go: whoever used the devices has lost
 * them, so it has failed. */
enum verdict engine_job_end_unbound(struct engine *e, struct engine_job *j);
/* The world is to be told that the job is not as it was. */
void engine_job_changed(struct engine *e, struct engine_job *j);
/* Shows that a job is under way; once. */
void engine_job_blink(struct engine *e, struct engine_job *j);
/* Asks the caller what the job's step asks, once more. */
void engine_job_ask(struct engine *e, struct engine_job *j);
void engine_job_set_stalled(struct engine *e, struct engine_job *j);
void engine_job_set_force(struct engine *e, struct engine_job *j);
/* The card is gone already: cannot be cancelled, goes first. */
bool engine_job_is_surprise_eject(const struct engine_job *j);
/* What it is at: a replace is an eject until the new card is there, then an insert. */
bool engine_job_ejects(const struct engine_job *j);
/* Whether its drivers are to let go before the commit. */
bool engine_job_unbinds(const struct engine *e, const struct engine_job *j);
/* Drivers let go or have done so, or the commit has begun: nothing goes on as it was. */
bool engine_job_is_past_return(const struct engine_job *j);
bool engine_job_inserts(const struct engine_job *j);

#endif
