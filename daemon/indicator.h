/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The indicators of a slot: what they should show, and that they come to show it. */
#ifndef HOTPLUGD_INDICATOR_H
#define HOTPLUGD_INDICATOR_H

#include "manager.h"

/* Sets both; INDICATOR_KEEP leaves one as it is. Only the last of many counts. An
 * attention indicator that blinks for somebody who looks for the slot goes on. */
void indicator_set(struct manager *m, struct slot *s, enum indicator power, enum indicator attention);

/* Blinks the attention indicator for somebody who looks for the slot, or lets it show
 * again what it would. Returns 0, -EOPNOTSUPP (there is none that is ours) or another
 * negative errno. */
int indicator_locate(struct manager *m, struct slot *s, bool on);

/* A command ended, or was refused. Returns whether it was about an indicator. */
bool indicator_op_done(struct manager *m, const struct shim_event *e);

/* Answers of the shim may be lost: sets them once more. */
void indicator_ask_again(struct manager *m);

#endif
