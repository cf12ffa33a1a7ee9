// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl insert: powers slots on and brings up the devices in them.
 *
 * Responsible for: the verb's words; how it is followed is follow.c's.
 */
#include "follow.h"
#include "util.h"

static bool is_off(const struct slot *s)
{
	return !streq(s->state, "on") && !streq(s->state, "empty");
}

static const struct operation insert = {
	.name = "insert",
	.method = "Insert",
	.done = "inserted",
	.idle = "the slot is on and its devices are up",
	.shows_devices = true,
	.concerns = is_off,
};

int cmd_insert(const struct options *o, char **names)
{
	return o->dry_run ? dry_run(o, &insert, names) : follow_run(o, &insert, names);
}
