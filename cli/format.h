/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How slots and jobs look to people: words and tables.
 *
 * May not ask the bus. Strings returned are to be freed.
 */
#ifndef HPCTL_FORMAT_H
#define HPCTL_FORMAT_H

#include "hpctl.h"
#include "model.h"

#define COLOR_GOOD  "\033[32m"
#define COLOR_BAD   "\033[1;31m"
#define COLOR_BUSY  "\033[33m"
#define COLOR_FAINT "\033[90m"
#define COLOR_END   "\033[0m"

/* Whether a stream is a terminal that colours and cursor movement suit. */
bool format_is_terminal(int fd);
/* Colours on standard output: a terminal, and NO_COLOR is not set. */
bool format_use_colors(void);
/* The colour of a slot's state, or NULL. */
const char *format_state_color(const char *state);

/* "nvme0n1 (nvme), 0000:05:00.1 (no driver)"; "" for none. */
char *format_devices(const struct slot *s);
/* What a person calls the devices: "nvme0n1, eth0"; "" for none. */
char *format_device_names(const struct slot *s);
/* "7 eject committing". */
char *format_job(const struct job *j);
/* How long the job is in its step: "12s". */
char *format_job_age(const struct job *j);
/* What the job does at this moment: "removing nvme0n1". devices: as of
 * format_device_names(), taken when the job was started. */
char *format_stage(const struct job *j, const char *devices);

/* Tables on standard output. Exit codes: telling about a failure is done. */
enum exit_code format_slot_table(const struct options *o, const struct model *m, struct slot *const *slots);
/* The same, each slot below the one that it is in. */
enum exit_code format_slot_tree(const struct options *o, const struct model *m, struct slot *const *slots);
enum exit_code format_job_table(const struct options *o, const struct model *m);

#endif
