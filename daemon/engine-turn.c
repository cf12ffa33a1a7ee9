// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whose turn the commit is.
 *
 * Responsible for: the order of commits, and who has to wait although it is free. May
 * not change a job: that goes through engine_job_dispatch().
 */
#include "engine-internal.h"

/* Surprise ejects first, then those whose card was lost when it was too late for one. */
static int urgency(const struct engine_job *j)
{
	if (engine_job_is_surprise_eject(j))
		return 2;
	return engine_job_is_past_return(j) && (j->node->seen.loss || j->node->seen.fault);
}

/* Then in the order in which jobs became ready. */
static bool goes_before(const struct engine_job *a, const struct engine_job *b)
{
	if (urgency(a) != urgency(b))
		return urgency(a) > urgency(b);
	/* By time first: it is kept over a restart. */
	if (a->job.step_since != b->job.step_since)
		return a->job.step_since < b->job.step_since;
	return a->ready < b->ready;
}

/* A driver in the slot, or below it, has not let go: the commit would wait for it. */
static bool is_unbinding_below(const struct engine *e, const struct engine_node *n)
{
	const struct engine_job *j;

	TAILQ_FOREACH(j, &e->jobs, entry)
		if (j->job.step == STEP_UNBIND && j->node && engine_node_is_below(e, j->node, n))
			return true;
	return false;
}

static struct engine_job *next_in_turn(struct engine *e)
{
	struct engine_job *j, *first = NULL;

	TAILQ_FOREACH(j, &e->jobs, entry) {
		if (j->job.step != STEP_TURN || (first && !goes_before(j, first)))
			continue;
		if (!engine_node_ejecting_ancestor(e, j->node) &&
		    !(engine_job_ejects(j) && is_unbinding_below(e, j->node)))
			first = j;
	}
	return first;
}

void engine_give_turn(struct engine *e)
{
	struct engine_job *j;

	while (!e->commit && (j = next_in_turn(e)))
		engine_job_dispatch(e, j, &(struct job_input){ .event = JOB_EVENT_TURN });
}
