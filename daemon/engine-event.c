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
 *
 * Latch: one that opens keeps cards from being brought up. It does not by itself
 * remove devices: pciehp looks at it only before power-on, and where the hardware
 * cuts the power (SHPC) that is reported, and then it is as with a lost card.
 * Power fault: the hardware has cut main power and keeps it so until it is told to
 * switch off (PCIe r6.0, sec 6.7.1.8), so the devices are removed as well.
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

	n->seen.loss = v != VERDICT_STARTED; /* out of memory: with the next call */
	return v;
}

void engine_node_rest(struct engine_node *n)
{
	n->turns = 0;
	n->seen.given_up = false;
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
	if (n->seen.given_up)
		return VERDICT_REFUSED; /* the attention indicator says so */
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
static enum verdict lose_card(struct engine *e, struct engine_node *n, const char *reason)
{
	const struct job_input in = { .event = JOB_EVENT_CARD_LOST, .reason = reason };
	enum verdict v = VERDICT_NOTHING;

	n->debounce = USEC_INFINITY;
	if (n->job) {
		/* An eject that covers it may find a new card at its end. */
		n->seen.card |= !n->s.present;
		v = engine_job_dispatch(e, n->job, &in);
	}
	if (!n->job && engine_node_is_on(n))
		return start_surprise_eject(e, n);
	return v;
}

static enum verdict on_card_lost(struct engine *e, struct engine_node *n)
{
	return lose_card(e, n, n->s.present ? "The link to the card was lost and did not come back: reseat the card." :
					      "The card was removed while the job was under way.");
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
		n->seen.link_down = false;
		return VERDICT_NOTHING;
	}
	if (!n->s.present)
		return on_card_lost(e, n);
	if (job_owns_link(j)) {
		n->seen.link_down = j->job.step == STEP_CONFIRM;
		return VERDICT_NOTHING;
	}
	if (j && j->job.operation == OPERATION_EJECT &&
	    (engine_job_is_surprise_eject(j) || engine_job_is_past_return(j)))
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
		n->seen.link_down = true;
	else if (job_owns_link(n->job))
		n->seen.link_down = n->job->job.step == STEP_CONFIRM;
	else
		on_card_lost(e, n);
}

static enum verdict on_latch_open(struct engine *e, struct engine_node *n)
{
	enum verdict v = VERDICT_NOTHING;

	if (n->job && engine_job_inserts(n->job))
		v = engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_LATCH_OPEN });
	if (v != VERDICT_NOTHING || !n->s.occupied)
		return v;
	if (n->s.power_control && !n->s.power && !n->s.hold) {
		if (!engine_node_ejecting_ancestor(e, n))
			return lose_card(e, n, "The latch was opened, and that has cut the slot's power.");
		n->seen.loss = true;
		return VERDICT_ANCESTOR;
	}
	if (!n->job)
		engine_leds(e, n, INDICATOR_KEEP, INDICATOR_ON);
	return VERDICT_NOTIFY;
}

/* People have had the slot open: what is in it now counts as a new card. */
static enum verdict on_latch_closed(struct engine *e, struct engine_node *n)
{
	if (n->job) {
		/* A replace has waited for that. */
		if (n->job->job.step == STEP_CARD && n->seen.card)
			return engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_CARD_FOUND });
		/* An insert that is given up, for the latch was opened: the next one is for later. */
		if (engine_job_inserts(n->job) && (n->job->job.undo || n->job->job.cancel_requested))
			n->seen.card = true;
		return VERDICT_NOTHING;
	}
	if (n->s.occupied) {
		engine_leds(e, n, INDICATOR_KEEP, INDICATOR_OFF);
		return VERDICT_NOTHING;
	}
	if (!n->s.present || engine_node_is_on(n))
		return VERDICT_NOTHING;
	if (n->s.hold || engine_node_ejecting_ancestor(e, n)) {
		n->seen.card = true;
		return n->s.hold ? VERDICT_IGNORED : VERDICT_ANCESTOR;
	}
	return start_insert(e, n, ORIGIN_SURPRISE);
}

/* The slot's power is gone, its devices are not. While a job switches power, the
 * answer to that step tells. */
static enum verdict on_power_fault(struct engine *e, struct engine_node *n)
{
	const struct job_input in = {
		.event = JOB_EVENT_POWER_FAULT,
		.reason = "A power fault has cut the slot's power: look at the card and at its supply.",
	};
	enum verdict v = VERDICT_NOTHING;

	if (n->job) {
		v = engine_job_dispatch(e, n->job, &in);
		if (n->job && v != VERDICT_NOTHING)
			engine_leds(e, n, INDICATOR_KEEP, INDICATOR_ON);
		if (n->job)
			return v;
	}
	engine_leds(e, n, INDICATOR_OFF, INDICATOR_ON);
	if (!n->s.occupied)
		return v;
	if (n->s.hold || engine_node_ejecting_ancestor(e, n)) {
		n->seen.fault = true;
		return v != VERDICT_NOTHING ? v : n->s.hold ? VERDICT_IGNORED : VERDICT_ANCESTOR;
	}
	return start_surprise_eject(e, n);
}

static enum verdict below_ejecting_ancestor(struct engine_node *n, enum slot_event event)
{
	if (event == SLOT_EVENT_PRESENCE) {
		n->seen.card = true;
		n->seen.loss |= !n->s.present;
	} else if (event == SLOT_EVENT_LINK) {
		n->seen.loss |= !n->s.present;
		n->seen.link_down = n->s.link_known && !n->s.link;
	}
	return VERDICT_ANCESTOR;
}

/* A held slot starts nothing now; what counts is how it is when it is let go. */
static enum verdict while_held(struct engine_node *n, enum slot_event event)
{
	n->seen.loss = !n->s.present;
	if (event == SLOT_EVENT_PRESENCE)
		n->seen.card = true;
	n->seen.link_down = n->s.link_known && !n->s.link;
	return VERDICT_IGNORED;
}

enum verdict engine_node_event(struct engine *e, struct engine_node *n, enum slot_event event)
{
	bool card = event == SLOT_EVENT_PRESENCE || event == SLOT_EVENT_LINK;

	if (n->s.native)
		return VERDICT_IGNORED;
	if (event == SLOT_EVENT_BUTTON || (event == SLOT_EVENT_PRESENCE && !n->s.present) ||
	    (event == SLOT_EVENT_LATCH && n->s.latch_open))
		engine_node_rest(n);
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
		return n->s.latch_open ? on_latch_open(e, n) : on_latch_closed(e, n);
	case SLOT_EVENT_POWER_FAULT:
		return on_power_fault(e, n);
	default:
		return VERDICT_NOTHING;
	}
}

/* A replace may have waited for a card that came while the slot was held. */
void engine_node_let_go(struct engine *e, struct engine_node *n)
{
	if (n->job && n->job->job.step == STEP_CARD && n->seen.card && !n->s.native)
		engine_job_dispatch(e, n->job, &(struct job_input){ .event = JOB_EVENT_CARD_FOUND });
}

/* No job of the slot, none above in the way: what was seen meanwhile counts now. */
void engine_node_reconsider(struct engine *e, struct engine_node *n)
{
	struct engine_memory seen = n->seen;

	if (!seen.loss && !seen.link_down && !seen.card && !seen.fault)
		return;
	if (n->job || n->s.hold || engine_node_ejecting_ancestor(e, n))
		return;
	n->seen = (struct engine_memory){ .given_up = seen.given_up };
	if (n->s.native)
		return;
	if ((seen.loss && engine_node_is_on(n)) || (seen.fault && n->s.fault && n->s.occupied))
		start_surprise_eject(e, n);
	else if (seen.link_down && engine_node_is_on(n))
		on_link(e, n);
	else if (seen.card && n->s.present && !n->s.occupied)
		start_insert(e, n, ORIGIN_SURPRISE);
}
