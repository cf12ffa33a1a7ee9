// SPDX-License-Identifier: GPL-2.0-only
/*
 * event.c - sequence numbers, order of events, replay ring
 *
 * Every event gets its number, its place in the ring and its turn on the wire
 * under one mutex, so that a receiver sees numbers without gaps unless it lost
 * messages. The mutex is held for reading the slot's level state and for one
 * multicast; nothing in here waits for hardware or takes a lock of the PCI core.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include "event.h"
#include "port.h"
#include "slot.h"

static unsigned int replay_events = 4096;
module_param(replay_events, uint, 0444);
MODULE_PARM_DESC(replay_events, "Events kept for receivers that lost some (64-65536)");

static DEFINE_MUTEX(hps_event_mutex);
static struct hps_event *hps_ring;	/* event n is at n % replay_events */
static u64 hps_seq;			/* of the last event */
static bool hps_muted;			/* nothing goes out any more */

/* Number of the last event. A state read after this is no older than it. */
u64 hps_event_seq(void)
{
	u64 seq;

	mutex_lock(&hps_event_mutex);
	seq = hps_seq;
	mutex_unlock(&hps_event_mutex);
	return seq;
}

static void hps_event_send_locked(struct hps_slot *slot, struct hps_event *event)
{
	if (slot)
		hps_slot_describe(slot, event);
	if (!event->time_ns)
		event->time_ns = ktime_get_ns();
	event->seq = ++hps_seq;
	hps_ring[event->seq % replay_events] = *event;
	if (!hps_muted)
		hps_genl_multicast(event);
}

/* The family is about to be unregistered: what happens now is heard by nobody. */
void hps_event_mute(void)
{
	mutex_lock(&hps_event_mutex);
	hps_muted = true;
	mutex_unlock(&hps_event_mutex);
}

/*
 * Sends @event of @slot, or of a port as a whole when @slot is NULL. After
 * SLOT_GONE only completions of operations pass. Sleeps, but not for long: may
 * be called under any of our mutexes and from remove().
 */
void hps_event_send(struct hps_slot *slot, struct hps_event *event)
{
	mutex_lock(&hps_event_mutex);
	if (!slot || !slot->gone || event->event == HPSHIM_EVENT_OP_DONE) {
		if (event->event == HPSHIM_EVENT_SLOT_GONE)
			slot->gone = true;
		hps_event_send_locked(slot, event);
	}
	mutex_unlock(&hps_event_mutex);
}

/*
 * Sends one event for each press, with the number of that press. In a storm
 * others get their turn in between.
 */
void hps_event_send_presses(struct hps_slot *slot, u64 time_ns)
{
	bool more = true;

	while (more) {
		struct hps_event event = {
			.event = HPSHIM_EVENT_BUTTON,
			.time_ns = time_ns,
		};

		mutex_lock(&hps_event_mutex);
		more = !slot->gone && slot->presses_sent < atomic64_read(&slot->presses);
		if (more) {
			event.presses = ++slot->presses_sent;
			hps_event_send_locked(slot, &event);
		}
		mutex_unlock(&hps_event_mutex);
		cond_resched();
	}
}

void hps_event_simple(struct hps_slot *slot, u32 event)
{
	struct hps_event message = { .event = event };

	hps_event_send(slot, &message);
}

/*
 * Copies the first kept event after number *@after to @event and moves *@after
 * to it. Says HPS_CARRIES_OVERRUN when there were others in between, or when
 * *@after is a number that we never gave (the module was loaded anew). Returns
 * false at the end.
 */
bool hps_event_replay(u64 *after, struct hps_event *event)
{
	u64 oldest, next;
	bool more = true;

	mutex_lock(&hps_event_mutex);
	oldest = hps_seq > replay_events ? hps_seq - replay_events + 1 : 1;
	next = *after + 1;
	if (*after > hps_seq) {
		*event = (struct hps_event){ .carries = HPS_CARRIES_OVERRUN, .seq = hps_seq };
		*after = hps_seq;
	} else if (*after == hps_seq) {
		more = false;
	} else if (next < oldest) {
		*event = hps_ring[oldest % replay_events];
		event->carries |= HPS_CARRIES_OVERRUN;
		*after = oldest;
	} else {
		*event = hps_ring[next % replay_events];
		*after = next;
	}
	mutex_unlock(&hps_event_mutex);
	return more;
}

int hps_event_init(void)
{
	replay_events = clamp(replay_events, 64U, 65536U);
	hps_ring = kvcalloc(replay_events, sizeof(*hps_ring), GFP_KERNEL);
	return hps_ring ? 0 : -ENOMEM;
}

/* Nobody may send any more. */
void hps_event_exit(void)
{
	kvfree(hps_ring);
}
