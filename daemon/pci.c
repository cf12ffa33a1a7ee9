/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of PCI devices for people.
 *
 * Responsible for: looking them up in pci.ids through libpci. Touches no
 * device and no network.
 */
#include <stdio.h>
#include <string.h>

#include <pci/pci.h>

#include "pci.h"

char *pci_device_name(unsigned int vendor, unsigned int device)
{
	static struct pci_access *access; /* the parsed pci.ids, kept */
	char name[256];

	if (!access) {
		access = pci_alloc();
		if (!access)
			return NULL;
		access->numeric_ids = 0;
	}
	return strdup(pci_lookup_name(access, name, sizeof(name),
				      PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_MIXED, vendor, device) ?: "");
}
