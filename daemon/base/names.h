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
#define POLKIT_REPLACE "org.hotplugd1.replace"
#define POLKIT_RESCAN  "org.hotplugd1.rescan"
#define POLKIT_HOLD    "org.hotplugd1.hold"
#define POLKIT_LOCATE  "org.hotplugd1.locate"
#define POLKIT_ADOPT   "org.hotplugd1.adopt"
#define POLKIT_RELEASE "org.hotplugd1.release"

#define UDEV_PROPERTY_BUTTON    "HOTPLUGD_BUTTON"
#define UDEV_PROPERTY_INSERT    "HOTPLUGD_INSERT"
#define UDEV_PROPERTY_PROTECT   "HOTPLUGD_PROTECT"
#define UDEV_PROPERTY_GRACE_SEC "HOTPLUGD_GRACE_SEC"
#define UDEV_PROPERTY_NAME      "HOTPLUGD_NAME"

#define SYSFS_SLOTS       "/sys/bus/pci/slots"
#define SYSFS_DEVICES     "/sys/bus/pci/devices"
#define SYSFS_DRIVERS     "/sys/bus/pci/drivers"
#define SYSFS_DRIVERS_PROBE "/sys/bus/pci/drivers_probe"
#define SYSFS_SHIM_REMOVE "/sys/bus/pci/drivers/hpshim/remove"
#define SYSFS_SHIM_RESCAN "/sys/bus/pci/drivers/hpshim/rescan"

/* MESSAGE_ID= of what is told in the journal; hotplugd.catalog explains them. */
#define MESSAGE_JOB_BEGUN     "a176bbe726664dc38947643777c03f0c"
#define MESSAGE_JOB_DONE      "d29a9184e2fe4e81a68411af61b7a34e"
#define MESSAGE_JOB_FAILED    "92159382b87d44989eb610cc51975a0a"
#define MESSAGE_JOB_REFUSED   "b56ab59768bd49348a15fac57f84e74f"
#define MESSAGE_JOB_CANCELLED "0364aacfc2664de9a00852980ca92f0e"
#define MESSAGE_JOB_GONE      "3e5dd06d5ada4218ad71e96b026be465"
#define MESSAGE_JOB_STALLED   "be76271c039c411098eeaf43d04933db"
#define MESSAGE_PRESS         "a840a11967894249b4fd743954bb5655"
#define MESSAGE_SURPRISE      "a31da17404c744d198fe5dc51782192f"
#define MESSAGE_POWER_FAULT   "fb2f7e11d4974662b75ee00469ec1f57"
#define MESSAGE_ADOPTED       "61430a025e9a4000ab6c20be902a3222"
#define MESSAGE_RELEASED      "90d5c145bb7447218d2707036a9feaf8"
#define MESSAGE_CONTROL       "dcd5754785ec4254bdcb97e45aad31b2"
#define MESSAGE_DENIED        "ba9417ab1000495cb9c67ddae1616860"

/* Fields of these messages, where they make sense. */
#define FIELD_SLOT         "HOTPLUGD_SLOT"         /* slot3 */
#define FIELD_ADDRESS      "HOTPLUGD_ADDRESS"      /* as in hpctl list */
#define FIELD_DEVICES      "HOTPLUGD_DEVICES"      /* what is in the slot: nvme0n1 eth0 */
#define FIELD_DRIVERS      "HOTPLUGD_DRIVERS"      /* of these: nvme e1000e */
#define FIELD_JOB          "HOTPLUGD_JOB"          /* its number */
#define FIELD_OPERATION    "HOTPLUGD_OPERATION"    /* eject, insert, replace, rescan; what people set: hold, unhold, ... */
#define FIELD_ORIGIN       "HOTPLUGD_ORIGIN"       /* button, surprise, sysfs, dbus, udev, boot */
#define FIELD_RESULT       "HOTPLUGD_RESULT"       /* done, failed, refused, cancelled, gone */
#define FIELD_REASON       "HOTPLUGD_REASON"       /* a sentence */
#define FIELD_REQUESTED_BY "HOTPLUGD_REQUESTED_BY" /* uid 0, button, sysfs */
#define FIELD_STEP         "HOTPLUGD_STEP"         /* of a job that is stalled */
#define FIELD_STACK        "HOTPLUGD_STACK"        /* where in the kernel its commit is */
#define FIELD_VERDICT      "HOTPLUGD_VERDICT"      /* what became of an event */
#define FIELD_USEC         "HOTPLUGD_USEC"         /* how long the job took */

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
