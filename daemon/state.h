/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one hotplugd leaves to the next: a file in /run/hotplugd that is
 * replaced as a whole, so that it is the old one or the new one, never half of
 * it. What it means is recover.c's.
 */
#ifndef HOTPLUGD_STATE_H
#define HOTPLUGD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine.h"

/* A file of another version is not read: what it says may mean something else. */
#define STATE_VERSION 5

/* A slot as it was known. */
struct state_slot {
	char *name;                   /* "slot3" */
	bool shim;                    /* the shim has it */
	uint32_t shim_id, generation; /* shim only */
	uint64_t presses;             /* shim only: how many were dealt with */
	bool present;
	bool locate;
	bool hold;
	bool released;                /* given back to its own driver, by hand */
	struct engine_memory seen;    /* what the engine has yet to look at */
};

/* A job under way, or one that has ended and nobody was told yet; job.slot is not used, @slot is its name. */
struct state_job {
	struct job job;
	char *slot;
	bool shim;           /* as the slot was when the job was written down */
	uint32_t generation;
	pid_t unbinder_pid;  /* who has its drivers let go, 0: nobody */
	uint64_t unbinder_start;
};

/* A writer that waits in slots/N/power. */
struct state_legacy {
	uint64_t request;
	uint32_t job_id;
};

struct state {
	int family;          /* of the shim: another one is another life of the module, 0: none */
	uint64_t seq;        /* of the shim's last event that was dealt with */
	uint32_t last_job_id;
	pid_t worker_pid;    /* 0: none */
	uint64_t worker_start;
	struct state_slot *slots;
	struct state_job *jobs; /* oldest first */
	struct state_legacy *legacy;
	size_t n_slots, n_jobs, n_legacy;
};

/* Frees what is in it; zeroes it. */
void state_clear(struct state *st);

/* Remembers the text of each slot and job, so that of many, which change one at a time,
 * only that one is made anew. Zeroed: nothing is remembered. */
struct state_memo {
	struct state_slot_text *slots;
	struct state_job_text *jobs;
	size_t n_slots, n_jobs;
};
void state_memo_clear(struct state_memo *memo);

/* As text, to be freed; NULL when memory is short. */
char *state_format(const struct state *st, struct state_memo *memo);

/* From text of any kind. Returns 0, -EBADMSG (damaged), -EPROTO (another
 * version) or -ENOMEM; *ret is empty then. To be cleared with state_clear(). */
int state_parse(struct state *ret, const char *text, size_t size);

/* Replaces the file at @path. Returns 0 or a negative errno; the old file
 * stays then. */
int state_write(const char *path, const char *text);

/* Reads it. Returns 0, -ENOENT, or as state_parse(), or a negative errno. */
int state_read(struct state *ret, const char *path);

const struct state_slot *state_slot_by_name(const struct state *st, const char *name);
const struct state_job *state_job_by_id(const struct state *st, uint32_t id);

#endif
