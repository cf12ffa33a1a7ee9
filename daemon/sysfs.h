/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /sys tells about slots and what is in them. Reads only.
 *
 * Things come and go while they are read: what has gone is left out, and is not
 * an error.
 */
#ifndef HOTPLUGD_SYSFS_H
#define HOTPLUGD_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

enum sysfs_slot_kind {
	SYSFS_SLOT_PCIE,  /* a PCIe port's slot: all of the bus below the port */
	SYSFS_SLOT_SHPC,  /* one device number below a bridge with an SHPC */
	SYSFS_SLOT_OTHER, /* acpiphp and others: one device number */
	_SYSFS_SLOT_KIND_MAX,
	_SYSFS_SLOT_KIND_INVALID = -1,
};
const char *sysfs_slot_kind_to_string(enum sysfs_slot_kind k);

/* A directory of /sys/bus/pci/slots that has a power file. */
struct sysfs_slot {
	char *name;    /* "3" */
	char *address; /* PCIe: the port's; otherwise that of function 0 */
	char *port;    /* port or bridge above, "" on a root bus */
	enum sysfs_slot_kind kind;
	bool shim;     /* hpshim drives it */
	bool power, present, latch_known, latch_open;
};

/* Reads all slots. Returns 0, -ENOMEM, or a negative errno when there is no
 * sysfs; no slots are no error. *ret is to be freed with sysfs_slots_free(). */
int sysfs_slots_read(struct sysfs_slot **ret, size_t *ret_n);
/* Reads one again, by its name. Returns 1, 0 when it is no hot-plug slot (any
 * more), or -ENOMEM. To be freed with sysfs_slot_clear(). */
int sysfs_slot_read(const char *name, struct sysfs_slot *ret);
void sysfs_slot_clear(struct sysfs_slot *slot);
void sysfs_slots_free(struct sysfs_slot *slots, size_t n);

/* A PCI function. */
struct sysfs_function {
	char *address;
	char *name;   /* for people, from pci.ids */
	char *driver; /* "" when it has none */
	bool bridge;
	bool other_slot; /* a port or bridge with slots of its own, or below one */
	char **nodes;	/* block devices and network interfaces, NULL-terminated */
	char **devices; /* all devices below it, "block:nvme0n1", NULL-terminated */
};

/*
 * Reads the functions below @port; with @device (the address of function 0)
 * only those of that device. What is below a bridge in the slot is listed too.
 * Returns 0, -ENOMEM, or -ENOENT when the port is gone.
 */
int sysfs_functions_read(const char *port, const char *device, struct sysfs_function **ret, size_t *ret_n);
/* The same with addresses and drivers alone, which is quicker. */
int sysfs_drivers_read(const char *port, const char *device, struct sysfs_function **ret, size_t *ret_n);
/* Whether there are any, which is quicker still. */
bool sysfs_functions_exist(const char *port, const char *device);
void sysfs_functions_free(struct sysfs_function *functions, size_t n);

/* Addresses of the ports whose slots pciehp or shpchp drive. */
int sysfs_adoptable_ports(char ***ret);

/* Whether shpchp drives the device at @syspath: a bridge, all of whose slots came
 * with its driver. False when it has gone. */
bool sysfs_is_shpc_bridge(const char *syspath);

#endif
