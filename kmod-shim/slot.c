// SPDX-License-Identifier: GPL-2.0-only
/*
 * slot.c - slot objects: identifiers, references, level state, events seen
 *
 * Knows no controller register: the hardware files (pcie.c, shpc.c) tell what
 * they saw with hps_slot_saw() and are asked through struct hps_slot_ops.
 */
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "event.h"
#include "port.h"
#include "slot.h"

static LIST_HEAD(hps_slots);
static DEFINE_SPINLOCK(hps_slots_lock);	/* hps_slots and the counters */
static u32 hps_last_id;
static u32 hps_last_generation;

#define HPS_LEAVE_PATIENCE	(10 * HZ)

#define HPS_LINK_SETTLE_MS	100	/* after it is up (PCIe r6.0, sec 6.6.1) */

/* The events that say something about the card's being there. */
#define HPS_LINK_EVENTS	(BIT(HPSHIM_EVENT_PRESENCE) | BIT(HPSHIM_EVENT_LINK))

int hps_slot_module_init(void)
{
	/* A generation written down before the module was loaded is stale. */
	hps_last_generation = get_random_u32() & 0xffffff;
	return 0;
}

/* All slots are gone, all work is done. */
void hps_slot_module_exit(void)
{
	WARN_ON(!list_empty(&hps_slots));
}

static void hps_slot_free(struct kref *ref)
{
	struct hps_slot *slot = container_of(ref, struct hps_slot, ref);
	struct pci_dev *port = slot->port;

	slot->ops->free(slot);
	pci_dev_put(port);
}

void hps_slot_put(struct hps_slot *slot)
{
	if (slot)
		kref_put(&slot->ref, hps_slot_free);
}

/*
 * Queues work of a slot with a reference that the work has to put. The caller
 * holds a reference too, so this is fine in interrupts.
 */
bool hps_slot_queue_work(struct hps_slot *slot, struct work_struct *work,
			 struct workqueue_struct *wq)
{
	kref_get(&slot->ref);
	if (queue_work(wq, work))
		return true;
	kref_put(&slot->ref, hps_slot_free);
	return false;
}

/* Below @slot, that is: the function itself or its physical one is in it. */
bool hps_slot_holds(const struct hps_slot *slot, struct pci_dev *pdev)
{
	return slot->device == HPS_DEVICE_ALL || PCI_SLOT(pci_physfn(pdev)->devfn) == slot->device;
}

static int hps_slot_match_child(struct device *dev, void *data)
{
	return dev->bus == &pci_bus_type && hps_slot_holds(data, to_pci_dev(dev));
}

/*
 * Are devices enumerated? Asks the driver core's list of children, which needs
 * no lock that a remover of the port might hold.
 */
bool hps_slot_occupied(struct hps_slot *slot)
{
	return device_for_each_child(&slot->port->dev, slot, hps_slot_match_child);
}

/*
 * Level state of hardware and software. Does not wait for anything. Returns
 * whether the hardware could be read. If not (its port is being reset, is out of
 * reach, or is no longer ours), nothing is known of the card but what was known
 * before: what became of the port, the slot above it or SLOT_GONE tells.
 */
bool hps_slot_status(struct hps_slot *slot, struct hps_level *level)
{
	bool occupied, known;
	unsigned long flags;

	memset(level, 0, sizeof(*level));
	known = slot->ops->level(slot, level);
	occupied = hps_slot_occupied(slot);

	spin_lock_irqsave(&slot->lock, flags);
	if (known)
		slot->last = *level;
	else
		*level = slot->last;
	if (!occupied)
		slot->replaced = false;
	hps_inject_status(slot, level);
	if (slot->replaced)
		level->status &= ~(HPSHIM_STATUS_PRESENT | HPSHIM_STATUS_LINK);
	spin_unlock_irqrestore(&slot->lock, flags);

	if (occupied)
		level->status |= HPSHIM_STATUS_OCCUPIED;
	if (hps_op_power_busy(slot))
		level->status |= HPSHIM_STATUS_BUSY;
	return known;
}

/* Is there a card, with a link if it needs one, that can be spoken to? */
bool hps_slot_in_reach(struct hps_slot *slot)
{
	struct hps_level level;

	return hps_slot_status(slot, &level) && level.status & HPSHIM_STATUS_PRESENT &&
	       (level.status & HPSHIM_STATUS_LINK || !(slot->caps & HPSHIM_CAP_LINK));
}

/*
 * Switches the power off, but not under devices that can be spoken to: somebody else
 * may have had the bus scanned since the controller looked. What is found by a scan
 * that has begun already, and comes after this look, is not seen.
 */
int hps_slot_power_off(struct hps_slot *slot, const char **report)
{
	int error;

	if (hps_slot_occupied(slot) && hps_slot_in_reach(slot)) {
		*report = "there are devices in the slot";
		return -EBUSY;
	}
	error = slot->ops->power_off(slot, report);
	if (!error)
		WRITE_ONCE(slot->off_ns, ktime_get_ns());
	return error;
}

/* Fills in all that an answer or event tells about a slot. */
void hps_slot_describe(struct hps_slot *slot, struct hps_event *event)
{
	struct hps_level level;

	hps_slot_status(slot, &level);
	event->carries |= HPS_CARRIES_SLOT;
	event->slot = slot->id;
	event->generation = slot->generation;
	event->kind = slot->kind;
	event->caps = slot->caps;
	event->status = level.status;
	event->power_indicator = level.power_indicator;
	event->attention_indicator = level.attention_indicator;
	if (event->event != HPSHIM_EVENT_BUTTON)
		event->presses = atomic64_read(&slot->presses);
	strscpy(event->port, pci_name(slot->port), sizeof(event->port));
	strscpy(event->address, slot->address, sizeof(event->address));
	strscpy(event->name, slot->name, sizeof(event->name));
}

/* @data: the slot that @dev has to be in, or NULL. */
static int hps_slot_disconnect_one(struct device *dev, void *data)
{
	if (dev->bus == &pci_bus_type && (!data || hps_slot_holds(data, to_pci_dev(dev)))) {
		xchg(&to_pci_dev(dev)->error_state, pci_channel_io_perm_failure);
		device_for_each_child(dev, NULL, hps_slot_disconnect_one);
	}
	return 0;
}

/*
 * Marks what is below the slot as disconnected: drivers fail their accesses at
 * once instead of waiting for dead hardware. There is no way back. Not by
 * pci_walk_bus(): resets and resume come here under device_locks.
 */
void hps_slot_disconnect(struct hps_slot *slot)
{
	device_for_each_child(&slot->port->dev, slot, hps_slot_disconnect_one);
}

/* Card and link are gone while the slot is powered: nobody asked for that. */
static bool hps_slot_lost_card(struct hps_slot *slot)
{
	const u32 there = HPSHIM_STATUS_PRESENT | HPSHIM_STATUS_LINK;
	const u32 used = HPSHIM_STATUS_POWER | HPSHIM_STATUS_OCCUPIED;
	struct hps_level level;

	return hps_slot_status(slot, &level) &&
	       (level.status & (there | used | HPSHIM_STATUS_BUSY)) == used;
}

/* Is the link of devices that are there up, and no power operation under way? */
static bool hps_slot_is_linked(struct hps_slot *slot)
{
	const u32 up = HPSHIM_STATUS_LINK | HPSHIM_STATUS_OCCUPIED;
	struct hps_level level;

	return hps_slot_status(slot, &level) &&
	       (level.status & (up | HPSHIM_STATUS_BUSY)) == up;
}

/*
 * Was that error recovery, with the link up again at its end? What it did to the
 * link by itself and was seen meanwhile is no news then.
 */
static bool hps_slot_recovered(struct hps_slot *slot)
{
	struct hps_level level;

	if (!slot->ops->recovered || !slot->ops->recovered(slot))
		return false;
	atomic_andnot(BIT(HPSHIM_EVENT_LINK), &slot->pending);
	/* After that: the change that took the link for good may have been among them. */
	if (hps_slot_status(slot, &level) && level.status & HPSHIM_STATUS_LINK)
		return true;
	hps_slot_saw(slot, BIT(HPSHIM_EVENT_LINK));
	return false;
}

/*
 * The link has changed. If it is up again and devices are there, are they what
 * they were? Error recovery says so itself, but a card may have been changed under
 * it; who was reset by anything else (PCIe r6.0, sec 6.6.1: by the link's going
 * down) and is not put right by whoever did it is of no use to its driver.
 */
static u32 hps_slot_judge_link(struct hps_slot *slot, u32 pending, u64 seen)
{
	struct hps_event message = { .event = HPSHIM_EVENT_LINK, .time_ns = seen };
	bool recovered = hps_slot_recovered(slot);
	bool linked = hps_slot_is_linked(slot);

	if (linked && !recovered) {
		/* Told before the wait, or it would be believed to be lost meanwhile. */
		hps_event_send(slot, &message);
		pending &= ~BIT(HPSHIM_EVENT_LINK);
		/* No request before that; error recovery has waited. */
		linked = hps_slot_pause(slot, HPS_LINK_SETTLE_MS) && hps_slot_is_linked(slot);
	}
	if (linked && (recovered ? hps_card_check(slot, false) : hps_card_check_config(slot)))
		return pending | BIT(HPSHIM_EVENT_PRESENCE);
	if (recovered) {
		pending &= ~BIT(HPSHIM_EVENT_LINK);
		pending |= BIT(HPSHIM_EVENT_RECOVERY);
	}
	return pending;
}

/*
 * A slot that was switched off and kept, with nobody there to control it: does
 * somebody want something of it? That its own power went off is no sign of that.
 */
static bool hps_slot_is_wanted(struct hps_slot *slot, u32 pending)
{
	struct hps_level level;

	if (pending & (BIT(HPSHIM_EVENT_BUTTON) | BIT(HPSHIM_EVENT_LATCH)))
		return true;
	return pending & BIT(HPSHIM_EVENT_PRESENCE) && hps_slot_status(slot, &level) &&
	       !(level.status & HPSHIM_STATUS_PRESENT);
}

/*
 * Runs without any lock held, and remove() does not wait for it: it may take
 * seconds to judge a link. Of a dead slot presses are all there is to tell.
 */
static void hps_slot_event_work(struct work_struct *work)
{
	struct hps_slot *slot = container_of(work, struct hps_slot, event_work);
	u64 seen = atomic64_xchg(&slot->seen_ns, 0);
	u32 pending = atomic_xchg(&slot->pending, 0);
	bool link = pending & HPS_LINK_EVENTS;
	u32 event;

	/* The port may tell that the card is gone before it tells of the link. */
	if (pending & BIT(HPSHIM_EVENT_LINK) || (link && hps_slot_lost_card(slot)))
		pending = hps_slot_judge_link(slot, pending, seen);
	if (link && hps_slot_lost_card(slot)) {
		pci_info(slot->port, "Slot(%s): card gone\n", slot->name);
		hps_slot_disconnect(slot);
	}
	if (slot->off_by_request && !hps_controller_expected() &&
	    hps_slot_is_wanted(slot, pending))
		hps_port_give_back(slot->port);
	if (READ_ONCE(slot->dead))
		pending &= BIT(HPSHIM_EVENT_BUTTON);

	/* Presses come last: by then the state that they are about is told. */
	for (event = 0; pending >> event; event++) {
		struct hps_event message = { .event = event, .time_ns = seen };

		if (event == HPSHIM_EVENT_RESUME) {
			message.carries = HPS_CARRIES_VALUE;
			message.value = READ_ONCE(slot->replaced);
		}
		if (pending & BIT(event) && event != HPSHIM_EVENT_BUTTON)
			hps_event_send(slot, &message);
	}
	if (pending & BIT(HPSHIM_EVENT_BUTTON))
		hps_event_send_presses(slot, seen);
	hps_slot_put(slot);
}

/*
 * The hardware showed @events, BIT(enum hpshim_event). Any context. A press
 * counts each time, the rest is level state and counts once.
 */
void hps_slot_saw(struct hps_slot *slot, u32 events)
{
	if (!events)
		return;
	atomic64_cmpxchg(&slot->seen_ns, 0, ktime_get_ns());
	if (events & BIT(HPSHIM_EVENT_BUTTON))
		atomic64_inc(&slot->presses);
	atomic_or(events, &slot->pending);
	hps_slot_queue_work(slot, &slot->event_work, hps_event_wq);
}

/*
 * Sleeps for @ms, or less when the slot dies or a power-on is to be given up.
 * Returns whether to go on.
 */
bool hps_slot_sleep(struct hps_slot *slot, unsigned int ms)
{
	wait_event_timeout(slot->wait, READ_ONCE(slot->dead) || READ_ONCE(slot->abort),
			   msecs_to_jiffies(ms));
	return !READ_ONCE(slot->dead) && !READ_ONCE(slot->abort);
}

/* Sleeps for @ms, or less when the slot dies. Returns whether to go on. */
bool hps_slot_pause(struct hps_slot *slot, unsigned int ms)
{
	wait_event_timeout(slot->wait, READ_ONCE(slot->dead), msecs_to_jiffies(ms));
	return !READ_ONCE(slot->dead);
}

bool hps_slot_aborted(struct hps_slot *slot)
{
	return READ_ONCE(slot->abort);
}

/*
 * First step of a removal: nobody touches the hardware from here on, and who
 * waits for the slot wakes up. The caller holds the command mutex.
 */
void hps_slot_kill(struct hps_slot *slot)
{
	spin_lock_irq(&slot->lock);
	WRITE_ONCE(slot->dead, true);
	spin_unlock_irq(&slot->lock);
	wake_up_all(&slot->wait);
}

/*
 * A commit or a reset begins, and until hps_slot_unhold() the slot is not given
 * back. Returns false when it is about to be: then nothing may begin.
 */
bool hps_slot_hold(struct hps_slot *slot)
{
	atomic_inc(&slot->holds);
	smp_mb__after_atomic();	/* pairs with hps_slot_leave() */
	if (!READ_ONCE(slot->leaving))
		return true;
	hps_slot_unhold(slot);
	return false;
}

void hps_slot_unhold(struct hps_slot *slot)
{
	if (atomic_dec_and_test(&slot->holds))
		wake_up_all(&slot->wait);
}

static bool hps_slot_is_idle(struct hps_slot *slot)
{
	return READ_ONCE(slot->dead) ||
	       (!atomic_read(&slot->holds) && !hps_op_power_busy(slot));
}

/*
 * Waits until no commit, reset or power operation is under way, however long a
 * driver takes to let go of its device: a native driver that got the slot now would
 * see half of it. A power-on gives up. The caller holds no lock.
 */
void hps_slot_leave(struct hps_slot *slot)
{
	spin_lock_irq(&slot->lock);
	WRITE_ONCE(slot->leaving, true);
	WRITE_ONCE(slot->abort, true);
	spin_unlock_irq(&slot->lock);
	smp_mb();	/* pairs with hps_slot_hold() */
	wake_up_all(&slot->wait);
	if (wait_event_idle_timeout(slot->wait, hps_slot_is_idle(slot), HPS_LEAVE_PATIENCE))
		return;
	pci_warn(slot->port, "Slot(%s): is given back when the operation that is under way ends\n",
		 slot->name);
	wait_event_idle(slot->wait, hps_slot_is_idle(slot));
}

/* A new slot, with one reference for the driver, not yet known to anybody. */
void hps_slot_init(struct hps_slot *slot, const struct hps_slot_ops *ops, struct pci_dev *port,
		   u8 device)
{
	kref_init(&slot->ref);
	INIT_LIST_HEAD(&slot->node);
	slot->ops = ops;
	slot->port = pci_dev_get(port);
	slot->device = device;
	spin_lock_init(&slot->lock);
	init_waitqueue_head(&slot->wait);
	INIT_WORK(&slot->event_work, hps_slot_event_work);
	hps_op_init_slot(slot);
	hps_inject_init_slot(slot);
	if (device == HPS_DEVICE_ALL)
		strscpy(slot->address, pci_name(port), sizeof(slot->address));
	else
		snprintf(slot->address, sizeof(slot->address), "%04x:%02x:%02x.0",
			 pci_domain_nr(port->subordinate), port->subordinate->number, device);
}

/* Makes the slot known and tells the controller. */
void hps_slot_add(struct hps_slot *slot)
{
	spin_lock(&hps_slots_lock);
	slot->id = ++hps_last_id;
	slot->generation = ++hps_last_generation;
	list_add_tail(&slot->node, &hps_slots);
	spin_unlock(&hps_slots_lock);
	hps_event_simple(slot, HPSHIM_EVENT_SLOT_ADD);
}

/* Takes a dead slot from the list, tells the controller and drops the driver's reference. */
void hps_slot_del(struct hps_slot *slot)
{
	spin_lock(&hps_slots_lock);
	list_del_init(&slot->node);
	spin_unlock(&hps_slots_lock);
	if (slot->id)
		hps_event_simple(slot, HPSHIM_EVENT_SLOT_GONE);
	hps_slot_put(slot);
}

/* Each of these returns a slot with a reference, or NULL. */
struct hps_slot *hps_slot_get(u32 id)
{
	struct hps_slot *slot, *found = NULL;

	spin_lock(&hps_slots_lock);
	list_for_each_entry(slot, &hps_slots, node) {
		if (slot->id == id) {
			kref_get(&slot->ref);
			found = slot;
			break;
		}
	}
	spin_unlock(&hps_slots_lock);
	return found;
}

struct hps_slot *hps_slot_get_after(u32 id)
{
	struct hps_slot *slot, *found = NULL;

	spin_lock(&hps_slots_lock);
	list_for_each_entry(slot, &hps_slots, node) {
		if (slot->id > id) {
			kref_get(&slot->ref);
			found = slot;
			break;
		}
	}
	spin_unlock(&hps_slots_lock);
	return found;
}

/* The one whose port @pdev is right below. */
struct hps_slot *hps_slot_get_by_device(struct pci_dev *pdev)
{
	struct pci_dev *port = pci_upstream_bridge(pdev);
	struct hps_slot *slot, *found = NULL;

	spin_lock(&hps_slots_lock);
	list_for_each_entry(slot, &hps_slots, node) {
		if (slot->port == port && hps_slot_holds(slot, pdev)) {
			kref_get(&slot->ref);
			found = slot;
			break;
		}
	}
	spin_unlock(&hps_slots_lock);
	return found;
}

struct hps_slot *hps_slot_get_by_address(const char *address)
{
	struct hps_slot *slot, *found = NULL;

	spin_lock(&hps_slots_lock);
	list_for_each_entry(slot, &hps_slots, node) {
		if (!strcmp(slot->address, address)) {
			kref_get(&slot->ref);
			found = slot;
			break;
		}
	}
	spin_unlock(&hps_slots_lock);
	return found;
}
