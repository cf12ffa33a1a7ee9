/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Being the shim's controller, the one program that it takes commands of. */
#ifndef HOTPLUGD_CONTROLLER_H
#define HOTPLUGD_CONTROLLER_H

#include "manager.h"

/* Asks the shim for control, or as its controller to go by another GiveBackSec=.
 * The shim then tells of all who wait in slots/N/power. */
void controller_ask(struct manager *m);
/* What came of it: 0 or a negative errno. */
void controller_answered(struct manager *m, int error);

/* The module is not there. */
void controller_absent(struct manager *m);

/* What came of commands may be lost: whatever is awaited is asked for once more. */
void controller_ask_again(struct manager *m);

void controller_free(struct manager *m);

#endif
