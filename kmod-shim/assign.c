// SPDX-License-Identifier: GPL-2.0-only
/*
 * assign.c - addresses for the devices that came into a slot
 *
 * pci_assign_unassigned_bridge_resources() writes all windows of the port anew,
 * whether they change or not (pci_setup_bridge()), and the one for I/O and a
 * prefetchable one above 4 GiB are shut while it does: other slots of an SHPC
 * bus, which are in use, are out of reach for that moment. A virtual machine
 * also lays out its memory anew at each of these writes, which is most of what
 * an insert takes there. So what fits is put into the windows as they are, in
 * the order in which the kernel does it, and the port is left alone.
 */
#include <linux/ioport.h>
#include <linux/pci.h>
#include "slot.h"

/*
 * Of the resources of @slot that have no address the largest, for that is
 * aligned to the most; the first of those that are alike. NULL if all have one.
 */
static struct resource *hps_assign_next(struct hps_slot *slot, struct pci_dev **ret_pdev,
					int *ret_number)
{
	struct resource *largest = NULL;
	struct pci_dev *pdev;

	list_for_each_entry(pdev, &slot->port->subordinate->devices, bus_list) {
		if (!hps_slot_holds(slot, pdev))
			continue;
		for (int i = 0; i < PCI_BRIDGE_RESOURCES; i++) {
			struct resource *res = &pdev->resource[i];

			if (!res->flags || res->parent || (res->flags & IORESOURCE_PCI_FIXED))
				continue;
			if (largest && resource_size(res) <= resource_size(largest))
				continue;
			largest = res;
			*ret_pdev = pdev;
			*ret_number = i;
		}
	}
	return largest;
}

/* Whether a window of @bus takes what is like @res: if not, one has to be made. */
static bool hps_assign_has_window(struct pci_bus *bus, const struct resource *res)
{
	const unsigned long needed = IORESOURCE_PREFETCH | IORESOURCE_MEM_64;
	struct resource *window;
	int i;

	pci_bus_for_each_resource(bus, window, i) {
		if (!window || !window->parent || resource_type(window) != resource_type(res))
			continue;
		/* Prefetchable memory only, and in a window of 64 bits only what has as many. */
		if ((window->flags & IORESOURCE_PREFETCH) && (window->flags & ~res->flags & needed))
			continue;
		if (resource_size(window) >= resource_size(res))
			return true;
	}
	return false;
}

/* Bridges need windows of their own, and the kernel has rules for what has no proper class. */
static bool hps_assign_is_plain(struct hps_slot *slot)
{
	struct pci_dev *pdev;

	list_for_each_entry(pdev, &slot->port->subordinate->devices, bus_list) {
		if (!hps_slot_holds(slot, pdev))
			continue;
		switch (pdev->class >> 8) {
		case PCI_CLASS_NOT_DEFINED:
		case PCI_CLASS_BRIDGE_HOST:
		case PCI_CLASS_SYSTEM_PIC:
			return false;
		}
		if (pci_is_bridge(pdev))
			return false;
	}
	return true;
}

/**
 * hps_assign() - give addresses to the devices that were found in a slot
 * @slot: its devices are new, not yet offered to drivers
 *
 * Called with the rescan lock held. What does not fit is left to the kernel's
 * own function, which goes on where this one stops.
 */
void hps_assign(struct hps_slot *slot)
{
	struct pci_dev *pdev;
	struct resource *res;
	int number;

	if (hps_assign_is_plain(slot)) {
		do {
			res = hps_assign_next(slot, &pdev, &number);
			if (!res)
				return;
		} while (hps_assign_has_window(pdev->bus, res) &&
			 !pci_assign_resource(pdev, number));
	}
	pci_assign_unassigned_bridge_resources(slot->port);
}
