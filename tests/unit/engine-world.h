/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small world for the engine's tests: an engine, a clock, and a record of
 * what the engine wanted done. Nothing happens in it unless a test says so.
 */
#ifndef ENGINE_WORLD_H
#define ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine.h"

#define WORLD_SLOTS 32 /* handles are below that */
#define WORLD_JOBS  64 /* ids are below that */

struct world_job {
	unsigned int told_new, told_ended;
	enum job_state state; /* as it ended */
	int error;
	char reason[256];
};

struct world {
	struct engine *e;
	usec_t now;
	unsigned int count[_ACTION_MAX];
	struct world_job jobs[WORLD_JOBS];
	enum indicator power_led[WORLD_SLOTS], attention_led[WORLD_SLOTS];
};

/* cmocka's setup and teardown: *state is a struct world. In the first, drivers are left
 * to the commit (Unbind=no), so that a job that is quiescing waits for nothing else. */
int world_setup(void **state);
int world_setup_unbinding(void **state);
int world_teardown(void **state);

/* Slots with all policies automatic and a window of 5 s. */
void world_add_on(struct world *w, slot_handle_t slot, slot_handle_t parent);
void world_add_off(struct world *w, slot_handle_t slot, slot_handle_t parent);

/* Changes one level or policy: world_set(w, 1, present = false). */
#define world_set(w, slot, assignment)                                                       \
	do {                                                                                 \
		struct engine_slot world_set_level = *engine_slot((w)->e, (slot));           \
		world_set_level.assignment;                                                  \
		assert_int_equal(engine_slot_set((w)->e, (slot), &world_set_level, (w)->now), 0); \
		world_take_actions(w);                                                       \
	} while (0)

void world_take_actions(struct world *w);
void world_pass(struct world *w, usec_t time);
enum verdict world_event(struct world *w, slot_handle_t slot, enum slot_event event);
int world_request(struct world *w, slot_handle_t slot, enum operation operation, bool force, uint32_t *ret_id);
int world_cancel(struct world *w, uint32_t job_id);

/* Asks for a job by D-Bus that must be started, returns its id. */
uint32_t world_start(struct world *w, slot_handle_t slot, enum operation operation);
/* Answers the slot's job, which must be in that step; what a good answer means for
 * devices and fault is so before. */
void world_answer(struct world *w, slot_handle_t slot, enum job_step step, int error);
void world_answer_why(struct world *w, slot_handle_t slot, enum job_step step, int error, const char *why);
/* Answers, and leaves the slot as it is. */
void world_answer_only(struct world *w, const struct job *j, int error, const char *why);
/* Somebody pulls the card and plugs another one. */
void world_change_card(struct world *w, slot_handle_t slot);
/* One step further, all being well. */
void world_go_on(struct world *w, slot_handle_t slot);
/* Answers and lets time pass until the slot's job is in that step. */
void world_go_on_to(struct world *w, slot_handle_t slot, enum job_step step);
/* Likewise until it ended. */
void world_finish(struct world *w, slot_handle_t slot);

/* The slot's job, which must be there. */
const struct job *world_job(const struct world *w, slot_handle_t slot);
/* How job id ended; fails the test if it has not, or not exactly once. */
enum job_state world_ended(const struct world *w, uint32_t id);

#define world_press(w, slot) world_event((w), (slot), SLOT_EVENT_BUTTON)

#define assert_reason(w, id, part) assert_non_null(strstr((w)->jobs[id].reason, (part)))
#define assert_verdict(got, expected) assert_string_equal(verdict_to_string(got), verdict_to_string(expected))
#define assert_state(got, expected) assert_string_equal(job_state_to_string(got), job_state_to_string(expected))
#define assert_step(got, expected) assert_string_equal(job_step_to_string(got), job_step_to_string(expected))
#define assert_idle_slot(w, slot) assert_null(engine_slot_job((w)->e, (slot)))
#define assert_leds(w, slot, power, attention)                          \
	do {                                                            \
		assert_int_equal((w)->power_led[slot], (power));        \
		assert_int_equal((w)->attention_led[slot], (attention)); \
	} while (0)

#endif
