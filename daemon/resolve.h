/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a person calls a device to where it is. */
#ifndef HOTPLUGD_RESOLVE_H
#define HOTPLUGD_RESOLVE_H

/* What a name turned out to be. */
struct resolved {
	enum { RESOLVED_SLOT, RESOLVED_DEVICE } kind;
	char *slot;   /* RESOLVED_SLOT: name in /sys/bus/pci/slots */
	char **chain; /* RESOLVED_DEVICE: its PCI address, its parent's, … */
};
void resolved_clear(struct resolved *r);

/*
 * Finds what @text means: "slot3", "3", "0000:02:00.0", "02:00.0",
 * "/dev/nvme0n1", a link to it, "nvme0n1", "nvme0", "eth0", or a path in sysfs.
 * Never guesses. Returns 0, -ENOENT (nothing of that name), -ENODEV (it is not
 * on PCI), -EINVAL (cannot be a name) or -ENOMEM.
 */
int resolve_name(const char *text, struct resolved *ret);

/* The addresses of a PCI device and of all PCI devices above it, nearest first. */
int resolve_chain(const char *address, char ***ret);

#endif
