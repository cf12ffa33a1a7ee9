// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A job of another engine is put back.
 *
 * Responsible for: jobs that a daemon before this one had begun. May only put
 * together what is in struct job; how it goes on is engine-job.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"

/* Which steps there are in a state: a job that is in none of them was never ours. */
static bool step_fits(const struct job *j)
{
	bool replace = j->operation == OPERATION_REPLACE;
	bool inserts = j->operation == OPERATION_INSERT || (replace && j->inserting);
	bool ejects = j->operation == OPERATION_EJECT || (replace && !j->inserting);

	switch (j->state) {
	case JOB_GRACE:
		return j->step == STEP_WINDOW;
	case JOB_CHECKING:
		return j->step == STEP_CHECK;
	case JOB_QUIESCING:
		return j->step == STEP_TURN || (j->step == STEP_POWER_ON && inserts) ||
		       (j->step == STEP_UNBIND && ejects && j->unbound);
	case JOB_COMMITTING:
		return j->step == (ejects ? STEP_REMOVE : STEP_RESCAN);
	case JOB_SETTLING:
		if (j->step == STEP_CARD)
			return j->operation == OPERATION_REPLACE && ejects && !j->undo;
		return j->step == STEP_POWER_OFF || j->step == STEP_OFF_WAIT || j->step == STEP_CONFIRM;
	default:
		return false;
	}
}

static struct engine_job *copy_of(const struct job *as)
{
	struct engine_job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->job = *as;
	j->job.requested_by = strdup(as->requested_by ? as->requested_by : "");
	j->job.reason = as->reason ? strdup(as->reason) : NULL;
	if (!j->job.requested_by || (as->reason && !j->job.reason))
		return engine_job_free(j);
	return j;
}

int engine_restore_job(struct engine *e, const struct job *as, usec_t now)
{
	struct engine_node *n = engine_node_find(e, as->slot);
	struct engine_job *j;

	if (now > e->now)
		e->now = now;
	if (!n)
		return -ENOENT;
	if (n->job || engine_job(e, as->id) || (as->state == JOB_COMMITTING && e->commit))
		return -EEXIST;
	if (!step_fits(as) || as->id == 0)
		return -EINVAL;
	j = copy_of(as);
	if (!j)
		return -ENOMEM;
	j->node = n;
	n->job = j;
	engine_job_init_actions(j);
	TAILQ_INSERT_TAIL(&e->jobs, j, entry);
	engine_restore_last_id(e, as->id);
	if (as->step == STEP_TURN)
		j->ready = ++e->last_ready;
	if (as->state == JOB_COMMITTING)
		e->commit = j;
	/* They blink from the window or the check's end on: during the check, either. */
	j->leds_changed = as->operation != OPERATION_RESCAN;
	if (as->step == STEP_CARD)
		engine_leds(e, n, INDICATOR_OFF, INDICATOR_BLINK);
	else if (j->leds_changed)
		engine_leds(e, n, INDICATOR_BLINK, INDICATOR_OFF);
	engine_job_ask(e, j);
	if (as->step == STEP_POWER_OFF && n->s.occupied)
		engine_job_dispatch(e, j, &(struct job_input){ .event = JOB_EVENT_OCCUPIED });
	return 0;
}

void engine_slot_memory(const struct engine *e, slot_handle_t slot, struct engine_memory *ret)
{
	const struct engine_node *n = engine_node_find(e, slot);

	*ret = n ? n->seen : (struct engine_memory){ 0 };
}

void engine_slot_remember(struct engine *e, slot_handle_t slot, const struct engine_memory *memory)
{
	struct engine_node *n = engine_node_find(e, slot);

	if (n)
		n->seen = *memory;
}

void engine_restore_last_id(struct engine *e, uint32_t id)
{
	if (id > e->last_job_id)
		e->last_job_id = id;
}

uint32_t engine_last_id(const struct engine *e)
{
	return e->last_job_id;
}

const struct job *engine_untold_next(const struct engine *e, const struct job *previous)
{
	const struct engine_job *j = previous ? TAILQ_NEXT((const struct engine_job *)previous, entry) :
						TAILQ_FIRST(&e->ended);

	while (j && j->ended_taken)
		j = TAILQ_NEXT(j, entry);
	return j ? &j->job : NULL;
}
