// SPDX-License-Identifier: GPL-2.0-only
/*
 * port-device.c - finding the devices that belong to a port
 *
 * Looks and takes references; changes nothing, and waits for no lock that a
 * remover of the port might hold.
 */
#include <linux/device.h>
#include <linux/pci.h>
#include "compat.h"
#include "port.h"

static int hps_port_match_bus(struct device *dev, hps_match_data *data)
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

/*
 * The device that a driver binds to, with a reference: hotplug service of a port,
 * or bridge with an SHPC. NULL: there is none, or firmware keeps its slots.
 */
struct device *hps_port_device(struct pci_dev *pdev)
{
	struct device *dev = hps_pcie_service(pdev);

	if (!dev && hps_shpc_capable(pdev))
		dev = get_device(&pdev->dev);
	return dev;
}

/* The device with @address, "0000:00:06.0", with a reference, or NULL. */
struct pci_dev *hps_port_parse(const char *address)
{
	unsigned int domain, bus, device, function;
	char rest;

	if (sscanf(address, "%x:%x:%x.%x%c", &domain, &bus, &device, &function, &rest) != 4 ||
	    bus > 0xff || device > 0x1f || function > 7)
		return NULL;
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(device, function));
}
