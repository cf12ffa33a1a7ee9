/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs and "hpctl history" find in the journal again: messages with a
 * MESSAGE_ID and fields. All are written whatever LogLevel= is.
 *
 * @s may be NULL for a slot that has gone.
 */
#ifndef HOTPLUGD_JOURNAL_H
#define HOTPLUGD_JOURNAL_H

#include "slot.h"

/* A job begins; one for a card that was pulled is told as a surprise, too. */
void journal_job_begun(const struct job *job, const struct slot *s);

/* Its step is past its deadline at @now; @stack is where in the kernel the
 * worker is, or NULL. */
void journal_job_stalled(const struct job *job, const struct slot *s, usec_t now, const char *stack);

/* It has ended at @now, in one of the final states. */
void journal_job_ended(const struct job *job, const struct slot *s, usec_t now);

/* Something happened at a slot, @what being the words for it, and @v what the
 * engine made of it. */
void journal_event(const struct slot *s, enum slot_event event, const char *what, enum verdict v);

/* Somebody has set something on the slot of that name, or could not: @what is hold, unhold, locate,
 * unlocate, adopt or release; @why_not is NULL when it was done. */
void journal_control(const struct slot *s, const char *name, const char *what, const char *who, const char *why_not);

/* A request of @who was turned down by policy before there was a job. */
void journal_denied(const struct slot *s, enum operation operation, const char *who, const char *reason);

/* The shim has taken the slot's port over, or has it no longer. */
void journal_adopted(const struct slot *s);
void journal_released(const struct slot *s);

#endif
