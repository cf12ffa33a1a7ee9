/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of PCI devices for people.
 *
 * Responsible for: looking them up in pci.ids through libpci. Touches no
 * device and no network.
 */
#include <stdlib.h>
#include <string.h>

#include <pci/pci.h>

#include "base/log.h"
#include "pci.h"

/* What libpci has to say on the way. pci_init() would set these, but it also
 * looks for ways to access devices, and ends the program when it finds none. */
static void say_nothing(char *format, ...)
{
}

static void __attribute__((noreturn)) give_up(char *format, ...)
{
	log_error("libpci cannot go on reading pci.ids");
	abort();
}

char *pci_device_name(unsigned int vendor, unsigned int device)
{
	static struct pci_access *access; /* the parsed pci.ids, kept */
	char name[256];

	if (!access) {
		access = pci_alloc();
		if (!access)
			return NULL;
		access->error = give_up;
		access->warning = say_nothing;
		access->debug = say_nothing;
	}
	return strdup(pci_lookup_name(access, name, sizeof(name),
				      PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_MIXED, vendor, device) ?: "");
}

void pci_names_load(void)
{
	free(pci_device_name(0, 0));
}
