/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - what kernels from 6.1 to 7.2 call by different names
 *
 * The only place where the kernel's version matters.
 */
#ifndef _HPSHIM_COMPAT_H
#define _HPSHIM_COMPAT_H

#include <linux/device.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/version.h>

#ifndef PCI_IRQ_INTX
#define PCI_IRQ_INTX	PCI_IRQ_LEGACY
#endif

/* The pci_slot of a PCIe port: all devices below it. */
#ifndef PCI_SLOT_ALL_DEVICES
#define PCI_SLOT_ALL_DEVICES	0
#endif

/*
 * Makes hpshim the only driver that @pdev, which has none yet, may be bound to.
 * The caller holds no device_lock.
 */
static inline int hps_override_set(struct pci_dev *pdev)
{
	return driver_set_override(&pdev->dev, &pdev->driver_override, "hpshim", 6);
}

/* And undoes it. The caller holds the device_lock of @pdev. */
static inline void hps_override_clear(struct pci_dev *pdev)
{
	device_lock_assert(&pdev->dev);
	if (!pdev->driver_override || strcmp(pdev->driver_override, "hpshim"))
		return;
	kfree(pdev->driver_override);
	pdev->driver_override = NULL;
}

#endif /* _HPSHIM_COMPAT_H */
