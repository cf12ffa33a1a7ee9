/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a random sequence knows of the engine that it drives, from the engine's
 * actions and public views alone, and the invariants that must hold of it.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine.h"

#define SLOTS    12
#define JOBS_MAX 4096 /* per sequence */

/* What is known of a job from the actions and answers alone. */
struct seen {
	bool told, ended, removed, cancelled;
	bool unbound;            /* drivers were asked to let go */
	bool committed, rescanned; /* a replace has two commits: remove, then rescan */
	enum job_state state;
	bool inserting;
	enum job_step asked;     /* STEP_NONE: no question is open */
	unsigned long turn_step; /* first seen waiting for its turn; 0: never */
};

struct model {
	struct engine *e;
	uint64_t random;
	uint64_t seed;           /* of the sequence */
	unsigned long step;
	usec_t now;
	slot_handle_t slots[SLOTS];
	slot_handle_t last_handle;
	unsigned int n_slots;
	enum indicator power_led[SLOTS], attention_led[SLOTS];
	struct seen seen[JOBS_MAX];
	uint32_t last_id;
	uint32_t commit;         /* the job whose commit is not answered yet */
	unsigned int started, ended;
	struct job first_new;    /* the first new job since this was zeroed; no pointers in it */
	bool in_burst;           /* several events, and their actions after them */
	bool restarting;         /* a commit under way is asked for again */
	unsigned long restarts;
	unsigned long ends[_JOB_STATE_MAX], verdicts[_VERDICT_MAX], stalls, commits;
};

#define check(m, condition)                                                                              \
	do {                                                                                             \
		if (!(condition)) {                                                                      \
			print_error("ENGINE_SEED=%llu, step %lu: %s\n", (unsigned long long) (m)->seed,  \
				    (m)->step, #condition);                                              \
			fail();                                                                          \
		}                                                                                        \
	} while (0)

/* What is known of job @id. */
struct seen *model_seen(struct model *m, uint32_t id);

/* Is @j a job of a card that is gone already? */
bool model_is_surprise(const struct job *j);

/* The eject above @slot that commits or settles, by the engine's own public view. */
const struct job *model_ejecting_ancestor(const struct model *m, slot_handle_t slot);

/* Has the slot devices, or power that was switched on? */
bool model_is_on(const struct model *m, slot_handle_t slot);

/* Is @slot somewhere below @above? */
bool model_is_below(const struct model *m, slot_handle_t slot, slot_handle_t above);

/* What must become of a press now; *ret_starts is what it starts, if it does. */
enum verdict model_press(const struct model *m, slot_handle_t slot, enum operation *ret_starts);

/* Another engine takes over, as after a restart of the daemon. */
void model_restart(struct model *m);

/* Takes the actions that the engine asks for, and checks each. */
void model_take_actions(struct model *m);

/* Checks all invariants, between two calls of the engine. */
void model_check(struct model *m);

#endif
