// SPDX-License-Identifier: GPL-2.0-only
/*
 * port.c - adopting ports from their native drivers, and giving them back
 *
 * All of this runs in work items that hold no lock, one port beside the other,
 * the requests for one port in order. Taking a port waits for its device_lock
 * and for the native driver's threads, so nothing that runs under the rescan
 * lock or a device_lock may wait for this work.
 */
#include <linux/delay.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "event.h"
#include "port.h"
#include "slot.h"

/* A slot needs this long after it was switched off (PCIe r6.0, sec 6.7.1.8). */
#define HPS_OFF_MS	1000

/**
 * struct hps_port_op - adopt or release
 * @node: in the port's queue
 * @cmd: HPSHIM_CMD_PORT_ADOPT or _RELEASE
 * @has_cookie: the caller gave @cookie
 * @cookie: goes into OP_DONE
 */
struct hps_port_op {
	struct list_head node;
	u8 cmd;
	bool has_cookie;
	u64 cookie;
};

/**
 * struct hps_port - a port that is ours or about to be
 * @node: in the list of ports
 * @pdev: the port, referenced
 * @ops: what is to be done, without what is being done
 * @give_back: release before @ops, because the controller is gone
 * @work: does all that and frees the port when it is not claimed
 * @running: @work runs or is queued
 * @claimed: our driver's probe() may take it; cleared by remove()
 * @native: the native driver had it until we took it
 * @held: the native driver's slot object, kept so that its name stays; valid
 *	while being adopted
 */
struct hps_port {
	struct list_head node;
	struct pci_dev *pdev;
	struct list_head ops;
	bool give_back;
	struct work_struct work;
	bool running;
	bool claimed;
	bool native;
	struct pci_slot *held;
};

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

/* Under which name a slot of @pdev is to be registered: the native one's if it had one. */
const char *hps_port_slot_name(struct pci_dev *pdev, const char *name)
{
	struct hps_port *port;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	if (port && port->held)
		name = pci_slot_name(port->held);
	spin_unlock(&hps_ports_lock);
	return name;
}

static void hps_port_free(struct hps_port *port)
{
	pci_dev_put(port->pdev);
	kfree(port);
}

/* Our driver has let go of @pdev, for whatever reason. Called by remove(). */
void hps_port_lost(struct pci_dev *pdev)
{
	struct hps_port *port;

	spin_lock(&hps_ports_lock);
	port = hps_port_find(pdev);
	if (port) {
		port->claimed = false;
		if (!port->running)
			list_del(&port->node);
		else
			port = NULL;	/* its work frees it */
	}
	spin_unlock(&hps_ports_lock);
	if (port)
		hps_port_free(port);
}

static int hps_port_match_bus(struct device *dev, void *data)
{
	/* pcibus_class is not exported; its name is ABI. */
	return dev->class && !strcmp(dev->class->name, "pci_bus");
}

/*
 * Secondary bus of a bridge, with a reference to its device, or NULL. Unlike
 * pdev->subordinate this is safe at any time; the bus may be an empty one that
 * was just removed.
 */
struct pci_bus *hps_port_bus(struct pci_dev *pdev)
{
	struct device *dev = device_find_child(&pdev->dev, NULL, hps_port_match_bus);

	return dev ? to_pci_bus(dev) : NULL;
}

static void hps_port_set(struct hps_port *port, bool claimed, bool native, struct pci_slot *held)
{
	spin_lock(&hps_ports_lock);
	port->claimed = claimed;
	port->native = native;
	port->held = held;
	spin_unlock(&hps_ports_lock);
}

/* Keeps the slot of the native driver, if there is one. */
static struct pci_slot *hps_port_hold_slot(struct pci_dev *pdev)
{
	struct pci_bus *bus = hps_port_bus(pdev);
	struct pci_slot *slot;
	char name[12];
	u32 slot_cap;

	if (!bus)
		return NULL;
	pcie_capability_read_dword(pdev, PCI_EXP_SLTCAP, &slot_cap);
	snprintf(name, sizeof(name), "%u", (slot_cap & PCI_EXP_SLTCAP_PSN) >> 19);
	slot = pci_create_slot(bus, 0, name, NULL);
	put_device(&bus->dev);
	return IS_ERR(slot) ? NULL : slot;
}

static int hps_port_adopt(struct hps_port *port)
{
	struct pci_slot *held;
	struct device *service;
	int error, restored;

	service = hps_pcie_service(port->pdev);
	if (!service)
		return -ENODEV;
	if (hps_pcie_owns(service)) {
		put_device(service);
		return 0;
	}

	held = hps_port_hold_slot(port->pdev);
	hps_port_set(port, true, READ_ONCE(service->driver), held);
	hps_pcie_quiet_native(service);
	device_release_driver(service);
	error = hps_pcie_attach(service);
	hps_port_set(port, !error, false, NULL);
	if (error) {
		pci_err(port->pdev, "cannot adopt (%d)\n", error);
		restored = device_attach(service);
		if (restored < 0)
			pci_err(port->pdev, "native driver does not take it (%d)\n", restored);
	} else if (!hps_pcie_owns(service)) {
		/* Unbound by hand, or the port went, at once: no claim stays. */
		hps_port_set(port, false, false, NULL);
	}
	if (held)
		pci_destroy_slot(held);
	put_device(service);
	return error;
}

/*
 * Native drivers take a powered slot for one whose devices they know: switch off
 * what is powered without devices, so that they start from scratch.
 */
static void hps_port_normalise(struct hps_port *port)
{
	const u32 mask = HPSHIM_STATUS_POWER | HPSHIM_STATUS_OCCUPIED;
	const char *report;
	struct hps_slot *slot;
	bool off = false;
	u32 id;

	for (id = 0; (slot = hps_slot_get_after(id)); id = slot->id, hps_slot_put(slot)) {
		struct hps_level level;

		if (slot->port != port->pdev || !(slot->caps & HPSHIM_CAP_POWER))
			continue;
		hps_slot_status(slot, &level);
		if ((level.status & mask) == HPSHIM_STATUS_POWER &&
		    !slot->ops->power_off(slot, &report))
			off = true;
	}
	if (off)
		msleep(HPS_OFF_MS);
}

static int hps_port_release(struct hps_port *port)
{
	struct device *service;
	int error = 0;

	service = hps_pcie_service(port->pdev);
	if (!service)
		return -ENODEV;
	if (hps_pcie_owns(service)) {
		hps_port_normalise(port);
		mutex_lock(&hps_port_return_mutex);
		device_release_driver(service);
		error = device_attach(service);
		mutex_unlock(&hps_port_return_mutex);
		if (error <= 0)
			pci_warn(port->pdev, "native driver does not take it (%d)\n", error);
		error = min(error, 0);
	}
	put_device(service);
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
static bool hps_port_next(struct hps_port *port, struct hps_port_op **op)
{
	bool more = true;

	spin_lock(&hps_ports_lock);
	*op = NULL;
	if (port->give_back) {
		port->give_back = false;
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
	struct hps_port_op *op;
	int error;

	while (hps_port_next(port, &op)) {
		if (op && op->cmd == HPSHIM_CMD_PORT_ADOPT)
			error = hps_port_adopt(port);
		else
			error = hps_port_release(port);
		if (op)
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
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!op || !fresh) {
		kfree(op);
		kfree(fresh);
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
		port->pdev = pci_dev_get(pdev);
		INIT_LIST_HEAD(&port->ops);
		INIT_WORK(&port->work, hps_port_work);
		list_add_tail(&port->node, &hps_ports);
	}
	list_add_tail(&op->node, &port->ops);
	hps_port_kick(port);
	spin_unlock(&hps_ports_lock);
	kfree(fresh);
	return 0;
}

static struct pci_dev *hps_port_parse(const char *address)
{
	unsigned int domain, bus, device, function;
	char rest;

	if (sscanf(address, "%x:%x:%x.%x%c", &domain, &bus, &device, &function, &rest) != 4 ||
	    bus > 0xff || device > 0x1f || function > 7)
		return NULL;
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(device, function));
}

/* Accepts an adoption or release, which ends with OP_DONE. */
int hps_port_queue(const char *address, u8 cmd, u64 cookie, bool has_cookie,
		   struct netlink_ext_ack *extack)
{
	struct pci_dev *pdev = hps_port_parse(address);
	struct device *service;
	int error;

	if (!pdev) {
		NL_SET_ERR_MSG(extack, "no such PCI device");
		return -ENODEV;
	}
	service = hps_pcie_service(pdev);
	if (service) {
		error = hps_port_queue_op(pdev, cmd, cookie, has_cookie);
		put_device(service);
	} else {
		NL_SET_ERR_MSG(extack, "no hot-plug port, or firmware keeps its slot");
		error = -EOPNOTSUPP;
	}
	pci_dev_put(pdev);
	return error;
}

/*
 * Everything goes back to the native drivers, each port as soon as what is being
 * done with it is done. Who asked for an adoption asked in vain.
 */
void hps_port_release_all(void)
{
	struct hps_port *port;
	struct hps_port_op *op;

	spin_lock(&hps_ports_lock);
	list_for_each_entry(port, &hps_ports, node) {
		list_for_each_entry(op, &port->ops, node)
			op->cmd = HPSHIM_CMD_PORT_RELEASE;
		port->give_back = true;
		hps_port_kick(port);
	}
	spin_unlock(&hps_ports_lock);
}

/* All work is done, no driver is registered. */
void hps_port_exit(void)
{
	WARN_ON(!list_empty(&hps_ports));
}
