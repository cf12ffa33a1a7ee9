// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject.c - test builds only: pretends what the hardware says
 *
 * A virtual machine monitor has no latch, no power fault and no controller that
 * loses commands, and it presses no button twice. What is injected takes the
 * way of what interrupts see; the forced bits stay until the opposite is
 * injected, a power fault until the next power-on.
 */
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "slot.h"

/**
 * struct hps_injection - an accepted injection
 * @work: does it
 * @slot: to this slot, referenced
 * @what: enum hpshim_inject
 * @count: so many times
 * @interval_us: so much time between two
 */
struct hps_injection {
	struct work_struct work;
	struct hps_slot *slot;
	u32 what;
	u32 count;
	u32 interval_us;
};

void hps_inject_init_slot(struct hps_slot *slot)
{
	spin_lock_init(&slot->forced.lock);
}

/* Changes what the hardware says, in the way of hps_slot_ops.level. */
void hps_inject_status(struct hps_slot *slot, struct hps_level *level)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->forced.lock, flags);
	level->status |= slot->forced.set;
	level->status &= ~slot->forced.clear;
	spin_unlock_irqrestore(&slot->forced.lock, flags);
}

static void hps_inject_force(struct hps_slot *slot, u32 bit, bool set, bool clear)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->forced.lock, flags);
	slot->forced.set &= ~bit;
	slot->forced.clear &= ~bit;
	if (set)
		slot->forced.set |= bit;
	if (clear)
		slot->forced.clear |= bit;
	spin_unlock_irqrestore(&slot->forced.lock, flags);
}

/* A power fault lasts until the slot is powered anew. */
void hps_inject_power_on(struct hps_slot *slot)
{
	hps_inject_force(slot, HPSHIM_STATUS_POWER_FAULT, false, false);
}

/* Is the completion of a command that was just written to get lost? */
bool hps_inject_loses_command(struct hps_slot *slot)
{
	unsigned long flags;
	bool loses;

	spin_lock_irqsave(&slot->forced.lock, flags);
	loses = slot->forced.timeouts;
	if (loses)
		slot->forced.timeouts--;
	spin_unlock_irqrestore(&slot->forced.lock, flags);
	return loses;
}

/* Is the card to be another one, now that it is looked at? */
bool hps_inject_card_changed(struct hps_slot *slot)
{
	unsigned long flags;
	bool changed;

	spin_lock_irqsave(&slot->forced.lock, flags);
	changed = slot->forced.card_changed;
	slot->forced.card_changed = false;
	spin_unlock_irqrestore(&slot->forced.lock, flags);
	return changed;
}

static bool user_indicators;
module_param(user_indicators, bool, 0444);
MODULE_PARM_DESC(user_indicators, "Test build: indicators of all ports belong to user space, as below VMD");

bool hps_inject_user_indicators(void)
{
	return user_indicators;
}

static void hps_inject_once(struct hps_slot *slot, u32 what)
{
	switch (what) {
	case HPSHIM_INJECT_BUTTON:
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_BUTTON));
		break;
	case HPSHIM_INJECT_LATCH_OPEN:
		hps_inject_force(slot, HPSHIM_STATUS_LATCH_OPEN, true, false);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_LATCH));
		break;
	case HPSHIM_INJECT_LATCH_CLOSED:
		hps_inject_force(slot, HPSHIM_STATUS_LATCH_OPEN, false, false);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_LATCH));
		break;
	case HPSHIM_INJECT_POWER_FAULT:
		hps_inject_force(slot, HPSHIM_STATUS_POWER_FAULT, true, false);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_POWER_FAULT));
		break;
	case HPSHIM_INJECT_COMMAND_TIMEOUT:
		spin_lock_irq(&slot->forced.lock);
		slot->forced.timeouts++;
		spin_unlock_irq(&slot->forced.lock);
		break;
	case HPSHIM_INJECT_CARD_CHANGED:
		spin_lock_irq(&slot->forced.lock);
		slot->forced.card_changed = true;
		spin_unlock_irq(&slot->forced.lock);
		break;
	case HPSHIM_INJECT_PRESENCE_LOST:
		hps_inject_force(slot, HPSHIM_STATUS_PRESENT, false, true);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_PRESENCE));
		break;
	case HPSHIM_INJECT_PRESENCE_FOUND:
		hps_inject_force(slot, HPSHIM_STATUS_PRESENT, false, false);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_PRESENCE));
		break;
	case HPSHIM_INJECT_LINK_DOWN:
		hps_inject_force(slot, HPSHIM_STATUS_LINK, false, true);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_LINK));
		break;
	case HPSHIM_INJECT_LINK_UP:
		hps_inject_force(slot, HPSHIM_STATUS_LINK, false, false);
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_LINK));
		break;
	}
}

static void hps_inject_work(struct work_struct *work)
{
	struct hps_injection *injection = container_of(work, struct hps_injection, work);
	struct hps_slot *slot = injection->slot;

	while (injection->count-- && !READ_ONCE(slot->dead)) {
		hps_inject_once(slot, injection->what);
		if (injection->interval_us && injection->count)
			fsleep(injection->interval_us);
		else
			cond_resched();
	}
	hps_slot_put(slot);
	kfree(injection);
}

int hps_inject(struct hps_slot *slot, u32 what, u32 count, u32 interval_us)
{
	struct hps_injection *injection = kzalloc(sizeof(*injection), GFP_KERNEL);

	if (!injection)
		return -ENOMEM;
	INIT_WORK(&injection->work, hps_inject_work);
	injection->slot = slot;
	kref_get(&slot->ref);
	injection->what = what;
	injection->count = count;
	injection->interval_us = interval_us;
	queue_work(hps_wq, &injection->work);
	return 0;
}
