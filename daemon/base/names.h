/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All names that others rely on: bus, objects, interfaces, errors, properties,
 * paths, exit codes. Shared by daemon, worker and hpctl. Holds no code.
 */
#ifndef HOTPLUGD_NAMES_H
#define HOTPLUGD_NAMES_H

#define BUS_NAME          "org.hotplugd1"
#define PATH_MANAGER      "/org/hotplugd1"
#define PATH_SLOTS        "/org/hotplugd1/slot"
#define PATH_JOBS         "/org/hotplugd1/job"
#define INTERFACE_MANAGER "org.hotplugd1.Manager"
#define INTERFACE_SLOT    "org.hotplugd1.Slot"
#define INTERFACE_JOB     "org.hotplugd1.Job"

#define ERROR_PREFIX         "org.hotplugd1.Error."
#define ERROR_NO_SUCH_SLOT   ERROR_PREFIX "NoSuchSlot"
#define ERROR_NO_SUCH_JOB    ERROR_PREFIX "NoSuchJob"
#define ERROR_BUSY           ERROR_PREFIX "Busy"
#define ERROR_PROTECTED      ERROR_PREFIX "Protected"
#define ERROR_IN_USE         ERROR_PREFIX "InUse"
#define ERROR_LATCH_OPEN     ERROR_PREFIX "LatchOpen"
#define ERROR_EMPTY          ERROR_PREFIX "Empty"
#define ERROR_TOO_LATE       ERROR_PREFIX "TooLate"
#define ERROR_NOT_AUTHORIZED ERROR_PREFIX "NotAuthorized"
#define ERROR_NOT_SUPPORTED  ERROR_PREFIX "NotSupported"
#define ERROR_INVALID        ERROR_PREFIX "InvalidArgument"
#define ERROR_FAILED         ERROR_PREFIX "Failed"

#define POLKIT_EJECT  "org.hotplugd1.eject"
#define POLKIT_INSERT "org.hotplugd1.insert"
#define POLKIT_CANCEL "org.hotplugd1.cancel"

#define UDEV_PROPERTY_BUTTON    "HOTPLUGD_BUTTON"
#define UDEV_PROPERTY_INSERT    "HOTPLUGD_INSERT"
#define UDEV_PROPERTY_PROTECT   "HOTPLUGD_PROTECT"
#define UDEV_PROPERTY_GRACE_SEC "HOTPLUGD_GRACE_SEC"
#define UDEV_PROPERTY_NAME      "HOTPLUGD_NAME"

#define SYSFS_SLOTS       "/sys/bus/pci/slots"
#define SYSFS_DEVICES     "/sys/bus/pci/devices"
#define SYSFS_SHIM_REMOVE "/sys/bus/pci/drivers/hpshim/remove"
#define SYSFS_SHIM_RESCAN "/sys/bus/pci/drivers/hpshim/rescan"

/* Exit codes of hpctl. */
enum exit_code {
	EXIT_CODE_OK = 0, /* also: nothing to do */
	EXIT_CODE_FAILED = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_NO_SUCH_SLOT = 3,
	EXIT_CODE_NOT_RUNNING = 4,
	EXIT_CODE_REFUSED = 5,
	EXIT_CODE_NOT_AUTHORIZED = 6,
	EXIT_CODE_PENDING = 7,
	EXIT_CODE_CANCELLED = 8,
};

#endif
