/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The indicators of a slot.
 *
 * Responsible for: that what is wanted last is shown in the end. The shim refuses
 * commands when many of a slot wait for the hardware; then the last one is sent
 * again as soon as one of them has ended. What is wanted is the engine's.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "indicator.h"

/* Cookies of ours: the slot's number with this bit. Jobs' are shorter. */
#define COOKIE_INDICATOR (1ULL << 63)

static int send_one(struct manager *m, struct slot *s, bool attention, enum indicator wanted)
{
	static const uint32_t values[] = {
		[INDICATOR_KEEP] = HPSHIM_INDICATOR_UNKNOWN,
		[INDICATOR_OFF] = HPSHIM_INDICATOR_OFF,
		[INDICATOR_ON] = HPSHIM_INDICATOR_ON,
		[INDICATOR_BLINK] = HPSHIM_INDICATOR_BLINK,
	};

	return (attention ? shim_link_set_attention_indicator : shim_link_set_power_indicator)(
		m->shim, s->shim_id, s->generation, values[wanted], COOKIE_INDICATOR | s->shim_id);
}

/* Sends what is to be shown now, as far as that is known. */
static void send_wanted(struct manager *m, struct slot *s)
{
	int r = 0;

	if (s->backend != BACKEND_SHIM)
		return; /* the native driver has its own mind about them */
	if (s->power_wanted != INDICATOR_KEEP && s->has_power_indicator)
		r = send_one(m, s, false, s->power_wanted);
	if (r >= 0 && s->locate && s->has_attention_indicator)
		r = send_one(m, s, true, INDICATOR_BLINK);
	else if (r >= 0 && s->attention_told && s->has_attention_indicator)
		r = send_one(m, s, true, s->attention_wanted);
	if (r < 0)
		log_warning("%s: cannot set indicators: %s", s->name, strerror(-r));
}

void indicator_set(struct manager *m, struct slot *s, enum indicator power, enum indicator attention)
{
	int r = 0;

	if (s->backend != BACKEND_SHIM)
		return;
	if (power != INDICATOR_KEEP)
		s->power_wanted = power;
	if (attention != INDICATOR_KEEP)
		s->attention_wanted = attention;
	if (power != INDICATOR_KEEP && s->has_power_indicator)
		r = send_one(m, s, false, power);
	if (r >= 0 && attention != INDICATOR_KEEP && s->has_attention_indicator && !s->locate) {
		s->attention_told = true;
		r = send_one(m, s, true, attention);
	}
	if (r < 0)
		log_warning("%s: cannot set indicators: %s", s->name, strerror(-r));
}

int indicator_locate(struct manager *m, struct slot *s, bool on)
{
	enum indicator value = INDICATOR_BLINK;
	int r;

	if (s->backend != BACKEND_SHIM || !s->has_attention_indicator)
		return -EOPNOTSUPP;
	if (on && !s->locate)
		s->attention_wanted = s->attention_indicator;
	if (!on && (s->attention_wanted == INDICATOR_ON || s->fault))
		value = INDICATOR_ON;
	else if (!on && s->attention_wanted != INDICATOR_BLINK)
		value = INDICATOR_OFF;
	r = send_one(m, s, true, value);
	if (r < 0)
		return r;
	if (!on)
		s->attention_wanted = value;
	s->attention_told = true;
	s->locate = on;
	manager_slot_changed(m, s);
	manager_save(m);
	return 0;
}

static struct slot *slot_of(struct manager *m, uint32_t shim_id)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (s->backend == BACKEND_SHIM && s->shim_id == shim_id)
			return s;
	return NULL;
}

bool indicator_op_done(struct manager *m, const struct shim_event *e)
{
	bool ours = e->cookie & COOKIE_INDICATOR, refused = e->seq == 0 && e->error;
	struct slot *s = slot_of(m, ours ? (uint32_t)e->cookie : e->slot.id);

	if (ours && refused && e->error == -EBUSY) {
		if (s)
			s->indicators_refused = true; /* one that is before it has not ended: see below */
		return true;
	}
	if (ours && e->error)
		log_warning("%s: cannot set an indicator: %s", s ? s->name : "slot",
			    e->report[0] != '\0' ? e->report : strerror(-e->error));
	if (s && !refused && s->indicators_refused) {
		s->indicators_refused = false;
		send_wanted(m, s);
	}
	return ours;
}

void indicator_ask_again(struct manager *m)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry) {
		s->indicators_refused = false;
		send_wanted(m, s);
	}
}
