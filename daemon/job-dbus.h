/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.hotplugd1.Job on the bus. */
#ifndef HOTPLUGD_JOB_DBUS_H
#define HOTPLUGD_JOB_DBUS_H

#include "manager.h"

/* Puts the job objects on the bus. */
int job_dbus_register(struct manager *m);

/* /org/hotplugd1/job/ID, to be freed; NULL when memory is short. */
char *job_dbus_path(uint32_t id);

/* A job came, changed, ended. @slot: the name of its slot, which may have gone. Whoever
 * listens knows us by our name, so ends are told when we have it. */
void job_dbus_new(struct manager *m, const struct job *job);
void job_dbus_changed(struct manager *m, const struct job *job);
void job_dbus_ended(struct manager *m, const struct job *job, const char *slot);
/* The name is ours from now on. */
void job_dbus_named(struct manager *m);
/* What was to be told then is told to nobody. */
void job_dbus_free(struct manager *m);

#endif
