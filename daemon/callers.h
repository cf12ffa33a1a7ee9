/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who calls on the bus, and how much of our answers each of them has not read yet.
 */
#ifndef HOTPLUGD_CALLERS_H
#define HOTPLUGD_CALLERS_H

#include <stddef.h>
#include <sys/types.h>

#include <systemd/sd-bus.h>

/* About how many bytes the answer to @call will have. */
typedef size_t (*callers_size_t)(sd_bus_message *call, void *userdata);

/*
 * Looks at each method call before it is dealt with. An answer that its caller does
 * not read is kept by the bus, which counts it against us and, past a bound (127 MiB),
 * does not listen to us any more. So nobody has more than so many bytes there: more
 * calls end with LimitsExceeded, and yet more are dropped.
 *
 * That somebody has read is known when he answers a Peer.Ping, as all libraries do by
 * themselves, or has gone. There is one bus and so one list of callers.
 */
int callers_init(sd_bus *bus, callers_size_t size, void *userdata);
/* Whatever comes from now on is thrown away. */
void callers_close(void);
void callers_deinit(void);

/* The user who made the call. Returns 0, -EAGAIN while the bus has not said it yet (it
 * is being asked), or -ENODATA. */
int callers_uid(sd_bus_message *call, uid_t *ret);

#endif
