// SPDX-License-Identifier: GPL-2.0-only
/*
 * port.c - adopting ports from their native drivers, and giving them back
 *
 * All of this runs in work items that hold no lock, one port beside the other,
 * the requests for one port in order. Taking a port waits for its device_lock
 * and for the native driver's threads, so nothing that runs under the rescan
 * lock or a device_lock may wait for this work.
 */
#include <linux/netlink.h>
#include <linux/slab.h>
#include "compat.h"
#include "event.h"
#include "port.h"
#include "service.h"
#include "slot.h"

#define HPS_PORT_DEVICES	32

/**
 * struct hps_port_op - adopt or release
 * @node: in the port's queue
 * @cmd: HPSHIM_CMD_PORT_ADOPT or _RELEASE
 * @vain: an adoption whose controller is gone
 * @has_cookie: the caller gave @cookie
 * @cookie: goes into OP_DONE
 */
struct hps_port_op {
	struct list_head node;
	u8 cmd;
	bool vain;
	bool has_cookie;
	u64 cookie;
};

/*
 * A native driver powers up an occupied slot when it gets it. So what the
 * controller switched off stays with us, and off, until something happens to it:
 * a press, another card, a write to its power file, a new controller.
 */
enum hps_give_back {
	HPS_KEEP,
	HPS_GIVE_BACK_UNLESS_OFF,
	HPS_GIVE_BACK,
};

/**
 * struct hps_port - a port that is ours or about to be
 * @node: in the list of ports
 * @pdev: the port, referenced
 * @device: of a port that was new, what a driver binds to, referenced: until the
 *	driver core is through with the first probe() nobody finds it; or NULL
 * @ops: what is to be done, without what is being done
 * @give_back: release before @ops, because the controller is gone
 * @work: does all that and frees the port when it is not claimed
 * @running: @work runs or is queued
 * @claimed: our driver's probe() may take it; cleared by remove()
 * @native: the native driver had it until we took it
 * @held: while being adopted: the native driver's slot objects by device
 *	number, kept so that their names stay
 */
struct hps_port {
	struct list_head node;
	struct pci_dev *pdev;
	struct device *device;
	struct list_head ops;
	enum hps_give_back give_back;
	struct work_struct work;
	bool running;
	bool claimed;
	bool native;
	struct pci_slot *held[HPS_PORT_DEVICES];
};

static void hps_port_work(struct work_struct *work);
static void hps_port_kick(struct hps_port *port);

static LIST_HEAD(hps_ports);
static DEFINE_SPINLOCK(hps_ports_lock);	/* the list and all members but @held */

/* Hand-backs go one by one, so that slots of the same number keep their names. */
static DEFINE_MUTEX(hps_port_return_mutex);

static struct hps_port *hps_port_find(struct pci_dev *pdev)
{
	struct hps_port *port;

	lockdep_assert_held(&hps_ports_lock);
	list_for_each_entry(port, &hps_ports, node)
		if (port->pdev == pdev)
			return port;
	return NULL;
}

/* May a probe() take @pdev? */
bool hps_port_claimed(struct pci_dev *pdev)
{
	struct hps_port *port;
	bool claimed;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	claimed = port && port->claimed;
	spin_unlock(&hps_ports_lock);
	return claimed;
}

bool hps_port_was_native(struct pci_dev *pdev)
{
	struct hps_port *port;
	bool native;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	native = port && port->native;
	spin_unlock(&hps_ports_lock);
	return native;
}

/*
 * Under which name a slot of @pdev is to be registered: the native one's if it had one.
 * @name: HPSHIM_NAME_MAX bytes, with the name to take if not
 */
void hps_port_slot_name(struct pci_dev *pdev, u8 device, char *name)
{
	struct hps_port *port;

	if (device == HPS_DEVICE_ALL)
		device = 0;
	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	if (port && device < HPS_PORT_DEVICES && port->held[device])
		strscpy(name, pci_slot_name(port->held[device]), HPSHIM_NAME_MAX);
	spin_unlock(&hps_ports_lock);
}

static void hps_port_free(struct hps_port *port)
{
	put_device(port->device);
	pci_dev_put(port->pdev);
	kfree(port);
}

static struct hps_port *hps_port_new(struct pci_dev *pdev)
{
	struct hps_port *port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);

	if (!port)
		return NULL;
	port->pdev = pci_dev_get(pdev);
	INIT_LIST_HEAD(&port->ops);
	INIT_WORK(&port->work, hps_port_work);
	return port;
}

/*
 * A port that has just appeared below one of ours is ours from the start, and its
 * native driver never gets to it. Called by the notifiers of the buses, before
 * any driver is asked, with the device that a driver binds to. Returns whether it
 * is; then hps_port_lost() or probe() follows, or hps_port_declined().
 */
bool hps_port_claim_new(struct pci_dev *pdev, struct device *dev)
{
	struct pci_dev *above = pci_upstream_bridge(pdev);
	struct hps_port *port, *known;

	while (above && !hps_port_claimed(above))
		above = pci_upstream_bridge(above);
	if (!above)
		return false;
	port = hps_port_new(pdev);
	if (!port)
		return false;
	port->claimed = true;
	port->device = get_device(dev);
	spin_lock(&hps_ports_lock);
	known = hps_port_find(pdev);
	if (known) {
		known->claimed = true;
		swap(known->device, port->device);
	} else {
		list_add_tail(&port->node, &hps_ports);
	}
	spin_unlock(&hps_ports_lock);
	if (known)
		hps_port_free(port);
	/* Only now: who gives everything back after this finds it in the list. */
	if (hps_controller_expected())
		return true;
	hps_port_lost(pdev);
	return false;
}

/* Our probe() did not take what the native driver was kept from: that one is to try. */
void hps_port_declined(struct pci_dev *pdev)
{
	struct hps_port *port;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	/* An adoption that runs sees to it by itself. */
	if (port && !port->running) {
		port->give_back = HPS_GIVE_BACK;
		hps_port_kick(port);
	}
	spin_unlock(&hps_ports_lock);
}

/* Our driver has let go of @pdev, for whatever reason. Called by remove(). */
void hps_port_lost(struct pci_dev *pdev)
{
	struct device *dev = NULL;
	struct hps_port *port;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	if (port) {
		port->claimed = false;
		swap(dev, port->device);
		if (!port->running)
			list_del(&port->node);
		else
			port = NULL;	/* its work frees it */
	}
	spin_unlock(&hps_ports_lock);
	put_device(dev);
	if (port)
		hps_port_free(port);
}

/* As hps_port_device(), and of a port that is just being added as well. */
static struct device *hps_port_get_device(struct hps_port *port)
{
	struct device *dev;

	spin_lock(&hps_ports_lock);
	dev = get_device(port->device);
	spin_unlock(&hps_ports_lock);
	return dev ?: hps_port_device(port->pdev);
}

static void hps_port_set(struct hps_port *port, bool claimed, bool native)
{
	spin_lock(&hps_ports_lock);
	port->claimed = claimed;
	port->native = native;
	spin_unlock(&hps_ports_lock);
}

static bool hps_port_is_shpc(struct hps_port *port, struct device *dev)
{
	return dev == &port->pdev->dev;
}

static bool hps_port_owns(struct hps_port *port, struct device *dev)
{
	return hps_port_is_shpc(port, dev) ? hps_shpc_owns(port->pdev) : hps_pcie_owns(dev);
}

/* Is @dev the native driver's (1), nobody's (0), or somebody else's (-EBUSY)? */
static int hps_port_native(struct hps_port *port, struct device *dev)
{
	const char *native = hps_port_is_shpc(port, dev) ? "shpchp" : "pciehp";
	int rc = 0;

	device_lock(dev);
	if (dev->driver)
		rc = strcmp(dev->driver->name, native) ? -EBUSY : 1;
	device_unlock(dev);
	return rc;
}

/*
 * Keeps the slot objects of the native driver, and their names with them. They are
 * looked for, because pci_create_slot() finds one only by the very number that the
 * native driver gave it, and makes one that nobody has.
 */
static void hps_port_hold_slots(struct hps_port *port, struct device *dev)
{
	struct pci_bus *bus = hps_port_bus(port->pdev);
	struct kobject *kobj;

	if (!bus)
		return;
	spin_lock(&pci_slots_kset->list_lock);
	list_for_each_entry(kobj, &pci_slots_kset->list, entry) {
		struct pci_slot *slot = container_of(kobj, struct pci_slot, kobj);
		u16 device = slot->number == PCI_SLOT_ALL_DEVICES ? 0 : slot->number;

		if (slot->bus == bus && READ_ONCE(slot->hotplug) && device < HPS_PORT_DEVICES &&
		    !port->held[device] && kobject_get_unless_zero(kobj))
			port->held[device] = slot;
	}
	spin_unlock(&pci_slots_kset->list_lock);
	put_device(&bus->dev);
	if (!hps_port_is_shpc(port, dev) && port->held[0])
		hps_legacy_number_all(port->held[0]->number);
}

static void hps_port_let_slots_go(struct hps_port *port)
{
	struct pci_slot *held[HPS_PORT_DEVICES];
	int i;

	spin_lock(&hps_ports_lock);
	memcpy(held, port->held, sizeof(held));
	memset(port->held, 0, sizeof(port->held));
	spin_unlock(&hps_ports_lock);
	for (i = 0; i < HPS_PORT_DEVICES; i++)
		if (held[i])
			pci_destroy_slot(held[i]);
}

/* Nothing of ours keeps the native driver off any more. */
static void hps_port_make_way(struct hps_port *port, struct device *dev)
{
	if (hps_port_is_shpc(port, dev))
		hps_shpc_unreserve(port->pdev);
	else
		hps_legacy_unreserve(port->pdev);
}

static int hps_port_adopt(struct hps_port *port)
{
	struct device *dev = hps_port_device(port->pdev);
	int native, restored, error = 0;

	if (!dev)
		return -ENODEV;
	if (hps_port_owns(port, dev))
		goto put;
	native = hps_port_native(port, dev);
	if (native < 0) {
		error = native;
		goto put;
	}

	if (!hps_port_is_shpc(port, dev)) {
		error = hps_pcie_register(dev);
		if (error)
			goto put;
	}
	if (native)
		hps_port_hold_slots(port, dev);
	hps_port_set(port, true, native);
	if (!hps_port_is_shpc(port, dev))
		hps_pcie_quiet_native(dev);
	device_release_driver(dev);
	if (!hps_port_is_shpc(port, dev))
		hps_pcie_forget_native(dev);
	error = hps_port_is_shpc(port, dev) ? hps_shpc_attach(port->pdev) : hps_pcie_attach(dev);
	/* Since it was claimed, somebody may have bound us by hand. */
	if (error && hps_port_owns(port, dev))
		error = 0;
	if (error) {
		pci_err(port->pdev, "cannot adopt (%d)\n", error);
		hps_port_set(port, false, false);
		hps_port_make_way(port, dev);
		restored = device_attach(dev);
		if (restored < 0)
			pci_err(port->pdev, "native driver does not take it (%d)\n", restored);
	}
	hps_port_let_slots_go(port);
put:
	put_device(dev);
	return error;
}

static int hps_port_attach_native(struct hps_port *port, struct device *dev)
{
	int taken = device_attach(dev);

	if (taken > 0)
		return 0;
	pci_warn(port->pdev, "no driver takes it back (%d)\n", taken);
	return taken ?: -ENODEV;
}

static int hps_port_release(struct hps_port *port, enum hps_give_back how)
{
	struct device *dev = hps_port_get_device(port);
	int error = 0;

	if (!dev)
		return -ENODEV;
	if (how == HPS_GIVE_BACK_UNLESS_OFF && hps_port_stays_off(port->pdev)) {
		pci_info(port->pdev, "kept, because its slot was switched off\n");
		goto put;
	}
	/*
	 * A new port may be ours without being bound yet. Its probe() is bound when
	 * it looks whether it may; so it sees this, or is seen below.
	 */
	hps_port_set(port, false, false);
	hps_port_make_way(port, dev);
	if (hps_port_owns(port, dev)) {
		hps_port_leave(port->pdev);
		hps_port_normalise(port->pdev);
		mutex_lock(&hps_port_return_mutex);
		device_release_driver(dev);
		error = hps_port_attach_native(port, dev);
		mutex_unlock(&hps_port_return_mutex);
		/* Error recovery may be in our slot_reset(), with this lock and no other. */
		device_lock(&port->pdev->dev);
		device_unlock(&port->pdev->dev);
	} else if (!hps_port_native(port, dev)) {
		error = hps_port_attach_native(port, dev);
	}
put:
	put_device(dev);
	return error;
}

static void hps_port_done(struct hps_port *port, const struct hps_port_op *op, int error)
{
	struct hps_event done = {
		.event = HPSHIM_EVENT_OP_DONE,
		.carries = HPS_CARRIES_ERRNO | (op->has_cookie ? HPS_CARRIES_COOKIE : 0),
		.cookie = op->cookie,
		.error = error,
	};

	strscpy(done.port, pci_name(port->pdev), sizeof(done.port));
	hps_event_send(NULL, &done);
}

/* Next thing to do for @port. Returns false when there is none; then @port may be freed. */
static bool hps_port_next(struct hps_port *port, struct hps_port_op **op,
			  enum hps_give_back *give_back)
{
	bool more = true;

	spin_lock(&hps_ports_lock);
	*op = NULL;
	*give_back = port->give_back;
	port->give_back = HPS_KEEP;
	if (*give_back != HPS_KEEP) {
		;	/* before all else */
	} else if (!list_empty(&port->ops)) {
		*op = list_first_entry(&port->ops, struct hps_port_op, node);
		list_del(&(*op)->node);
	} else {
		more = false;
		port->running = false;
		if (port->claimed)
			port = NULL;
		else
			list_del(&port->node);
	}
	spin_unlock(&hps_ports_lock);
	if (!more && port)
		hps_port_free(port);
	return more;
}

static void hps_port_work(struct work_struct *work)
{
	struct hps_port *port = container_of(work, struct hps_port, work);
	enum hps_give_back give_back;
	struct hps_port_op *op;
	int error;

	while (hps_port_next(port, &op, &give_back)) {
		if (!op) {
			hps_port_release(port, give_back);
			continue;
		}
		if (op->vain)
			error = -ECANCELED;
		else if (op->cmd == HPSHIM_CMD_PORT_ADOPT)
			error = hps_port_adopt(port);
		else
			error = hps_port_release(port, HPS_GIVE_BACK);
		hps_port_done(port, op, error);
		kfree(op);
	}
}

static void hps_port_kick(struct hps_port *port)
{
	lockdep_assert_held(&hps_ports_lock);
	if (!port->running) {
		port->running = true;
		queue_work(hps_wq, &port->work);
	}
}

static int hps_port_queue_op(struct pci_dev *pdev, u8 cmd, u64 cookie, bool has_cookie)
{
	struct hps_port *port, *fresh;
	struct hps_port_op *op;

	op = kzalloc(sizeof(*op), GFP_KERNEL_ACCOUNT);
	fresh = hps_port_new(pdev);
	if (!op || !fresh) {
		kfree(op);
		if (fresh)
			hps_port_free(fresh);
		return -ENOMEM;
	}
	op->cmd = cmd;
	op->cookie = cookie;
	op->has_cookie = has_cookie;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	if (!port) {
		port = fresh;
		fresh = NULL;
		list_add_tail(&port->node, &hps_ports);
	}
	list_add_tail(&op->node, &port->ops);
	hps_port_kick(port);
	spin_unlock(&hps_ports_lock);
	if (fresh)
		hps_port_free(fresh);
	return 0;
}

/* Accepts an adoption or release, which ends with OP_DONE. */
int hps_port_queue(const char *address, u8 cmd, u64 cookie, bool has_cookie,
		   struct netlink_ext_ack *extack)
{
	struct pci_dev *pdev = hps_port_parse(address);
	struct device *dev;
	int error;

	if (!pdev) {
		NL_SET_ERR_MSG(extack, "no such PCI device");
		return -ENODEV;
	}
	dev = hps_port_device(pdev);
	if (dev) {
		error = hps_port_queue_op(pdev, cmd, cookie, has_cookie);
		put_device(dev);
	} else {
		NL_SET_ERR_MSG(extack, "no hot-plug port or bridge, or firmware keeps its slots");
		error = -EOPNOTSUPP;
	}
	pci_dev_put(pdev);
	return error;
}

/*
 * Everything goes back to the native drivers, each port as soon as what is being
 * done with it is done; with @all, even slots that are off by request. Who asked
 * for an adoption asked in vain.
 */
void hps_port_release_all(bool all)
{
	enum hps_give_back how = all ? HPS_GIVE_BACK : HPS_GIVE_BACK_UNLESS_OFF;
	struct hps_port *port;
	struct hps_port_op *op;

	spin_lock(&hps_ports_lock);
	list_for_each_entry(port, &hps_ports, node) {
		list_for_each_entry(op, &port->ops, node)
			op->vain = op->cmd == HPSHIM_CMD_PORT_ADOPT;
		port->give_back = max(port->give_back, how);
		hps_port_kick(port);
	}
	spin_unlock(&hps_ports_lock);
}

/* Something happened to a slot that was kept, and there is no controller. */
void hps_port_give_back(struct pci_dev *pdev)
{
	struct hps_port *port;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	if (port) {
		port->give_back = HPS_GIVE_BACK;
		hps_port_kick(port);
	}
	spin_unlock(&hps_ports_lock);
}

/* All work is done, no driver is registered. */
void hps_port_exit(void)
{
	WARN_ON(!list_empty(&hps_ports));
}
