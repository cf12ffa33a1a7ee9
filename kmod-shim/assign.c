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

/* What has rules of its own is the kernel's business. */
static bool hps_assign_is_plain(struct pci_dev *pdev)
{
	switch (pdev->class >> 8) {
	case PCI_CLASS_NOT_DEFINED:
	case PCI_CLASS_BRIDGE_HOST:
	case PCI_CLASS_SYSTEM_PIC:
		return false;
	}
	if (pci_is_bridge(pdev))
		return false;
	for (int i = 0; i < PCI_BRIDGE_RESOURCES; i++) {
		struct resource *res = &pdev->resource[i];

		if (!res->flags || res->parent)
			continue;
		/* Of virtual functions, aligned to less than their size; at a fixed address. */
		if (i > PCI_ROM_RESOURCE ||
		    (res->flags & (IORESOURCE_PCI_FIXED | IORESOURCE_STARTALIGN)))
			return false;
	}
	return true;
}

static bool hps_assign_all_plain(struct hps_slot *slot)
{
	struct pci_dev *pdev;

	list_for_each_entry(pdev, &slot->port->subordinate->devices, bus_list)
		if (hps_slot_holds(slot, pdev) && !hps_assign_is_plain(pdev))
			return false;
	return true;
}

/*
 * Of the resources of @slot that have no address the largest, for it is aligned to
 * its size; the first of those that are alike. Returns whether there is one.
 */
static bool hps_assign_next(struct hps_slot *slot, struct pci_dev **ret_pdev, int *ret_number)
{
	struct resource *largest = NULL;
	struct pci_dev *pdev;

	list_for_each_entry(pdev, &slot->port->subordinate->devices, bus_list) {
		if (!hps_slot_holds(slot, pdev))
			continue;
		for (int i = 0; i <= PCI_ROM_RESOURCE; i++) {
			struct resource *res = &pdev->resource[i];

			if (!res->flags || res->parent)
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

/* The window of @port that the kernel would make for what is like @res. */
static int hps_assign_window(struct pci_dev *port, const struct resource *res)
{
	if (resource_type(res) == IORESOURCE_IO)
		return PCI_BRIDGE_IO_WINDOW;
	if ((res->flags & IORESOURCE_PREFETCH) && port->pref_window &&
	    ((res->flags & IORESOURCE_MEM_64) || !port->pref_64_window))
		return PCI_BRIDGE_PREF_MEM_WINDOW;
	return PCI_BRIDGE_MEM_WINDOW;
}

static bool hps_assign_io_is_open(struct pci_dev *port, const struct pci_bus_region *region)
{
	u8 mask = port->io_window_1k ? PCI_IO_1K_RANGE_MASK : PCI_IO_RANGE_MASK;
	u32 upper;
	u16 range;

	pci_read_config_word(port, PCI_IO_BASE, &range);
	pci_read_config_dword(port, PCI_IO_BASE_UPPER16, &upper);
	return (range & mask) == (region->start >> 8 & mask) &&
	       (range >> 8 & mask) == (region->end >> 8 & mask) &&
	       upper == ((region->end & 0xffff0000) | region->start >> 16);
}

static bool hps_assign_memory_is_open(struct pci_dev *port, const struct pci_bus_region *region,
				      int base)
{
	u32 range, start = 0, end = 0;

	pci_read_config_dword(port, base, &range);
	if (base == PCI_PREF_MEMORY_BASE && port->pref_64_window) {
		pci_read_config_dword(port, PCI_PREF_BASE_UPPER32, &start);
		pci_read_config_dword(port, PCI_PREF_LIMIT_UPPER32, &end);
	}
	return (range << 16 & 0xfff00000) == (region->start & 0xfff00000) &&
	       (range & 0xfff00000) == (region->end & 0xfff00000) &&
	       start == upper_32_bits(region->start) && end == upper_32_bits(region->end);
}

/*
 * Whether a window is in the port as it is in the books. The kernel does not write
 * one that a rescan makes for a port that is enabled already, and error recovery may
 * have put back older ones.
 */
static bool hps_assign_is_open(struct pci_dev *port, int window)
{
	struct pci_bus_region region;
	u16 command;

	pcibios_resource_to_bus(port->bus, &region, &port->resource[window]);
	pci_read_config_word(port, PCI_COMMAND, &command);
	if (window == PCI_BRIDGE_IO_WINDOW)
		return (command & PCI_COMMAND_IO) && hps_assign_io_is_open(port, &region);
	return (command & PCI_COMMAND_MEMORY) &&
	       hps_assign_memory_is_open(port, &region, window == PCI_BRIDGE_MEM_WINDOW ?
					 PCI_MEMORY_BASE : PCI_PREF_MEMORY_BASE);
}

/*
 * Puts a resource into the window that it belongs into. Not done, or not sure: it
 * may be in another one, at which nobody has looked.
 */
static bool hps_assign_one(struct pci_dev *port, struct pci_dev *pdev, int number)
{
	struct resource *res = &pdev->resource[number];
	int window = hps_assign_window(port, res);

	return port->resource[window].parent &&
	       resource_size(&port->resource[window]) >= resource_size(res) &&
	       hps_assign_is_open(port, window) && !pci_assign_resource(pdev, number) &&
	       res->parent == &port->resource[window];
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
	int number;

	if (hps_assign_all_plain(slot)) {
		do {
			if (!hps_assign_next(slot, &pdev, &number)) {
				pci_set_master(slot->port); /* should it have lost that */
				return;
			}
		} while (hps_assign_one(slot->port, pdev, number));
	}
	pci_assign_unassigned_bridge_resources(slot->port);
}
