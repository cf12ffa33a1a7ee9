/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hotplugd has told the journal: its messages with a MESSAGE_ID, as records.
 *
 * Knows the fields of base/names.h. Asks neither the bus nor the daemon.
 */
#ifndef HPCTL_JOURNAL_H
#define HPCTL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

enum entry_type {
	ENTRY_JOB,         /* a job has ended; or it began, and its end is not told */
	ENTRY_STALLED,     /* a job is past a deadline */
	ENTRY_PRESS,       /* the attention button */
	ENTRY_SURPRISE,    /* a card or its link was lost */
	ENTRY_POWER_FAULT,
	ENTRY_CONTROL,     /* something was set on a slot: hold, adopt, ... */
	ENTRY_DENIED,      /* a request was turned down by policy */
	_ENTRY_TYPE_MAX,
};
/* "job", "job-stalled", "press", "surprise", "power-fault", "control", "request-refused". */
const char *entry_type_to_string(enum entry_type t);

/* One message. Strings are never NULL; "": the message does not say. */
struct entry {
	enum entry_type type;
	uint64_t time;     /* CLOCK_REALTIME, microseconds */
	uint64_t began;    /* likewise, of a job; USEC_INFINITY: not told */
	uint64_t duration; /* of a job that has ended, microseconds; USEC_INFINITY: not told */
	char *boot;        /* 32 hexadecimal digits */
	char *slot, *address;
	char *devices, *drivers; /* words: what is in the slot then or, if nothing, was when the job began */
	char *job, *operation, *origin, *requested_by;
	char *result;      /* "" for a job whose end is not told */
	char *verdict;     /* what became of a press or a fault */
	char *reason, *step, *stack;
};

struct journal_query {
	const char *directory; /* of journal files; NULL: the journal of this machine */
	uint64_t since;        /* CLOCK_REALTIME, microseconds; 0: all */
	size_t lines;          /* as many at most, the newest ones; SIZE_MAX: all */
	char **names;          /* slots, addresses and devices; none: all */
};

/* Oldest first. */
struct journal {
	struct entry **entries;
	size_t n;
	bool more; /* there are older ones that were asked for, but for the number of lines */
};

/*
 * Reads what a query asks for into an empty journal, to be cleared. An entry is
 * of a name if that is its slot ("slot3", "3"), its address, or one of the
 * devices that were in the slot then ("nvme0n1", "/dev/nvme0n1").
 * EXIT_CODE_FAILED where there is no journal, EXIT_CODE_NOT_AUTHORIZED where it
 * may not be read; the person has been told.
 */
enum exit_code journal_read(const struct journal_query *q, struct journal *ret);
void journal_clear(struct journal *j);

/* Whether an entry is of that name. */
bool entry_is_of(const struct entry *e, const char *name);

#endif
