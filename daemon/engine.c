// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The engine's interface: slots, requests, time, the queue of actions, looking
 * around.
 *
 * Responsible for: keeping slots and jobs, running timers when engine_advance()
 * says so. May not do I/O, read a clock
 * or know of D-Bus, netlink, sysfs; may not change a job's state (engine-job.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine-internal.h"

void engine_config_default(struct engine_config *ret)
{
	*ret = (struct engine_config) {
		.debounce = 200 * USEC_PER_MSEC,
		.off_wait = 1 * USEC_PER_SEC,
		.refused_blink = 5 * USEC_PER_SEC,
		.unbind = true,
		.deadline = {
			[STEP_NONE] = USEC_INFINITY,
			[STEP_WINDOW] = USEC_INFINITY, /* a timer: struct engine_slot's grace */
			[STEP_CHECK] = 10 * USEC_PER_SEC,
			[STEP_POWER_ON] = 10 * USEC_PER_SEC,
			[STEP_UNBIND] = 30 * USEC_PER_SEC,
			[STEP_TURN] = USEC_INFINITY,
			[STEP_REMOVE] = 30 * USEC_PER_SEC,
			[STEP_RESCAN] = 30 * USEC_PER_SEC,
			[STEP_POWER_OFF] = 10 * USEC_PER_SEC,
			[STEP_OFF_WAIT] = USEC_INFINITY, /* a timer: off_wait */
			[STEP_CONFIRM] = 15 * USEC_PER_SEC,
			[STEP_CARD] = USEC_INFINITY, /* people have all the time they want */
		},
	};
}

int engine_new(struct engine **ret, const struct engine_config *config)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->config = *config;
	TAILQ_INIT(&e->nodes);
	TAILQ_INIT(&e->jobs);
	TAILQ_INIT(&e->ended);
	TAILQ_INIT(&e->actions);
	TAILQ_INIT(&e->news);
	*ret = e;
	return 0;
}

void engine_set_config(struct engine *e, const struct engine_config *config)
{
	e->config = *config;
}

static void free_jobs(struct engine_job_list *list)
{
	struct engine_job *j;

	while ((j = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, j, entry);
		engine_job_free(j);
	}
}

struct engine *engine_free(struct engine *e)
{
	struct engine_node *n;

	if (!e)
		return NULL;
	free_jobs(&e->jobs);
	free_jobs(&e->ended);
	while ((n = TAILQ_FIRST(&e->nodes))) {
		TAILQ_REMOVE(&e->nodes, n, entry);
		free(n);
	}
	free(e);
	return NULL;
}

/* --- helpers shared with the other files ---------------------------------- */

usec_t engine_time_add(usec_t a, usec_t b)
{
	return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

static void queue_in(struct pending_list *list, struct pending *p)
{
	if (p->in)
		return;
	p->in = list;
	TAILQ_INSERT_TAIL(list, p, entry);
}

void engine_queue(struct engine *e, struct pending *p)
{
	queue_in(&e->actions, p);
}

void engine_queue_news(struct engine *e, struct pending *p)
{
	queue_in(&e->news, p);
}

void engine_queue_first(struct engine *e, struct pending *p)
{
	if (p->in)
		return;
	p->in = &e->actions;
	TAILQ_INSERT_HEAD(&e->actions, p, entry);
}

void engine_unqueue(struct pending *p)
{
	if (!p->in)
		return;
	TAILQ_REMOVE(p->in, p, entry);
	p->in = NULL;
}

void engine_leds(struct engine *e, struct engine_node *n, enum indicator power, enum indicator attention)
{
	if (!n || n->s.native)
		return;
	if (!n->leds.in) {
		n->leds.action = (struct action){ .type = ACTION_INDICATORS, .slot = n->handle };
		engine_queue(e, &n->leds);
	}
	if (n->s.fault && power == INDICATOR_ON)
		power = INDICATOR_OFF;
	if (n->s.fault && attention == INDICATOR_OFF)
		attention = INDICATOR_ON;
	if (power != INDICATOR_KEEP)
		n->leds.action.power_led = power;
	if (attention != INDICATOR_KEEP) {
		n->leds.action.attention_led = attention;
		n->blink_until = USEC_INFINITY;
	}
}

void engine_leds_refuse(struct engine *e, struct engine_node *n)
{
	if (!n || n->s.native)
		return;
	engine_leds(e, n, INDICATOR_KEEP, INDICATOR_BLINK);
	n->blink_until = engine_time_add(e->now, e->config.refused_blink);
}

struct engine_node *engine_node_find(const struct engine *e, slot_handle_t handle)
{
	struct engine_node *n;

	TAILQ_FOREACH(n, &e->nodes, entry)
		if (n->handle == handle)
			return n;
	return NULL;
}

/* PCI has 256 buses: a longer way up is a circle, made by a caller's mistake. */
#define DEPTH_MAX 256

bool engine_node_is_below(const struct engine *e, const struct engine_node *n, const struct engine_node *above)
{
	for (int depth = 0; n->s.parent && depth < DEPTH_MAX; depth++) {
		if (n->s.parent == above->handle)
			return n != above;
		n = engine_node_find(e, n->s.parent);
		if (!n)
			return false;
	}
	return false;
}

void engine_node_forget_below(struct engine *e, const struct engine_node *above)
{
	struct engine_node *n;

	TAILQ_FOREACH(n, &e->nodes, entry) {
		if (!engine_node_is_below(e, n, above))
			continue;
		n->seen = (struct engine_memory){ 0 };
		n->debounce = USEC_INFINITY;
	}
}

struct engine_job *engine_node_ejecting_ancestor(const struct engine *e, const struct engine_node *n)
{
	const struct engine_node *above = n;

	for (int depth = 0; above->s.parent && depth < DEPTH_MAX; depth++) {
		above = engine_node_find(e, above->s.parent);
		if (!above || above == n)
			return NULL;
		/* A replace that waits for its card may wait for days: nobody waits for it. */
		if (above->job && engine_job_ejects(above->job) && above->job->job.state >= JOB_COMMITTING &&
		    above->job->job.step != STEP_CARD)
			return above->job;
	}
	return NULL;
}

/* The end of each call that may have changed something. */
static void settle(struct engine *e)
{
	struct engine_node *n;

	TAILQ_FOREACH(n, &e->nodes, entry)
		engine_node_reconsider(e, n);
	engine_give_turn(e);
}

static void set_now(struct engine *e, usec_t now)
{
	if (now > e->now)
		e->now = now;
}

/* --- slots ------------------------------------------------------------------ */

int engine_slot_set(struct engine *e, slot_handle_t slot, const struct engine_slot *state, usec_t now)
{
	struct engine_node *n = engine_node_find(e, slot);
	bool held = n && n->s.hold;

	set_now(e, now);
	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->handle = slot;
		n->debounce = n->blink_until = USEC_INFINITY;
		TAILQ_INSERT_TAIL(&e->nodes, n, entry);
	}
	n->s = *state;
	if (held && !n->s.hold)
		engine_node_let_go(e, n);
	if (n->s.hold && n->debounce != USEC_INFINITY)
		n->seen.link_down = true; /* not judged yet: when it is let go */
	if (n->s.native || n->s.hold)
		n->debounce = USEC_INFINITY;
	if (n->s.occupied && n->job && n->job->job.step == STEP_POWER_OFF && n->job->ask.in)
		engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_OCCUPIED });
	settle(e);
	return 0;
}

void engine_slot_remove(struct engine *e, slot_handle_t slot, usec_t now)
{
	const struct job_input gone = { .event = JOB_EVENT_SLOT_GONE };
	struct engine_node *n = engine_node_find(e, slot);
	struct engine_job *j, *next;

	set_now(e, now);
	if (!n)
		return;
	for (j = TAILQ_FIRST(&e->jobs); j; j = next) {
		next = TAILQ_NEXT(j, entry);
		if (j->node && (j->node == n || engine_node_is_below(e, j->node, n)))
			engine_job_dispatch(e, j, &gone);
	}
	engine_node_forget_below(e, n);
	if (n->job)
		n->job->node = NULL; /* it is committing */
	engine_unqueue(&n->leds);
	TAILQ_REMOVE(&e->nodes, n, entry);
	free(n);
	settle(e);
}

enum verdict engine_event(struct engine *e, slot_handle_t slot, enum slot_event event, usec_t now)
{
	struct engine_node *n = engine_node_find(e, slot);
	enum verdict v;

	set_now(e, now);
	if (!n)
		return VERDICT_NOTHING;
	v = engine_node_event(e, n, event);
	settle(e);
	return v;
}

/* --- requests --------------------------------------------------------------- */

static int request_join(struct engine *e, struct engine_job *j, const struct request *r, const struct job **ret)
{
	*ret = &j->job;
	/* The card in the slot is the one: the replace need not wait for another. */
	if (j->job.step == STEP_CARD && r->operation == OPERATION_INSERT && j->node->s.present && !j->node->s.latch_open) {
		engine_job_dispatch(e, j, &(struct job_input){ .event = JOB_EVENT_CARD_FOUND });
		return 0;
	}
	if (j->job.operation != r->operation || j->job.undo || j->job.cancel_requested || j->slot_gone)
		return -EBUSY;
	if (r->force && !j->job.force && j->job.state <= JOB_CHECKING)
		engine_job_set_force(e, j);
	engine_job_dispatch(e, j, &(struct job_input){ .event = JOB_EVENT_JOIN });
	return 0;
}

/* Returns 0 if there is something to do, or what engine_request() returns. */
static int request_check(const struct engine_node *n, enum operation operation)
{
	switch (operation) {
	case OPERATION_EJECT:
	case OPERATION_RESCAN:
		return engine_node_is_on(n) ? 0 : 1;
	case OPERATION_INSERT:
		if (n->s.occupied && (n->s.power || n->s.native))
			return 1;
		if (!n->s.present)
			return -ENOMEDIUM;
		return n->s.latch_open ? -EPERM : 0;
	default:
		return n->s.native ? -EOPNOTSUPP : 0;
	}
}

int engine_request(struct engine *e, slot_handle_t slot, const struct request *r, usec_t now, const struct job **ret)
{
	struct engine_node *n = engine_node_find(e, slot);
	struct engine_job *j;
	int result;

	set_now(e, now);
	*ret = NULL;
	if (!n)
		return -ENOENT;
	engine_node_rest(n);
	j = engine_node_ejecting_ancestor(e, n);
	if (j) {
		*ret = &j->job;
		return -EBUSY;
	}
	if (n->job) {
		result = request_join(e, n->job, r, ret);
	} else {
		result = request_check(n, r->operation);
		if (result != 0)
			return result;
		j = engine_job_start(e, n, r, 0);
		if (!j)
			return -ENOMEM;
		*ret = &j->job;
	}
	settle(e);
	return result;
}

static struct engine_job *find_job(const struct engine *e, uint32_t job_id)
{
	struct engine_job *j;

	TAILQ_FOREACH(j, &e->jobs, entry)
		if (j->job.id == job_id)
			return j;
	return NULL;
}

int engine_cancel(struct engine *e, uint32_t job_id, const char *reason, usec_t now)
{
	const struct job_input cancel = { .event = JOB_EVENT_CANCEL, .reason = reason };
	struct engine_job *j = find_job(e, job_id);

	set_now(e, now);
	if (!j)
		return -ENOENT;
	if (engine_job_dispatch(e, j, &cancel) == VERDICT_LATE)
		return -EALREADY;
	settle(e);
	return 0;
}

int engine_step_done(struct engine *e, uint32_t job_id, enum job_step step, int error, const char *reason, usec_t now)
{
	const struct job_input answer = { .event = JOB_EVENT_ANSWER, .error = error, .reason = reason };
	struct engine_job *j = find_job(e, job_id);

	set_now(e, now);
	if (!j || j->job.step != step || j->ask.in)
		return -ESTALE;
	switch (step) {
	case STEP_CHECK:
	case STEP_POWER_ON:
	case STEP_UNBIND:
	case STEP_REMOVE:
	case STEP_RESCAN:
	case STEP_POWER_OFF:
	case STEP_CONFIRM:
		break;
	default:
		return -ESTALE; /* nobody was asked */
	}
	engine_job_dispatch(e, j, &answer);
	settle(e);
	return 0;
}

/* --- time ------------------------------------------------------------------- */

static bool is_timer(const struct engine_job *j)
{
	return j->job.step == STEP_WINDOW || j->job.step == STEP_OFF_WAIT;
}

static void advance_jobs(struct engine *e)
{
	struct engine_job *j, *next;

	for (j = TAILQ_FIRST(&e->jobs); j; j = next) {
		next = TAILQ_NEXT(j, entry); /* a timer ends no other job */
		if (j->job.step_deadline > e->now)
			continue;
		if (is_timer(j))
			engine_job_dispatch(e, j, &(struct job_input){ .event = JOB_EVENT_TIMER });
		else if (!j->job.stalled && j->job.step_deadline != USEC_INFINITY)
			engine_job_set_stalled(e, j);
	}
}

static void advance_nodes(struct engine *e)
{
	struct engine_node *n;

	TAILQ_FOREACH(n, &e->nodes, entry) {
		if (n->blink_until <= e->now)
			engine_leds(e, n, INDICATOR_KEEP, INDICATOR_OFF);
		if (n->debounce <= e->now)
			engine_node_debounce_over(e, n);
	}
}

void engine_advance(struct engine *e, usec_t now)
{
	set_now(e, now);
	advance_jobs(e);
	advance_nodes(e);
	settle(e);
}

usec_t engine_next_deadline(const struct engine *e)
{
	usec_t next = USEC_INFINITY;
	const struct engine_node *n;
	const struct engine_job *j;

	TAILQ_FOREACH(j, &e->jobs, entry)
		if (!j->job.stalled && j->job.step_deadline < next)
			next = j->job.step_deadline;
	TAILQ_FOREACH(n, &e->nodes, entry) {
		if (n->blink_until < next)
			next = n->blink_until;
		if (n->debounce < next)
			next = n->debounce;
	}
	return next;
}

/* --- actions ---------------------------------------------------------------- */

/* Frees ended jobs whose end was taken before. */
static void free_seen_jobs(struct engine *e)
{
	struct engine_job *j, *next;

	for (j = TAILQ_FIRST(&e->ended); j; j = next) {
		next = TAILQ_NEXT(j, entry);
		if (!j->ended_taken)
			continue;
		TAILQ_REMOVE(&e->ended, j, entry);
		engine_job_free(j);
	}
}

bool engine_next_action(struct engine *e, struct action *ret)
{
	struct pending *p;

	free_seen_jobs(e);
	p = TAILQ_FIRST(&e->actions);
	if (!p)
		return false;
	engine_unqueue(p);
	*ret = p->action;
	if (p->action.type == ACTION_JOB_ENDED)
		((struct engine_job *) p->action.job)->ended_taken = true;
	return true;
}

bool engine_next_news(struct engine *e, struct action *ret)
{
	struct pending *p = TAILQ_FIRST(&e->news);

	if (!p)
		return false;
	engine_unqueue(p);
	*ret = p->action;
	return true;
}

/* --- looking around --------------------------------------------------------- */

const struct job *engine_job(const struct engine *e, uint32_t job_id)
{
	const struct engine_job *j = find_job(e, job_id);

	return j ? &j->job : NULL;
}

const struct job *engine_job_to_tell(const struct engine *e, uint32_t job_id)
{
	const struct engine_job *j;

	TAILQ_FOREACH(j, &e->ended, entry)
		if (j->job.id == job_id && !j->ended_taken)
			return &j->job;
	return engine_job(e, job_id);
}

const struct job *engine_slot_job(const struct engine *e, slot_handle_t slot)
{
	const struct engine_node *n = engine_node_find(e, slot);

	return n && n->job ? &n->job->job : NULL;
}

const struct job *engine_job_next(const struct engine *e, const struct job *previous)
{
	const struct engine_job *j;

	if (!previous)
		j = TAILQ_FIRST(&e->jobs);
	else if (!job_state_is_final(previous->state))
		j = TAILQ_NEXT((const struct engine_job *) previous, entry);
	else /* it ended meanwhile and is in no list: go on behind its place */
		TAILQ_FOREACH(j, &e->jobs, entry)
			if (j->job.id > previous->id)
				break;
	return j ? &j->job : NULL;
}

const struct engine_slot *engine_slot(const struct engine *e, slot_handle_t slot)
{
	const struct engine_node *n = engine_node_find(e, slot);

	return n ? &n->s : NULL;
}

bool engine_idle(const struct engine *e)
{
	return TAILQ_EMPTY(&e->jobs) && TAILQ_EMPTY(&e->actions) && TAILQ_EMPTY(&e->news) && engine_next_deadline(e) == USEC_INFINITY;
}
