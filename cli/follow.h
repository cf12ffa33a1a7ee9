/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start a job on each of some slots, and follow them to their ends.
 *
 *   follow.c       the loop: calls, signals of the bus, Ctrl-C, time-outs
 *   follow-item.c  how one slot ends: results, and what came up in it
 *   follow-view.c  what the person sees: progress lines and results
 */
#ifndef HPCTL_FOLLOW_H
#define HPCTL_FOLLOW_H

#include <systemd/sd-event.h>

#include "client.h"

/* An operation and the words for it. */
struct operation {
	const char *name;   /* "eject", as on the bus */
	const char *method; /* of the manager */
	const char *done;   /* "ejected" */
	const char *idle;   /* why there was nothing to do */
	bool shows_devices; /* the devices of the slot are its result */
	bool deepest_first; /* a slot goes with the one above, which must not be under way when it is asked for */
	bool (*concerns)(const struct slot *s); /* with --all: there is something to do */
};

enum item_state {
	ITEM_WAITING,   /* its turn to be asked for has not come */
	ITEM_CALLING,   /* the daemon was asked */
	ITEM_RUNNING,   /* its job is under way */
	ITEM_FINISHING, /* done; looking what came up */
	ITEM_ENDED,
};

/* Of a Ctrl-C, for what runs. */
enum item_cancel {
	CANCEL_NONE,
	CANCEL_ASKED,    /* a person may be typing a password */
	CANCEL_ANSWERED,
};

/* One slot of the command line. */
struct item {
	struct follow *follow;
	char *slot;          /* "slot3" */
	char *slot_path;
	char *devices;       /* what was in it, for people */
	size_t depth;        /* slots above it, where that matters; the deepest is asked for first */
	enum item_state state;
	enum item_cancel cancel;
	struct job *job;     /* from ITEM_RUNNING on, NULL if none was needed */
	bool stall_told;
	bool looked;         /* asked for what came up */

	/* The line on a terminal: stages that have passed, and the one under way. */
	char *trail;
	char *step;          /* whose text is not in the trail yet */
	uint64_t step_since; /* CLOCK_MONOTONIC */

	/* Set at the end. */
	enum exit_code code;
	const char *result;  /* for JSON: "done", "failed" … "nothing", "pending", "error" */
	char *text;          /* what the line ends with */
	char *error;         /* its name on the bus; NULL: none */
	char *reason;
};

struct follow {
	const struct options *o;
	const struct operation *operation;
	struct client client;
	struct item *items;
	size_t n_items;
	bool at_once;        /* ask for all items that wait, not for one after the other */
	uint32_t last_known; /* jobs up to this number were there before we asked */

	sd_event *event;
	sd_event_source *lost_timer; /* armed while the daemon is away */
	sd_event_source *look_timer; /* armed while items are to be looked at */
	unsigned int interrupts;
	bool agent_renewed;  /* since the first of them */

	/* Jobs that ended before we knew that they were ours. */
	struct ended {
		char *path, *result, *reason;
	} *ended;
	size_t n_ended;

	/* follow-view.c */
	bool live;           /* lines are redrawn on a terminal */
	size_t n_drawn;
};

/* The whole of "hpctl eject" and "hpctl insert". */
int follow_run(const struct options *o, const struct operation *operation, char **names);
/* The same with --dry-run: tells, and does nothing. */
int dry_run(const struct options *o, const struct operation *operation, char **names);

/* Prepares for the items' ends. Negative errno on failure. */
int items_init(struct follow *f);
/* Ends an item; once only. */
void item_end(struct item *item, const char *result, enum exit_code code, const char *reason);
void item_end_error(struct item *item, const sd_bus_error *error);
/* A result as of JobRemoved; one that is not known is no success. */
void item_end_result(struct item *item, const char *result, const char *reason);
/* Its job has ended: the item too, at once or when it is known what came up. */
void item_removed(struct item *item, const char *result, const char *reason);

void view_init(struct follow *f);
/* Something about an item has changed, or time has passed (item NULL). */
void view_changed(struct follow *f, struct item *item);
/* A remark that is no result, on the error stream. */
void view_note(struct follow *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the lines away, as somebody else may write; the next change puts them back. */
void view_clear(struct follow *f);
/* The item has ended: result line, or message. */
void view_ended(struct follow *f, struct item *item);
/* All have, or with @code nothing more is heard of those that have not: what is
 * printed at the very end. */
void view_finish(struct follow *f, enum exit_code code);

#endif
