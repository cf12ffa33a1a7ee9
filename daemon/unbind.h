/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drivers let go of the devices of a slot, before its commit and beside everything
 * else: no lock of the whole machine is held then, so a driver that does not let go
 * keeps its own slot waiting and no other.
 */
#ifndef HOTPLUGD_UNBIND_H
#define HOTPLUGD_UNBIND_H

#include <stdint.h>
#include <sys/types.h>

#include "worker-link.h"

struct manager;
struct slot;
struct unbind;

/* Makes the pool of workers that do it; they are started when needed. Returns 0 or a
 * negative errno. */
int unbind_new(struct unbind **ret, struct manager *m);
/* What is under way goes on without us, and its answer is lost. Takes NULL. */
struct unbind *unbind_free(struct unbind *u);

/*
 * Has the drivers of @s let go for job @job_id. @done is called once, perhaps at once,
 * unless the pool is freed: with EOWNERDEAD when the worker died of it, else with 0. What
 * cannot be done here is left to the commit, which does it as well. After a restart
 * process @pid, started at @start, may be at it still (@pid 0: none): it is waited for.
 * Returns 0 or -ENOMEM.
 */
int unbind_start(struct unbind *u, const struct slot *s, uint32_t job_id, pid_t pid, uint64_t start,
		 worker_handler_t done, void *userdata);

/* @job has ended, and @s is its slot, or NULL. If its drivers were unbound for nothing,
 * those that want to may take the devices again: here, and in slots that should have gone
 * with this one. */
void unbind_undo(struct unbind *u, const struct job *job, struct slot *s);

/* Which process works for the job, and where in the kernel it is; as of a worker link.
 * -ENOENT when there is none. */
int unbind_identity(const struct unbind *u, uint32_t job_id, pid_t *ret_pid, uint64_t *ret_start);
int unbind_stack(const struct unbind *u, uint32_t job_id, char **ret);

#endif
