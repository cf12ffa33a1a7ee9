/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What shim-link.c (receiving, coming and going), shim-command.c (sending),
 * shim-resume.c and shim-presses.c share. Nobody else includes it but their test. */
#ifndef HOTPLUGD_SHIM_INTERNAL_H
#define HOTPLUGD_SHIM_INTERNAL_H

#include <sys/queue.h>

#include "shim-link.h"

struct nl_msg;
struct nl_sock;

enum link_state { LINK_ABSENT, LINK_DUMPING, LINK_REPLAYING, LINK_LIVE };

/* A command whose acknowledgement is awaited. */
struct command {
	TAILQ_ENTRY(command) entry;
	uint32_t seq;
	uint8_t cmd;
	uint64_t cookie;
};

/* How many presses of a slot were passed on. */
struct presses {
	TAILQ_ENTRY(presses) entry;
	uint32_t slot, generation;
	uint64_t count; /* number of the last press that was passed on */
	bool known;     /* else: how many there had been when we came */
};

struct shim_link {
	sd_event *event;
	const struct shim_link_ops *ops;
	void *userdata;

	struct nl_sock *control; /* nlctrl: families come and go */
	struct nl_sock *socket;  /* NULL: ABSENT */
	sd_event_source *control_source, *source;
	int family;
	enum link_state state;

	int resume_fd;     /* socket to be taken over, -1: none */
	bool kept;	   /* the socket is that one */
	bool resumed;      /* last_seq is where another link had got to */
	uint64_t last_seq; /* of the event passed on last */
	uint64_t seen_seq; /* highest one heard of */
	bool overrun;      /* the replay says that some are lost */
	bool missed;       /* the socket lost messages while we asked */
	bool lost;         /* since it was live: events for good, or acknowledgements */
	bool synced;       /* a dump was passed on: what is new since is new */
	uint32_t dump_seq; /* netlink sequence number of the dump or replay */
	sd_event_source *retry; /* the dump or replay is to be asked for again */

	struct shim_slot *slots; /* of the dump under way */
	size_t n_slots;

	sd_event_source *heartbeat; /* we are the controller */
	uint64_t heartbeat_usec;

	TAILQ_HEAD(, command) commands;
	TAILQ_HEAD(, presses) presses;
};

/* libnl has errors of its own; ours are the system's: 0 or a negative errno. */
int shim_link_errno(int r);

/* shim-resume.c */
/* Gives @s the socket that is to be taken over, if it is one to the module that
 * is there now. Returns 1, with the family known and *ret_group set, or 0: @s is
 * to be connected. */
int shim_resume_connect(struct shim_link *l, struct nl_sock *s, int *ret_group);
/* Takes over what was dealt with, once the family is known. */
void shim_resume_position(struct shim_link *l, const struct shim_resume *resume);

/* shim-presses.c */
/* The record of a slot, made if there is none. @from_start: the slot is new, each of
 * its presses is still to be passed on. NULL when memory is short. */
struct presses *shim_presses_of(struct shim_link *l, const struct shim_slot *s, bool from_start);
void shim_presses_forget(struct shim_link *l, const struct shim_slot *s);
/* Of slots that are not in the dump nothing comes any more. */
void shim_presses_prune(struct shim_link *l);
void shim_presses_clear(struct shim_link *l);

/* shim-command.c */
/* Signs of life, from now on and now; as long as there is a socket and the loop runs. */
void shim_heartbeat_start(struct shim_link *l);
void shim_heartbeat_stop(struct shim_link *l);

/* A message with its header, or NULL when memory is short. */
struct nl_msg *shim_link_message(struct shim_link *l, int flags, uint8_t cmd);

#endif
