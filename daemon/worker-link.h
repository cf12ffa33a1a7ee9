/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker: another process, which may be stuck in the kernel for as long as a driver
 * likes. One piece of work at a time. There is one for commits, and some whose work is
 * to unbind drivers.
 */
#ifndef HOTPLUGD_WORKER_LINK_H
#define HOTPLUGD_WORKER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-event.h>

enum worker_type {
	WORKER_REMOVE_SHIM,   /* address, generation */
	WORKER_RESCAN_SHIM,   /* address, generation */
	WORKER_REMOVE_NATIVE, /* functions, slot: remove each, then power off; slot NULL: that is all */
	WORKER_RESCAN_BUS,    /* address: rescan the bus below this port */
	WORKER_INSERT_NATIVE, /* slot: power on */
	WORKER_UNBIND,        /* functions, drivers: each function's driver is to let go, "": is doing so */
	WORKER_PROBE,         /* functions: a driver may take each */
	_WORKER_TYPE_MAX,
};

/* What is to be written. The strings are copied by worker_link_submit(). */
struct worker_request {
	enum worker_type type;
	const char *address;
	uint32_t generation;
	const char *slot; /* name in /sys/bus/pci/slots */
	const char **functions;
	const char **drivers; /* WORKER_UNBIND: one for each function */
	size_t n_functions;
};

/* @error is 0 or a positive errno; @text says which file, or is "". */
typedef void (*worker_handler_t)(int error, const char *text, void *userdata);

struct worker_link;

/* Makes a link; the worker (the program @path) is started when first needed. */
int worker_link_new(struct worker_link **ret, sd_event *event, const char *path);
/* The worker ends by itself when it has finished what it does. */
struct worker_link *worker_link_free(struct worker_link *l);

/* @started is called for each worker that is started, also in the place of one that
 * ended: it has an identity, and no work yet. It may not submit anything. */
typedef void (*worker_started_t)(void *userdata);
void worker_link_on_start(struct worker_link *l, worker_started_t started, void *userdata);

/*
 * A worker of a daemon before this one: process @pid, if it is the one that
 * started at @start. What it does it will finish, and then end, for nobody
 * listens to it. Until then nothing new is begun: what is submitted waits, and
 * worker_link_stack() and _identity() are about it. Returns 1 when it is there,
 * 0 when it is not, or a negative errno.
 */
int worker_link_succeed(struct worker_link *l, pid_t pid, uint64_t start);

/* Starts the worker, so that it has an identity before it has work to do.
 * Returns 0, also while a predecessor is awaited, or a negative errno. */
int worker_link_prepare(struct worker_link *l);

/*
 * Has something done. @handler is called later, exactly once unless the link is
 * freed; with EOWNERDEAD when the worker died. A worker that somebody killed is
 * replaced some times and the work done again: it must be such that this does
 * no harm. Returns 0, -EBUSY when work is
 * under way, -E2BIG, -EINVAL for a slot that has no possible name, or a
 * negative errno when no worker can be started.
 */
int worker_link_submit(struct worker_link *l, const struct worker_request *request, worker_handler_t handler,
		       void *userdata);

/* The worker is to be an ordinary process, not a real-time one as the daemon is; it stays so. */
void worker_link_demote(struct worker_link *l);

/* Whether it has nothing to do, so that worker_link_submit() is possible. */
bool worker_link_is_idle(const struct worker_link *l);

/* Where in the kernel the worker is: its stack, else the function it waits in.
 * To be freed; -ENOENT when it does nothing, -EACCES when it cannot be read. */
int worker_link_stack(struct worker_link *l, char **ret);

/* Which process it is: its pid, and when it started in clock ticks since boot,
 * which together are no other process's. -ENOENT when there is none. */
int worker_link_identity(const struct worker_link *l, pid_t *ret_pid, uint64_t *ret_start);

/* ---- the wire, for worker-link.c and worker.c ---- */

/* The worker's end of the socket (SOCK_SEQPACKET). */
#define WORKER_FD 3
#define WORKER_MESSAGE_MAX 65536

/*
 * A request is a list of writes, done in order until one fails: lines
 * "FLAG FILE VALUE" with tabs between. Flag "!": the file is written; "-": it may be
 * gone; "?": it is read, for that may wait; "=": the next line counts only if the
 * file is gone or says this value. The answer is "ERRNO TEXT".
 */

#endif
