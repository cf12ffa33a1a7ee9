/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Uevents, and policy by udev properties. */
#ifndef HOTPLUGD_UDEV_H
#define HOTPLUGD_UDEV_H

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

#include "engine.h"
#include "sysfs.h"

struct udev_link;
typedef void (*udev_handler_t)(const char *action, const char *syspath, const char *subsystem, void *userdata);
typedef void (*udev_bound_handler_t)(const char *syspath, void *userdata);

/* Calls @handler for each device below a PCI device that came, went or
 * changed, after udev has dealt with it; with a @syspath of NULL when some were
 * lost, so that any device may have changed. @bound is called for each PCI device
 * that has got its driver as soon as the kernel says so, which may be seconds before. */
int udev_link_new(struct udev_link **ret, sd_event *event, udev_handler_t handler, udev_bound_handler_t bound,
		  void *userdata);
struct udev_link *udev_link_free(struct udev_link *l);

/* What udev's rules say about a slot. */
struct policy {
	enum button_policy button;
	enum insert_policy insert;
	bool protect;
	usec_t grace;
	char *name; /* what people call it, or NULL */
};

/* What holds where no rule says otherwise; policy_set_default() changes it for
 * what is read from then on. */
void policy_default(struct policy *p);
void policy_set_default(enum button_policy button, enum insert_policy insert, usec_t grace);
void policy_clear(struct policy *p);

/*
 * Reads policy from udev's database: that of the port first, then of each
 * function and of the devices below it, each overriding what came before, but
 * for HOTPLUGD_PROTECT=1, which nothing overrides. A wrong value is logged and
 * ignored. Returns 0 or -ENOMEM, and then leaves @p as it was.
 */
int policy_read(const char *port, const struct sysfs_function *functions, size_t n, struct policy *p);

#endif
