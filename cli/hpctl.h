/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs of hpctl share: the options, and each verb's entry.
 *
 * A verb gets the arguments after its name, NULL-terminated and already counted
 * against the verb table. It tells people about errors itself and returns the
 * exit code of the program.
 */
#ifndef HPCTL_H
#define HPCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"

enum json_mode {
	JSON_OFF,
	JSON_SHORT,
	JSON_PRETTY,
};

struct options {
	enum json_mode json;
	bool legend;       /* column headings and closing remarks */
	bool force;
	bool all;
	bool dry_run;
	bool block;        /* wait for the end of the job */
	bool ask_password; /* polkit may ask */
	/* of history: as given, NULL for none */
	const char *since, *lines, *directory;
	uint64_t timeout;  /* microseconds, USEC_INFINITY: wait as long as it takes */
};

int cmd_list(const struct options *o, char **names);
int cmd_tree(const struct options *o, char **names);
int cmd_status(const struct options *o, char **names);
int cmd_eject(const struct options *o, char **names);
int cmd_insert(const struct options *o, char **names);
int cmd_replace(const struct options *o, char **names);
int cmd_hold(const struct options *o, char **names);
int cmd_unhold(const struct options *o, char **names);
int cmd_locate(const struct options *o, char **names);
int cmd_adopt(const struct options *o, char **names);
int cmd_release(const struct options *o, char **names);
int cmd_jobs(const struct options *o, char **names);
int cmd_cancel(const struct options *o, char **ids);
int cmd_monitor(const struct options *o, char **names);
int cmd_history(const struct options *o, char **names);

#endif
