// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a slot's event means: which job it starts, joins, cancels or leaves be.
 *
 * Responsible for: engine_event() and the verdict on each event, policy of
 * button and insert, debouncing the link, and what was seen while a job was
 * under way. May not change a job: that goes through engine_job_dispatch().
 *
 * Native slots: the kernel's driver handles their events. An event that finds
 * an eject of a slot above committing or later starts nothing; loss of a card
 * or a new card is remembered, should that eject fail.
 */
#include "engine-internal.h"

static enum verdict start_job(struct engine *e, struct engine_node *n, enum operation operation, enum origin origin,
			      usec_t window)
{
	const struct request r = {
		.operation = operation,
		.origin = origin,
		.requested_by = origin_to_string(origin),
	};

	return engine_job_start(e, n, &r, window) ? VERDICT_STARTED : VERDICT_REFUSED;
}

static enum verdict start_surprise_eject(struct engine *e, struct engine_node *n)
{
	enum verdict v = start_job(e, n, OPERATION_EJECT, ORIGIN_SURPRISE, 0);

	n->loss_pending = v != VERDICT_STARTED; /* out of memory: with the next call */
	return v;
}

static enum verdict start_insert(struct engine *e, struct engine_node *n, enum origin origin)
{
	switch (n->s.insert) {
	case INSERT_NOTIFY:
		return VERDICT_NOTIFY;
	case INSERT_IGNORE:
		return VERDICT_IGNORED;
	default:
		break;
	}
	if (n->s.latch_open) {
		if (origin == ORIGIN_BUTTON)
			engine_leds_refuse(e, n);
		return VERDICT_REFUSED;
	}
	return start_job(e, n, OPERATION_INSERT, origin, origin == ORIGIN_BUTTON ? n->s.grace : 0);
}

static enum verdict on_button(struct engine *e, struct engine_node *n)
{
	if (n->job)
		return engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_PRESS });
	if (engine_node_is_on(n)) {
		switch (n->s.button) {
		case BUTTON_NOTIFY:
			return VERDICT_NOTIFY;
		case BUTTON_IGNORE:
			return VERDICT_IGNORED;
		default:
			return start_job(e, n, OPERATION_EJECT, ORIGIN_BUTTON, n->s.grace);
		}
	}
	return n->s.present ? start_insert(e, n, ORIGIN_BUTTON) : VERDICT_NOTHING;
}

/* The job of the slot, if any, has its say first; a slot that is still on and
 * has no job then gets a surprise eject. */
static enum verdict on_card_lost(struct engine *e, struct engine_node *n)
{
	struct job_input in = {
		.event = JOB_EVENT_CARD_LOST,
		.reason = "The link to the card was lost and did not come back: reseat the card.",
	};
	enum verdict v = VERDICT_NOTHING;

	n->debounce = USEC_INFINITY;
	if (!n->s.present)
		in.reason = "The card was removed while the job was under way.";
	if (n->job) {
		/* An eject that covers it may find a new card at its end. */
		n->card_seen |= !n->s.present;
		v = engine_job_dispatch(e, n->job, &in);
	}
	if (!n->job && engine_node_is_on(n))
		return start_surprise_eject(e, n);
	return v;
}

static enum verdict on_presence(struct engine *e, struct engine_node *n)
{
	if (!n->s.present)
		return on_card_lost(e, n);
	if (n->job)
		return engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_CARD_FOUND });
	if (n->s.occupied)
		return VERDICT_NOTHING;
	return start_insert(e, n, ORIGIN_SURPRISE);
}

/* Whether a lost link is the job's own doing: power steps and what follows. */
static bool job_owns_link(const struct engine_job *j)
{
	return j && (j->job.step == STEP_POWER_ON || j->job.state == JOB_SETTLING);
}

static enum verdict on_link(struct engine *e, struct engine_node *n)
{
	struct engine_job *j = n->job;

	if (n->s.link || !n->s.link_known) {
		n->debounce = USEC_INFINITY;
		n->link_down_seen = false;
		return VERDICT_NOTHING;
	}
	if (!n->s.present)
		return on_card_lost(e, n);
	if (job_owns_link(j)) {
		n->link_down_seen = j->job.step == STEP_CONFIRM;
		return VERDICT_NOTHING;
	}
	if (j && j->job.operation == OPERATION_EJECT &&
	    (engine_job_is_surprise_eject(j) || j->job.state == JOB_COMMITTING))
		return VERDICT_JOINED;
	if (!engine_node_is_on(n))
		return VERDICT_NOTHING;
	if (n->debounce == USEC_INFINITY)
		n->debounce = engine_time_add(e->now, e->config.debounce);
	return VERDICT_DEBOUNCING;
}

void engine_node_debounce_over(struct engine *e, struct engine_node *n)
{
	n->debounce = USEC_INFINITY;
	if (n->s.native || n->s.hold || n->s.link || !n->s.link_known)
		return;
	if (engine_node_ejecting_ancestor(e, n))
		n->link_down_seen = true;
	else if (job_owns_link(n->job))
		n->link_down_seen = n->job->job.step == STEP_CONFIRM;
	else
		on_card_lost(e, n);
}

static enum verdict on_latch(struct engine *e, struct engine_node *n)
{
	if (!n->job)
		return VERDICT_NOTHING;
	if (!n->s.latch_open) /* a replace has waited for that */
		return n->job->job.step == STEP_CARD && n->card_seen ?
			       engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_CARD_FOUND }) :
			       VERDICT_NOTHING;
	return engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_LATCH_OPEN });
}

/* The slot's power is gone, its devices are not: people have to look. While a
 * job switches power, the answer to that step tells. */
static enum verdict on_power_fault(struct engine *e, struct engine_node *n)
{
	bool switching = n->job && (n->job->job.step == STEP_POWER_ON || n->job->job.step == STEP_POWER_OFF ||
				    n->job->job.step == STEP_OFF_WAIT);

	if (engine_node_is_on(n) && !switching)
		engine_leds(e, n, INDICATOR_OFF, INDICATOR_ON);
	return VERDICT_NOTHING;
}

static enum verdict below_ejecting_ancestor(struct engine_node *n, enum slot_event event)
{
	if (event == SLOT_EVENT_PRESENCE) {
		n->card_seen = true;
		n->loss_pending |= !n->s.present;
	} else if (event == SLOT_EVENT_LINK) {
		n->loss_pending |= !n->s.present;
		n->link_down_seen = n->s.link_known && !n->s.link;
	}
	return VERDICT_ANCESTOR;
}

/* A held slot starts nothing now; what counts is how it is when it is let go. */
static enum verdict while_held(struct engine_node *n, enum slot_event event)
{
	n->loss_pending = !n->s.present;
	if (event == SLOT_EVENT_PRESENCE)
		n->card_seen = true;
	n->link_down_seen = n->s.link_known && !n->s.link;
	return VERDICT_IGNORED;
}

enum verdict engine_node_event(struct engine *e, struct engine_node *n, enum slot_event event)
{
	bool card = event == SLOT_EVENT_PRESENCE || event == SLOT_EVENT_LINK;

	if (n->s.native)
		return VERDICT_IGNORED;
	if (card && n->s.hold)
		return while_held(n, event);
	if ((card || event == SLOT_EVENT_BUTTON) && engine_node_ejecting_ancestor(e, n))
		return below_ejecting_ancestor(n, event);
	switch (event) {
	case SLOT_EVENT_BUTTON:
		return on_button(e, n);
	case SLOT_EVENT_PRESENCE:
		return on_presence(e, n);
	case SLOT_EVENT_LINK:
		return on_link(e, n);
	case SLOT_EVENT_LATCH:
		return on_latch(e, n);
	case SLOT_EVENT_POWER_FAULT:
		return on_power_fault(e, n);
	default:
		return VERDICT_NOTHING;
	}
}

/* No job of the slot, none above in the way: what was seen meanwhile counts now. */
void engine_node_reconsider(struct engine *e, struct engine_node *n)
{
	bool loss = n->loss_pending, link_down = n->link_down_seen, card = n->card_seen;

	if (!loss && !link_down && !card)
		return;
	if (n->job || n->s.hold || engine_node_ejecting_ancestor(e, n))
		return;
	n->loss_pending = n->link_down_seen = n->card_seen = false;
	if (n->s.native)
		return;
	if (loss && engine_node_is_on(n))
		start_surprise_eject(e, n);
	else if (link_down && engine_node_is_on(n))
		on_link(e, n);
	else if (card && n->s.present && !n->s.occupied)
		start_insert(e, n, ORIGIN_SURPRISE);
}
