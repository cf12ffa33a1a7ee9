/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * service.h - what of the PCI core's we need and it keeps to itself
 *
 * A driver on the pci_express bus has to be embedded in a
 * struct pcie_port_service_driver: the bus's match function and the port
 * driver's PM and error callbacks use container_of() on it. Both structures
 * are declared in drivers/pci/pcie/portdrv.h, which no header package carries.
 * They are the same from 6.1 to 7.2; modversions does not cover them, so
 * hps_service_check() looks at each device before it is believed.
 *
 * Nothing here may be used for a device that is not on the pci_express bus.
 */
#ifndef _HPSHIM_SERVICE_H
#define _HPSHIM_SERVICE_H

#include <linux/device.h>
#include <linux/pci.h>

#define PCIE_PORT_SERVICE_HP	4
#define PCIE_ANY_PORT		(~0)

struct pcie_device {
	int		irq;		/* vector of the service, -1: none */
	struct pci_dev	*port;		/* the port this service is of */
	u32		service;	/* PCIE_PORT_SERVICE_* */
	void		*priv_data;	/* of the service driver */
	struct device	device;
};

#define to_pcie_device(d) container_of(d, struct pcie_device, device)

struct pcie_port_service_driver {
	const char *name;
	int (*probe)(struct pcie_device *dev);
	void (*remove)(struct pcie_device *dev);
	int (*suspend)(struct pcie_device *dev);
	int (*resume_noirq)(struct pcie_device *dev);
	int (*resume)(struct pcie_device *dev);
	int (*runtime_suspend)(struct pcie_device *dev);
	int (*runtime_resume)(struct pcie_device *dev);
	int (*slot_reset)(struct pcie_device *dev);
	int port_type;
	u32 service;
	struct device_driver driver;
};

/* Exported, but declared only in drivers/pci/pci.h. */
extern struct kset *pci_slots_kset;
int pci_hp_add_bridge(struct pci_dev *dev);
bool pci_bus_read_dev_vendor_id(struct pci_bus *bus, int devfn, u32 *pl, int timeout);

/* Does @device, a hotplug service of @port, have the layout that we think? */
static inline bool hps_service_check(const struct device *device, const struct pci_dev *port)
{
	const struct pcie_device *service = to_pcie_device(device);

	return service->port == port && service->service == PCIE_PORT_SERVICE_HP;
}

#endif /* _HPSHIM_SERVICE_H */
