// SPDX-License-Identifier: GPL-2.0-only
/*
 * commit.c - the commit attributes: take devices of a slot out, bring them in
 *
 * /sys/bus/pci/drivers/hpshim/remove and .../rescan take "ADDRESS [GENERATION]".
 *
 * These store methods take the rescan lock, against the rule of slot.h. They may,
 * because of where they live: the kernel drains a store method when it removes
 * the file, and this directory is removed only by the unregistering of our PCI
 * driver on module exit, which must hold neither the rescan lock nor any
 * device_lock. The files of a device, which a remover of that device drains
 * with the lock held, cannot do it.
 *
 * What a commit works on it holds by reference, and it looks at everything
 * again once it has the lock: the slot may have gone while it waited.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/string.h>
#include "event.h"
#include "port.h"
#include "service.h"
#include "slot.h"

/*
 * Nothing may come from a device that is about to lose its power. Nor may one
 * that keeps it, as the slot cannot switch it off, answer at addresses that are
 * not its own any more.
 */
static void hps_commit_quiet(struct pci_dev *pdev)
{
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	command &= ~(PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
	if (!pdev->mmio_always_on)
		command &= ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	command |= PCI_COMMAND_INTX_DISABLE;
	pci_write_config_word(pdev, PCI_COMMAND, command);
}

/* Called with the rescan lock held, as the next one. */
static int hps_commit_remove(struct hps_slot *slot)
{
	struct pci_bus *bus = slot->port->subordinate;
	struct pci_dev *pdev, *previous;
	bool present;

	if (!bus)
		return -ENODEV;
	/* A card without a link is out of reach as well, and so is one below a port that is. */
	present = hps_slot_in_reach(slot);
	if (!present)
		hps_slot_disconnect(slot);

	/* Backwards: virtual functions come after the one that they go with. */
	list_for_each_entry_safe_reverse(pdev, previous, &bus->devices, bus_list) {
		if (!hps_slot_holds(slot, pdev))
			continue;
		pci_dev_get(pdev);
		pci_stop_and_remove_bus_device(pdev);
		if (present)
			hps_commit_quiet(pdev);
		pci_dev_put(pdev);
	}
	return 0;
}

/*
 * Finds what is below the bridges of a slot. Ports of ours that were there before are
 * left alone: a card that was just taken out of one of their slots, and has its power
 * still, is not to come back by a rescan of another one. @slot: whose bridges on @bus
 * they are, or NULL: all.
 */
static void hps_commit_scan_bridges(struct hps_slot *slot, struct pci_bus *bus)
{
	struct pci_dev *bridge;
	int devfn;

	for_each_pci_bridge(bridge, bus) {
		if (slot && !hps_slot_holds(slot, bridge))
			continue;
		if (!bridge->subordinate) {
			pci_hp_add_bridge(bridge);
		} else if (!hps_port_claimed(bridge)) {
			/* Asleep, it lets nobody through. */
			pm_runtime_get_sync(&bridge->dev);
			for (devfn = 0; devfn < 0x100; devfn += 8)
				pci_scan_slot(bridge->subordinate, devfn);
			hps_commit_scan_bridges(NULL, bridge->subordinate);
			pm_runtime_put(&bridge->dev);
		}
	}
}

/* Not pci_rescan_bus(): on an SHPC's bus there are other slots. */
static int hps_commit_rescan(struct hps_slot *slot)
{
	struct pci_bus *bus = slot->port->subordinate;
	u8 device = slot->device == HPS_DEVICE_ALL ? 0 : slot->device;
	bool occupied;

	if (!bus)
		return -ENODEV;
	/* A slot that is on: there may be more in it than before. */
	occupied = hps_slot_occupied(slot);
	if (!pci_scan_slot(bus, PCI_DEVFN(device, 0)) && !occupied)
		return -ENODEV;
	hps_commit_scan_bridges(slot, bus);
	/* Windows and payload sizes of devices that are in use stay as they are. */
	if (occupied) {
		pci_assign_unassigned_bus_resources(bus);
	} else {
		hps_assign(slot);
		pcie_bus_configure_settings(bus);
	}
	pci_bus_add_devices(bus);
	return 0;
}

static int hps_commit_slot(struct hps_slot *slot, bool rescan)
{
	struct hps_event done = {
		.event = HPSHIM_EVENT_COMMIT,
		.carries = HPS_CARRIES_ERRNO | HPS_CARRIES_VALUE,
		.value = rescan,
	};
	bool replaced = READ_ONCE(slot->replaced);

	pci_lock_rescan_remove();
	if (READ_ONCE(slot->dead))
		done.error = -ENODEV;
	else
		done.error = rescan ? hps_commit_rescan(slot) : hps_commit_remove(slot);
	pci_unlock_rescan_remove();

	if (rescan && !done.error && slot->ops->settled)
		slot->ops->settled(slot);
	hps_event_send(slot, &done);
	/* The devices of a card that was changed are gone: now the other one counts. */
	if (!done.error && !rescan && replaced)
		hps_slot_saw(slot, BIT(HPSHIM_EVENT_PRESENCE));
	return done.error;
}

static int hps_commit_run(const char *address, bool check, u32 generation, bool rescan)
{
	struct hps_slot *slot = hps_slot_get_by_address(address);
	int error;

	if (!slot)
		return -ENODEV;
	if (check && slot->generation != generation) {
		error = -ESTALE;
	} else if (!hps_slot_hold(slot)) {
		error = -EBUSY;		/* it is about to be given back */
	} else {
		error = hps_commit_slot(slot, rescan);
		hps_slot_unhold(slot);
	}
	hps_slot_put(slot);
	return error;
}

static ssize_t hps_commit_store(const char *buf, size_t count, bool rescan)
{
	char line[HPSHIM_ADDRESS_MAX + 16];
	char *address, *number, *rest;
	u32 generation = 0;
	int error;

	if (strscpy(line, buf, sizeof(line)) < 0)
		return -EINVAL;
	rest = strim(line);
	address = strsep(&rest, " ");
	number = rest ? strim(rest) : NULL;
	if (!*address || strlen(address) >= HPSHIM_ADDRESS_MAX ||
	    (number && kstrtou32(number, 10, &generation)))
		return -EINVAL;
	/* The module stays for as long as a driver takes: rmmod says that it is in use. */
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	error = hps_commit_run(address, number, generation, rescan);
	module_put(THIS_MODULE);
	return error ?: count;
}

static ssize_t remove_store(struct device_driver *driver, const char *buf, size_t count)
{
	return hps_commit_store(buf, count, false);
}
static DRIVER_ATTR_WO(remove);

static ssize_t rescan_store(struct device_driver *driver, const char *buf, size_t count)
{
	return hps_commit_store(buf, count, true);
}
static DRIVER_ATTR_WO(rescan);

static struct attribute *hps_commit_attrs[] = {
	&driver_attr_remove.attr,
	&driver_attr_rescan.attr,
	NULL
};

static const struct attribute_group hps_commit_group = {
	.attrs = hps_commit_attrs,
};

const struct attribute_group *hps_commit_groups[] = {
	&hps_commit_group,
	NULL
};
