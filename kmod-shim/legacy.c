// SPDX-License-Identifier: GPL-2.0-only
/*
 * legacy.c - our face towards the hotplug core: /sys/bus/pci/slots/N/...
 *
 * A write to "power" becomes a request to the controller, and the writer waits
 * for its answer. It waits killably, with a deadline, and is woken when the
 * slot dies, because the files are drained by remove() under the rescan lock.
 * The other files read or set hardware directly.
 *
 * The PCI core looks at hotplug_slot without a lock when it resets a function,
 * so these structures are kept, one for each place that ever was a slot, until
 * the module goes; they lead to a slot only while it is registered.
 */
#include <linux/freezer.h>
#include <linux/pci.h>
#include <linux/pci_hotplug.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "compat.h"
#include "event.h"
#include "port.h"
#include "slot.h"

static unsigned int request_timeout = 120;
module_param(request_timeout, uint, 0644);
MODULE_PARM_DESC(request_timeout, "Seconds that a write to a slot's power file waits for an answer");

/**
 * struct hps_legacy - a place in the hotplug core
 * @hotplug: what the core knows; never freed before module exit
 * @ops: what @hotplug can do, by the slot's capabilities
 * @node: in the list of places
 * @slot: the slot that is there now
 * @used: registered with the core
 * @reserved: and that only to keep a native driver off, see hps_legacy_reserve()
 * @domain: of the port
 * @bus: of the port
 * @devfn: of the port
 * @device: number of the slot's device
 */
struct hps_legacy {
	struct hotplug_slot hotplug;
	struct hotplug_slot_ops ops;
	struct list_head node;
	struct hps_slot __rcu *slot;
	bool used;
	bool reserved;
	int domain;
	u8 bus;
	u8 devfn;
	u8 device;
};

static LIST_HEAD(hps_legacy_places);
static DEFINE_MUTEX(hps_legacy_mutex);	/* the list, @used and @reserved */

/**
 * struct hps_request - a write that waits; lives on the writer's stack
 * @node: in the list of requests
 * @id: for the answer
 * @slot: whose power file was written
 * @value: what was written
 * @done: answered
 * @error: the answer
 */
struct hps_request {
	struct list_head node;
	u64 id;
	struct hps_slot *slot;
	u32 value;
	bool done;
	int error;
};

/*
 * The device number of a slot that is all of a bus. Native drivers say 0, newer ones
 * PCI_SLOT_ALL_DEVICES, which a kernel may know without its native driver using it.
 * Two slots are the same only by the same number, so the native driver's counts.
 */
static u16 hps_legacy_all = PCI_SLOT_ALL_DEVICES;
static bool hps_legacy_all_known;

static LIST_HEAD(hps_requests);
static DEFINE_SPINLOCK(hps_requests_lock);	/* the list, its requests, the counter */
static u64 hps_last_request;

/* The native driver of a port has registered its slot under @number. */
void hps_legacy_number_all(u16 number)
{
	WRITE_ONCE(hps_legacy_all, number);
	WRITE_ONCE(hps_legacy_all_known, true);
}

/* Slot behind a place, with a reference, or NULL. */
static struct hps_slot *hps_legacy_slot(struct hotplug_slot *hotplug)
{
	struct hps_legacy *legacy = container_of(hotplug, struct hps_legacy, hotplug);
	struct hps_slot *slot;

	rcu_read_lock();
	slot = rcu_dereference(legacy->slot);
	if (slot && !kref_get_unless_zero(&slot->ref))
		slot = NULL;
	rcu_read_unlock();
	return slot;
}

static void hps_legacy_send_request(const struct hps_request *request, u32 event)
{
	struct hps_event message = {
		.event = event,
		.carries = HPS_CARRIES_REQUEST | HPS_CARRIES_VALUE,
		.request = request->id,
		.value = request->value,
	};

	hps_event_send(request->slot, &message);
}

/* Waits until answered, dead, killed or late. Returns the rest of the time, or -EINTR. */
static long hps_legacy_wait(struct hps_request *request)
{
	long left = (long)clamp(READ_ONCE(request_timeout), 1U, 3600U) * HZ;
	struct hps_slot *slot = request->slot;
	DEFINE_WAIT(wait);

	for (;;) {
		/* Unsafe: a writer holds its file; nobody drains that while tasks are frozen. */
		prepare_to_wait(&slot->wait, &wait, TASK_KILLABLE | TASK_FREEZABLE_UNSAFE);
		if (READ_ONCE(request->done) || READ_ONCE(slot->dead) || !left)
			break;
		if (fatal_signal_pending(current)) {
			left = -EINTR;
			break;
		}
		left = schedule_timeout(left);
	}
	finish_wait(&slot->wait, &wait);
	return left;
}

/*
 * Nobody answers. A slot that we kept because it was switched off goes back to
 * its native driver, which powers it up: that is what was asked for.
 */
static int hps_legacy_without_controller(struct hotplug_slot *hotplug, u32 value)
{
	struct hps_slot *slot = hps_legacy_slot(hotplug);
	bool back;

	back = slot && value && READ_ONCE(slot->off_by_request) && !hps_controller_expected();
	if (back)
		hps_port_give_back(slot->port);
	hps_slot_put(slot);
	return back ? 0 : -ENODEV;
}

static int hps_legacy_request(struct hotplug_slot *hotplug, u32 value)
{
	struct hps_request request = { .value = value };
	bool expected, done;
	long left = 0;

	if (!hps_controller_alive())
		return hps_legacy_without_controller(hotplug, value);
	if (hps_controller_is_current())
		return -EDEADLK;
	request.slot = hps_legacy_slot(hotplug);
	if (!request.slot)
		return -ENODEV;

	spin_lock(&hps_requests_lock);
	request.id = ++hps_last_request;
	list_add_tail(&request.node, &hps_requests);
	spin_unlock(&hps_requests_lock);

	/* A controller that went before we were in the list has given up all but us. */
	expected = hps_controller_expected();
	if (expected) {
		hps_legacy_send_request(&request, HPSHIM_EVENT_REQUEST);
		left = hps_legacy_wait(&request);
	}

	spin_lock(&hps_requests_lock);
	list_del(&request.node);
	done = request.done;
	spin_unlock(&hps_requests_lock);
	if (!done) {
		hps_legacy_send_request(&request, HPSHIM_EVENT_REQUEST_CANCEL);
		if (!expected)
			request.error = hps_legacy_without_controller(hotplug, value);
		else if (left < 0)
			request.error = left;
		else if (READ_ONCE(request.slot->dead))
			request.error = -ENODEV;
		else
			request.error = -ETIMEDOUT;
	}
	hps_slot_put(request.slot);
	return request.error;
}

/* Answers a waiting writer. -ENOENT: it waits no more. */
int hps_legacy_answer(u64 id, int error)
{
	struct hps_request *request;
	int result = -ENOENT;

	spin_lock(&hps_requests_lock);
	list_for_each_entry(request, &hps_requests, node) {
		if (request->id != id || request->done)
			continue;
		request->error = error;
		WRITE_ONCE(request->done, true);
		/* Under the lock: afterwards the writer's stack may be gone. */
		wake_up_all(&request->slot->wait);
		result = 0;
		break;
	}
	spin_unlock(&hps_requests_lock);
	return result;
}

/*
 * Nobody will answer who waits at @slot. Returns whether one of them wants power:
 * then the slot is to go back to its native driver, which does that.
 */
bool hps_legacy_give_up(struct hps_slot *slot)
{
	struct hps_request *request;
	bool power = false;

	spin_lock(&hps_requests_lock);
	list_for_each_entry(request, &hps_requests, node) {
		if (request->slot != slot || request->done)
			continue;
		power |= request->value;
		request->error = request->value ? 0 : -ENODEV;
		WRITE_ONCE(request->done, true);
	}
	wake_up_all(&slot->wait);
	spin_unlock(&hps_requests_lock);
	return power;
}

/* A new controller has not heard of the writers that wait. */
void hps_legacy_resend(void)
{
	struct hps_request *request, copy;
	u64 last = 0;
	bool found;

	do {
		found = false;
		spin_lock(&hps_requests_lock);
		list_for_each_entry(request, &hps_requests, node) {
			if (request->id > last && !request->done) {
				copy = *request;
				kref_get(&copy.slot->ref);
				found = true;
				break;
			}
		}
		spin_unlock(&hps_requests_lock);
		if (found) {
			last = copy.id;
			hps_legacy_send_request(&copy, HPSHIM_EVENT_REQUEST);
			hps_slot_put(copy.slot);
		}
	} while (found);
}

static int hps_legacy_enable(struct hotplug_slot *hotplug)
{
	return hps_legacy_request(hotplug, 1);
}

static int hps_legacy_disable(struct hotplug_slot *hotplug)
{
	return hps_legacy_request(hotplug, 0);
}

static int hps_legacy_set_attention(struct hotplug_slot *hotplug, u8 value)
{
	static const u8 indicators[] = {
		HPSHIM_INDICATOR_OFF, HPSHIM_INDICATOR_ON, HPSHIM_INDICATOR_BLINK
	};
	struct hps_slot *slot;
	int error;

	if (value >= ARRAY_SIZE(indicators))
		return -EINVAL;
	slot = hps_legacy_slot(hotplug);
	if (!slot)
		return -ENODEV;
	error = slot->ops->indicators(slot, HPSHIM_INDICATOR_UNKNOWN, indicators[value]);
	hps_slot_put(slot);
	return error;
}

/* For user space that drives the indicators itself: bits 9:6 of Slot Control. */
static int hps_legacy_raw_attention(struct hotplug_slot *hotplug, bool set, u8 *value)
{
	struct hps_slot *slot = hps_legacy_slot(hotplug);
	int error;

	if (!slot)
		return -ENODEV;
	error = slot->ops->raw_indicators(slot, set, value);
	hps_slot_put(slot);
	return error;
}

static int hps_legacy_set_raw_attention(struct hotplug_slot *hotplug, u8 value)
{
	return hps_legacy_raw_attention(hotplug, true, &value);
}

static int hps_legacy_get_raw_attention(struct hotplug_slot *hotplug, u8 *value)
{
	return hps_legacy_raw_attention(hotplug, false, value);
}

static int hps_legacy_level(struct hotplug_slot *hotplug, struct hps_level *level)
{
	struct hps_slot *slot = hps_legacy_slot(hotplug);

	if (!slot)
		return -ENODEV;
	hps_slot_status(slot, level);
	hps_slot_put(slot);
	return 0;
}

static int hps_legacy_get_attention(struct hotplug_slot *hotplug, u8 *value)
{
	struct hps_level level;
	int error = hps_legacy_level(hotplug, &level);

	if (error)
		return error;
	switch (level.attention_indicator) {
	case HPSHIM_INDICATOR_ON:
		*value = 1;
		break;
	case HPSHIM_INDICATOR_BLINK:
		*value = 2;
		break;
	case HPSHIM_INDICATOR_OFF:
		*value = 0;
		break;
	default:
		*value = 0xff;
	}
	return 0;
}

static int hps_legacy_get_bit(struct hotplug_slot *hotplug, u32 bit, u8 *value)
{
	struct hps_level level;
	int error = hps_legacy_level(hotplug, &level);

	if (!error)
		*value = !!(level.status & bit);
	return error;
}

static int hps_legacy_get_power(struct hotplug_slot *hotplug, u8 *value)
{
	return hps_legacy_get_bit(hotplug, HPSHIM_STATUS_POWER, value);
}

static int hps_legacy_get_latch(struct hotplug_slot *hotplug, u8 *value)
{
	return hps_legacy_get_bit(hotplug, HPSHIM_STATUS_LATCH_OPEN, value);
}

static int hps_legacy_get_adapter(struct hotplug_slot *hotplug, u8 *value)
{
	return hps_legacy_get_bit(hotplug, HPSHIM_STATUS_PRESENT, value);
}

static int hps_legacy_reset(struct hotplug_slot *hotplug, bool probe)
{
	struct hps_slot *slot = hps_legacy_slot(hotplug);
	int error = 0;

	if (!slot || READ_ONCE(slot->dead))
		error = -ENODEV;
	else if (!probe)
		error = slot->ops->reset(slot);
	hps_slot_put(slot);
	return error;
}

/* The place of @device below @port, new or as it was, that nobody uses. */
static struct hps_legacy *hps_legacy_place(struct pci_dev *port, u8 device)
{
	struct hps_legacy *legacy;

	lockdep_assert_held(&hps_legacy_mutex);
	list_for_each_entry(legacy, &hps_legacy_places, node)
		if ((!legacy->used || legacy->reserved) &&
		    legacy->domain == pci_domain_nr(port->bus) &&
		    legacy->bus == port->bus->number && legacy->devfn == port->devfn &&
		    legacy->device == device)
			return legacy;

	legacy = kzalloc(sizeof(*legacy), GFP_KERNEL);
	if (!legacy)
		return NULL;
	legacy->domain = pci_domain_nr(port->bus);
	legacy->bus = port->bus->number;
	legacy->devfn = port->devfn;
	legacy->device = device;
	list_add_tail(&legacy->node, &hps_legacy_places);
	return legacy;
}

/* Registers a place with the core, which may take another name if @name is used. */
static int hps_legacy_register(struct hps_legacy *legacy, struct pci_bus *bus, const char *name)
{
	int number = legacy->device, error;

	if (number == HPS_DEVICE_ALL)
		number = READ_ONCE(hps_legacy_all);
	legacy->hotplug.ops = &legacy->ops;
	error = pci_hp_initialize(&legacy->hotplug, bus, number, name);
	if (!error)
		return 0;
	mutex_lock(&hps_legacy_mutex);
	legacy->used = false;
	legacy->reserved = false;
	mutex_unlock(&hps_legacy_mutex);
	return error;
}

/*
 * Keeps the native driver away from the slot of @port, which has just appeared:
 * its probe() finds the slot taken and gives up before it asks for an interrupt,
 * and the driver core offers the port to us. Ends with hps_legacy_init_slot(),
 * by which the place becomes that slot's, or with hps_legacy_unreserve(). Not
 * before the number is known by which the native driver would look for it.
 */
int hps_legacy_reserve(struct pci_dev *port, const char *name)
{
	struct hps_legacy *legacy;
	int error;

	if (!READ_ONCE(hps_legacy_all_known))
		return -EAGAIN;
	mutex_lock(&hps_legacy_mutex);
	legacy = hps_legacy_place(port, HPS_DEVICE_ALL);
	error = !legacy ? -ENOMEM : legacy->used ? -EBUSY : 0;
	if (!error)
		legacy->used = true;
	mutex_unlock(&hps_legacy_mutex);
	if (error)
		return error;

	legacy->ops = (struct hotplug_slot_ops){ };
	error = hps_legacy_register(legacy, port->subordinate, name);
	if (error)
		return error;
	mutex_lock(&hps_legacy_mutex);
	legacy->reserved = true;
	mutex_unlock(&hps_legacy_mutex);
	return 0;
}

/* Makes way for the native driver, if @port is reserved. */
void hps_legacy_unreserve(struct pci_dev *port)
{
	struct hps_legacy *legacy, *found = NULL;

	mutex_lock(&hps_legacy_mutex);
	list_for_each_entry(legacy, &hps_legacy_places, node) {
		if (legacy->reserved && legacy->domain == pci_domain_nr(port->bus) &&
		    legacy->bus == port->bus->number && legacy->devfn == port->devfn) {
			legacy->reserved = false;
			found = legacy;
			break;
		}
	}
	mutex_unlock(&hps_legacy_mutex);
	if (!found)
		return;
	pci_hp_destroy(&found->hotplug);
	mutex_lock(&hps_legacy_mutex);
	found->used = false;
	mutex_unlock(&hps_legacy_mutex);
}

/*
 * Reserves the slot with the hotplug core, under @name or one like it. Called by
 * probe(), as the next one; to be undone with hps_legacy_destroy().
 */
int hps_legacy_init_slot(struct hps_slot *slot, struct pci_bus *bus, const char *name)
{
	struct hps_legacy *legacy;
	bool reserved = false;
	int error;

	mutex_lock(&hps_legacy_mutex);
	legacy = hps_legacy_place(slot->port, slot->device);
	if (legacy) {
		reserved = legacy->reserved;
		legacy->reserved = false;
		legacy->used = true;
	}
	mutex_unlock(&hps_legacy_mutex);
	if (!legacy)
		return -ENOMEM;

	legacy->ops = (struct hotplug_slot_ops){
		.enable_slot = hps_legacy_enable,
		.disable_slot = hps_legacy_disable,
		.get_power_status = hps_legacy_get_power,
		.get_adapter_status = hps_legacy_get_adapter,
	};
	if (slot->caps & HPSHIM_CAP_LATCH)
		legacy->ops.get_latch_status = hps_legacy_get_latch;
	if (slot->user_indicators) {
		legacy->ops.get_attention_status = hps_legacy_get_raw_attention;
		legacy->ops.set_attention_status = hps_legacy_set_raw_attention;
	} else if (slot->caps & HPSHIM_CAP_ATTENTION_INDICATOR) {
		legacy->ops.get_attention_status = hps_legacy_get_attention;
		legacy->ops.set_attention_status = hps_legacy_set_attention;
	}
	if (slot->ops->reset)
		legacy->ops.reset_slot = hps_legacy_reset;

	slot->legacy = legacy;
	rcu_assign_pointer(legacy->slot, slot);
	error = reserved ? 0 : hps_legacy_register(legacy, bus, name);
	if (error) {
		pci_err(slot->port, "hotplug core does not take the slot (%d)\n", error);
		RCU_INIT_POINTER(legacy->slot, NULL);
		slot->legacy = NULL;
		return error;
	}
	strscpy(slot->name, hotplug_slot_name(&legacy->hotplug), sizeof(slot->name));
	return 0;
}

/* Makes the files appear. Undone by hps_legacy_unpublish(). */
int hps_legacy_publish(struct hps_slot *slot)
{
	return pci_hp_add(&slot->legacy->hotplug);
}

/* Removes the files and waits for who is in them; the slot is dead, so that is short. */
void hps_legacy_unpublish(struct hps_slot *slot)
{
	pci_hp_del(&slot->legacy->hotplug);
}

void hps_legacy_destroy(struct hps_slot *slot)
{
	struct hps_legacy *legacy = slot->legacy;

	pci_hp_destroy(&legacy->hotplug);
	RCU_INIT_POINTER(legacy->slot, NULL);
	slot->legacy = NULL;
	mutex_lock(&hps_legacy_mutex);
	legacy->used = false;
	mutex_unlock(&hps_legacy_mutex);
}

/* No slot is registered any more. */
void hps_legacy_exit(void)
{
	struct hps_legacy *legacy, *next;

	list_for_each_entry_safe(legacy, next, &hps_legacy_places, node)
		kfree(legacy);
}
