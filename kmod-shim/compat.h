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
#include <net/genetlink.h>

#ifndef PCI_IRQ_INTX
#define PCI_IRQ_INTX	PCI_IRQ_LEGACY
#endif

/* The pci_slot of a PCIe port: all devices below it. */
#ifndef PCI_SLOT_ALL_DEVICES
#define PCI_SLOT_ALL_DEVICES	0
#endif

/* Of a device_match_t, the argument that says what is looked for. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
typedef const void hps_match_data;
#else
typedef void hps_match_data;
#endif

/* The attributes that came with the request for a dump. */
static inline struct nlattr **hps_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return genl_dumpit_info(cb)->info.attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/*
 * hps_override_set() makes hpshim the only driver that @pdev, which has none yet,
 * may be bound to; the caller holds no device_lock. hps_override_clear() undoes
 * it; the caller holds the device_lock of @pdev.
 *
 * Newer kernels, and newer ones of older series, have the driver core keep the
 * override; Kbuild looks which kind this is.
 */
#ifdef HPS_CORE_KEEPS_OVERRIDE
static inline int hps_override_set(struct pci_dev *pdev)
{
	return device_set_driver_override(&pdev->dev, "hpshim");
}

static inline void hps_override_clear(struct pci_dev *pdev, const struct device_driver *driver)
{
	device_lock_assert(&pdev->dev);
	if (device_match_driver_override(&pdev->dev, driver) > 0)
		device_set_driver_override(&pdev->dev, "");
}
#else
static inline int hps_override_set(struct pci_dev *pdev)
{
	return driver_set_override(&pdev->dev, &pdev->driver_override, "hpshim", 6);
}

static inline void hps_override_clear(struct pci_dev *pdev, const struct device_driver *driver)
{
	device_lock_assert(&pdev->dev);
	if (!pdev->driver_override || strcmp(pdev->driver_override, driver->name))
		return;
	kfree(pdev->driver_override);
	pdev->driver_override = NULL;
}
#endif

#endif /* _HPSHIM_COMPAT_H */
