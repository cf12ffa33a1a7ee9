/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of PCI devices for people. */
#ifndef HOTPLUGD_PCI_H
#define HOTPLUGD_PCI_H

/* "Red Hat, Inc. QEMU NVM Express Controller", or "1b36:0010" when pci.ids does
 * not know it. To be freed; NULL when memory is short. */
char *pci_device_name(unsigned int vendor, unsigned int device);
/* The first name takes long, as pci.ids is read; after this it was. */
void pci_names_load(void);

#endif
