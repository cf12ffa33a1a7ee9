/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - what kernels from 6.1 to 7.2 call by different names
 *
 * The only place where the kernel's version matters.
 */
#ifndef _HPSHIM_COMPAT_H
#define _HPSHIM_COMPAT_H

#include <linux/pci.h>
#include <linux/version.h>

#ifndef PCI_IRQ_INTX
#define PCI_IRQ_INTX	PCI_IRQ_LEGACY
#endif

/* The pci_slot of a PCIe port: all devices below it. */
#ifndef PCI_SLOT_ALL_DEVICES
#define PCI_SLOT_ALL_DEVICES	0
#endif

#endif /* _HPSHIM_COMPAT_H */
