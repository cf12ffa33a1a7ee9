/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a message of hpshim says. For shim-link.c. */
#ifndef HOTPLUGD_SHIM_MESSAGE_H
#define HOTPLUGD_SHIM_MESSAGE_H

#include <stdbool.h>

#include "shim-link.h"

struct nlmsghdr;

/* Takes a message apart. ret->report points into the message. *ret_overrun says
 * that events before it were dropped. Returns 0, or -EBADMSG. */
int shim_message_parse(struct nlmsghdr *h, struct shim_event *ret, bool *ret_overrun);

#endif
